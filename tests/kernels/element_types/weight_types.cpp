// Weights of fewer bits: their conversions, their place in a panel, and the law that they give the bits that float32
// weights of the same values give.
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <set>

#include "kernels/element_types/element_types.hpp"
#include "sluice/reference.hpp"
#include "tests/kernels/support.hpp"

namespace sluice::tests {
namespace {

using detail::Bf16;
using detail::F16;
using detail::F32;

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

// The value of 1 + 5 + 10 or 1 + 8 + 7 bits by the definition of the format.
double by_definition(std::uint32_t bits, int exponent_bits, int fraction_bits) {
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = static_cast<int>(bits >> fraction_bits) & ((1 << exponent_bits) - 1);
  const double fraction = static_cast<double>(bits & ((1U << fraction_bits) - 1U));
  const double sign = (bits >> (exponent_bits + fraction_bits)) != 0 ? -1 : 1;
  if (exponent == (1 << exponent_bits) - 1) return fraction == 0 ? sign * HUGE_VAL : std::nan("");
  if (exponent == 0) return sign * std::ldexp(fraction, 1 - bias - fraction_bits);
  return sign * std::ldexp(std::ldexp(1.0, fraction_bits) + fraction, exponent - bias - fraction_bits);
}

template <class Element>
void expect_every_value(int exponent_bits, int fraction_bits) {
  for (std::uint32_t bits = 0; bits < 0x10000U; ++bits) {
    const auto stored = static_cast<typename Element::Stored>(bits);
    const float value = Element::widen(stored);
    const double expected = by_definition(bits, exponent_bits, fraction_bits);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(value)) << bits;
      ASSERT_TRUE(std::isnan(Element::widen(Element::round(value)))) << bits;
      continue;
    }
    ASSERT_EQ(static_cast<double>(value), expected) << bits;
    ASSERT_EQ(std::signbit(value), std::signbit(expected)) << bits;
    ASSERT_EQ(Element::round(value), stored) << "a value of the type rounds to itself";
  }
}

TEST(ElementTypes, EveryValueWidensByItsDefinitionAndRoundsToItself) {
  expect_every_value<Bf16>(8, 7);
  expect_every_value<F16>(5, 10);
}

// Between each two neighbours of the type: the point halfway goes to the one with the even last bit, a float less or
// more to the nearer one. The neighbour of the largest value is infinite.
template <class Element>
void expect_nearest_even(std::uint32_t infinite) {
  for (std::uint32_t lower = 0; lower < infinite; ++lower) {
    const auto low = static_cast<typename Element::Stored>(lower);
    const auto high = static_cast<typename Element::Stored>(lower + 1);
    const double below = Element::widen(low);
    // What would follow the largest value if the exponents went on.
    const double above = lower + 1 == infinite
                             ? 2 * below - Element::widen(static_cast<typename Element::Stored>(lower - 1))
                             : static_cast<double>(Element::widen(high));
    const double middle = (below + above) / 2;
    const auto halfway = static_cast<float>(middle);
    if (static_cast<double>(halfway) != middle) continue;  // bf16's denormals: no float lies there
    const auto even = lower % 2 == 0 ? low : high;
    for (const float sign : {1.0F, -1.0F}) {
      const auto with_sign = [&](typename Element::Stored value) {
        return static_cast<typename Element::Stored>(value | (sign < 0 ? 0x8000U : 0U));
      };
      ASSERT_EQ(Element::round(sign * halfway), with_sign(even)) << lower;
      ASSERT_EQ(Element::round(sign * std::nextafter(halfway, 0.0F)), with_sign(low)) << lower;
      ASSERT_EQ(Element::round(sign * std::nextafter(halfway, infinity)), with_sign(high)) << lower;
    }
  }
}

TEST(ElementTypes, ValuesBetweenAreRoundedToNearestEven) {
  expect_nearest_even<Bf16>(0x7f80);
  expect_nearest_even<F16>(0x7c00);
  EXPECT_EQ(F16::round(std::numeric_limits<float>::max()), 0x7c00);
  EXPECT_EQ(F16::round(-std::numeric_limits<float>::denorm_min()), 0x8000);
  EXPECT_EQ(Bf16::round(-infinity), 0xff80);
}

