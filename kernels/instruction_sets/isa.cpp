// Owns: dispatch: which kernel tables this build holds, and which of them the machine can run.
#include "sluice/isa.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iterator>

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__linux__)
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#endif

#include "kernels/instruction_sets/tall_dots.hpp"
#include "kernels/microkernels/kernel_table.hpp"

namespace sluice {
namespace {

bool always() noexcept { return true; }
#if defined(__x86_64__)
// F16C is asked for by CPUID itself, since not every compiler's check knows it; what it needs of the operating system
// AVX2 needs too.
bool has_f16c() noexcept {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
}
// libgcc's check covers CPUID and, by XGETBV, that the operating system saves the registers. It is initialised here,
// since a constructor of the host may ask before libgcc's own has run.
bool has_avx2() noexcept {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0 && has_f16c();
}
bool has_avx512() noexcept {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0;
}
bool has_avx512_vnni() noexcept { return has_avx512() && __builtin_cpu_supports("avx512vnni") != 0; }
// Its registers are larger than what the operating system saves for every process, so a process asks for them; that
// lasts, and makes the frames of signals larger by 8 KiB in threads that have used them.
bool has_amx([[maybe_unused]] unsigned with) noexcept {
#if defined(__linux__)
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  const unsigned needed = 1U << 24U | with;  // the tiles and what computes with them
  if (!has_avx512() || __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0 || (edx & needed) != needed) return false;
  constexpr long request_permission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long tile_data = 18;
  return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
#else
  return false;
#endif
}
bool has_amx_int8() noexcept { return has_avx512_vnni() && has_amx(1U << 25U); }
bool has_amx_bf16() noexcept { return has_amx(1U << 22U); }
// Not every compiler's check knows it. It works on the registers of AVX2.
bool has_avx_vnni() noexcept {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  constexpr unsigned bit = 1U << 4U;
  return has_avx2() && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0 && (eax & bit) != 0;
}
#elif defined(__aarch64__)
// The bit of Linux's asm/hwcap.h, which older headers do not name, or macOS' name of it.
bool has_feature([[maybe_unused]] unsigned long word, [[maybe_unused]] unsigned number,
                 [[maybe_unused]] const char* name) noexcept {
#if defined(__linux__)
  return (getauxval(word) >> number & 1U) != 0;
#elif defined(__APPLE__)
  int value = 0;
  std::size_t size = sizeof value;
  return sysctlbyname(name, &value, &size, nullptr, 0) == 0 && value != 0;
#else
  return false;
#endif
}
bool has_dotprod() noexcept { return has_feature(16, 20, "hw.optional.arm.FEAT_DotProd"); }  // AT_HWCAP
bool has_i8mm() noexcept { return has_feature(26, 13, "hw.optional.arm.FEAT_I8MM"); }        // AT_HWCAP2
#endif

struct Row {
  Isa isa;
  std::string_view name;
  const detail::KernelTable* kernels;  // null: not in this build
  bool (*can_run)() noexcept;
};

// One row per ISA, worst to best.
constexpr Row table[] = {
    {Isa::scalar, "scalar", &detail::scalar_kernels, always},
#if defined(__aarch64__)
    {Isa::neon, "neon", &detail::neon_kernels, always},
#else
    {Isa::neon, "neon", nullptr, always},
#endif
#if defined(__x86_64__)
    {Isa::avx2, "avx2", &detail::avx2_kernels, has_avx2},
    {Isa::avx512, "avx512", &detail::avx512_kernels, has_avx512},
#else
    {Isa::avx2, "avx2", nullptr, always},
    {Isa::avx512, "avx512", nullptr, always},
#endif
};

// Dot products that only some processors of an ISA have, worst to best; what a table leaves out stays as it was.
struct Extension {
  Isa isa;
  const detail::DotTable* dots;
  bool (*can_run)() noexcept;
};
// Those of tall tiles, which go with the others. All of them ask the operating system, so they are for those alone who
// need them.
struct TallExtension {
  Isa isa;
  const detail::TallDotTable* dots;
  bool (*can_run)() noexcept;
};
#if defined(__x86_64__)
constexpr Extension extensions[] = {{Isa::avx2, &detail::avx_vnni_dots, has_avx_vnni},
                                    {Isa::avx512, &detail::avx512_vnni_dots, has_avx512_vnni}};
constexpr std::array tall_extensions = {TallExtension{Isa::avx512, &detail::avx512_amx_dots, has_amx_int8},
                                        TallExtension{Isa::avx512, &detail::avx512_amx_bf16_dots, has_amx_bf16}};
#elif defined(__aarch64__)
constexpr Extension extensions[] = {{Isa::neon, &detail::neon_dotprod_dots, has_dotprod},
                                    {Isa::neon, &detail::neon_i8mm_dots, has_i8mm}};
constexpr std::array<TallExtension, 0> tall_extensions{};
#else
constexpr std::array<Extension, 0> extensions{};
constexpr std::array<TallExtension, 0> tall_extensions{};
#endif

// The tables, with the extensions that run here.
struct Tables {
  std::array<detail::KernelTable, std::size(table)> tables{};
  explicit Tables(bool may_ask) noexcept {
    for (std::size_t i = 0; i < tables.size(); ++i) {
      if (table[i].kernels == nullptr) continue;
      tables[i] = *table[i].kernels;
      for (const Extension& extension : extensions)
        if (extension.isa == table[i].isa && extension.can_run()) tables[i].dots.take(*extension.dots);
      if (!may_ask) continue;
      auto* joined = joined_.begin();
      for (const TallExtension& extension : tall_extensions) {
        if (extension.isa == table[i].isa && extension.can_run()) joined->join(tables[i], *extension.dots);
        ++joined;
      }
    }
  }

