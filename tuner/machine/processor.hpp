// Owns: the identity of the CPU: who made it and which one it is. Does not own: what it can run (sluice/isa.hpp).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace sluice::tuner {

// Nothing where unknown. On Arm, family is the architecture version, model the part number, and stepping variant and
// revision in one number (16·variant + revision), as the kernel's MIDR has them.
struct Processor {
  std::optional<std::string> vendor;
  std::optional<std::string> name;
  std::optional<std::uint32_t> family;
  std::optional<std::uint32_t> model;
  std::optional<std::uint32_t> stepping;
  std::optional<bool> hypervisor;  // true in a virtual machine
};

// CPUID on x86; elsewhere the files below `root`.
Processor probe_processor(const std::filesystem::path& root = "/");

// What proc/cpuinfo and sys/…/midr_el1 below `root` say of CPU 0; the only source where there is no CPUID.
Processor read_processor(const std::filesystem::path& root);

}  // namespace sluice::tuner
