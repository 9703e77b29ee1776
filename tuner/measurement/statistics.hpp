// Owns: the statistics of samples, as pure functions without a clock. Does not own: which samples are taken.
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
  double low = 0;  // low is 0 and high infinite if there are fewer than two pairs
  double high = 0;
  std::size_t pairs = 0;

  [[nodiscard]] double half_width() const noexcept { return value > 0 ? (high - low) / (2 * value) : 0; }
};

// Returns time(a)/time(b) from pairs taken next to each other in random order. The value is the Hodges–Lehmann estimate
// of the logarithms: the median of their Walsh averages, which are the means of any two, one with itself as well. The
// interval is that of Wilcoxon's signed-rank distribution. Every pair counts, however busy the neighbours are. The
// order in a pair is random, and so is the sign of what disturbs it; therefore the level holds for any noise
// (Hollander, Wolfe, Chicken, Nonparametric Statistical Methods, chapter 3). Fewer than six pairs have no such interval
// at 95 %; two to five have that of Student's t on the logarithms, around the same estimate. All values must be
// positive, and a and b of one length.
Ratio paired_ratio(std::span<const double> a, std::span<const double> b);

// The geometric mean of positive values; 1 if there are none.
double geometric_mean(std::span<const double> values);

// The geometric mean of ratios that were measured apart from each other, so that their errors add up by their squares.
// `pairs` is the sum of theirs.
Ratio mean_ratio(std::span<const Ratio> ratios);

// a/b of ratios that were measured apart from each other, so that their errors add up by their squares.
Ratio quotient(const Ratio& a, const Ratio& b);

// Faster or slower if the interval leaves out 1. Otherwise tied if its half-width is at most 1 %, else inconclusive.
Verdict judge(const Ratio& ratio);

}  // namespace sluice::tuner
