#include "tuner/tuning/plan_validation.hpp"

#include <utility>

namespace sluice::tuner {
namespace {

// The number of pairs, if the time suffices.
constexpr std::size_t validation_pairs = 30;
constexpr std::size_t most_validation_pairs = 400;  // among loud neighbours, because the gain is to be known to 1 %

}  // namespace

PlanValidation::PlanValidation(Isa isa, Cell cell, const ValidationTask& task, std::uint64_t seed)
    : isa_(isa),
      cell_(std::move(cell)),
      task_(task),
      comparison_(same() ? PairedComparison(self_check_pairs, 2 * self_check_pairs)
                         : PairedComparison(validation_pairs, most_validation_pairs)),
      random_(seed) {}

void PlanValidation::add_pair(Recording& recording) {
  const bool b_first = (random_() & 1U) != 0;
  comparison_.add(recording.time_pair(purpose(), cell_, cell_.shape, task_.chosen, task_.baseline, b_first));
}

ProfilePlan PlanValidation::result() const {
  const PairedComparison::Outcome outcome = comparison_.outcome();
  const Verdict verdict = judge(outcome.ratio);
  Measured measured{1,
                    1,
                    1,
                    Verdict::default_won,
                    static_cast<std::uint32_t>(outcome.ratio.pairs),
                    static_cast<std::uint32_t>(task_.trials),
                    outcome.roof_fraction_b,
                    outcome.contended_share};
  const bool replaces = !same() && (!task_.baseline_usable || verdict == Verdict::faster);
  if (replaces) {
    measured.roof_fraction = outcome.roof_fraction_a;
    measured.verdict = verdict;
    measured.ratio_to_default = outcome.ratio.value;
    measured.ratio_low = outcome.ratio.low;
    measured.ratio_high = outcome.ratio.high;
  }
  const Plan& plan = replaces ? task_.chosen : task_.baseline;
  return {{isa_, cell_.kind, cell_.shape, m_bucket(cell_.m), cell_.threads, plan}, measured};
}

std::optional<Verdict> PlanValidation::self_check() const {
  if (!same()) return self_check_;
  return conclusive() ? std::optional(judge(comparison_.outcome().ratio)) : std::nullopt;
}

}  // namespace sluice::tuner
