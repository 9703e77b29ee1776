// Owns: whose plans a run's own are measured against, and which baseline is refused. Does not own: its turns
// (session.hpp), what comes out (plan_comparison.hpp).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "tuner/machine/machine.hpp"
#include "tuner/profile/profile.hpp"

namespace sluice::bench {

// What there is without a profile.
inline constexpr std::string_view default_baseline = "default";

struct BaselinePlans {
  std::string name;  // default_baseline, or the file of a profile
  tuner::UsableRows rows;
};

// What --against names; nothing when it was not given. Failure 2, or 5 for a file that is no profile of this machine:
// the comparison is what was asked for. Warns of rows that cannot be used.
std::optional<BaselinePlans> choose_baseline(const std::optional<std::string>& word, const tuner::Machine& machine);

}  // namespace sluice::bench