// A NaN whose payload lies in the bits that are cut off stays a NaN.
TEST(ElementTypes, NansStayNans) {
  for (const std::uint32_t bits : {0x7f800001U, 0xffffffffU, 0x7fc00000U, 0xff80ffffU}) {
    const auto nan = std::bit_cast<float>(bits);
    EXPECT_TRUE(std::isnan(Bf16::widen(Bf16::round(nan)))) << std::hex << bits;
    EXPECT_TRUE(std::isnan(F16::widen(F16::round(nan)))) << std::hex << bits;
    EXPECT_EQ(std::signbit(F16::widen(F16::round(nan))), std::signbit(nan));
  }
}

template <class Element>
std::set<std::size_t> positions(std::size_t nr, std::size_t lanes) {
  std::set<std::size_t> all;
  for (std::size_t column = 0; column < nr; ++column) all.insert(Element::position(column, lanes));
  return all;
}

TEST(ElementTypes, EachColumnOfARowHasAPlaceOfItsOwn) {
  for (const std::size_t lanes : {std::size_t{4}, std::size_t{8}, std::size_t{16}}) {
    for (const std::size_t vectors : {std::size_t{2}, std::size_t{4}}) {
      const std::size_t nr = lanes * vectors;
      const auto complete = [&](const std::set<std::size_t>& places) {
        return places.size() == nr && *places.rbegin() == nr - 1;
      };
      EXPECT_TRUE(complete(positions<F32>(nr, lanes)));
      EXPECT_TRUE(complete(positions<Bf16>(nr, lanes)));
      EXPECT_TRUE(complete(positions<F16>(nr, lanes)));
    }
  }
}

TEST(ElementTypes, HaveNamesAndSizes) {
  for (const WeightType type : all_weight_types()) EXPECT_EQ(parse_weight_type(name(type)), type);
  EXPECT_FALSE(parse_weight_type("float16"));
  EXPECT_FALSE(parse_weight_type(""));
  EXPECT_EQ(name(WeightType{static_cast<ElementType>(99)}), "unknown");
  EXPECT_EQ(weight_bytes(WeightType::f32), 4);
  EXPECT_EQ(weight_bytes(WeightType::bf16), 2);
  EXPECT_EQ(weight_bytes(WeightType::int8(32)), 1.0625);
  EXPECT_EQ(weight_bytes(WeightType::int8(WeightType::whole_column)), 1);
  EXPECT_EQ(parse_weight_type("int8:column"), WeightType::int8(WeightType::whole_column));
  EXPECT_EQ(weight_bytes(WeightType::int4(128)), 0.515625);
  EXPECT_EQ(weight_bytes(WeightType::mxfp4), 0.53125);
  EXPECT_EQ(parse_weight_type("int4:64"), WeightType::int4(64));
  EXPECT_EQ(weight_bytes(WeightType::uint4(128)), 0.5 + 3.0 / 128);
  EXPECT_EQ(parse_weight_type("uint8:column"), WeightType::uint8(WeightType::whole_column));
  for (const char* word :
       {"uint4", "uint8:16", "int8", "int8:", "int8:16", "int8:column:", "f32:32", "int4", "mxfp4:32"})
    EXPECT_FALSE(parse_weight_type(word)) << word;
  EXPECT_EQ(name(WeightType::int8(16)), "unknown");
  EXPECT_EQ(bytes({Activation::silu, true, WeightType::f16}, {3, 5}, 7), 2.0 * 3 * 15 + 4.0 * 2 * 21);
}

// A matrix of each source type whose elements are values of that type, and their float32 values.
struct TypedMatrix {
  std::vector<std::byte> stored;
  std::vector<float> values;

  TypedMatrix(WeightType type, std::span<const float> given) : values(given.size()) {
    detail::with_plain_type(type.element, [&](auto element) {
      using Element = decltype(element);
      using Stored = typename Element::Stored;
      stored.resize(given.size() * sizeof(Stored));
      for (std::size_t i = 0; i < given.size(); ++i) {
        const Stored value = Element::round(given[i]);
        std::memcpy(stored.data() + i * sizeof(Stored), &value, sizeof(Stored));
        values[i] = Element::widen(value);
      }
    });
  }
};

