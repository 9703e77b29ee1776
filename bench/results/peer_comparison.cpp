#include "bench/results/peer_comparison.hpp"

#include <fmt/format.h>

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
  std::vector<double> ratios;
  for (const Measurement& measurement : measurements) {
    if (measurement.peers.empty() || measurement.samples.empty()) continue;
    const std::optional<BestPeer> best = best_peer(measurement);
    if (!best) {
      table += fmt::format("{:<44} no peer had two rounds with it\n", measurement.name);
      continue;
    }
    table += fmt::format("{:<44} {:<16} {:>6.3f}  {:>6.3f} … {:<6.3f} {:>5}  {}\n", measurement.name, best->peer->peer,
                         best->ratio.value, best->ratio.low, best->ratio.high, best->ratio.pairs, best->verdict);
    ratios.push_back(best->ratio.value);
  }
  if (table.empty()) return table;
  if (ratios.size() > 1)
    table += fmt::format("geometric mean of {} cells: {:.3f}\n", ratios.size(), tuner::geometric_mean(ratios));
  return fmt::format("\n{:<44} {:<16} {:>6}  {:<15} {:>5}  {}\n", "cell", "best peer", "ratio", "95 % interval",
                     "pairs", "Sluice is") +
         table + "ratio: the best peer's time / Sluice's, of samples taken in turns\n";
}

}  // namespace sluice::bench
