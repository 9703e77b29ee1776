// Owns: comparing Sluice with the peers in one cell: the best peer, its paired ratio, the verdict, the table.
// Does not own: the samples (session.hpp), the statistics (tuner/measurement/statistics.hpp).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/session/session.hpp"
#include "tuner/measurement/statistics.hpp"

namespace sluice::bench {

struct BestPeer {
  const PeerMeasurement* peer;
  tuner::Ratio ratio;
  // "ahead": Sluice is faster, the interval lies above 1; "behind"; "tied": the interval holds 1 and its half-width is
  // at most 1 %; else "inconclusive".
  std::string_view verdict;
};

// Returns the fastest peer by the median of its samples, or nothing if none shares two rounds with Sluice.
std::optional<BestPeer> best_peer(const Measurement& measurement);

// Returns a line for each cell that was compared with peers, and a geometric mean for each type of weights and each
// arithmetic of Sluice's; empty if there was none.
std::string comparison_table(const std::vector<Measurement>& measurements);

}  // namespace sluice::bench