// A value of a group with this largest magnitude: the nearest in steps of its binade's, by nearbyint's choice of even.
float mxfp4_value(float value, double largest) {
  const int exponent = std::max(-127, largest == 0 ? -127 : std::ilogb(largest) - 2);
  const double size = std::min(6.0, std::ldexp(std::abs(static_cast<double>(value)), -exponent));
  const double step = size < 2 ? 0.5 : size < 4 ? 1 : 2;
  const double rounded = std::nearbyint(size / step) * step;
  return static_cast<float>(std::copysign(std::ldexp(rounded, exponent), rounded == 0 ? 1.0 : value));
}

// The values that a [depth, width] matrix of floats has as elements with scales, where its elements stand.
std::vector<float> quantised(const Matrix& matrix, std::size_t count, std::size_t depth, std::size_t width,
                             WeightType type) {
  const auto* given = static_cast<const float*>(matrix.data);
  std::vector<float> values(given, given + count);
  const bool in_out = matrix.order == Order::in_out;
  const std::size_t ld = matrix.ld != 0 ? matrix.ld : in_out ? width : depth;
  for (std::size_t n = 0; n < width; ++n) {
    for (std::size_t begin = 0; begin < depth;) {
      const std::size_t end = std::min<std::size_t>(depth, begin + std::min<std::size_t>(type.group, depth));
      const auto at = [&](std::size_t k) { return in_out ? k * ld + n : n * ld + k; };
      double largest = 0;
      float least = 0;
      float most = 0;
      bool finite = true;
      for (std::size_t k = begin; k < end; ++k) {
        finite = finite && std::isfinite(given[at(k)]);
        largest = std::max(largest, std::abs(static_cast<double>(given[at(k)])));
        least = std::min(least, given[at(k)]);
        most = std::max(most, given[at(k)]);
      }
      const bool eight = type.element == ElementType::int8 || type.element == ElementType::uint8;
      const bool zeros = has_zero_points(type);
      const float limit = zeros ? (eight ? 255 : 15) : eight ? 127 : 7;
      const float step =
          zeros ? most / limit - least / limit : static_cast<float>(largest / static_cast<double>(limit));
      const float scale = std::min(65504.0F, F16::widen(F16::round(step)));
      const float zero = scale == 0 ? 0 : std::min(limit, std::nearbyint(-least / scale));
      const float lowest = zeros ? -zero : -limit;
      const float highest = zeros ? limit - zero : limit;
      for (std::size_t k = begin; k < end; ++k) {
        const float steps = scale == 0 ? 0 : std::nearbyint(given[at(k)] / scale);
        values[at(k)] = !finite                              ? not_a_number
                        : type.element == ElementType::mxfp4 ? mxfp4_value(given[at(k)], largest)
                                                             : std::clamp(steps, lowest, highest) * scale;
      }
      begin = end;
    }
  }
  return values;
}

// The three matrices of a problem in one type: as Ffn::pack() takes them, and as floats of the values that they then
// have.
struct TypedWeights {
  TypedMatrix gate, up, down;
  Weights typed, widened;

  TypedWeights(WeightType type, const tuner::Problem& problem)
      : gate(type, problem.gate),
        up(type, problem.up),
        down(type, problem.down),
        typed(problem.weights()),
        widened(typed) {
    if (type.group != 0) {
      const auto quantise = [&](Matrix& as_floats, TypedMatrix& matrix, std::size_t depth, std::size_t width) {
        if (matrix.values.empty()) return;
        matrix.values = quantised(as_floats, matrix.values.size(), depth, width, type);
        as_floats.data = matrix.values.data();
      };
      const auto [d_model, d_ff] = problem.definition().shape;
      quantise(widened.gate, gate, d_model, d_ff);
      quantise(widened.up, up, d_model, d_ff);
      quantise(widened.down, down, d_ff, d_model);
      return;
    }
    const auto view = [&](Matrix& as_stored, Matrix& as_floats, const TypedMatrix& matrix) {
      if (matrix.values.empty()) return;
      as_stored.data = matrix.stored.data();
      as_stored.type = type;
      as_floats.data = matrix.values.data();
    };
    view(typed.gate, widened.gate, gate);
    view(typed.up, widened.up, up);
    view(typed.down, widened.down, down);
  }
};

