#include "tuner/workload/verification_case.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <iterator>
#include <limits>
#include <optional>

#include "kernels/element_types/element_types.hpp"
#include "kernels/element_types/quantised_reader.hpp"
#include "sluice/reference.hpp"

namespace sluice::tuner {
namespace {

constexpr std::uint32_t one_nan = 0x7fc00000U;
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

std::uint32_t canonical_bits(float value) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return (bits & 0x7fffffffU) > 0x7f800000U ? one_nan : bits;
}

// Remainders: 1, 2, each register tile's height and its multiples ± 1 (5…17, 23…27, 39), primes.
constexpr std::size_t row_remainders[] = {1,  1,  1,  1,  2,  2,  3,  4,  5,  6,  7,  8,  9,  11, 12,
                                          13, 14, 15, 16, 17, 23, 24, 25, 26, 27, 29, 31, 37, 39, 53};
// Each panel width, its half (gate and up share a panel), both ± 1; the k unroll of 4 ± 1; primes; a k slice + 1.
constexpr std::size_t width_remainders[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  11, 12, 13, 15, 16,  17,
                                            23, 24, 25, 31, 32, 33, 47, 48, 49, 63, 64, 65, 67, 127, 131};
static_assert(std::size(row_remainders) == std::size(width_remainders));
constexpr std::size_t remainder_count = std::size(row_remainders);
// Strides through width_remainders. They are prime to its length, so that each dimension visits every remainder.
constexpr std::size_t model_stride = 7;
constexpr std::size_t feed_forward_stride = 11;
constexpr std::size_t brief_step = 5;
// These have several blocks in each dimension, and no tile divides them.
constexpr Shape deep_shape{259, 521};
constexpr std::size_t deep_rows = 33;

std::size_t kind_index(Kind kind) noexcept {
  const std::span<const NamedKind> all = kinds();
  const auto found =
      std::find_if(all.begin(), all.end(), [kind](const NamedKind& row) { return row.name == name(kind); });
  return static_cast<std::size_t>(found - all.begin());
}

// Returns the largest power of two ≤ 1/√terms. It keeps a sum of so many products of values around 1 near 1, where
// activations are curved.
float unit_scale(std::size_t terms) noexcept {
  float scale = 1.0F;
  while (static_cast<double>(scale) * static_cast<double>(scale) * static_cast<double>(terms) > 1.0) {
    scale *= 0.5F;
  }
  return scale;
}

std::vector<float> random_rows(Random& random, std::size_t rows, std::size_t columns, std::size_t ld, float scale) {
  std::vector<float> values(rows * ld, not_a_number);
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; ++j) {
      values[i * ld + j] = random.value(scale);
    }
  }
  return values;
}

// The values as a type of 16 bits; nothing for float32, which they are.
std::vector<std::byte> rounded(std::span<const float> values, WeightType type) {
  std::vector<std::byte> stored;
  detail::with_plain_type(type.element, [&](auto element) {
    using Element = decltype(element);
    if constexpr (sizeof(typename Element::Stored) < sizeof(float)) {
      stored.resize(values.size() * sizeof(typename Element::Stored));
      for (std::size_t i = 0; i < values.size(); ++i) {
        const typename Element::Stored one = Element::round(values[i]);
        std::memcpy(stored.data() + i * sizeof one, &one, sizeof one);
      }
    }
  });
  return stored;
}

// Blocks of any elements, whose scales leave the largest of them between an eighth of `scale` and `scale`.
std::vector<std::byte> random_blocks(Random& random, const MatrixForm& form, std::size_t columns, float scale) {
  std::vector<std::byte> stored;
  detail::BlockFormats::with(form.blocks, [&](auto format) {
    using Format = decltype(format);
    constexpr std::size_t bytes = Format::bytes;
    const std::size_t count = form.ld / Format::depth * columns;
    stored.resize(count * bytes);
    for (std::byte& byte : stored) byte = static_cast<std::byte>(random.between(0, 255));
    for (std::size_t block = 0; block < count; ++block) {
      const float largest = scale * std::exp2(-static_cast<float>(random.between(0, 3)));
      if constexpr (Format::format == BlockFormat::mxfp4) {
        stored[block * bytes] = static_cast<std::byte>(127 + std::ilogb(largest / 8));  // elements are at most 6
      } else {
        constexpr float steps = Format::format == BlockFormat::q8_0 ? 128 : 8;
        const float step = (random.between(0, 1) == 0 ? largest : -largest) / steps;
        const auto half = detail::F16::round(step * (1 + random.value(0.25F)));
        stored[block * bytes] = static_cast<std::byte>(half & 0xffU);
        stored[block * bytes + 1] = static_cast<std::byte>(half >> 8U);
      }
    }
  });
  return stored;
}

