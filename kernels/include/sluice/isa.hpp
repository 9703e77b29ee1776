// Owns: which instruction sets there are, which this machine can run, which one is used.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "sluice/status.hpp"

namespace sluice {

// avx2 means AVX2, FMA and F16C (every processor with AVX2 so far has it); avx512 means AVX-512 F and BW. Integer
// arithmetic uses AVX-VNNI, AVX-512 VNNI and AMX-INT8 beside them where they are; the answer has the same bits. For AMX
// the first use of the library asks Linux for leave to use its registers, which lasts for the process.
enum class Isa : std::uint8_t { scalar, neon, avx2, avx512 };

// Every name, whether or not this build has it. The order is worst to best.
std::span<const Isa> all_isas() noexcept;
std::string_view name(Isa isa) noexcept;
std::optional<Isa> parse_isa(std::string_view name) noexcept;

// What this build holds and both CPU and operating system allow; best last, never empty (scalar is always there).
std::span<const Isa> runnable_isas() noexcept;
bool runnable(Isa isa) noexcept;

// `forced` if given, else the environment variable SLUICE_ISA if set and not empty, else the best runnable.
// A forced ISA that is unknown or cannot run here is Code::unsupported, never another ISA. Reads the environment, so no
// other thread may call setenv() meanwhile.
Result<Isa> select_isa(std::optional<Isa> forced = std::nullopt) noexcept;

}  // namespace sluice
