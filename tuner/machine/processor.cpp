#include "tuner/machine/processor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <string_view>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

namespace sluice::tuner {
namespace {

// Brand strings are padded on either side and inside.
std::string collapse_spaces(std::string_view text) {
  std::istringstream words{std::string(text)};
  std::string collapsed;
  for (std::string word; words >> word;) collapsed += (collapsed.empty() ? "" : " ") + word;
  return collapsed;
}

std::optional<std::string> unless_empty(std::string text) {
  return text.empty() ? std::nullopt : std::optional(std::move(text));
}

#if defined(__x86_64__) || defined(__i386__)

struct Registers {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};

std::optional<Registers> cpuid(unsigned leaf) {
  Registers r;
  if (__get_cpuid(leaf, &r.eax, &r.ebx, &r.ecx, &r.edx) == 0) return std::nullopt;
  return r;
}

template <std::size_t Count>
std::string text_of(const std::array<unsigned, Count>& registers) {
  std::array<char, sizeof(unsigned) * Count> text;
  std::memcpy(text.data(), registers.data(), text.size());
  return {text.begin(), std::find(text.begin(), text.end(), '\0')};
}

Processor identify_x86() {
  Processor processor;
  if (const auto r = cpuid(0)) processor.vendor = unless_empty(text_of(std::array{r->ebx, r->edx, r->ecx}));
  if (const auto r = cpuid(1)) {
    const unsigned family = (r->eax >> 8U) & 0xFU;
    const unsigned model = (r->eax >> 4U) & 0xFU;
    processor.family = family == 0xF ? family + ((r->eax >> 20U) & 0xFFU) : family;
    processor.model = family == 0x6 || family == 0xF ? model | ((r->eax >> 12U) & 0xF0U) : model;
    processor.stepping = r->eax & 0xFU;
    processor.hypervisor = ((r->ecx >> 31U) & 1U) != 0;
  }
  std::string brand;
  for (unsigned leaf = 0x80000002; leaf <= 0x80000004; ++leaf) {
    if (const auto r = cpuid(leaf)) brand += text_of(std::array{r->eax, r->ebx, r->ecx, r->edx});
  }
  processor.name = unless_empty(collapse_spaces(brand));
  return processor;
}

#endif

// Main ID Register of an Arm core.
struct Midr {
  std::uint32_t implementer, variant, architecture, part, revision;
};

std::optional<std::uint32_t> number(const std::string& text) {
  try {
    return static_cast<std::uint32_t>(std::stoul(text, nullptr, 0));
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

// The codes are those that the Arm Architecture Reference Manual assigns in MIDR_EL1.
std::string arm_vendor(std::uint32_t implementer) {
  switch (implementer) {
    case 0x41:
      return "Arm";
    case 0x42:
      return "Broadcom";
    case 0x43:
      return "Cavium";
    case 0x46:
      return "Fujitsu";
    case 0x48:
      return "HiSilicon";
    case 0x4E:
      return "NVIDIA";
    case 0x50:
      return "AppliedMicro";
    case 0x51:
      return "Qualcomm";
    case 0x61:
      return "Apple";
    case 0x6D:
      return "Microsoft";
    case 0xC0:
      return "Ampere";
    default:
      return fmt::format("implementer {:#04x}", implementer);
  }
}

// Some of Arm's own cores have names here. Any other core gets its part number, which identifies it just as well.
std::string arm_name(const Midr& midr) {
  if (midr.implementer == 0x41) {
    switch (midr.part) {
      case 0xD08:
        return "Cortex-A72";
      case 0xD0B:
        return "Cortex-A76";
      case 0xD0C:
        return "Neoverse-N1";
      case 0xD40:
        return "Neoverse-V1";
      case 0xD49:
        return "Neoverse-N2";
      case 0xD4F:
        return "Neoverse-V2";
      case 0xD84:
        return "Neoverse-V3";
      case 0xD8E:
        return "Neoverse-N3";
      default:
        break;
    }
  }
  return fmt::format("part {:#05x}", midr.part);
}

using Fields = std::map<std::string, std::string, std::less<>>;

// Reads the "key : value" lines of the first CPU in proc/cpuinfo.
Fields cpuinfo_fields(const std::filesystem::path& root) {
  std::ifstream file(root / "proc/cpuinfo");
  Fields fields;
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) {
      if (fields.empty()) continue;
      break;
    }
    fields.emplace(collapse_spaces(line.substr(0, colon)), collapse_spaces(line.substr(colon + 1)));
  }
  return fields;
}

std::optional<Midr> find_midr(const std::filesystem::path& root, const Fields& fields) {
  const auto field = [&](std::string_view key) -> std::optional<std::uint32_t> {
    const auto found = fields.find(key);
    return found == fields.end() ? std::nullopt : number(found->second);
  };
  const auto implementer = field("CPU implementer");
  const auto part = field("CPU part");
  if (implementer && part) {
    return Midr{*implementer, field("CPU variant").value_or(0), field("CPU architecture").value_or(8), *part,
                field("CPU revision").value_or(0)};
  }
  std::ifstream file(root / "sys/devices/system/cpu/cpu0/regs/identification/midr_el1");
  std::string text;
  file >> text;
  const auto midr = number(text);
  if (!midr || *midr == 0) return std::nullopt;
  // The architecture field is 0xF ("see the feature registers") on every 64-bit core. That stands for version 8.
  return Midr{*midr >> 24U, (*midr >> 20U) & 0xFU, 8, (*midr >> 4U) & 0xFFFU, *midr & 0xFU};
}

}  // namespace

Processor read_processor(const std::filesystem::path& root) {
  const Fields fields = cpuinfo_fields(root);
  const auto text = [&](std::string_view key) -> std::optional<std::string> {
    const auto found = fields.find(key);
    return found == fields.end() ? std::nullopt : unless_empty(found->second);
  };
  Processor processor{text("vendor_id"), text("model name"), std::nullopt, std::nullopt, std::nullopt, std::nullopt};
  if (const auto midr = find_midr(root, fields)) {
    processor.vendor = arm_vendor(midr->implementer);
    if (!processor.name) processor.name = arm_name(*midr);
    processor.family = midr->architecture;
    processor.model = midr->part;
    processor.stepping = 16 * midr->variant + midr->revision;
    return processor;
  }
  if (const auto family = text("cpu family")) processor.family = number(*family);
  if (const auto model = text("model")) processor.model = number(*model);
  if (const auto stepping = text("stepping")) processor.stepping = number(*stepping);
  return processor;
}

Processor probe_processor(const std::filesystem::path& root) {
#if defined(__x86_64__) || defined(__i386__)
  if (root == "/") return identify_x86();
#endif
  return read_processor(root);
}

}  // namespace sluice::tuner
