#include "tuner/profile/borrowing.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace sluice::tuner {
namespace {

// The respects in which a cell differs from a call of the same ISA.
struct Step {
  bool shape;
  bool kind;
  bool m;
  bool max_threads;
};

Step step(const PlanRow& row, const Call& call) {
  return {!(row.shape == call.shape), !(row.kind == call.kind), row.m != m_bucket(call.m),
          row.max_threads != call.max_threads};
}

std::vector<std::string> step_texts(const PlanRow& row, const Call& call) {
  const Step differs = step(row, call);
  std::vector<std::string> texts;
  if (differs.shape)
    texts.push_back(
        fmt::format("{}x{} for {}x{}", row.shape.d_model, row.shape.d_ff, call.shape.d_model, call.shape.d_ff));
  if (differs.kind) texts.push_back(fmt::format("{} for {}", name(row.kind), name(call.kind)));
  if (differs.m) texts.push_back(fmt::format("M {} for {}", row.m, call.m));
  if (differs.max_threads) {
    texts.push_back(
        fmt::format("at most {} thread{} for {}", row.max_threads, row.max_threads == 1 ? "" : "s", call.max_threads));
  }
  return texts;
}

// Returns the fields of a plan as this call uses them: each extent is clipped to the problem.
std::array<std::pair<std::string_view, std::string>, 10> fields(const Plan& plan, const Call& call) {
  const Tiling& t = plan.tiling;
  const auto within = [](std::uint32_t extent, std::size_t size) {
    return extent >= size ? std::string("whole") : fmt::format("{}", extent);
  };
  const std::size_t deepest = std::max(call.shape.d_model, call.shape.d_ff);
  const std::size_t rows = m_bucket(call.m);
  return {{{"nr", fmt::format("{}", t.nr)},
           {"mr", fmt::format("{}", std::min<std::size_t>(t.mr, rows))},
           {"kc", within(t.kc, deepest)},
           {"mc", within(t.mc, rows)},
           {"nc", within(t.nc, deepest)},
           {"fc", within(t.fc, call.kind.gated ? 2 * call.shape.d_ff : call.shape.d_ff)},
           {"prefetch", fmt::format("{}", t.prefetch)},
           {"x", t.pack_x ? "packed" : "in place"},
           {"schedule", std::string(name(t.schedule))},
           {"threads", fmt::format("{}", plan.threads)}}};
}

// Returns the pairs of rows that differ from each other exactly as the borrowed row differs from the call: in the same
// respects, from the same value to the same value.
std::vector<LikeStep> find_like_steps(const std::vector<PlanRow>& rows, const PlanRow& borrowed, const Call& call) {
  const Step differs = step(borrowed, call);
  if (differs.shape || !same_packing(borrowed.kind, call.kind)) return {};
  const auto serves = [&](const PlanRow& row) {
    return row.isa == call.isa && same_packing(row.kind, call.kind) && row.shape == call.shape &&
           row.plan.tiling.nr == borrowed.plan.tiling.nr;
  };
  std::vector<LikeStep> found;
  for (const PlanRow& from : rows) {
    if (!serves(from) || (differs.kind && !(from.kind == borrowed.kind)) || (differs.m && from.m != borrowed.m) ||
        (differs.max_threads && from.max_threads != borrowed.max_threads)) {
      continue;
    }
    PlanRow target = from;
    if (differs.kind) target.kind = call.kind;
    if (differs.m) target.m = m_bucket(call.m);
    if (differs.max_threads) target.max_threads = call.max_threads;
    const auto to = std::find_if(rows.begin(), rows.end(),
                                 [&](const PlanRow& row) { return serves(row) && same_cell(row, target); });
    if (to != rows.end()) found.push_back({from, *to, plan_differences(from.plan, to->plan, "", call).empty()});
  }
  return found;
}

}  // namespace

std::string plan_words(const Plan& plan, const Call& call) {
  std::string words;
  for (const auto& [field, value] : fields(plan, call))
    words += fmt::format("{}{} {}", words.empty() ? "" : " ", field, value);
  return words;
}

std::vector<std::string> plan_differences(const Plan& plan, const Plan& second, std::string_view other,
                                          const Call& call) {
  const auto first_fields = fields(plan, call);
  const auto second_fields = fields(second, call);
  std::vector<std::string> found;
  for (std::size_t i = 0; i < first_fields.size(); ++i) {
    const auto& [field, value] = first_fields[i];
    if (value == second_fields[i].second) continue;
    found.push_back(fmt::format("{} {}, {} {}", field, value, other, second_fields[i].second));
  }
  return found;
}

bool Borrowing::none_expected() const {
  return !other_machine && !like_steps.empty() &&
         std::all_of(like_steps.begin(), like_steps.end(), [](const LikeStep& like) { return like.same_plan; });
}

std::string Borrowing::expected_cost() const {
  const auto same = std::count_if(like_steps.begin(), like_steps.end(), [](const LikeStep& l) { return l.same_plan; });
  const std::string likes = fmt::format("in {} of {} like step{} of this profile both plans are the same", same,
                                        like_steps.size(), like_steps.size() == 1 ? "" : "s");
  if (none_expected()) return "none: " + likes;
  const std::string unknown = other_machine ? "unknown: not measured on this machine" : "unknown: not measured";
  if (changes.empty()) return unknown + "; but it is the plan this call would have without a profile";
  return like_steps.empty() || other_machine ? unknown : unknown + "; " + likes;
}

Borrowing explain_borrowing(const Profile& profile, bool exact_machine, const PlanRow& row, const Call& call,
                            const Plan& analytical) {
  Borrowing borrowing;
  borrowing.steps = step_texts(row, call);
  borrowing.other_machine = !exact_machine;
  borrowing.changes = plan_differences(row.plan, analytical, "analytical", call);
  if (!borrowing.steps.empty()) borrowing.like_steps = find_like_steps(sorted_rows(profile), row, call);
  return borrowing;
}

}  // namespace sluice::tuner
