#include "bench/peer_runner/error_budget.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/model/rounding_errors.hpp"
#include "sluice/reference.hpp"

namespace sluice::bench {
namespace {

// [rows, width]
struct Values {
  std::vector<double> value, variance;

  explicit Values(std::size_t size) : value(size), variance(size) {}
};

double of_rounding(double unit, double value) noexcept { return unit * unit * value * value / 3; }

void round_inputs(Values& input, std::size_t depth, const FormRounding& rounding) {
  if (rounding.steps == 0) {
    const double unit = unit_roundoff(rounding.inputs);
    for (std::size_t i = 0; i < input.value.size(); ++i) input.variance[i] += of_rounding(unit, input.value[i]);
    return;
  }
  const std::size_t group = rounding.group == 0 ? depth : std::min<std::size_t>(rounding.group, depth);
  const double unit = unit_roundoff(rounding.scales);
  for (std::size_t row = 0; row < input.value.size(); row += depth) {
    for (std::size_t k = 0; k < depth; k += group) {
      const std::size_t begin = row + k;
      const std::size_t end = row + std::min(depth, k + group);
      double largest = 0;
      for (std::size_t i = begin; i < end; ++i) largest = std::max(largest, std::abs(input.value[i]));
      const double step = largest / rounding.steps;
      for (std::size_t i = begin; i < end; ++i)
        input.variance[i] += step * step / 12 + of_rounding(unit, input.value[i]);
    }
  }
}

Values product(const Values& input, std::size_t rows, std::size_t depth, const Matrix& weights, std::size_t width,
               const FormRounding& rounding) {
  const auto* matrix = static_cast<const float*>(weights.data);
  const double unit = unit_roundoff(rounding.weights);
  Values output(rows * width);
  for (std::size_t k = 0; k < depth; ++k) {
    const float* const line = matrix + k * width;
    for (std::size_t row = 0; row < rows; ++row) {
      const double x = input.value[row * depth + k];
      const double spread = input.variance[row * depth + k] + of_rounding(unit, x);
      double* const values = output.value.data() + row * width;
      double* const variances = output.variance.data() + row * width;
      for (std::size_t n = 0; n < width; ++n) {
        const double w = line[n];
        values[n] += x * w;
        variances[n] += spread * w * w;
      }
    }
  }
  const double result = unit_roundoff(rounding.results);
  for (std::size_t i = 0; i < output.value.size(); ++i) output.variance[i] += of_rounding(result, output.value[i]);
  return output;
}

void activate(Values& z, Activation activation, const FormRounding& rounding) {
  const double slope = detail::largest_slope(activation);
  const double unit = unit_roundoff(rounding.activation);
  for (std::size_t i = 0; i < z.value.size(); ++i) {
    const double argument = z.variance[i] + of_rounding(unit, z.value[i]);
    z.value[i] = reference_activation(activation, z.value[i]);
    z.variance[i] = slope * slope * argument + of_rounding(unit, z.value[i]);
  }
}

}  // namespace

std::vector<double> rounding_variance(Shape shape, Kind kind, const Weights& weights, const float* x,
                                      std::span<const std::size_t> rows, const FormRounding& rounding) {
  const auto [d_model, d_ff] = shape;
  Values input(rows.size() * d_model);
  for (std::size_t i = 0; i < rows.size(); ++i)
    std::copy_n(x + rows[i] * d_model, d_model, input.value.begin() + static_cast<std::ptrdiff_t>(i * d_model));
  round_inputs(input, d_model, rounding);
  Values h = product(input, rows.size(), d_model, kind.gated ? weights.gate : weights.up, d_ff, rounding);
  activate(h, kind.activation, rounding);
  if (kind.gated) {
    const Values factor = product(input, rows.size(), d_model, weights.up, d_ff, rounding);
    for (std::size_t i = 0; i < h.value.size(); ++i) {
      const double a = h.value[i];
      const double b = factor.value[i];
      h.variance[i] = h.variance[i] * b * b + a * a * factor.variance[i] + h.variance[i] * factor.variance[i];
      h.value[i] = a * b;
    }
  }
  const double result = unit_roundoff(rounding.results);
  for (std::size_t i = 0; i < h.value.size(); ++i) h.variance[i] += of_rounding(result, h.value[i]);
  round_inputs(h, d_ff, rounding);
  return product(h, rows.size(), d_ff, weights.down, d_model, rounding).variance;
}

}  // namespace sluice::bench
