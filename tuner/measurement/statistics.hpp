// Owns: the statistics of samples: pure functions, no clock. Does not own: which samples are taken.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "tuner/profile/profile.hpp"

namespace sluice::tuner {

// The q-quantile (0 ≤ q ≤ 1) by linear interpolation between order statistics; 0 for no values.
double quantile(std::vector<double> values, double q);
double median(std::vector<double> values);

// A ratio of two times with its 95 % interval.
struct Ratio {
  double value = 1;
  double low = 0;  // 0 and infinity when there are fewer than two pairs
  double high = 0;
  std::size_t pairs = 0;

  [[nodiscard]] double half_width() const noexcept { return value > 0 ? (high - low) / (2 * value) : 0; }
};

// time(a)/time(b) from pairs taken next to each other in random order: the Hodges–Lehmann estimate of the logarithms
// (the median of their Walsh averages, the means of any two of them, one with itself as well), and the interval that
// Wilcoxon's signed-rank distribution gives it. Every pair counts, however loud the neighbours are: which of the two
// was run first is random, so the sign of what disturbed a pair is too, and the level is kept whatever the noise looks
// like (Hollander, Wolfe, Chicken, Nonparametric Statistical Methods, chapter 3). Fewer than six pairs cannot be told
// at 95 % that way: for two to five the interval is Student's t on the logarithms, around the same estimate. All values
// are positive; a and b are of one length.
Ratio paired_ratio(std::span<const double> a, std::span<const double> b);

// Of positive values; 1 where there are none.
double geometric_mean(std::span<const double> values);

// The geometric mean of ratios that were measured apart from each other, so that their errors add up by their squares.
// pairs: of all of them.
Ratio mean_ratio(std::span<const Ratio> ratios);

// a/b of ratios that were measured apart from each other: their errors add up by their squares.
Ratio quotient(const Ratio& a, const Ratio& b);

// Tied: the interval holds 1 and its half-width is at most 1 %; wider, it is inconclusive.
Verdict judge(const Ratio& ratio);

}  // namespace sluice::tuner
