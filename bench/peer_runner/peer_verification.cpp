#include "bench/peer_runner/peer_verification.hpp"

#include <fmt/format.h>

#include <cmath>
#include <set>

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

}  // namespace

ExpectedAnswer::ExpectedAnswer(Shape shape, Kind kind, const Weights& weights, const float* x, std::size_t m,
                               std::span<const float> own)
    : shape_(shape),
      m_(m),
      tolerance_(0x1p-24 * (8 + 4 * (std::sqrt(static_cast<double>(shape.d_model)) +
                                     std::sqrt(static_cast<double>(shape.d_ff))))),
      own_(own.begin(), own.end()) {
  for (const std::size_t row : std::set<std::size_t>{0, m / 2, m - 1}) {
    OracleRow& oracle = oracle_.emplace_back();
    oracle.row = row;
    oracle.answer.y.resize(shape.d_model);
    oracle.answer.bound.resize(shape.d_model);
    reference_forward(shape, kind, weights, x + row * shape.d_model, 1, 0, oracle.answer.y, oracle.answer.bound);
  }
}

std::string ExpectedAnswer::complaint(std::span<const float> y) const {
  const std::size_t width = shape_.d_model;
  for (const OracleRow& oracle : oracle_) {
    const std::span<const float> row = y.subspan(oracle.row * width, width);
    const double worst = tuner::worst_error_over_bound(oracle.answer, row, shape_, 1, width);
    if (!(worst <= 1))
      return fmt::format("its result is wrong: row {} errs by {:.3g} times the bound of float32", oracle.row, worst);
    const double far = distance(row, std::span<const double>(oracle.answer.y));
    if (!(far <= tolerance_))
      return fmt::format("its result is less precise than float32: row {} is {:.2g} of its length off; at most {:.2g}",
                         oracle.row, far, tolerance_);
  }
  for (std::size_t i = 0; i < m_; ++i) {
    const double far = distance(y.subspan(i * width, width), std::span<const float>(own_).subspan(i * width, width));
    if (!(far <= 2 * tolerance_))
      return fmt::format("its result is wrong: row {} is {:.2g} of its length away from Sluice's; at most {:.2g}", i,
                         far, 2 * tolerance_);
  }
  return "";
}

}  // namespace sluice::bench
