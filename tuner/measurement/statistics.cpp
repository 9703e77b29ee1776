#include "tuner/measurement/statistics.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

namespace sluice::tuner {

double quantile(std::vector<double> values, double q) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const double position = q * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (position - static_cast<double>(below)) * (values[above] - values[below]);
}

double median(std::vector<double> values) { return quantile(std::move(values), 0.5); }

namespace {

constexpr double unbounded = std::numeric_limits<double>::infinity();

// The two-sided 95 % points of Student's t for one to four degrees of freedom, which two to five pairs have.
constexpr std::array<double, 4> student_t95 = {12.706, 4.303, 3.182, 2.776};

// Counts the Walsh averages of the sorted values that are at most `limit`.
std::size_t averages_up_to(std::span<const double> sorted, double limit) {
  std::size_t count = 0;
  std::size_t end = sorted.size();  // partners of the i-th value lie in [i, end)
  for (std::size_t i = 0; i < end; ++i) {
    while (end > i && (sorted[i] + sorted[end - 1]) / 2 > limit) --end;
    count += end - i;
  }
  return count;
}

// Returns the k-th smallest (from 1) Walsh average. It bisects, because ten thousand pairs have fifty million averages.
double walsh_average(std::span<const double> sorted, std::size_t k) {
  double low = sorted.front();
  double high = sorted.back();
  if (averages_up_to(sorted, low) >= k) return low;
  for (double middle = std::midpoint(low, high); low < middle && middle < high; middle = std::midpoint(low, high))
    (averages_up_to(sorted, middle) >= k ? high : low) = middle;
  return high;
}

// The largest k with P(W < k) ≤ 2.5 % for Wilcoxon's signed-rank sum W of n pairs; 0 below six pairs. Exact up to 40
// pairs; the normal approximation differs from there on by one in hundreds.
std::size_t signed_rank_bound(std::size_t n) {
  constexpr std::size_t exact = 40;
  const auto pairs = static_cast<double>(n);
  const double mean = pairs * (pairs + 1) / 4;
  if (n > exact) {
    const double deviation = std::sqrt(mean * (2 * pairs + 1) / 6);
    return static_cast<std::size_t>(mean - 1.959964 * deviation + 0.5);
  }
  // chances[w] is the chance that the ranks with a positive sign sum up to w. Each sign is positive with chance 1/2.
  std::vector<double> chances(n * (n + 1) / 2 + 1);
  chances[0] = 1;
  for (std::size_t rank = 1; rank <= n; ++rank)
    for (std::size_t w = chances.size(); w-- > 0;) chances[w] = (chances[w] + (w >= rank ? chances[w - rank] : 0)) / 2;
  std::size_t k = 0;
  for (double below = chances[0]; below <= 0.025; below += chances[k]) ++k;
  return k;
}

}  // namespace

Ratio paired_ratio(std::span<const double> a, std::span<const double> b) {
  std::vector<double> logs;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) logs.push_back(std::log(a[i] / b[i]));
  if (logs.empty()) return {1, 0, unbounded, 0};
  std::sort(logs.begin(), logs.end());
  const std::size_t pairs = logs.size();
  const std::size_t averages = pairs * (pairs + 1) / 2;
  const double middle = std::midpoint(walsh_average(logs, (averages + 1) / 2), walsh_average(logs, averages / 2 + 1));
  const double value = std::exp(middle);
  if (pairs < 2) return {value, 0, unbounded, pairs};
  if (const std::size_t bound = signed_rank_bound(pairs); bound > 0)
    return {value, std::exp(walsh_average(logs, bound)), std::exp(walsh_average(logs, averages + 1 - bound)), pairs};
  const auto count = static_cast<double>(pairs);
  const double mean = std::accumulate(logs.begin(), logs.end(), 0.0) / count;
  double squares = 0;
  for (const double x : logs) squares += (x - mean) * (x - mean);
  const double reach = student_t95.at(pairs - 2) * std::sqrt(squares / ((count - 1) * count));
  return {value, value * std::exp(-reach), value * std::exp(reach), pairs};
}

namespace {

// The distances from the logarithm of the value to those of the ends of its interval, infinite where there is none.
double above(const Ratio& ratio) { return std::log(ratio.high / ratio.value); }
double below(const Ratio& ratio) { return std::log(ratio.value / ratio.low); }

}  // namespace

double geometric_mean(std::span<const double> values) {
  if (values.empty()) return 1;
  double logs = 0;
  for (const double value : values) logs += std::log(value);
  return std::exp(logs / static_cast<double>(values.size()));
}

Ratio mean_ratio(std::span<const Ratio> ratios) {
  if (ratios.empty()) return {1, 0, unbounded, 0};
  std::vector<double> values;
  double down = 0;
  double up = 0;
  std::size_t pairs = 0;
  for (const Ratio& ratio : ratios) {
    values.push_back(ratio.value);
    down = std::hypot(down, below(ratio));
    up = std::hypot(up, above(ratio));
    pairs += ratio.pairs;
  }
  const double mean = geometric_mean(values);
  const auto count = static_cast<double>(ratios.size());
  return {mean, mean * std::exp(-down / count), mean * std::exp(up / count), pairs};
}

Ratio quotient(const Ratio& a, const Ratio& b) {
  const double value = a.value / b.value;
  return {value, value * std::exp(-std::hypot(below(a), above(b))), value * std::exp(std::hypot(above(a), below(b))),
          a.pairs + b.pairs};
}

Verdict judge(const Ratio& ratio) {
  if (ratio.high < 1) return Verdict::faster;
  if (ratio.low > 1) return Verdict::slower;
  return ratio.half_width() <= 0.01 ? Verdict::tied : Verdict::inconclusive;
}

}  // namespace sluice::tuner
