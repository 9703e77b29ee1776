// Dot products of integers and of bf16: the bits of a plain model of the definition (Arithmetic in kind.hpp), on every
// instruction set with and without its extensions, whatever the values are.
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "kernels/call/ffn_access.hpp"
#include "kernels/element_types/bf16.hpp"
#include "kernels/element_types/f16.hpp"
#include "kernels/element_types/float_mode.hpp"
#include "kernels/instruction_sets/tall_dots.hpp"
#include "kernels/microkernels/kernel_table.hpp"
#include "tests/kernels/support.hpp"

namespace sluice::detail {
extern const TallDotTable modelled_matrix_dots;
}

namespace sluice::tests {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

// A group of values as integers and what one of them is worth.
struct Group {
  std::vector<int> codes;
  float scale = 0;
};

// E2M1 in halves, of a power of two: 0 to 4 by ones, to 8 by twos, to 12 by fours.
Group quantised_mxfp4(std::span<const float> values, float most) {
  Group group{std::vector<int>(values.size()), 0};
  const int exponent = most == 0 ? -127 : std::max(-127, std::ilogb(most) - 2);
  group.scale = std::ldexp(0.5F, exponent);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float size = std::clamp(values[i] / group.scale, -12.0F, 12.0F);
    const float step = std::abs(size) < 4 ? 1 : std::abs(size) < 8 ? 2 : 4;
    group.codes[i] = static_cast<int>(std::nearbyint(size / step) * step);
  }
  return group;
}

// Steps from the zero point of the range, 0 included, as Ffn::pack() has it.
Group quantised_range(std::span<const float> values, float steps) {
  Group group{std::vector<int>(values.size()), 0};
  const float least = std::min(0.0F, *std::min_element(values.begin(), values.end()));
  const float most = std::max(0.0F, *std::max_element(values.begin(), values.end()));
  group.scale = detail::F16::widen(detail::F16::round(most / steps - least / steps));
  if (group.scale == 0) return group;
  const float zero = std::min(steps, std::nearbyint(-least / group.scale));
  for (std::size_t i = 0; i < values.size(); ++i)
    group.codes[i] = static_cast<int>(std::clamp(std::nearbyint(values[i] / group.scale), -zero, steps - zero));
  return group;
}

Group quantised_weights(std::span<const float> values, ElementType type) {
  if (type == ElementType::uint8) return quantised_range(values, 255);
  if (type == ElementType::uint4) return quantised_range(values, 15);
  Group group{std::vector<int>(values.size()), 0};
  float most = 0;
  for (const float value : values) most = std::max(most, std::abs(value));
  if (type == ElementType::mxfp4) return quantised_mxfp4(values, most);
  const float largest = type == ElementType::int8 ? 127 : 7;
  group.scale = detail::F16::widen(detail::F16::round(most / largest));
  for (std::size_t i = 0; i < values.size() && group.scale != 0; ++i)
    group.codes[i] = static_cast<int>(std::clamp(std::nearbyint(values[i] / group.scale), -largest, largest));
  return group;
}

Group quantised_row(std::span<const float> values, float steps) {
  Group group{std::vector<int>(values.size()), 0};
  float most = 0;
  for (const float value : values) {
    if (!std::isfinite(value)) group.scale = std::nanf("");
    most = std::max(most, std::abs(value));
  }
  if (std::isnan(group.scale) || most < 0x1p-100F) return group;
  group.scale = most / steps;
  const float factor = steps / most;
  for (std::size_t i = 0; i < values.size(); ++i) group.codes[i] = static_cast<int>(std::nearbyint(values[i] * factor));
  return group;
}