class WeightTypes : public testing::TestWithParam<std::tuple<Isa, WeightType>> {
 protected:
  static Isa isa() { return std::get<0>(GetParam()); }
  static WeightType type() { return std::get<1>(GetParam()); }
};

void plant_extremes(std::vector<float>& values, tuner::Random& random) {
  constexpr float extremes[] = {infinity,    -infinity, not_a_number, 0x1p-149F, -0x1p-126F, 0x1p-24F,
                                -0x1.8p-20F, 65504.0F,  1e6F,         -3e38F,    -0.0F};
  for (std::size_t i = 0; i < 40 && !values.empty(); ++i)
    values[random.between(0, values.size() - 1)] = extremes[i % std::size(extremes)];
}

// Whatever the values are: Inf, NaN, denormals of either type, and what overflows.
TEST_P(WeightTypes, GiveTheBitsOfFloat32WeightsOfTheSameValues) {
  ThreadPool pool(3);
  for (const bool extremes : {false, true}) {
    for (const bool gated : {true, false}) {
      const Kind wide{gated ? Activation::silu : Activation::identity, gated};
      if (!parse_kind(name(wide))) continue;
      for (const std::size_t m : {1U, 2U, 3U, 6U, 9U, 14U, 31U}) {
        tuner::Problem problem({wide, {283, 150}, m, true, m % 2 == 0 ? Order::in_out : Order::out_in, true, false, m});
        tuner::Random random(m);
        if (extremes)
          for (std::vector<float>* matrix : {&problem.gate, &problem.up, &problem.down})
            plant_extremes(*matrix, random);
        const TypedWeights weights(type(), problem);
        for (const RegisterTile& tile : register_tiles(isa())) {
          const Result<Ffn> f32 = Ffn::pack({283, 150}, wide, weights.widened, pack_options(isa(), tile.nr));
          const Result<Ffn> typed =
              Ffn::pack({283, 150}, {wide.activation, wide.gated, type()}, weights.typed, pack_options(isa(), tile.nr));
          ASSERT_TRUE(f32.ok() && typed.ok()) << f32.status().message() << typed.status().message();
          EXPECT_EQ(typed->kind().weights, type());
          EXPECT_LT(typed->packed_size(),
                    (0.1 + 0.25 * weight_bytes(type())) * static_cast<double>(f32->packed_size()));
          const Result<std::vector<float>> expected = tuner::solve(*f32, problem, nullptr, &pool);
          ASSERT_TRUE(expected.ok()) << expected.status().message();
          for (int trial = 0; trial < (brief ? 2 : 6); ++trial) {
            Plan plan = tuner::random_plan(random, isa(), typed->kind(), tile.nr, 3);
            if (trial % 2 == 1) plan.tiling.kc = 1000;  // a panel is widened in two parts
            const Result<std::vector<float>> y = trial == 0 ? tuner::solve(*typed, problem, nullptr, &pool)
                                                            : tuner::solve(*typed, problem, &plan, &pool);
            ASSERT_TRUE(y.ok()) << y.status().message();
            ASSERT_TRUE(tuner::equal_bits(*expected, *y)) << "M = " << m << ' ' << tuner::describe(plan);
          }
        }
      }
    }
  }
}

