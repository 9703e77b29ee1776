// Owns: what readings mean, as pure functions: a finding per subject, whether the machine is fit for measuring, and the
// one-line warning of the verbs that measure. Does not own: the readings (doctor_readings.hpp), their printing
// (doctor_command.hpp).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tuner/doctor/doctor_readings.hpp"

namespace sluice::tuner {

// note: results hold if they are read with that in mind. bad: the machine is unfit.
enum class Severity : std::uint8_t { ok, note, bad };
std::string_view name(Severity severity) noexcept;

struct Finding {
  Severity severity = Severity::ok;
  std::string subject;  // one word or two: "contention", "cgroup quota"
  std::string value;
  std::string effect;  // on measurements; empty when ok
  std::string advice;  // what to do about it; may be empty
};

// How disturbed a series of probes was. The level is their fast_quantile, as in Clock.
struct Contention {
  std::size_t probes = 0;
  double level = 0;            // FLOP/s or B/s
  double share = 0;            // of the probes that are contended
  double depth = 1;            // median speed of the contended ones, of the level; 1 when there are none
  double low = 1, middle = 1;  // 0.05-quantile and median of all, of the level
  double longest_seconds = 0;  // contended without a calm probe between
};
Contention contention(const ProbeSeries& series);

// Returns the level of the window's last fifth over that of its first, less 1; nothing for fewer than 25 probes.
std::optional<double> drift(const ProbeSeries& series);

std::vector<Finding> diagnose(const Readings& readings);
bool fit(const std::vector<Finding>& findings);

// Returns one line that says why the machine is visibly unfit for so many threads and what to do; empty if it is not.
std::string visible_unfitness(const Machine& machine, const Power& power, std::uint32_t threads);

}  // namespace sluice::tuner
