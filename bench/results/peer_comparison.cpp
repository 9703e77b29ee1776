#include "bench/results/peer_comparison.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace sluice::bench {
namespace {

std::string_view verdict_of(const tuner::Ratio& peer_over_own) {
  switch (tuner::judge(peer_over_own)) {
    case tuner::Verdict::faster:
      return "behind";
    case tuner::Verdict::slower:
      return "ahead";
    case tuner::Verdict::tied:
      return "tied";
    default:
      return "inconclusive";
  }
}

}  // namespace

std::optional<BestPeer> best_peer(const Measurement& measurement) {
  std::optional<BestPeer> best;
  double least = 0;
  for (const PeerMeasurement& peer : measurement.peers) {
    if (!peer.error.empty()) continue;
    const tuner::Ratio ratio = ratio_by_round(peer.samples, measurement.samples);
    if (ratio.pairs < 2) continue;
    // The best is found by the median of all its samples: the smallest of many ratios of few pairs would mostly be the
    // noisiest.
    const double median = peer.median_ns();
    if (best && least <= median) continue;
    least = median;
    best = BestPeer{&peer, ratio, verdict_of(ratio)};
  }
  return best;
}

std::string comparison_table(const std::vector<Measurement>& measurements) {
  std::string table;
  // Ratios of different types of weights, or of Sluice's arithmetic, are in no mean together.
  std::vector<std::pair<Kind, std::vector<double>>> means;
  for (const Measurement& measurement : measurements) {
    if (measurement.peers.empty() || measurement.samples.empty()) continue;
    const std::optional<BestPeer> best = best_peer(measurement);
    if (!best) {
      table += fmt::format("{:<44} no peer had two rounds with it\n", measurement.name);
      continue;
    }
    table += fmt::format("{:<44} {:<16} {:>6.3f}  {:>6.3f} … {:<6.3f} {:>5}  {:<12}  {}\n", measurement.name,
                         best->peer->peer, best->ratio.value, best->ratio.low, best->ratio.high, best->ratio.pairs,
                         best->verdict, best->peer->arithmetic);
    const Kind kind = measurement.cell.kind;
    auto mean = std::ranges::find_if(means, [&](const auto& one) {
      return one.first.weights == kind.weights && one.first.arithmetic == kind.arithmetic;
    });
    if (mean == means.end()) mean = means.insert(means.end(), {kind, {}});
    mean->second.push_back(best->ratio.value);
  }
  if (table.empty()) return table;
  for (const auto& [kind, ratios] : means) {
    if (ratios.size() < 2) continue;
    table += fmt::format("geometric mean of {} cells with {} weights{}: {:.3f}\n", ratios.size(), name(kind.weights),
                         kind.arithmetic == Arithmetic::f32 ? "" : fmt::format(" by {}", name(kind.arithmetic)),
                         tuner::geometric_mean(ratios));
  }
  return fmt::format("\n{:<44} {:<16} {:>6}  {:<15} {:>5}  {:<12}  {}\n", "cell", "best peer", "ratio", "95 % interval",
                     "pairs", "Sluice is", "the peer rounds to") +
         table + "ratio: the best peer's time / Sluice's, of samples taken in turns\n";
}

}  // namespace sluice::bench
