// Owns: helpers that put findings together: grades, plurals, and what an ok finding leaves out. Internal to the
// doctor's findings.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tuner/doctor/doctor_findings.hpp"

namespace sluice::tuner {

using Findings = std::vector<Finding>;

// Adds the findings that rest on the probes of the window.
void judge_probes(Findings& findings, const Readings& readings);

inline Severity grade(double value, double ordinary, double hopeless) {
  return value > hopeless ? Severity::bad : value > ordinary ? Severity::note : Severity::ok;
}

inline std::string plural(std::uint64_t count, std::string_view word) {
  return fmt::format("{} {}{}", count, word, count == 1 ? "" : "s");
}

// Leaves out the effect and the advice of a finding that is ok.
inline void add(Findings& findings, Severity severity, std::string subject, std::string value, std::string effect = "",
                std::string advice = "") {
  const bool ok = severity == Severity::ok;
  findings.push_back(
      {severity, std::move(subject), std::move(value), ok ? "" : std::move(effect), ok ? "" : std::move(advice)});
}

}  // namespace sluice::tuner
