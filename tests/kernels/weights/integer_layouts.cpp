// Matrices of 4 bits as GPTQ's and AWQ's quantisers hand them over, written by loops as theirs: packed without loss,
// read by the oracle, refused where they are none.
#include <cmath>

#include "kernels/element_types/f16.hpp"
#include "sluice/reference.hpp"
#include "tests/kernels/support.hpp"

namespace sluice::tests {
namespace {

constexpr std::size_t in_word = 8;
constexpr std::size_t awq_order[] = {0, 2, 4, 6, 1, 3, 5, 7};  // the column that stands in each four bits

// Words of a [rows, columns] matrix of integers, eight columns in each.
std::vector<std::uint32_t> words_of_columns(const std::vector<unsigned>& integers, std::size_t ld, bool awq) {
  std::vector<std::uint32_t> words(integers.size() / in_word);
  for (std::size_t row = 0; row < integers.size() / ld; ++row)
    for (std::size_t word = 0; word < ld / in_word; ++word)
      for (std::size_t i = 0; i < in_word; ++i) {
        const std::size_t column = word * in_word + (awq ? awq_order[i] : i);
        words[row * (ld / in_word) + word] |= integers[row * ld + column] << (4 * i);
      }
  return words;
}

struct IntegerMatrix {
  std::vector<std::uint32_t> words, zeros;
  std::vector<std::uint16_t> scales;
  std::vector<float> values;  // [in, ld]
  Matrix integers, floats;

  IntegerMatrix(BlockFormat format, std::uint32_t group, std::size_t in, std::size_t out, std::size_t gap,
                tuner::Random& random) {
    const std::size_t ld = out + gap;
    const std::size_t length = std::min<std::size_t>(group, in);
    const std::size_t groups = (in + length - 1) / length;
    const auto draw = [&](std::size_t count, unsigned least, unsigned most) {
      std::vector<unsigned> drawn(count);
      for (unsigned& one : drawn) one = static_cast<unsigned>(random.between(least, most));
      return drawn;
    };
    const bool less_one = format == BlockFormat::gptq;
    const std::vector<unsigned> elements = draw(in * ld, 0, 15);
    const std::vector<unsigned> zero_points = draw(groups * ld, less_one ? 1 : 0, less_one ? 16 : 15);
    for (std::size_t i = 0; i < groups * ld; ++i)
      scales.push_back(static_cast<std::uint16_t>(random.between(0x2000, 0x2fff) + 0x8000 * random.between(0, 1)));
    std::vector<unsigned> stored_zeros = zero_points;
    if (less_one)
      for (unsigned& zero : stored_zeros) --zero;
    const bool awq = format == BlockFormat::awq;
    zeros = words_of_columns(stored_zeros, ld, awq);
    if (awq) {
      words = words_of_columns(elements, ld, true);
    } else {
      words.resize(in / in_word * ld);
      for (std::size_t k = 0; k < in; ++k)
        for (std::size_t n = 0; n < ld; ++n) words[k / in_word * ld + n] |= elements[k * ld + n] << (4 * (k % in_word));
    }
    for (std::size_t k = 0; k < in; ++k)
      for (std::size_t n = 0; n < ld; ++n) {
        const std::size_t at = k / length * ld + n;
        const auto steps =
            static_cast<float>(static_cast<int>(elements[k * ld + n]) - static_cast<int>(zero_points[at]));
        values.push_back(steps * detail::F16::widen(scales[at]));
      }
    floats.data = values.data();
    floats.ld = gap == 0 ? 0 : ld;
    integers = floats;
    integers.data = words.data();
    integers.blocks = format;
    integers.scales = scales.data();
    integers.zeros = zeros.data();
    integers.group = group;
  }
};

class IntegerLayouts : public testing::TestWithParam<std::tuple<BlockFormat, std::uint32_t>> {
 protected:
  static constexpr Shape shape{168, 104};  // a short group
  static constexpr std::size_t m = 5;

  IntegerLayouts() : x(m * shape.d_model) {
    for (float& value : x) value = random.value(1);
  }
  static BlockFormat format() { return std::get<0>(GetParam()); }
  static std::uint32_t group() { return std::get<1>(GetParam()); }

  std::vector<float> solve(const Weights& weights, Kind kind, Isa isa) {
    const Result<Ffn> ffn = Ffn::pack(shape, kind, weights, pack_options(isa));
    EXPECT_TRUE(ffn.ok()) << ffn.status().message();
    std::vector<float> y(m * shape.d_model);
    if (!ffn.ok()) return y;
    const Workspace workspace(*ffn->workspace_size(m, 1));
    EXPECT_TRUE(ffn->forward(x.data(), m, y.data(), workspace, {.max_threads = 1}).ok());
    return y;
  }

