// Owns: what a profile says about a call whose plan was tuned for another cell: how the call differs from that cell,
// and what that may cost. There is no model of the cost: it comes from measurements alone, and is unknown where the
// profile has nothing to compare. Does not own: choosing the plan (choose_plan).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tuner/profile/profile.hpp"

namespace sluice::tuner {

// One call, as choose_plan() takes it.
struct Call {
  Isa isa;
  Kind kind;
  Shape shape;
  std::size_t m;
  std::uint32_t max_threads;
};

// Two rows of the profile whose cells differ as the borrowed cell differs from the call (M 256 and M 64, for example),
// but at another thread limit, M or activation.
struct LikeStep {
  PlanRow from;
  PlanRow to;
  bool same_plan;
};

struct Borrowing {
  std::vector<std::string> steps;    // from the cell to the call: "M 256 for 64", "at most 2 threads for 1"
  bool other_machine = false;        // the most uncertain step; usable_rows() tells which fields differ
  std::vector<std::string> changes;  // from the plan this call would have without a profile: "kc 384, analytical 96"
  std::vector<LikeStep> like_steps;

  // Whether no cost is expected, because on this machine every like step kept the plan. Otherwise the cost is unknown.
  [[nodiscard]] bool none_expected() const;
  // Returns the same in words.
  [[nodiscard]] std::string expected_cost() const;
};

// Returns what is known about using `row` of `profile` for the call. `analytical` is the call's plan without a profile.
Borrowing explain_borrowing(const Profile& profile, bool exact_machine, const PlanRow& row, const Call& call,
                            const Plan& analytical);

// Returns all fields of a plan for this call, each extent clipped to the problem: "nr 32 mr 13 kc whole mc 128 …".
std::string plan_words(const Plan& plan, const Call& call);

// Returns the fields in which two plans differ for this call, each extent clipped to the problem: "kc 384, analytical
// 96". `other` is the word for the second plan.
std::vector<std::string> plan_differences(const Plan& plan, const Plan& second, std::string_view other,
                                          const Call& call);

}  // namespace sluice::tuner
