#include "tuner/machine/features.hpp"

#include <array>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#elif defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace sluice::tuner {
namespace {

constexpr bool bit(std::uint64_t word, unsigned number) { return ((word >> number) & 1U) != 0; }

#if defined(__x86_64__) || defined(__i386__)
X86State ask_x86() {
  X86State state;
  std::uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0) state.leaf1_ecx = ecx;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0) {
    state.leaf7_ecx = ecx;
    state.leaf7_edx = edx;
    // EAX is the highest subleaf.
    if (eax >= 1 && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0) state.leaf7_1_eax = eax;
  }
  constexpr unsigned osxsave = 27;
  if (bit(state.leaf1_ecx, osxsave)) {
    std::uint32_t low = 0, high = 0;
    asm("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    state.xcr0 = (std::uint64_t{high} << 32U) | low;
  }
  return state;
}
#endif

#if defined(__aarch64__) && defined(__APPLE__)
bool told(const char* name) {
  int value = 0;
  std::size_t size = sizeof value;
  return sysctlbyname(name, &value, &size, nullptr, 0) == 0 && value != 0;
}

std::vector<std::string_view> ask_apple() {
  struct Row {
    const char* key;
    std::string_view name;
  };
  std::vector<std::string_view> found = {"asimd"};  // every 64-bit Apple core
  for (const auto& [key, name] : std::array<Row, 5>{{{"hw.optional.arm.FEAT_FP16", "fp16"},
                                                     {"hw.optional.arm.FEAT_DotProd", "dotprod"},
                                                     {"hw.optional.arm.FEAT_BF16", "bf16"},
                                                     {"hw.optional.arm.FEAT_I8MM", "i8mm"},
                                                     {"hw.optional.arm.FEAT_SME", "sme"}}}) {
    if (told(key)) found.push_back(name);
  }
  return found;
}
#endif

}  // namespace

std::vector<std::string_view> arm_features(std::uint64_t hwcap, std::uint64_t hwcap2) {
  struct Row {
    std::uint64_t word;
    unsigned number;
    std::string_view name;
  };
  // The numbers are those of Linux's asm/hwcap.h. Older headers lack the names.
  const std::array<Row, 8> rows{{{hwcap, 1, "asimd"},
                                 {hwcap, 10, "fp16"},
                                 {hwcap, 20, "dotprod"},
                                 {hwcap2, 14, "bf16"},
                                 {hwcap2, 13, "i8mm"},
                                 {hwcap, 22, "sve"},
                                 {hwcap2, 1, "sve2"},
                                 {hwcap2, 23, "sme"}}};
  std::vector<std::string_view> found;
  for (const Row& row : rows) {
    if (bit(row.word, row.number)) found.push_back(row.name);
  }
  return found;
}

std::vector<std::string_view> x86_features(const X86State& state) {
  struct Row {
    std::uint32_t word;
    unsigned number;
    std::uint64_t kept;  // the states of XCR0 it needs
    std::string_view name;
  };
  constexpr std::uint64_t ymm = 0x6, zmm = 0xE6, tiles = 0x60000;
  const std::array<Row, 8> rows{{{state.leaf1_ecx, 29, ymm, "f16c"},
                                 {state.leaf7_1_eax, 4, ymm, "avx_vnni"},
                                 {state.leaf7_ecx, 11, zmm, "avx512_vnni"},
                                 {state.leaf7_1_eax, 5, zmm, "avx512_bf16"},
                                 {state.leaf7_edx, 23, zmm, "avx512_fp16"},
                                 {state.leaf7_edx, 24, tiles, "amx_tile"},
                                 {state.leaf7_edx, 25, tiles, "amx_int8"},
                                 {state.leaf7_edx, 22, tiles, "amx_bf16"}}};
  std::vector<std::string_view> found;
  for (const Row& row : rows) {
    if (bit(row.word, row.number) && (state.xcr0 & row.kept) == row.kept) found.push_back(row.name);
  }
  return found;
}

std::vector<std::string_view> cpu_features() {
#if defined(__x86_64__) || defined(__i386__)
  return x86_features(ask_x86());
#elif defined(__aarch64__) && defined(__linux__)
  return arm_features(getauxval(AT_HWCAP), getauxval(AT_HWCAP2));
#elif defined(__aarch64__) && defined(__APPLE__)
  return ask_apple();
#else
  return {};
#endif
}

}  // namespace sluice::tuner
