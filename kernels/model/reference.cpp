// Owns: the oracle in double precision and the error bound of the library's float32 arithmetic, element by element.
// Does not own: how x and H are quantised and rounded (quantised_rows.hpp), who compares with it (the tuner's
// verification, the tests).
#include "sluice/reference.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "kernels/element_types/bf16_pairs.hpp"
#include "kernels/element_types/element_types.hpp"
#include "kernels/element_types/float_mode.hpp"
#include "kernels/element_types/quantised_reader.hpp"
#include "kernels/element_types/scale_search.hpp"
#include "kernels/model/quantised_rows.hpp"
#include "kernels/model/rounding_errors.hpp"

namespace sluice {
namespace {

using detail::accumulated_roundoff;
using detail::largest_slope;
using detail::oracle_margin;
using detail::quantisation_group;
using detail::smallest_normal;
using detail::underflow;
using detail::unit_roundoff;

// The library's activation polynomials are allowed this many units of roundoff.
constexpr double activation_roundings = 8.0;
// Their exponentials may lose numbers below the smallest normal float.
constexpr double activation_underflow = smallest_normal;

// |float32 activation(z) − activation(z)| for a float z.
double activation_error(Activation activation, double magnitude) noexcept {
  switch (activation) {
    case Activation::identity:
    case Activation::relu:
      return 0.0;
    case Activation::sigmoid:
      return activation_roundings * unit_roundoff + activation_underflow;
    case Activation::silu:
    case Activation::gelu:
    case Activation::gelu_tanh:
      return activation_roundings * unit_roundoff * magnitude + activation_underflow;
  }
  return HUGE_VAL;
}

double logistic(double z) noexcept { return 1.0 / (1.0 + std::exp(-z)); }

// A row-major table of values, each with the largest distance of its float32 counterpart.
struct Estimate {
  std::vector<double> value, error;