// Where the arrays of words of integers stand in one memory, and how many inputs share a scale.
struct IntegerArrays {
  std::size_t zeros = 0;
  std::size_t scales = 0;
  std::size_t bytes = 0;
  std::uint32_t group = 0;
};
std::optional<IntegerArrays> integer_arrays(const MatrixForm& form, std::size_t in, WeightType packed) {
  std::optional<IntegerArrays> found;
  detail::IntegerLayouts::with(form.blocks, [&](auto) {
    const bool grouped = packed.element == ElementType::uint4;
    const std::uint32_t group = grouped ? packed.group : WeightType::uint4(128).group;
    const std::size_t groups = (in - 1) / group + 1;
    const std::size_t zeros = in * form.ld / 2;  // behind the elements
    const std::size_t scales = zeros + groups * form.ld / 2;
    found = {zeros, scales, scales + groups * form.ld * sizeof(std::uint16_t), group};
  });
  return found;
}

// Elements and zero points of any bits; elements are at most 16 steps from zero, so much may be `scale`.
std::vector<std::byte> random_integers(Random& random, const IntegerArrays& arrays, float scale) {
  std::vector<std::byte> stored(arrays.bytes);
  for (std::size_t at = 0; at < arrays.scales; ++at) stored[at] = static_cast<std::byte>(random.between(0, 255));
  for (std::size_t at = arrays.scales; at < arrays.bytes; at += sizeof(std::uint16_t)) {
    const float step = scale / 16 * std::exp2(-static_cast<float>(random.between(0, 3)));
    const auto half = detail::F16::round(random.between(0, 1) == 0 ? step : -step * (1 + random.value(0.25F)));
    std::memcpy(stored.data() + at, &half, sizeof half);
  }
  return stored;
}

}  // namespace

Random::Random(std::uint64_t seed) noexcept {
  for (std::uint64_t& word : state_) {
    seed += 0x9e3779b97f4a7c15U;
    std::uint64_t mixed = seed;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebU;
    word = mixed ^ (mixed >> 31);
  }
}

