// Owns: putting two profiles of one machine together, whichever came first. Does not own: adding what was just tuned,
// where the newer wins (merge_into_file of profile.hpp), or files (merge_command.hpp).
#pragma once

#include "tuner/profile/profile.hpp"

namespace sluice::tuner {

// Whether `a` is the better plan for the same cell. It is a total order of the plans' own fields, so that the order in
// which profiles are put together does not matter:
//   1. measured before not measured;
//   2. the lower ratio_high: both were compared with the analytical plan, and this is the share of its time that a plan
//      is proven not to exceed (so a wide interval counts against a plan; a default that won has 1);
//   3. more pairs;
//   4. the smaller contended share;
//   5. the lexicographically smaller JSON, so that no two different plans are equal.
bool better(const ProfilePlan& a, const ProfilePlan& b);

// Returns every cell and roof of either profile, in the order of sorted_plans(). Of a cell that both hold it keeps the
// better plan, of a roof the higher one. Date, version, command and machine are those of the profile created last. Both
// must be of one machine.
//
// It is commutative and associative, and merged(a, a) is a, put in order.
Profile merged(const Profile& a, const Profile& b);

}  // namespace sluice::tuner
