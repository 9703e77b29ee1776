// Owns: what the CPU and the operating system offer beyond the instruction sets of the kernels: the arithmetic that
// narrower weights would use. Shown by `sluice info`, part of no plan. Does not own: which kernels run
// (sluice/isa.hpp).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace sluice::tuner {

// Returns what this machine offers, in a fixed order. On Arm it looks for asimd, fp16, dotprod, bf16, i8mm, sve, sve2
// and sme; on x86 for f16c, avx_vnni, avx512_vnni, avx512_bf16, avx512_fp16, amx_tile, amx_int8 and amx_bf16.
std::vector<std::string_view> cpu_features();

// Returns the same from what Linux on Arm tells a process about its CPU (AT_HWCAP, AT_HWCAP2).
std::vector<std::string_view> arm_features(std::uint64_t hwcap, std::uint64_t hwcap2);

// The words of CPUID, and XCR0: the register states that the operating system keeps for a process.
struct X86State {
  std::uint32_t leaf1_ecx = 0;
  std::uint32_t leaf7_ecx = 0;  // leaf 7, subleaf 0
  std::uint32_t leaf7_edx = 0;
  std::uint32_t leaf7_1_eax = 0;  // leaf 7, subleaf 1
  std::uint64_t xcr0 = 0;
};
std::vector<std::string_view> x86_features(const X86State& state);

}  // namespace sluice::tuner
