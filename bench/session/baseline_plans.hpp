// Owns: the plans that a run's own are compared with, and which of them are refused. Does not own: their turns
// (session.hpp), the outcome (plan_comparison.hpp).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "tuner/machine/machine.hpp"
#include "tuner/profile/profile.hpp"

namespace sluice::bench {

// The name of the plans that there are without a profile.
inline constexpr std::string_view default_baseline = "default";

struct BaselinePlans {
  std::string name;  // default_baseline, or the file of a profile
  tuner::UsableRows rows;
};

// Returns the plans that --against names, or nothing if it was not given. Throws Failure 2, or 5 for a file that is no
// profile of this machine, since the comparison is what was asked for. Warns of rows that cannot be used.
std::optional<BaselinePlans> choose_baseline(const std::optional<std::string>& word, const tuner::Machine& machine);

}  // namespace sluice::bench
