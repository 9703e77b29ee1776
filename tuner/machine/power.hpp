// Owns: what decides the clock frequency of a CPU from outside: governor, driver, boost, limits, battery.
// Does not own: the frequency it really runs at, which only measuring tells (doctor_window.hpp).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace sluice::tuner {

// A field is empty where it is unknown. Virtual machines show none of them.
struct Power {
  std::optional<std::string> governor;                   // "performance", "schedutil", …
  std::optional<std::string> driver;                     // "intel_pstate", "acpi-cpufreq", …
  std::optional<std::string> preference;                 // of the hardware's own governor: "balance_performance", …
  std::optional<std::uint64_t> limit_khz, hardware_khz;  // the highest that is allowed, the highest there is
  std::optional<bool> boost;
  std::optional<bool> on_battery;

  // Whether the governor keeps the clock at its lowest. Under intel_pstate and amd-pstate-epp, powersave follows the
  // load instead.
  [[nodiscard]] bool held_down() const {
    return governor == "powersave" && driver != "intel_pstate" && driver != "amd-pstate-epp";
  }
};

// Reads sys/devices/system/cpu and sys/class/power_supply below `root`, for one CPU.
Power read_power(const std::filesystem::path& root, unsigned cpu);

}  // namespace sluice::tuner