// From each type of matrix in either order: as if it had been float32 of the same values.
TEST_P(WeightTypes, ArePackedFromAnyTypeInAnyOrder) {
  const Kind kind{Activation::gelu, true, type()};
  for (const WeightType source : {WeightType::f32, WeightType::bf16, WeightType::f16}) {
    for (const Order order : {Order::in_out, Order::out_in}) {
      const tuner::Problem problem({kind, {37, 45}, 5, true, order, true, false, 3});
      const TypedWeights weights(source, problem);
      const Result<Ffn> direct = Ffn::pack({37, 45}, kind, weights.typed, pack_options(isa()));
      const Result<Ffn> by_float = Ffn::pack({37, 45}, kind, weights.widened, pack_options(isa()));
      ASSERT_TRUE(direct.ok() && by_float.ok()) << direct.status().message();
      const auto left = tuner::solve(*direct, problem);
      const auto right = tuner::solve(*by_float, problem);
      ASSERT_TRUE(left.ok() && right.ok());
      EXPECT_TRUE(tuner::equal_bits(*left, *right)) << name(source);
      // The oracle reads the same matrices.
      const std::size_t count = 5 * 37;
      std::vector<double> y(count), bound(count), y_float(count), bound_float(count);
      reference_forward({37, 45}, kind, weights.typed, problem.x.data(), 5, problem.ldx, y, bound);
      reference_forward({37, 45}, kind, weights.widened, problem.x.data(), 5, problem.ldx, y_float, bound_float);
      EXPECT_EQ(y, y_float);
    }
  }
}

// The oracle rounds as packing does: of a float32 oracle's answer the kernels are out of bound.
TEST_P(WeightTypes, AreNotTheValuesTheyWereRoundedFrom) {
  const Kind wide{Activation::silu, true};
  const tuner::Problem problem({wide, {64, 96}, 3, false, Order::in_out, false, false, 9});
  const Result<Ffn> ffn = Ffn::pack({64, 96}, {Activation::silu, true, type()}, problem.weights(), pack_options(isa()));
  ASSERT_TRUE(ffn.ok()) << ffn.status().message();
  const auto y = tuner::solve(*ffn, problem);
  ASSERT_TRUE(y.ok());
  EXPECT_GT(tuner::worst_error_over_bound(tuner::Answer(problem), *y, {64, 96}, 3, problem.ldy), 1.0);
}

TEST_P(WeightTypes, KeepTheirPackingUnderAnotherActivation) {
  const tuner::Problem problem({swiglu, {24, 40}, 2, false, Order::in_out, false, false, 4});
  const Result<Ffn> ffn = Ffn::pack({24, 40}, {Activation::silu, true, type()}, problem.weights(), pack_options(isa()));
  ASSERT_TRUE(ffn.ok());
  const Result<Ffn> other = ffn->with_activation(Activation::relu);
  ASSERT_TRUE(other.ok());
  EXPECT_EQ(other->kind(), (Kind{Activation::relu, true, type()}));
}

std::string type_name(const testing::TestParamInfo<std::tuple<Isa, WeightType>>& info) {
  std::string text(name(std::get<0>(info.param)));
  text += "_" + std::string(name(std::get<1>(info.param)));
  std::ranges::replace(text, ':', '_');
  return text;
}

std::vector<WeightType> narrow_types() {
  std::vector<WeightType> types(all_weight_types().begin(), all_weight_types().end());
  std::erase_if(types, [](WeightType type) {
    return type == WeightType::f32 || (brief && has_zero_points(type) && of_middle_length(type));
  });
  return types;
}

INSTANTIATE_TEST_SUITE_P(Kernels, WeightTypes,
                         testing::Combine(testing::ValuesIn(all_runnable()), testing::ValuesIn(narrow_types())),
                         type_name);

TEST(ElementTypes, AnUnknownTypeIsRefused) {
  const std::vector<float> ones(64, 1.0F);
  const Matrix matrix{ones.data()};
  const auto unknown = WeightType{static_cast<ElementType>(99)};
  const Result<Ffn> kind = Ffn::pack({4, 4}, {Activation::silu, true, unknown}, {matrix, matrix, matrix});
  EXPECT_EQ(kind.status().code(), Code::invalid_argument);
  const Result<Ffn> source = Ffn::pack({4, 4}, swiglu, {matrix, {ones.data(), Order::in_out, 0, unknown}, matrix});
  EXPECT_EQ(source.status().code(), Code::invalid_argument);
  EXPECT_NE(std::string(source.status().message()).find("up.type = {99, 0}"), std::string::npos)
      << source.status().message();
}

}  // namespace
}  // namespace sluice::tests
