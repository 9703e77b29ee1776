#include "tuner/statistics.hpp"

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

double student_t95(std::size_t degrees_of_freedom) noexcept {
  static constexpr std::array<double, 30> table = {
      12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
      2.120,  2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042};
  if (degrees_of_freedom == 0) return std::numeric_limits<double>::infinity();
  if (degrees_of_freedom <= table.size()) return table[degrees_of_freedom - 1];
  // The tail of the expansion around the normal's 1.96 (Abramowitz and Stegun 26.7.5), within 0.001 from 30 on.
  return 1.960 + 2.372 / static_cast<double>(degrees_of_freedom);
}

Ratio paired_ratio(std::span<const double> a, std::span<const double> b) {
  std::vector<double> logs;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) logs.push_back(std::log(a[i] / b[i]));
  Ratio ratio;
  ratio.pairs = logs.size();
  if (logs.empty()) return {1, 0, std::numeric_limits<double>::infinity(), 0};

  const double middle = median(logs);
  const auto distance = [&](double x) { return std::abs(x - middle); };
  std::sort(logs.begin(), logs.end(), [&](double x, double y) { return distance(x) < distance(y); });
  const std::size_t dropped = logs.size() / 10;
  logs.resize(logs.size() - dropped);
  const auto count = static_cast<double>(logs.size());
  const double mean = std::accumulate(logs.begin(), logs.end(), 0.0) / count;
  double squares = 0;
  for (const double x : logs) squares += (x - mean) * (x - mean);
  ratio.value = std::exp(mean);
  if (logs.size() < 2) return {ratio.value, 0, std::numeric_limits<double>::infinity(), ratio.pairs};
  // Dropping the farthest tenth of normal values shrinks their standard deviation to about 0.79 of the true one.
  const double deviation = std::sqrt(squares / (count - 1)) * (dropped != 0 ? 1.27 : 1.0);
  const double reach = student_t95(logs.size() - 1) * deviation / std::sqrt(count);
  ratio.low = std::exp(mean - reach);
  ratio.high = std::exp(mean + reach);
  return ratio;
}

namespace {

// From the logarithm of the value to that of the upper end; infinite where there is no interval.
double reach(const Ratio& ratio) { return std::log(ratio.high / ratio.value); }

}  // namespace

double geometric_mean(std::span<const double> values) {
  if (values.empty()) return 1;
  double logs = 0;
  for (const double value : values) logs += std::log(value);
  return std::exp(logs / static_cast<double>(values.size()));
}

Ratio mean_ratio(std::span<const Ratio> ratios) {
  std::vector<double> values;
  double squares = 0;
  std::size_t pairs = 0;
  for (const Ratio& ratio : ratios) {
    values.push_back(ratio.value);
    squares += reach(ratio) * reach(ratio);
    pairs += ratio.pairs;
  }
  const double mean = geometric_mean(values);
  const double apart = std::sqrt(squares) / static_cast<double>(ratios.size());
  if (ratios.empty()) return {1, 0, std::numeric_limits<double>::infinity(), 0};
  return {mean, mean * std::exp(-apart), mean * std::exp(apart), pairs};
}

Ratio quotient(const Ratio& a, const Ratio& b) {
  const double value = a.value / b.value;
  const double apart = std::hypot(reach(a), reach(b));
  return {value, value * std::exp(-apart), value * std::exp(apart), a.pairs + b.pairs};
}

Verdict judge(const Ratio& ratio) {
  if (ratio.high < 1) return Verdict::faster;
  if (ratio.low > 1) return Verdict::slower;
  return ratio.half_width() <= 0.01 ? Verdict::tied : Verdict::inconclusive;
}

}  // namespace sluice::tuner
