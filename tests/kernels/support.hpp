// Owns: what the kernel tests share: the kernels to test, the number of cases, memory with guard pages.
// Does not own: the cases and the comparison with the oracle (tuner/workload/verification.hpp).
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "sluice/sluice.hpp"
#include "tuner/workload/verification.hpp"

namespace sluice::tests {

// An emulator is a hundred times slower: builds for one define SLUICE_BRIEF_TESTS, and where it runs the programs of
// another build, that stands in the environment. All kinds, biases and orders stay.
#ifdef SLUICE_BRIEF_TESTS
inline const bool brief = true;
#else
inline const bool brief = std::getenv("SLUICE_BRIEF_TESTS") != nullptr;
#endif
inline const tuner::Coverage coverage = brief ? tuner::Coverage::brief : tuner::Coverage::full;

// QEMU's user mode (7.2) and ThreadSanitizer abort when the forked child of a process with threads starts threads.
#if (defined(SLUICE_BRIEF_TESTS) && !defined(__x86_64__)) || defined(__SANITIZE_THREAD__)
inline constexpr bool forks_may_start_threads = false;
#else
inline constexpr bool forks_may_start_threads = true;
#endif

inline std::vector<Kind> all_kinds() {
  std::vector<Kind> result;
  for (const NamedKind& row : kinds()) {
    result.push_back(row.kind);
  }
  return result;
}

inline bool has_zero_points(WeightType type) {
  return type.element == ElementType::uint8 || type.element == ElementType::uint4;
}

// Types and arithmetics that an emulator leaves out, since others go through the same code: groups of other lengths,
// and elements of 4 bits by float32, all of which weight_types.cpp has.
inline bool spared(WeightType type, Arithmetic arithmetic) {
  if (!brief || type.group == 0) return false;
  const bool by_16_bits = arithmetic == Arithmetic::int16;
  if (has_zero_points(type))
    return arithmetic == Arithmetic::f32 || type.group != (by_16_bits ? WeightType::whole_column : 128);
  if (weight_bytes(type) < 1 && arithmetic == Arithmetic::f32) return true;
  if (type == WeightType::mxfp4) return by_16_bits;
  if (type.element == ElementType::int4) return type.group != (by_16_bits ? WeightType::whole_column : 64);
  return type.group != (by_16_bits ? WeightType::whole_column : 32);
}

// Of types whose groups differ in length alone an emulator need not try all.
inline bool of_middle_length(WeightType type) { return type.group == 64 || type.group == 128; }

// All kinds with f32 weights, and a gated and a plain one with each other type and arithmetic (a gated one under an
// emulator, of longer groups and of 4 bits; groups of 64 and 128 by one arithmetic): the activation works on float32
// sums, whatever the weights were, and dots.cpp and weight_types.cpp go through all of them.
inline std::vector<Kind> tested_kinds() {
  std::vector<Kind> result = all_kinds();
  for (const WeightType type : all_weight_types()) {
    for (const Arithmetic arithmetic : all_arithmetics()) {
      if (!offered(type, arithmetic) || type == WeightType::f32 || spared(type, arithmetic)) continue;
      if (!brief && of_middle_length(type) && arithmetic != Arithmetic::int8) continue;
      // A zero point takes part where a group begins. One type of 4 bits stands for the others.
      const std::uint32_t group = arithmetic == Arithmetic::int16 ? WeightType::whole_column : 128;
      if (has_zero_points(type) && type != WeightType::uint4(32) &&
          (arithmetic == Arithmetic::f32 || type.group != group))
        continue;
      result.push_back({Activation::silu, true, type, arithmetic});
      if (!brief && type.group <= 32 && weight_bytes(type) > 1 && !has_zero_points(type))
        result.push_back({Activation::relu, false, type, arithmetic});
    }
  }
  return result;
}

// "swiglu", "swiglu_bf16", "swiglu_int8_32_by_int16".
inline std::string kind_name(Kind kind) {
  std::string name(sluice::name(kind));
  if (kind.weights != WeightType::f32) name += "_" + std::string(sluice::name(kind.weights));
  if (kind.arithmetic != Arithmetic::f32) name += "_by_" + std::string(sluice::name(kind.arithmetic));
  std::ranges::replace(name, ':', '_');
  return name;
}

inline std::vector<Kind> gated_kinds() {
  std::vector<Kind> result = tested_kinds();
  std::erase_if(result, [](Kind kind) { return !kind.gated; });
  return result;
}

inline std::vector<Isa> all_runnable() { return {runnable_isas().begin(), runnable_isas().end()}; }

inline PackOptions pack_options(Isa isa, std::uint32_t nr = 0) {
  PackOptions options;
  options.isa = isa;
  options.nr = nr;
  return options;
}

// A test per ISA that runs here, and one per ISA and kind.
class PerIsa : public testing::TestWithParam<Isa> {};
class PerKernel : public testing::TestWithParam<std::tuple<Isa, Kind>> {
 protected:
  static Isa isa() { return std::get<0>(GetParam()); }
  static Kind kind() { return std::get<1>(GetParam()); }
};

inline std::string isa_name(const testing::TestParamInfo<Isa>& info) { return std::string(name(info.param)); }
inline std::string kernel_name(const testing::TestParamInfo<std::tuple<Isa, Kind>>& info) {
  return std::string(name(std::get<0>(info.param))) + "_" + kind_name(std::get<1>(info.param));
}
inline auto every_isa() { return testing::ValuesIn(all_runnable()); }
inline auto every_kernel() {
  return testing::Combine(testing::ValuesIn(all_runnable()), testing::ValuesIn(tested_kinds()));
}

// Memory that is adjacent to one of two pages that must not be touched.
enum class Edge { low, high };
class GuardedMemory {
 public:
  GuardedMemory(std::size_t bytes, Edge edge) : bytes_(bytes) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t body = (std::max<std::size_t>(bytes, 1) + page - 1) / page * page;
    mapped_ = body + 2 * page;
    base_ = mmap(nullptr, mapped_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base_ == MAP_FAILED) {
      throw std::bad_alloc();
    }
    char* first = static_cast<char*>(base_) + page;
    if (mprotect(first, body, PROT_READ | PROT_WRITE) != 0) {
      throw std::bad_alloc();
    }
    data_ = edge == Edge::low ? first : first + body - bytes;
  }
  GuardedMemory(std::span<const float> values, Edge edge) : GuardedMemory(values.size_bytes(), edge) {
    std::copy(values.begin(), values.end(), floats());
  }
  GuardedMemory(const GuardedMemory&) = delete;
  GuardedMemory& operator=(const GuardedMemory&) = delete;
  ~GuardedMemory() { munmap(base_, mapped_); }

  [[nodiscard]] void* data() const noexcept { return data_; }
  [[nodiscard]] float* floats() const noexcept { return static_cast<float*>(data_); }
  [[nodiscard]] std::size_t size() const noexcept { return bytes_; }

 private:
  std::size_t bytes_;
  std::size_t mapped_ = 0;
  void* base_ = nullptr;
  void* data_ = nullptr;
};

}  // namespace sluice::tests
