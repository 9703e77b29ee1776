#include "bench/peer_runner/peer_verification.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "bench/peer_runner/error_budget.hpp"
#include "sluice/reference.hpp"

namespace sluice::bench {
namespace {

// Returns ‖y − expected‖ / ‖expected‖, or NaN if y holds one.
template <class Expected>
double distance(std::span<const float> y, std::span<const Expected> expected) {
  double squares = 0;
  double all = 0;
  for (std::size_t j = 0; j < y.size(); ++j) {
    const double difference = static_cast<double>(y[j]) - static_cast<double>(expected[j]);
    squares += difference * difference;
    all += static_cast<double>(expected[j]) * static_cast<double>(expected[j]);
  }
  return squares == 0 ? 0 : std::sqrt(squares / all);
}

double length(std::span<const double> values) {
  double squares = 0;
  for (const double value : values) squares += value * value;
  return std::sqrt(squares);
}

// What Sluice's own arithmetic rounds (kind.hpp): x and H to bf16, or to integers by the weights' groups, at most 128.
FormRounding own_rounding(Kind kind) {
  FormRounding rounding;
  if (kind.arithmetic == Arithmetic::f32) return rounding;
  if (kind.arithmetic == Arithmetic::bf16) {
    rounding.inputs = Precision::bf16;
    return rounding;
  }
  rounding.steps = kind.arithmetic == Arithmetic::int8 ? 127 : 32767;
  rounding.group = std::min<std::uint32_t>(kind.weights.group, 128);
  return rounding;
}

}  // namespace

ExpectedAnswer::ExpectedAnswer(Shape shape, Kind kind, const Weights& weights, const float* x, std::size_t m,
                               std::span<const float> own)
    : shape_(shape),
      kind_(kind),
      weights_(weights),
      x_(x),
      m_(m),
      float32_(0x1p-24 *
               (8 + 4 * (std::sqrt(static_cast<double>(shape.d_model)) + std::sqrt(static_cast<double>(shape.d_ff))))),
      own_(own.begin(), own.end()) {
  const Kind exact{kind.activation, kind.gated};
  for (const std::size_t row : std::set<std::size_t>{0, m / 2, m - 1}) {
    OracleRow& oracle = oracle_.emplace_back();
    oracle.row = row;
    oracle.answer.y.resize(shape.d_model);
    oracle.answer.bound.resize(shape.d_model);
    reference_forward(shape, exact, weights, x + row * shape.d_model, 1, 0, oracle.answer.y, oracle.answer.bound);
  }
  own_tolerance_ = tolerance(own_rounding(kind)).any_row;
}

Tolerance ExpectedAnswer::tolerance(const FormRounding& rounding) const {
  const std::size_t width = shape_.d_model;
  std::vector<double> variance(oracle_.size() * width);
  if (rounding != FormRounding{}) {
    std::vector<std::size_t> rows;
    for (const OracleRow& oracle : oracle_) rows.push_back(oracle.row);
    variance = rounding_variance(shape_, kind_, weights_, x_, rows, rounding);
  }
  Tolerance tolerance;
  double widest = 0;
  for (std::size_t i = 0; i < oracle_.size(); ++i) {
    tuner::Answer& answer = tolerance.oracle.emplace_back(oracle_[i].answer);
    double sum = 0;
    for (std::size_t j = 0; j < width; ++j) {
      sum += variance[i * width + j];
      answer.bound[j] += 8 * std::sqrt(variance[i * width + j]);
    }
    const double reach = sum == 0 ? 0 : 3 * std::sqrt(sum) / length(answer.y);
    tolerance.rows.push_back(float32_ + reach);
    widest = std::max(widest, reach);
  }
  tolerance.any_row = float32_ + 1.5 * widest;
  return tolerance;
}

std::string ExpectedAnswer::complaint(std::span<const float> y, const Tolerance& tolerance) const {
  const std::size_t width = shape_.d_model;
  for (std::size_t i = 0; i < oracle_.size(); ++i) {
    const OracleRow& oracle = oracle_[i];
    const std::span<const float> row = y.subspan(oracle.row * width, width);
    const double worst = tuner::worst_error_over_bound(tolerance.oracle[i], row, shape_, 1, width);
    if (!(worst <= 1))
      return fmt::format("its result is wrong: row {} errs by {:.3g} times the bound of its arithmetic", oracle.row,
                         worst);
    const double far = distance(row, std::span<const double>(oracle.answer.y));
    if (!(far <= tolerance.rows[i]))
      return fmt::format(
          "its result is less precise than its arithmetic: row {} is {:.2g} of its length off; at most {:.2g}",
          oracle.row, far, tolerance.rows[i]);
  }
  const double most = tolerance.any_row + own_tolerance_;
  for (std::size_t i = 0; i < m_; ++i) {
    const double far = distance(y.subspan(i * width, width), std::span<const float>(own_).subspan(i * width, width));
    if (!(far <= most))
      return fmt::format("its result is wrong: row {} is {:.2g} of its length away from Sluice's; at most {:.2g}", i,
                         far, most);
  }
  return "";
}

double ExpectedAnswer::error(std::span<const float> y) const {
  double largest = 0;
  for (const OracleRow& oracle : oracle_)
    largest = std::max(largest, distance(y.subspan(oracle.row * shape_.d_model, shape_.d_model),
                                         std::span<const double>(oracle.answer.y)));
  return largest;
}

}  // namespace sluice::bench