  explicit Estimate(std::size_t size) : value(size), error(size) {}
};

// The values of a line of a matrix as they are when they are packed as weights of that type.
std::vector<double> packed_values(const Matrix& matrix, WeightType type, std::size_t first, std::size_t count) {
  std::vector<double> values(count);
  detail::with_plain_type(matrix.type.element, [&](auto source) {
    detail::with_plain_type(type.element, [&](auto target) {
      using Source = decltype(source);
      using Target = decltype(target);
      const auto* data = static_cast<const typename Source::Stored*>(matrix.data) + first;
      for (std::size_t at = 0; at < count; ++at) values[at] = Target::widen(Target::round(Source::widen(data[at])));
    });
  });
  return values;
}

// [depth, width] dense, as the values of elements with scales that the matrix is quantised to.
std::vector<float> quantised_values(const Matrix& matrix, WeightType type, ScaleChoice scales, std::size_t depth,
                                    std::size_t width) {
  const detail::FloatMode mode;
  std::vector<float> values(depth * width);
  const bool in_out = matrix.order == Order::in_out;
  const std::size_t ld = matrix.ld != 0 ? matrix.ld : in_out ? width : depth;
  detail::with_plain_type(matrix.type.element, [&](auto source) {
    using Source = decltype(source);
    const auto* data = static_cast<const typename Source::Stored*>(matrix.data);
    for (std::size_t k = 0; k < depth; ++k)
      for (std::size_t n = 0; n < width; ++n)
        values[k * width + n] = Source::widen(data[in_out ? k * ld + n : n * ld + k]);
  });
  detail::with_element_type(type.element, [&](auto target) {
    using Target = decltype(target);
    if constexpr (Target::grouped) {
      const std::size_t group = std::min<std::size_t>(type.group, depth);
      for (std::size_t n = 0; n < width; ++n) {
        for (std::size_t begin = 0; begin < depth; begin += group) {
          const std::size_t end = std::min(depth, begin + group);
          const auto value_of = [&](std::size_t k) { return values[(begin + k) * width + n]; };
          const auto common = detail::group_of<Target>(scales, value_of, end - begin);
          for (std::size_t k = begin; k < end; ++k) {
            float& value = values[k * width + n];
            value = Target::widen(Target::round(value, common), common);
          }
        }
      }
    }
  });
  return values;
}

// The values of a matrix that is given quantised, [width, depth] dense, and whether weights of that type have the same.
struct GivenValues {
  std::vector<float> values;
  bool exact = false;
};
GivenValues given_values(Matrix matrix, WeightType type, std::size_t depth, std::size_t width) {
  const detail::FloatMode mode;
  if (matrix.ld == 0) matrix.ld = matrix.order == Order::in_out ? width : depth;
  GivenValues found;
  found.values.reserve(depth * width);
  detail::with_quantised_reader(matrix, [&](const auto& value, auto) {
    found.exact = type == value.type();
    for (std::size_t n = 0; n < width; ++n)
      for (std::size_t k = 0; k < depth; ++k) found.values.push_back(value(k, n));
  });
  return found;
}

// What rounds in a chain over k: how often each term does, how much all operations together err by among denormals, and
// below what a weight counts as zero.
struct Chain {
  std::size_t roundings;
  double least;
  double smallest_weight = 0;
};

// Of integer dot products there is one rounding per group, and each term has two of its own: of the sum of integers to
// float32, and of the product of both scales, whose error is multiplied by a sum of integers of at most 2³⁰.
//
// Of bf16, whose products are exact, a term has the roundings of half a block, one where both halves meet, and one for
// each block that follows. Each operation may lose a denormal.
Chain chain_of(std::size_t depth, Kind kind) noexcept {
  if (kind.arithmetic == Arithmetic::f32) return {depth + 1, static_cast<double>(depth + 1) * underflow};
  if (kind.arithmetic == Arithmetic::bf16) {
    constexpr std::size_t block = detail::Bf16Pairs::block_k;
    const std::size_t blocks = (depth + block - 1) / block;
    return {block / 2 + 1 + blocks, static_cast<double>(blocks * (block + 2) + 1) * smallest_normal, smallest_normal};
  }
  const std::size_t group = quantisation_group(kind.weights);
  const std::size_t roundings = (depth + group - 1) / group + 3;
  return {roundings, static_cast<double>(roundings) * 0x1p30 * underflow};
}

// value += input·weights, [m, depth]·[depth, width]; error grows by what the inputs' errors and one rounding per step
// can do. On entry value and error hold the start of each chain.
void multiply(const Estimate& input, std::size_t m, std::size_t depth, const Matrix& weights, WeightType type,
              ScaleChoice scales, std::size_t width, Chain chain, std::span<double> value, std::span<double> error) {
  if (weights.blocks != BlockFormat::none) {
    const GivenValues given = given_values(weights, type, depth, width);
    return multiply(input, m, depth, {given.values.data(), Order::out_in}, given.exact ? WeightType::f32 : type, scales,
                    width, chain, value, error);
  }
  if (type.group != 0) {
    const std::vector<float> values = quantised_values(weights, type, scales, depth, width);
    return multiply(input, m, depth, {values.data()}, WeightType::f32, scales, width, chain, value, error);
  }
  const double gamma = accumulated_roundoff(chain.roundings);
  // error += Σ (γ·(|input| + its error) + its error)·|w|
  std::vector<double> coefficient(m * depth);
  for (std::size_t at = 0; at < coefficient.size(); ++at) {
    coefficient[at] = gamma * (std::abs(input.value[at]) + input.error[at]) + input.error[at];
  }
  // Weights are read once, in the order they are stored.
  if (weights.order == Order::in_out) {
    const std::size_t ld = weights.ld != 0 ? weights.ld : width;
    for (std::size_t k = 0; k < depth; ++k) {
      const std::vector<double> row = packed_values(weights, type, k * ld, width);
      for (std::size_t i = 0; i < m; ++i) {
        const double x = input.value[i * depth + k];
        const double c = coefficient[i * depth + k];
        double* values = value.data() + i * width;
        double* errors = error.data() + i * width;
        for (std::size_t n = 0; n < width; ++n) {
          const double w = std::abs(row[n]) < chain.smallest_weight ? 0 : row[n];
          values[n] += x * w;
          errors[n] += c * std::abs(w);
        }
      }
    }
  } else {
    const std::size_t ld = weights.ld != 0 ? weights.ld : depth;
    for (std::size_t n = 0; n < width; ++n) {
      const std::vector<double> column = packed_values(weights, type, n * ld, depth);
      for (std::size_t i = 0; i < m; ++i) {
        double sum = value[i * width + n];
        double spread = error[i * width + n];
        for (std::size_t k = 0; k < depth; ++k) {
          const double w = std::abs(column[k]) < chain.smallest_weight ? 0 : column[k];
          sum += input.value[i * depth + k] * w;
          spread += coefficient[i * depth + k] * std::abs(w);
        }
        value[i * width + n] = sum;
        error[i * width + n] = spread;
      }
    }
  }
  for (double& e : error) {
    e = (e + chain.least) * oracle_margin;
  }
}

// One of the up stage's products, before the activation.
Estimate product(const Estimate& x, std::size_t m, Shape shape, const Matrix& weights, Kind kind, ScaleChoice scales,
                 const float* bias) {
  Estimate z(m * shape.d_ff);
  const Chain chain = chain_of(shape.d_model, kind);
  const double gamma = accumulated_roundoff(chain.roundings);
  if (bias != nullptr) {
    for (std::size_t at = 0; at < z.value.size(); ++at) {
      z.value[at] = bias[at % shape.d_ff];
      z.error[at] = gamma * std::abs(z.value[at]);
    }
  }
  multiply(x, m, shape.d_model, weights, kind.weights, scales, shape.d_ff, chain, z.value, z.error);
  return z;
}

void activate(Activation activation, Estimate& z) {
  for (std::size_t at = 0; at < z.value.size(); ++at) {
    const double own = activation_error(activation, std::abs(z.value[at]) + z.error[at]);
    z.value[at] = reference_activation(activation, z.value[at]);
    z.error[at] = (largest_slope(activation) * z.error[at] + own) * oracle_margin;
  }
}

// a ⊗= b, with the rounding of the product.
void scale(Estimate& a, const Estimate& b) {
  for (std::size_t at = 0; at < a.value.size(); ++at) {
    const double reach_a = std::abs(a.value[at]) + a.error[at];
    const double reach_b = std::abs(b.value[at]) + b.error[at];
    const double carried = a.error[at] * reach_b + std::abs(a.value[at]) * b.error[at];
    a.value[at] *= b.value[at];
    a.error[at] = (carried + unit_roundoff * reach_a * reach_b + underflow) * oracle_margin;
  }
}

}  // namespace

double reference_activation(Activation activation, double z) noexcept {
  constexpr double inverse_sqrt2 = 0.70710678118654752440;
  constexpr double sqrt_2_over_pi = 0.79788456080286535588;
  switch (activation) {
    case Activation::identity:
      return z;
    case Activation::sigmoid:
      return logistic(z);
    case Activation::relu:
      return z < 0.0 ? 0.0 : z;
    case Activation::gelu:
      // (1 + erf(t))/2 = erfc(−t)/2, without the cancellation.
      return z * (0.5 * std::erfc(-z * inverse_sqrt2));
    case Activation::gelu_tanh:
      // (1 + tanh(t))/2 = sigmoid(2t), without the cancellation.
      return z * logistic(2.0 * sqrt_2_over_pi * (z + 0.044715 * z * z * z));
    case Activation::silu:
      return z * logistic(z);
  }
  return std::nan("");
}

void reference_forward(Shape shape, Kind kind, const Weights& weights, const float* x, std::size_t m, std::size_t ldx,
                       std::span<double> y, std::span<double> bound, const float* accumulated, ScaleChoice scales) {
  Estimate input(m * shape.d_model);
  const std::size_t row_stride = ldx != 0 ? ldx : shape.d_model;
  for (std::size_t i = 0; i < m; ++i) {
    std::copy_n(x + i * row_stride, shape.d_model,
                input.value.begin() + static_cast<std::ptrdiff_t>(i * shape.d_model));
  }

  const bool quantised = kind.arithmetic != Arithmetic::f32;
  if (quantised) detail::quantise_rows(input.value, input.error, shape.d_model, kind);
  Estimate h = product(input, m, shape, weights.up, kind, scales, weights.up_bias);
  if (kind.gated) {
    Estimate gate = product(input, m, shape, weights.gate, kind, scales, weights.gate_bias);
    activate(kind.activation, gate);
    scale(gate, h);
    h = std::move(gate);
  } else {
    activate(kind.activation, h);
  }

  if (quantised) detail::quantise_rows(h.value, h.error, shape.d_ff, kind);

  // The chain's start costs at most one rounding (stored y plus bias), every step of it one more.
  const Chain chain = chain_of(shape.d_ff, kind);
  const double gamma = accumulated_roundoff(chain.roundings);
  for (std::size_t at = 0; at < m * shape.d_model; ++at) {
    const double bias = weights.down_bias != nullptr ? weights.down_bias[at % shape.d_model] : 0.0;
    const double stored = accumulated != nullptr ? accumulated[at] : 0.0;
    y[at] = stored + bias;
    bound[at] = gamma * (std::abs(stored) + std::abs(bias));
  }
  const std::size_t size = m * shape.d_model;
  multiply(h, m, shape.d_ff, weights.down, kind.weights, scales, shape.d_model, chain, y.first(size),
           bound.first(size));
}

}  // namespace sluice
