// Owns: a line of what CPUID shows of the processor, whatever the operating system keeps back, and one of the
// instruction set that dispatch chooses.
#include <cpuid.h>

#include <cstdio>

#include "sluice/isa.hpp"

int main() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  const auto yes = [](unsigned bits, unsigned bit) { return (bits & bit) != 0 ? "yes" : "no"; };
  if (__get_cpuid(1, &a, &b, &c, &d) == 0) return 1;
  const char* avx = yes(c, bit_AVX);
  b = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) b = 0;
  std::printf("processor: avx %s, avx2 %s, avx512f %s\n", avx, yes(b, bit_AVX2), yes(b, bit_AVX512F));
  const auto isa = sluice::select_isa();
  if (!isa) return 1;
  std::printf("chosen: %s\n", sluice::name(*isa).data());
}
