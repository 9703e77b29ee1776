#include "tuner/workload/workload.hpp"

#include <algorithm>
#include <array>

namespace sluice::tuner {
namespace {

// From the models' published configurations (hidden_size, intermediate_size). t5-base is the pair of the paper that
// introduced the gated variants ("GLU Variants Improve Transformer"): equal parameters, 2·3072 = 3·2048.
constexpr std::array table = {
    Workload{"t5-base", 768, 2048, 3072},       Workload{"gpt2", 768, 3072, 3072},
    Workload{"tinyllama", 2048, 5632, 5632},    Workload{"gemma-2b", 2048, 16384, 16384},
    Workload{"llama2-7b", 4096, 11008, 11008},  Workload{"llama3-8b", 4096, 14336, 14336},
    Workload{"mistral-7b", 4096, 14336, 14336}, Workload{"mixtral", 4096, 14336, 14336},
    Workload{"palm-8b", 4096, 16384, 16384},
};

}  // namespace

std::span<const Workload> workloads() noexcept { return table; }

const Workload* find_workload(std::string_view name) noexcept {
  const auto* found = std::find_if(table.begin(), table.end(), [&](const Workload& w) { return w.name == name; });
  return found == table.end() ? nullptr : found;
}

Shape shape(const Workload& workload, Kind kind) noexcept {
  return {workload.d_model, kind.gated ? workload.d_ff_gated : workload.d_ff_plain};
}

}  // namespace sluice::tuner
