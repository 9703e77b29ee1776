// Owns: what a profile tells of a call whose plan was tuned for another: in what the call differs from the cell the
// plan was tuned for, and what that may cost. Only from what was measured: there is no model of the cost, and where the
// profile holds nothing to compare, the cost is unknown. Does not own: choosing the plan (choose_plan).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tuner/profile/profile.hpp"

namespace sluice::tuner {

// One call, as choose_plan() is asked for it.
struct Call {
  Isa isa;
  Kind kind;
  Shape shape;
  std::size_t m;
  std::uint32_t max_threads;
};

// A pair of plans that the profile holds for the same step as from the borrowed cell to the call (from M 256 to M 64,
// say), made elsewhere: at another thread limit, M or activation.
struct LikeStep {
  PlanRow from;
  PlanRow to;
  bool same_plan;
};

struct Borrowing {
  std::vector<std::string> steps;    // from the cell to the call: "M 256 for 64", "at most 2 threads for 1"
  bool other_machine = false;        // the most uncertain step; which fields differ, usable_rows() tells
  std::vector<std::string> changes;  // from the plan this call would have without a profile: "kc 384, analytical 96"
  std::vector<LikeStep> like_steps;

  // No cost is expected where every like step led from a plan to the same plan. Else it is unknown.
  [[nodiscard]] bool none_expected() const;
  // One sentence.
  [[nodiscard]] std::string expected_cost() const;
};

// What is known of using `row`, a row of `profile`, for the call. analytical: what it would be without a profile.
Borrowing explain_borrowing(const Profile& profile, bool exact_machine, const PlanRow& row, const Call& call,
                            const Plan& analytical);

// All fields of a plan for this call, each extent clipped to the problem: "nr 32 mr 13 kc whole mc 128 …".
std::string plan_words(const Plan& plan, const Call& call);

// The fields in which two plans differ for this call, each extent clipped to the problem: "kc 384, analytical 96",
// where `other` names the second plan.
std::vector<std::string> plan_differences(const Plan& plan, const Plan& second, std::string_view other,
                                          const Call& call);

}  // namespace sluice::tuner