 private:
  std::array<detail::JoinedDots, std::size(tall_extensions)> joined_;
};

const Row* find(Isa isa) noexcept {
  const auto* row = std::find_if(std::begin(table), std::end(table), [&](const Row& r) { return r.isa == isa; });
  return row == std::end(table) ? nullptr : row;
}

struct Runnable {
  std::array<Isa, std::size(table)> isas{};
  std::size_t count = 0;
  Runnable() noexcept {
    for (const Row& row : table)
      if (row.kernels != nullptr && row.can_run()) isas[count++] = row.isa;
  }
};

}  // namespace

std::span<const Isa> all_isas() noexcept {
  static constexpr Isa all[] = {Isa::scalar, Isa::neon, Isa::avx2, Isa::avx512};
  return all;
}

std::string_view name(Isa isa) noexcept {
  const Row* row = find(isa);
  return row == nullptr ? std::string_view("unknown") : row->name;
}

std::optional<Isa> parse_isa(std::string_view name) noexcept {
  const auto* row = std::find_if(std::begin(table), std::end(table), [&](const Row& r) { return r.name == name; });
  return row == std::end(table) ? std::nullopt : std::optional(row->isa);
}

std::span<const Isa> runnable_isas() noexcept {
  static const Runnable runnable;
  return {runnable.isas.data(), runnable.count};
}

bool runnable(Isa isa) noexcept {
  const auto isas = runnable_isas();
  return std::find(isas.begin(), isas.end(), isa) != isas.end();
}

Result<Isa> select_isa(std::optional<Isa> forced) noexcept {
  if (!forced) {
    const char* variable = std::getenv("SLUICE_ISA");
    if (variable == nullptr || *variable == '\0') return runnable_isas().back();
    forced = parse_isa(variable);
    if (!forced)
      return Status::error(Code::unsupported, "SLUICE_ISA=%s is no instruction set; use scalar, neon, avx2 or avx512",
                           variable);
  }
  const Row* row = find(*forced);
  if (row == nullptr) return Status::error(Code::unsupported, "unknown instruction set; see sluice::all_isas()");
  if (row->kernels == nullptr)
    return Status::error(Code::unsupported, "%s was asked for, but this build has no kernels for it; best here: %s",
                         row->name.data(), name(runnable_isas().back()).data());
  if (!runnable(*forced))
    return Status::error(Code::unsupported, "%s was asked for, but this machine cannot run it; best here: %s",
                         row->name.data(), name(runnable_isas().back()).data());
  return *forced;
}

namespace detail {

const KernelTable* kernel_table(Isa isa, Arithmetic arithmetic) noexcept {
  const Row* row = find(isa);
  if (row == nullptr || row->kernels == nullptr) return nullptr;
  const auto index = static_cast<std::size_t>(row - table);
  if (arithmetic == Arithmetic::f32) {
    static const Tables without_asking(false);
    return &without_asking.tables[index];
  }
  static const Tables all(true);
  return &all.tables[index];
}

const PanelKernels* panel_kernels(const KernelTable& kernels, std::uint32_t nr, ElementType elements) noexcept {
  const auto type = static_cast<std::size_t>(elements);
  if (type >= element_type_count) return nullptr;
  const auto* begin = kernels.panels[type];
  const auto* end = begin + kernels.panel_count;
  const auto* panels = std::find_if(begin, end, [&](const PanelKernels& p) { return p.tile.nr == nr; });
  return panels == end ? nullptr : panels;
}

const DotKernels* dot_kernels(const KernelTable& kernels, std::uint32_t nr, ElementType elements,
                              Arithmetic arithmetic) noexcept {
  const auto type = static_cast<std::size_t>(elements);
  const auto index = static_cast<std::size_t>(arithmetic);
  if (type >= element_type_count || index >= arithmetic_count || kernels.dots.of[type][index] == nullptr)
    return nullptr;
  const auto* begin = kernels.dots.of[type][index];
  const auto* end = begin + kernels.panel_count;
  const auto* dots = std::find_if(begin, end, [&](const DotKernels& d) { return d.nr == nr; });
  return dots == end ? nullptr : dots;
}

}  // namespace detail
}  // namespace sluice