// Blocks of 32 k as Arithmetic::bf16 has them; the last one filled up with zeros.
std::vector<float> bf16_product(std::span<const float> input, std::size_t m, std::size_t depth,
                                std::span<const float> weights, std::size_t width, std::span<const float> bias) {
  const detail::FlushingMode mode;
  const auto rounded = [](float value) { return detail::Bf16::widen(detail::Bf16::round(value)); };
  std::vector<float> sums(m * width);
  for (std::size_t row = 0; row < m; ++row)
    for (std::size_t n = 0; n < width; ++n) {
      float sum = bias[n];
      for (std::size_t k0 = 0; k0 < depth; k0 += 32) {
        float halves[2] = {};
        for (std::size_t k = k0; k < k0 + 32; ++k) {
          const bool there = k < depth;
          float& half = halves[k % 2];
          half = std::fma(there ? rounded(input[row * depth + k]) : 0.0F,
                          there ? rounded(weights[k * width + n]) : 0.0F, half);
        }
        sum += halves[0] + halves[1];
      }
      sums[row * width + n] = sum;
    }
  return sums;
}

// One product: [m, depth]·[depth, width] + bias, weights dense in_out.
std::vector<float> product(std::span<const float> input, std::size_t m, std::size_t depth,
                           std::span<const float> weights, std::size_t width, std::span<const float> bias, Kind kind) {
  if (kind.arithmetic == Arithmetic::bf16) return bf16_product(input, m, depth, weights, width, bias);
  const std::size_t scaled = std::min<std::size_t>(kind.weights.group, depth);  // k that share a scale of the weights
  const std::size_t length = std::min<std::size_t>(kind.weights.group, 128);
  const float steps = kind.arithmetic == Arithmetic::int8 ? 127 : 32767;
  std::vector<float> sums(m * width);
  for (std::size_t row = 0; row < m; ++row)
    for (std::size_t n = 0; n < width; ++n) sums[row * width + n] = bias[n];
  for (std::size_t n = 0; n < width; ++n) {
    Group column;
    for (std::size_t k0 = 0; k0 < depth; k0 += length) {
      const std::size_t k1 = std::min(depth, k0 + length);
      if (k0 % scaled == 0) {
        std::vector<float> values;
        for (std::size_t k = k0; k < std::min(depth, k0 + scaled); ++k) values.push_back(weights[k * width + n]);
        column = quantised_weights(values, kind.weights.element);
      }
      for (std::size_t row = 0; row < m; ++row) {
        const Group x = quantised_row(input.subspan(row * depth + k0, k1 - k0), steps);
        long long dot = 0;
        for (std::size_t k = k0; k < k1; ++k) dot += static_cast<long long>(x.codes[k - k0]) * column.codes[k % scaled];
        float& sum = sums[row * width + n];
        sum = std::fma(static_cast<float>(dot), x.scale * column.scale, sum);
      }
    }
  }
  return sums;
}

struct Operands {
  std::vector<float> up, down, up_bias, down_bias, x;
};

Operands operands(Shape shape, std::size_t m, std::uint64_t seed) {
  tuner::Random random(seed);
  const auto values = [&](std::size_t count, float size) {
    std::vector<float> made(count);
    for (float& value : made) value = random.value(size);
    return made;
  };
  return {values(shape.d_model * shape.d_ff, 0.1F), values(shape.d_model * shape.d_ff, 0.1F), values(shape.d_ff, 1),
          values(shape.d_model, 1), values(m * shape.d_model, 2)};
}

// Each table that runs here: of an instruction set with its extensions, and without.
struct Table {
  const char* name;
  const detail::KernelTable* kernels;
};

#if defined(__x86_64__)
// Tall tiles by the model of a matrix (modelled_matrix.cpp), the others as AVX-512 alone has them.
class ModelledMatrix {
 public:
  ModelledMatrix() { joined_.join(table, detail::modelled_matrix_dots); }
  detail::KernelTable table = detail::avx512_kernels;

 private:
  detail::JoinedDots joined_;
};
#endif