  tuner::Random random{11};
  IntegerMatrix gate{format(), group(), shape.d_model, shape.d_ff, 8, random};
  IntegerMatrix up{format(), group(), shape.d_model, shape.d_ff, 0, random};
  IntegerMatrix down{format(), group(), shape.d_ff, shape.d_model, 16, random};
  Weights integers{gate.integers, up.integers, down.integers};
  Weights floats{gate.floats, up.floats, down.floats};
  std::vector<float> x;
};

// In the type of the same elements nothing is rounded; in another the same happens as to floats of these values.
TEST_P(IntegerLayouts, ArePackedWithoutLoss) {
  const Kind own{Activation::silu, true, WeightType::uint4(group())};
  for (const Isa isa : all_runnable()) {
    const std::vector<float> expected = solve(floats, swiglu, isa);
    EXPECT_TRUE(tuner::equal_bits(solve(integers, swiglu, isa), expected)) << name(isa);
    EXPECT_TRUE(tuner::equal_bits(solve(integers, own, isa), expected)) << name(isa);
    // Quantised once more they are others, unless a group has all codes.
    if (group() != WeightType::whole_column) {
      EXPECT_FALSE(tuner::equal_bits(solve(floats, own, isa), expected)) << name(isa);
    }
    for (const WeightType type : {WeightType::bf16, WeightType::int8(64)}) {
      const Kind other{Activation::silu, true, type};
      EXPECT_TRUE(tuner::equal_bits(solve(integers, other, isa), solve(floats, other, isa)))
          << name(isa) << ' ' << name(type);
    }
  }
}

// A view of columns from one that begins a word on.
Matrix columns_from(const IntegerMatrix& matrix, std::size_t first) {
  Matrix view = matrix.integers;
  const bool along_columns = view.blocks == BlockFormat::awq;
  view.data = matrix.words.data() + (along_columns ? first / in_word : first);
  view.zeros = matrix.zeros.data() + first / in_word;
  view.scales = matrix.scales.data() + first;
  return view;
}

TEST_P(IntegerLayouts, ArePackedByRangesOfColumns) {
  const Kind own{Activation::silu, true, WeightType::uint4(group())};
  for (const Isa isa : all_runnable()) {
    Result<FfnPacker> packer = FfnPacker::create(shape, own, pack_options(isa));
    ASSERT_TRUE(packer.ok()) << packer.status().message();
    const std::tuple<Role, const IntegerMatrix*, std::size_t> matrices[] = {
        {Role::gate, &gate, shape.d_ff}, {Role::up, &up, shape.d_ff}, {Role::down, &down, shape.d_model}};
    for (const auto& [role, matrix, width] : matrices)
      for (std::size_t first = 0; first < width; first += 24) {
        Matrix view = columns_from(*matrix, first);
        if (view.ld == 0) view.ld = width;
        const Status status = packer->pack(role, first, std::min<std::size_t>(24, width - first), view);
        ASSERT_TRUE(status.ok()) << status.message();
      }
    const Result<Ffn> ffn = packer->finish();
    ASSERT_TRUE(ffn.ok()) << ffn.status().message();
    std::vector<float> y(m * shape.d_model);
    const Workspace workspace(*ffn->workspace_size(m, 1));
    ASSERT_TRUE(ffn->forward(x.data(), m, y.data(), workspace, {.max_threads = 1}).ok());
    EXPECT_TRUE(tuner::equal_bits(y, solve(integers, own, isa))) << name(isa);
  }
}

TEST_P(IntegerLayouts, AreWithinTheBoundOfTheOracle) {
  for (const WeightType type : {WeightType::uint4(group()), WeightType::int4(32)}) {
    for (const Arithmetic arithmetic : all_arithmetics()) {
      if (!offered(type, arithmetic)) continue;
      const Kind kind{Activation::silu, true, type, arithmetic};
      const std::vector<float> y = solve(integers, kind, runnable_isas().back());
      std::vector<double> expected(y.size());
      std::vector<double> bound(y.size());
      reference_forward(shape, kind, integers, x.data(), m, 0, expected, bound);
      for (std::size_t i = 0; i < y.size(); ++i)
        ASSERT_LE(std::abs(static_cast<double>(y[i]) - expected[i]), bound[i]) << i << ' ' << kind_name(kind);
    }
  }
}

TEST_P(IntegerLayouts, WhatIsNoMatrixOfThemIsRefused) {
  const auto refusal = [&](auto change) {
    Weights changed = integers;
    change(changed.up);
    const Result<Ffn> ffn = Ffn::pack(shape, swiglu, changed);
    EXPECT_EQ(ffn.status().code(), Code::invalid_argument);
    return std::string(ffn.status().message());
  };
  const auto names = [](const std::string& message, const char* word) {
    EXPECT_NE(message.find(word), std::string::npos) << message;
  };
  names(refusal([](Matrix& matrix) { matrix.order = Order::out_in; }), "up.order");
  names(refusal([](Matrix& matrix) { matrix.ld = shape.d_ff + 4; }), "ld = 108");
  names(refusal([](Matrix& matrix) { matrix.type = WeightType::f16; }), "up.type");
  names(refusal([](Matrix& matrix) { matrix.scales = nullptr; }), "up.scales");
  names(refusal([](Matrix& matrix) { matrix.zeros = nullptr; }), "up.zeros");
  names(refusal([](Matrix& matrix) { matrix.group = 48; }), "up.group = 48");
  const Result<Ffn> odd = Ffn::pack({shape.d_model - 4, shape.d_ff}, swiglu, integers);
  EXPECT_EQ(odd.status().code(), Code::invalid_argument);
  names(odd.status().message(), "inputs = 164");
}

std::string layout_name(const testing::TestParamInfo<std::tuple<BlockFormat, std::uint32_t>>& info) {
  const auto [format, group] = info.param;
  const char* const layout = format == BlockFormat::gptq ? "gptq" : format == BlockFormat::awq ? "awq" : "gptq_v2";
  return std::string(layout) + (group == WeightType::whole_column ? "_column" : "_" + std::to_string(group));
}
INSTANTIATE_TEST_SUITE_P(Formats, IntegerLayouts,
                         testing::Combine(testing::Values(BlockFormat::gptq, BlockFormat::gptq_v2, BlockFormat::awq),
                                          testing::Values(32U, 128U, WeightType::whole_column)),
                         layout_name);

}  // namespace
}  // namespace sluice::tests
