#include "tuner/tuning/proof.hpp"

#include <utility>

namespace sluice::tuner {
namespace {

// Pairs, where the time suffices.
constexpr std::size_t proof_pairs = 30;
constexpr std::size_t most_proof_pairs = 400;  // where neighbours are loud: the gain is a promise, to be known to 1 %

}  // namespace

Proof::Proof(Isa isa, Cell cell, const Contest& contest, std::uint64_t seed)
    : isa_(isa),
      cell_(std::move(cell)),
      contest_(contest),
      duel_(same() ? Duel(self_check_pairs, 2 * self_check_pairs) : Duel(proof_pairs, most_proof_pairs)),
      random_(seed) {}

void Proof::go_on(Recording& recording) {
  const bool b_first = (random_() & 1U) != 0;
  duel_.add(recording.time_pair(purpose(), cell_, cell_.shape, contest_.chosen, contest_.usual, b_first));
}

ProfilePlan Proof::result() const {
  const Duel::Outcome outcome = duel_.outcome();
  const Verdict verdict = judge(outcome.ratio);
  Measured measured{1,
                    1,
                    1,
                    Verdict::default_won,
                    static_cast<std::uint32_t>(outcome.ratio.pairs),
                    static_cast<std::uint32_t>(contest_.trials),
                    outcome.roof_fraction_b,
                    outcome.contended_share};
  const bool replaces = !same() && (!contest_.usual_is_had || verdict == Verdict::faster);
  if (replaces) {
    measured.roof_fraction = outcome.roof_fraction_a;
    measured.verdict = verdict;
    measured.ratio_to_default = outcome.ratio.value;
    measured.ratio_low = outcome.ratio.low;
    measured.ratio_high = outcome.ratio.high;
  }
  const Plan& plan = replaces ? contest_.chosen : contest_.usual;
  return {{isa_, cell_.kind, cell_.shape, m_bucket(cell_.m), cell_.threads, plan}, measured};
}

std::optional<Verdict> Proof::self_check() const {
  if (!same()) return self_check_;
  return conclusive() ? std::optional(judge(duel_.outcome().ratio)) : std::nullopt;
}

}  // namespace sluice::tuner