std::vector<Table> tables() {
  std::vector<Table> all;
  for (const Isa isa : runnable_isas()) all.push_back({name(isa).data(), detail::kernel_table(isa, Arithmetic::int8)});
#if defined(__x86_64__)
  if (runnable(Isa::avx2)) all.push_back({"avx2_alone", &detail::avx2_kernels});
  if (runnable(Isa::avx512)) {
    all.push_back({"avx512_alone", &detail::avx512_kernels});
    // Without the dot products of tall tiles, where there are such.
    static const detail::KernelTable with_vnni = [] {
      detail::KernelTable table = detail::avx512_kernels;
      table.dots.take(detail::avx512_vnni_dots);
      return table;
    }();
    const detail::DotKernels& best = *detail::dot_kernels(*detail::kernel_table(Isa::avx512, Arithmetic::int8), 32,
                                                          ElementType::int8, Arithmetic::int8);
    if (best.end != nullptr) all.push_back({"avx512_vnni", &with_vnni});
    static const ModelledMatrix modelled;
    all.push_back({"avx512_modelled_matrix", &modelled.table});
  }
#elif defined(__aarch64__)
  all.push_back({"neon_alone", &detail::neon_kernels});
  // The one that a better one hides.
  static const detail::KernelTable with_dotprod = [] {
    detail::KernelTable table = detail::neon_kernels;
    table.dots.take(detail::neon_dotprod_dots);
    return table;
  }();
  const auto probe = [](const detail::KernelTable& table) {
    return detail::dot_kernels(table, 16, ElementType::int8, Arithmetic::int8)->probe;
  };
  const auto best = probe(*detail::kernel_table(Isa::neon, Arithmetic::int8));
  if (best != probe(detail::neon_kernels) && best != probe(with_dotprod))
    all.push_back({"neon_dotprod", &with_dotprod});
#endif
  return all;
}

class Dots : public testing::TestWithParam<Table> {
 protected:
  // Bits of the plain kind with ReLU, whose activation leaves no choice, against the model.
  static void expect_bits_of_the_model(Shape shape, std::size_t m, Kind kind, const Operands& given) {
    const detail::FloatMode mode;
    std::vector<float> h = product(given.x, m, shape.d_model, given.up, shape.d_ff, given.up_bias, kind);
    for (float& value : h) value = value < 0 ? 0 : value;
    const std::vector<float> expected = product(h, m, shape.d_ff, given.down, shape.d_model, given.down_bias, kind);

    Weights weights;
    weights.up.data = given.up.data();
    weights.down.data = given.down.data();
    weights.up_bias = given.up_bias.data();
    weights.down_bias = given.down_bias.data();
    for (std::size_t width = 0; width < GetParam().kernels->panel_count; ++width) {
      PackOptions options;
      options.nr = GetParam().kernels->panels[0][width].tile.nr;
      const Result<Ffn> ffn = FfnAccess::pack_with(*GetParam().kernels, shape, kind, weights, options);
      ASSERT_TRUE(ffn.ok()) << ffn.status().message();
      const Workspace workspace(*ffn->workspace_size(m, 1));
      std::vector<float> y(expected.size());
      const Status status = ffn->forward(given.x.data(), m, y.data(), workspace, {.max_threads = 1});
      ASSERT_TRUE(status.ok()) << status.message();
      for (std::size_t i = 0; i < y.size(); ++i) {
        if (std::isnan(expected[i]))
          ASSERT_TRUE(std::isnan(y[i])) << i;
        else
          ASSERT_EQ(std::bit_cast<std::uint32_t>(y[i]), std::bit_cast<std::uint32_t>(expected[i]))
              << y[i] << " instead of " << expected[i] << " at " << i << ", M = " << m << ", nr = " << options.nr
              << ", " << kind_name(kind);
      }
    }
  }

  static std::vector<Kind> kinds_of_dots() {
    std::vector<Kind> found;
    for (const WeightType type : all_weight_types())
      for (const Arithmetic arithmetic : all_arithmetics())
        if (arithmetic != Arithmetic::f32 && offered(type, arithmetic) && !spared(type, arithmetic))
          found.push_back({Activation::relu, false, type, arithmetic});
    return found;
  }
};

