#include "tuner/machine/power.hpp"

#include <fmt/format.h>

#include <charconv>

#include "tuner/base/system_file.hpp"

namespace sluice::tuner {
namespace {

namespace fs = std::filesystem;

std::optional<std::uint64_t> number_in(const fs::path& path) {
  const auto word = word_in(path);
  if (!word) return std::nullopt;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(word->data(), word->data() + word->size(), value);
  return error == std::errc() ? std::optional(value) : std::nullopt;
}

// acpi-cpufreq and amd-pstate tell whether boost is on, intel_pstate tells whether turbo is off.
std::optional<bool> boost(const fs::path& cpus) {
  if (const auto on = number_in(cpus / "cpufreq/boost")) return *on != 0;
  if (const auto off = number_in(cpus / "intel_pstate/no_turbo")) return *off == 0;
  return std::nullopt;
}

// The machine is on battery when a battery of its own is discharging. The battery of a mouse has the scope "Device".
std::optional<bool> on_battery(const fs::path& supplies) {
  std::optional<bool> answer;
  std::error_code error;
  for (fs::directory_iterator entry(supplies, error), end; !error && entry != end; entry.increment(error)) {
    const fs::path& supply = entry->path();
    const auto type = word_in(supply / "type");
    if (type == "Mains" || type == "USB") {
      if (number_in(supply / "online")) answer = answer.value_or(false);
    }
    if (type == "Battery" && word_in(supply / "scope") != "Device")
      answer = answer.value_or(false) || word_in(supply / "status") == "Discharging";
  }
  return answer;
}

}  // namespace

Power read_power(const fs::path& root, unsigned cpu) {
  const fs::path cpus = root / "sys/devices/system/cpu";
  const fs::path frequency = cpus / fmt::format("cpu{}/cpufreq", cpu);
  return {word_in(frequency / "scaling_governor"),
          word_in(frequency / "scaling_driver"),
          word_in(frequency / "energy_performance_preference"),
          number_in(frequency / "scaling_max_freq"),
          number_in(frequency / "cpuinfo_max_freq"),
          boost(cpus),
          on_battery(root / "sys/class/power_supply")};
}

}  // namespace sluice::tuner