std::uint64_t Random::next() noexcept {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

std::uint64_t Random::between(std::uint64_t low, std::uint64_t high) noexcept {
  // Scales the upper 32 bits to the range. The bias, at most range/2³², does not matter to a test.
  return low + (((next() >> 32) * (high - low + 1)) >> 32);
}

float Random::value(float scale) noexcept {
  const auto integer = static_cast<std::int32_t>(next() >> 40) - (1 << 23);
  return static_cast<float>(integer) * 0x1p-23F * scale;
}

std::string describe(const Case& one) {
  return kind_name(one.kind) + " " + std::to_string(one.shape.d_model) + "x" + std::to_string(one.shape.d_ff) +
         " M=" + std::to_string(one.m) + (one.order == Order::in_out ? " in_out" : " out_in") +
         (one.biases ? " biases" : "") + (one.padded ? " padded" : "") + (one.accumulate ? " accumulate" : "") +
         " seed=" + std::to_string(one.seed);
}

std::vector<Case> standard_cases(Kind kind, Coverage coverage) {
  std::vector<Case> cases;
  const std::size_t kind_number = kind_index(kind);
  std::uint64_t seed = 1000 * (kind_number + 1);
  for (const bool biases : {false, true}) {
    for (const Order order : {Order::in_out, Order::out_in}) {
      // Each combination pairs the remainders differently.
      const std::size_t rotation = 4 * kind_number + (biases ? 2 : 0) + (order == Order::out_in ? 1 : 0);
      const std::size_t first = coverage == Coverage::brief ? rotation % brief_step : 0;
      for (std::size_t i = first; i < remainder_count; i += coverage == Coverage::brief ? brief_step : 1) {
        const Shape shape{width_remainders[(model_stride * i + rotation) % remainder_count],
                          width_remainders[(feed_forward_stride * i + 3 * rotation + 5) % remainder_count]};
        const bool padded = (i + rotation) % 2 == 1;
        const bool accumulate = (i + rotation) % 3 == 1;
        cases.push_back({kind, shape, row_remainders[i], biases, order, padded, accumulate, ++seed});
      }
    }
  }
  cases.push_back({kind, deep_shape, deep_rows, true, Order::in_out, true, false, ++seed});
  return cases;
}

Forms forms_of(const Case& one) noexcept {
  const std::size_t padding = one.padded ? 3 : 0;
  const bool in_out = one.order == Order::in_out;
  Forms forms;
  forms.gate.order = forms.up.order = forms.down.order = one.order;
  forms.gate.ld = forms.up.ld = (in_out ? one.shape.d_ff : one.shape.d_model) + padding;
  forms.down.ld = (in_out ? one.shape.d_model : one.shape.d_ff) + padding;
  forms.gate_bias = one.biases && one.kind.gated;
  forms.up_bias = forms.down_bias = one.biases;
  forms.ldx = one.shape.d_model + padding;
  forms.ldy = one.shape.d_model + 2 * padding;
  return forms;
}

Problem::Problem(const Case& one, const Forms& forms)
    : up_ld(forms.up.ld), down_ld(forms.down.ld), ldx(forms.ldx), ldy(forms.ldy), case_(one), forms_(forms) {
  Random random(one.seed);
  const std::size_t d_model = one.shape.d_model;
  const std::size_t d_ff = one.shape.d_ff;
  const auto fill = [&random, &one](const MatrixForm& form, std::size_t in, std::size_t out, float scale,
                                    std::vector<float>& values, std::vector<std::byte>& stored) {
    if (const auto arrays = integer_arrays(form, in, one.kind.weights)) {
      stored = random_integers(random, *arrays, scale);
      return;
    }
    if (form.blocks != BlockFormat::none) {
      stored = random_blocks(random, form, out, scale);
      return;
    }
    const bool in_out = form.order == Order::in_out;
    values = random_rows(random, in_out ? in : out, in_out ? out : in, form.ld, scale);
    stored = rounded(values, form.type);
  };
  const float up_scale = 2 * unit_scale(d_model);
  if (one.kind.gated) fill(forms.gate, d_model, d_ff, up_scale, gate, stored_gate_);
  fill(forms.up, d_model, d_ff, up_scale, up, stored_up_);
  fill(forms.down, d_ff, d_model, unit_scale(d_ff), down, stored_down_);
  if (forms.gate_bias) gate_bias = random_rows(random, 1, d_ff, d_ff, 1.0F);
  if (forms.up_bias) up_bias = random_rows(random, 1, d_ff, d_ff, 1.0F);
  if (forms.down_bias) down_bias = random_rows(random, 1, d_model, d_model, 1.0F);
  if (ldx < d_model) {  // rows that overlap
    const std::size_t floats = (one.m - 1) * ldx + d_model;
    x = random_rows(random, 1, floats, floats, 2.0F);
  } else {
    x = random_rows(random, one.m, d_model, ldx, 2.0F);
  }
  y = random_rows(random, one.m, d_model, ldy, 1.0F);
}

Weights Problem::weights() const noexcept {
  const auto matrix = [this](const MatrixForm& form, std::size_t in, const std::vector<float>& values,
                             const std::vector<std::byte>& stored) {
    const void* const data = stored.empty() ? static_cast<const void*>(values.data()) : stored.data();
    Matrix view{data, form.order, form.ld, form.type, form.blocks};
    if (const auto arrays = integer_arrays(form, in, case_.kind.weights)) {
      view.zeros = stored.data() + arrays->zeros;
      view.scales = stored.data() + arrays->scales;
      view.group = arrays->group;
    }
    return view;
  };
  const auto [d_model, d_ff] = case_.shape;
  const auto bias = [](const std::vector<float>& values) { return values.empty() ? nullptr : values.data(); };
  Weights result;
  if (case_.kind.gated) result.gate = matrix(forms_.gate, d_model, gate, stored_gate_);
  result.up = matrix(forms_.up, d_model, up, stored_up_);
  result.down = matrix(forms_.down, d_ff, down, stored_down_);
  result.gate_bias = bias(gate_bias);
  result.up_bias = bias(up_bias);
  result.down_bias = bias(down_bias);
  return result;
}

Answer::Answer(const Problem& problem, std::size_t first_row, std::size_t rows) {
  const Case& one = problem.definition();
  const std::size_t width = one.shape.d_model;
  y.resize(rows * width);
  bound.resize(rows * width);
  std::vector<float> start;
  if (one.accumulate) {
    for (std::size_t i = first_row; i < first_row + rows; ++i) {
      const float* row = problem.y.data() + i * problem.ldy;
      start.insert(start.end(), row, row + width);
    }
  }
  reference_forward(one.shape, one.kind, problem.weights(), problem.x.data() + first_row * problem.ldx, rows,
                    problem.ldx, y, bound, one.accumulate ? start.data() : nullptr, problem.scales());
}

double worst_error_over_bound(const Answer& answer, std::span<const float> y, Shape shape, std::size_t m,
                              std::size_t ldy) {
  double worst = 0;
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = 0; j < shape.d_model; ++j) {
      const std::size_t at = i * shape.d_model + j;
      const double error = std::abs(static_cast<double>(y[i * ldy + j]) - answer.y[at]);
      if (error == 0) {
        continue;
      }
      const double ratio = error / answer.bound[at];
      worst = std::isnan(ratio) ? infinity : std::max(worst, ratio);
    }
  }
  return worst;
}

bool equal_bits(std::span<const float> a, std::span<const float> b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](float left, float right) { return canonical_bits(left) == canonical_bits(right); });
}

void Digest::add(std::span<const float> values) noexcept {
  for (const float value : values) {
    const std::uint32_t bits = canonical_bits(value);
    for (int shift = 0; shift < 32; shift += 8) {
      hash_.add(static_cast<unsigned char>(bits >> shift));
    }
  }
}

}  // namespace sluice::tuner
