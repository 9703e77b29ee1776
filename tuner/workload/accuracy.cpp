#include "tuner/workload/accuracy.hpp"

#include <cmath>
#include <numbers>
#include <span>
#include <vector>

#include "sluice/reference.hpp"
#include "tuner/workload/verification_case.hpp"

namespace sluice::tuner {
namespace {

constexpr Shape shape{256, 704};
constexpr std::size_t rows = 8;
constexpr std::uint64_t seed = 20;
constexpr std::size_t outlier_step = 64;
constexpr float outlier_factor = 20;

// Box and Muller, A note on the generation of random normal deviates, 1958.
double normal(Random& random) {
  const double radius = 1.0 - (static_cast<double>(random.value(1)) + 1.0) / 2.0;  // in (0, 1]
  const double angle = std::numbers::pi * static_cast<double>(random.value(1));
  return std::sqrt(-2.0 * std::log(radius)) * std::cos(angle);
}

// Of variance one.
double student(Random& random) {
  constexpr int degrees = 4;
  double squares = 0;
  for (int i = 0; i < degrees; ++i) {
    const double one = normal(random);
    squares += one * one;
  }
  constexpr double variance = degrees / (degrees - 2.0);
  return normal(random) / std::sqrt(squares / degrees * variance);
}

std::vector<float> weights_of(Random& random, Operands operands, std::size_t inputs) {
  std::vector<float> values(shape.d_model * shape.d_ff);
  const double scale = 1 / std::sqrt(static_cast<double>(inputs));
  for (float& value : values)
    value = static_cast<float>(scale * (operands == Operands::heavy_tailed ? student(random) : normal(random)));
  return values;
}

std::vector<float> rows_of_x(Random& random, Operands operands) {
  std::vector<float> values(rows * shape.d_model);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(normal(random));
    if (operands == Operands::outlier_channels && i % shape.d_model % outlier_step == 0) values[i] *= outlier_factor;
  }
  return values;
}

template <class Value>
double relative_error(std::span<const Value> found, std::span<const double> exact) {
  double error = 0;
  double size = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    const double difference = static_cast<double>(found[i]) - exact[i];
    error += difference * difference;
    size += exact[i] * exact[i];
  }
  return std::sqrt(error / size);
}

}  // namespace

std::string_view name(Operands operands) noexcept {
  switch (operands) {
    case Operands::normal:
      return "normal";
    case Operands::heavy_tailed:
      return "heavy_tailed";
    case Operands::outlier_channels:
      return "outlier_channels";
  }
  return "unknown";
}

Result<Accuracy> accuracy(Isa isa, Kind kind, Operands operands) {
  Random random(seed);
  const std::vector<float> gate = weights_of(random, operands, shape.d_model);
  const std::vector<float> up = weights_of(random, operands, shape.d_model);
  const std::vector<float> down = weights_of(random, operands, shape.d_ff);
  const std::vector<float> x = rows_of_x(random, operands);
  Weights weights;
  if (kind.gated) weights.gate.data = gate.data();
  weights.up.data = up.data();
  weights.down.data = down.data();

  const Result<Ffn> ffn = Ffn::pack(shape, kind, weights, {.isa = isa});
  if (!ffn) return ffn.status();
  const Result<std::size_t> size = ffn->workspace_size(rows, 1);
  if (!size) return size.status();
  const Workspace workspace(*size);
  std::vector<float> y(rows * shape.d_model);
  if (const Status status = ffn->forward(x.data(), rows, y.data(), workspace, {.max_threads = 1}); !status.ok())
    return status;

  std::vector<double> exact(y.size()), rounded(y.size()), quantised(y.size()), bound(y.size());
  const auto solve = [&](Kind of, std::vector<double>& answer, ScaleChoice scales = ScaleChoice::absmax) {
    reference_forward(shape, of, weights, x.data(), rows, 0, answer, bound, nullptr, scales);
  };
  solve(kind, quantised);
  solve({kind.activation, kind.gated, kind.weights}, rounded);
  solve({kind.activation, kind.gated}, exact);
  Accuracy found{.arithmetic = relative_error<float>(y, quantised),
                 .weights = relative_error<double>(rounded, exact),
                 .activations = relative_error<double>(quantised, rounded)};
  if (kind.weights.group != 0) {
    solve({kind.activation, kind.gated, kind.weights}, rounded, ScaleChoice::least_squares);
    found.least_squares_weights = relative_error<double>(rounded, exact);
  }
  return found;
}

}  // namespace sluice::tuner
