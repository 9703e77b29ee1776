// Owns: the identity of the CPU: who made it and which one it is. Does not own: what it can run (sluice/isa.hpp).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace sluice::tuner {

// A field is empty where it is unknown. On Arm, family is the architecture version, model is the part number and
// stepping is 16·variant + revision, all from the register MIDR_EL1.
struct Processor {
  std::optional<std::string> vendor;
  std::optional<std::string> name;
  std::optional<std::uint32_t> family;
  std::optional<std::uint32_t> model;
  std::optional<std::uint32_t> stepping;
  std::optional<bool> hypervisor;  // true in a virtual machine
};

// Uses CPUID for this machine on x86, and read_processor() otherwise.
Processor probe_processor(const std::filesystem::path& root = "/");

// Reads what proc/cpuinfo and sys/…/midr_el1 below `root` say about CPU 0.
Processor read_processor(const std::filesystem::path& root);

}  // namespace sluice::tuner
