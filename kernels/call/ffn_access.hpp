// Owns: what tests and measurements need beneath the public class. Internal.
#pragma once

#include <memory>
#include <span>

#include "kernels/call/phases.hpp"
#include "kernels/call/portion.hpp"
#include "kernels/microkernels/kernel_table.hpp"
#include "sluice/ffn.hpp"

namespace sluice {

struct FfnAccess {
  // Ffn::pack with a given table instead of the dispatched one; the table must outlive the Ffn.
  static Result<Ffn> pack_with(const detail::KernelTable& kernels, Shape shape, Kind kind, const Weights& given,
                               const PackOptions& options);
  // The same weights in memory of their own.
  static Result<Ffn> copied(const Ffn& ffn);
  // The FFN of packed weights.
  static Ffn made_of(std::shared_ptr<const Ffn::Packed> packed, Kind kind) noexcept;
  // All packed weights and biases.
  static std::span<const float> packed_memory(const Ffn& ffn) noexcept;
  // What a measurement asks of a call.
  struct Asked {
    detail::Phases* phases = nullptr;  // receives where the time goes
    detail::Portion portion = {};      // of the work; y is an answer only if this is all of it
    double* work = nullptr;            // receives the portion's share of the multiplications
  };
  static Status forward(const Ffn& ffn, const float* x, std::size_t m, float* y, const Workspace& workspace,
                        const ForwardOptions& options, const Asked& asked) noexcept;
};

}  // namespace sluice
