// Owns: what samples say of Sluice and the peers in one cell: paired ratios, the best peer, the verdict, the table.
// Does not own: the samples (session.hpp), the statistics (tuner/statistics.hpp).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/session.hpp"
#include "tuner/statistics.hpp"

namespace sluice::bench {

// time(a) / time(b) over the rounds that both have: of undisturbed samples, those in which neither was disturbed.
tuner::Ratio ratio_by_round(const std::vector<tuner::Sample>& a, const std::vector<tuner::Sample>& b);

struct BestPeer {
  const PeerMeasurement* peer;
  tuner::Ratio ratio;
  // "ahead": Sluice is faster, the interval lies above 1; "behind"; "tied": the interval holds 1 and its half-width is
  // at most 1 %; else "inconclusive".
  std::string_view verdict;
};

// The fastest peer by the median of its undisturbed samples; nothing when none shares two such rounds with Sluice.
std::optional<BestPeer> best_peer(const Measurement& measurement);

// A line for each cell that met peers, and the geometric mean; empty when none did.
std::string comparison_table(const std::vector<Measurement>& measurements);

}  // namespace sluice::bench