TEST_P(Dots, HaveTheBitsOfTheModel) {
  for (const Kind kind : kinds_of_dots())
    for (const std::size_t m : {1U, 2U, 3U, 5U, 14U, 31U})
      expect_bits_of_the_model({283, 150}, m, kind, operands({283, 150}, m, m));
}

TEST_P(Dots, EveryHeightOfATileHasTheBitsOfTheModel) {
  constexpr Shape shape{163, 40};
  for (const Kind kind : kinds_of_dots())
    for (std::size_t m = 1; m <= detail::most_tall_mr; ++m)
      expect_bits_of_the_model(shape, m, kind, operands(shape, m, m));
}

TEST_P(Dots, AnyDepthHasTheBitsOfTheModel) {
  for (const Kind kind : kinds_of_dots())
    for (const Shape shape : {Shape{1, 1}, Shape{3, 33}, Shape{32, 127}, Shape{129, 5}, Shape{260, 64}})
      for (const std::size_t m : {2U, 13U}) expect_bits_of_the_model(shape, m, kind, operands(shape, m, shape.d_ff));
}

// The largest products and the largest sums: what multiplies two pairs of bytes in 16 bits would saturate.
TEST_P(Dots, DoNotSaturateOrWrap) {
  constexpr Shape shape{256, 40};
  for (const Kind kind : kinds_of_dots())
    for (const std::size_t m : {4U, 12U})
      for (const float sign : {1.0F, -1.0F}) {
        Operands given = operands(shape, m, 1);
        std::fill(given.up.begin(), given.up.end(), 1.0F);
        std::fill(given.down.begin(), given.down.end(), -1.0F);
        std::fill(given.x.begin(), given.x.end(), sign);
        expect_bits_of_the_model(shape, m, kind, given);
        // With a zero point: what is furthest from it.
        if (!has_zero_points(kind.weights)) continue;
        for (std::vector<float>* matrix : {&given.up, &given.down}) std::fill(matrix->begin(), matrix->end(), -1.0F);
        given.up.front() = given.down.front() = 0x1p-6F;
        expect_bits_of_the_model(shape, m, kind, given);
      }
}

// Inf and NaN make their row NaN; zeros, denormals and what is huge are as the definition says.
TEST_P(Dots, ExtremesAreAsDefined) {
  constexpr Shape shape{96, 40};
  constexpr float extremes[] = {
      infinity, -infinity, std::numeric_limits<float>::quiet_NaN(), 0x1p-149F, 0x1p-101F, 0x1p-100F, 1e-30F, 1e25F,
      -3e38F,   -0.0F};
  constexpr std::size_t m = std::size(extremes) + 1;
  for (const Kind kind : kinds_of_dots()) {
    Operands given = operands(shape, m, 7);
    for (std::size_t row = 0; row < std::size(extremes); ++row) {
      // A group of nothing else, and one value among others.
      for (std::size_t k = 0; k < 32; ++k) given.x[row * shape.d_model + k] = k % 3 == 0 ? extremes[row] : 0;
      given.x[row * shape.d_model + 70] = extremes[row];
    }
    std::fill_n(given.x.begin() + static_cast<std::ptrdiff_t>(std::size(extremes) * shape.d_model), shape.d_model,
                0.0F);
    expect_bits_of_the_model(shape, m, kind, given);
  }
}

INSTANTIATE_TEST_SUITE_P(Tables, Dots, testing::ValuesIn(tables()),
                         [](const auto& table) { return std::string(table.param.name); });

TEST(DotsOfOtherWeights, AreRefused) {
  const std::vector<float> ones(64, 1.0F);
  const Matrix matrix{ones.data()};
  const Result<Ffn> ffn =
      Ffn::pack({4, 4}, {Activation::silu, true, WeightType::bf16, Arithmetic::int8}, {matrix, matrix, matrix});
  EXPECT_EQ(ffn.status().code(), Code::invalid_argument);
  EXPECT_NE(std::string(ffn.status().message()).find("bf16 with arithmetic 1 (int8)"), std::string::npos)
      << ffn.status().message();
}

}  // namespace
}  // namespace sluice::tests
