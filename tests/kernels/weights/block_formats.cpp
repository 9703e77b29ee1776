// Weights from the blocks of GGUF files: their values by a second reading of the format, and what is packed without
// loss.
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "kernels/element_types/f16.hpp"
#include "sluice/reference.hpp"
#include "tests/kernels/support.hpp"

namespace sluice::tests {
namespace {

// A format as this test knows it: its size, and the bytes that are scales and must stay finite.
struct Format {
  BlockFormat format;
  const char* name;
  std::size_t depth;
  std::size_t bytes;
  std::vector<std::size_t> halves;
  WeightType own = WeightType::f32;  // f32: none has the same elements
};

std::vector<Format> formats() {
  return {{BlockFormat::q8_0, "q8_0", 32, 34, {0}, WeightType::int8(32)},
          {BlockFormat::q4_0, "q4_0", 32, 18, {0}, WeightType::int4(32)},
          {BlockFormat::mxfp4, "mxfp4", 32, 17, {}, WeightType::mxfp4},
          {BlockFormat::q4_1, "q4_1", 32, 20, {0, 2}},
          {BlockFormat::q4_k, "q4_k", 256, 144, {0, 2}},
          {BlockFormat::q6_k, "q6_k", 256, 210, {208}}};
}

float half_at(const std::vector<std::uint8_t>& data, std::size_t at) {
  return detail::F16::widen(static_cast<std::uint16_t>(data[at] + 256 * data[at + 1]));
}

// The values of a block in the order that ggml's loops write them.
std::vector<double> values_of(const Format& format, const std::vector<std::uint8_t>& block) {
  std::vector<double> values(format.depth);
  switch (format.format) {
    case BlockFormat::q8_0:
      for (std::size_t k = 0; k < 32; ++k)
        values[k] = static_cast<double>(half_at(block, 0)) * std::bit_cast<std::int8_t>(block[2 + k]);
      break;
    case BlockFormat::q4_0:
    case BlockFormat::q4_1:
      for (std::size_t i = 0; i < 16; ++i) {
        const bool minimum = format.format == BlockFormat::q4_1;
        const std::uint8_t both = block[(minimum ? 4 : 2) + i];
        for (std::size_t upper = 0; upper < 2; ++upper) {
          const int steps = upper == 0 ? both % 16 : both / 16;
          const auto scale = static_cast<double>(half_at(block, 0));
          values[i + 16 * upper] =
              minimum ? scale * steps + static_cast<double>(half_at(block, 2)) : scale * (steps - 8);
        }
      }
      break;
    case BlockFormat::mxfp4:
      for (std::size_t i = 0; i < 16; ++i) {
        constexpr double elements[] = {0, 0.5, 1, 1.5, 2, 3, 4, 6, 0, -0.5, -1, -1.5, -2, -3, -4, -6};
        values[i] = std::ldexp(elements[block[1 + i] % 16], block[0] - 127);
        values[i + 16] = std::ldexp(elements[block[1 + i] >> 4U], block[0] - 127);
      }
      break;
    case BlockFormat::q4_k: {
      // The twelve bytes are three words of four: the lower six bits of words 0 and 1 are scales and minima 0 to 3;
      // word 2 has the lower four bits of those from 4 on, and their upper two stand on top of words 0 and 1.
      int scales[8];
      int minima[8];
      for (std::size_t i = 0; i < 4; ++i) {
        scales[i] = block[4 + i] % 64;
        minima[i] = block[8 + i] % 64;
        scales[i + 4] = block[12 + i] % 16 + block[4 + i] / 64 * 16;
        minima[i + 4] = block[12 + i] / 16 + block[8 + i] / 64 * 16;
      }
      for (std::size_t k = 0; k < 256; ++k) {
        const std::uint8_t both = block[16 + k / 64 * 32 + k % 32];
        const std::size_t part = k / 32;
        const int steps = part % 2 == 0 ? both % 16 : both / 16;
        values[k] = static_cast<double>(half_at(block, 0)) * scales[part] * steps -
                    static_cast<double>(half_at(block, 2)) * minima[part];
      }
      break;
    }
    case BlockFormat::q6_k:
      for (std::size_t n = 0; n < 2; ++n) {
        for (std::size_t i = 0; i < 32; ++i) {
          const std::uint8_t first = block[64 * n + i];
          const std::uint8_t second = block[64 * n + 32 + i];
          const std::uint8_t upper = block[128 + 32 * n + i];
          const int elements[] = {first % 16 + upper % 4 * 16, second % 16 + upper / 4 % 4 * 16,
                                  first / 16 + upper / 16 % 4 * 16, second / 16 + upper / 64 * 16};
          for (std::size_t part = 0; part < 4; ++part) {
            const auto scale = static_cast<double>(std::bit_cast<std::int8_t>(block[192 + 8 * n + 2 * part + i / 16]));
            values[128 * n + 32 * part + i] = static_cast<double>(half_at(block, 208)) * scale * (elements[part] - 32);
          }
        }
      }
      break;
    default:
      ADD_FAILURE() << "no such format";
  }
  return values;
}

// [width] columns of blocks with a gap behind each, and their values as floats, [width, depth] dense.
struct BlockMatrix {
  std::vector<std::uint8_t> stored;
  std::vector<float> values;
  Matrix blocks, floats;

  BlockMatrix(const Format& format, std::size_t depth, std::size_t width, std::size_t gap, tuner::Random& random) {
    const std::size_t per_column = depth / format.depth + gap;
    stored.resize(per_column * format.bytes * width);
    for (std::size_t n = 0; n < width; ++n) {
      for (std::size_t b = 0; b < per_column; ++b) {
        std::vector<std::uint8_t> block(format.bytes);
        for (std::uint8_t& byte : block) byte = static_cast<std::uint8_t>(random.between(0, 255));
        for (const std::size_t at : format.halves)  // ± 2⁻⁷ to 2⁻³
          block[at + 1] = static_cast<std::uint8_t>(random.between(0x20, 0x2f) + 0x80 * random.between(0, 1));
        if (format.format == BlockFormat::mxfp4) block[0] = static_cast<std::uint8_t>(random.between(118, 126));
        std::copy(block.begin(), block.end(),
                  stored.begin() + static_cast<std::ptrdiff_t>((n * per_column + b) * format.bytes));
        if (b < depth / format.depth)
          for (const double value : values_of(format, block)) values.push_back(static_cast<float>(value));
      }
    }
    blocks.data = stored.data();
    blocks.order = floats.order = Order::out_in;
    blocks.ld = per_column * format.depth;
    blocks.blocks = format.format;
    floats.data = values.data();
  }
};

class Blocks : public testing::TestWithParam<Format> {
 protected:
  static constexpr Shape shape{512, 256};
  static constexpr std::size_t m = 5;

  Blocks() : x(m * shape.d_model) {
    for (float& value : x) value = random.value(1);
  }

  std::vector<float> solve(const Weights& weights, Kind kind, Isa isa) {
    const Result<Ffn> ffn = Ffn::pack(shape, kind, weights, pack_options(isa));
    EXPECT_TRUE(ffn.ok()) << ffn.status().message();
    std::vector<float> y(m * shape.d_model);
    if (!ffn.ok()) return y;
    const Workspace workspace(*ffn->workspace_size(m, 1));
    const Status status = ffn->forward(x.data(), m, y.data(), workspace, {.max_threads = 1});
    EXPECT_TRUE(status.ok()) << status.message();
    return y;
  }

  tuner::Random random{7};
  BlockMatrix gate{GetParam(), shape.d_model, shape.d_ff, 1, random};
  BlockMatrix up{GetParam(), shape.d_model, shape.d_ff, 0, random};
  BlockMatrix down{GetParam(), shape.d_ff, shape.d_model, 2, random};
  Weights blocks{gate.blocks, up.blocks, down.blocks};
  Weights floats{gate.floats, up.floats, down.floats};
  std::vector<float> x;
};

// As float32, bf16 or other scales: what the same values as floats give.
TEST_P(Blocks, HaveTheirValues) {
  for (const Isa isa : all_runnable())
    for (const WeightType type : {WeightType::f32, WeightType::bf16, WeightType::int8(64)})
      EXPECT_TRUE(tuner::equal_bits(solve(blocks, {Activation::silu, true, type}, isa),
                                    solve(floats, {Activation::silu, true, type}, isa)))
          << name(isa) << ' ' << name(type);
}

class ExactBlocks : public Blocks {};

// In the type that has the same elements and scales nothing is rounded: not even −128 or −8, which the library's own
// quantisation does not make.
TEST_P(ExactBlocks, ArePackedWithoutLoss) {
  const Kind own{Activation::silu, true, GetParam().own};
  for (const Isa isa : all_runnable()) {
    const std::vector<float> widened = solve(floats, swiglu, isa);
    EXPECT_TRUE(tuner::equal_bits(solve(blocks, own, isa), widened)) << name(isa);
    // Quantised once more, integers would be others; E2M1 stays what it is.
    if (GetParam().format != BlockFormat::mxfp4) {
      EXPECT_FALSE(tuner::equal_bits(solve(floats, own, isa), widened));
    }
  }
}

// The oracle reads the same blocks, in their own type and in another.
TEST_P(Blocks, AreWithinTheBoundOfTheOracle) {
  for (const WeightType type : {GetParam().own, WeightType::int4(128)}) {
    for (const Arithmetic arithmetic : all_arithmetics()) {
      if (!offered(type, arithmetic)) continue;
      const Kind kind{Activation::silu, true, type, arithmetic};
      const std::vector<float> y = solve(blocks, kind, runnable_isas().back());
      std::vector<double> expected(y.size());
      std::vector<double> bound(y.size());
      reference_forward(shape, kind, blocks, x.data(), m, 0, expected, bound);
      for (std::size_t i = 0; i < y.size(); ++i)
        ASSERT_LE(std::abs(static_cast<double>(y[i]) - expected[i]), bound[i]) << i << ' ' << kind_name(kind);
    }
  }
}

TEST_P(Blocks, WhatIsNoMatrixOfBlocksIsRefused) {
  const auto refusal = [&](auto change) {
    Weights changed = blocks;
    change(changed.up);
    const Result<Ffn> ffn = Ffn::pack(shape, swiglu, changed);
    EXPECT_EQ(ffn.status().code(), Code::invalid_argument);
    return std::string(ffn.status().message());
  };
  EXPECT_NE(refusal([](Matrix& matrix) { matrix.order = Order::in_out; }).find("up.order"), std::string::npos);
  EXPECT_NE(refusal([](Matrix& matrix) { matrix.ld = shape.d_model + 1; }).find("up.ld = 513"), std::string::npos);
  EXPECT_NE(refusal([](Matrix& matrix) { matrix.type = WeightType::bf16; }).find("up.type"), std::string::npos);
  EXPECT_NE(refusal([](Matrix& matrix) { matrix.blocks = static_cast<BlockFormat>(99); }).find("up.blocks = 99"),
            std::string::npos);
  const Result<Ffn> short_block = Ffn::pack({shape.d_model - 8, shape.d_ff}, swiglu, blocks);
  EXPECT_EQ(short_block.status().code(), Code::invalid_argument);
  EXPECT_NE(std::string(short_block.status().message()).find("504"), std::string::npos)
      << short_block.status().message();
}

std::vector<Format> exact_formats() {
  std::vector<Format> exact = formats();
  std::erase_if(exact, [](const Format& format) { return format.own == WeightType::f32; });
  return exact;
}
std::string format_name(const testing::TestParamInfo<Format>& format) { return format.param.name; }

INSTANTIATE_TEST_SUITE_P(Formats, Blocks, testing::ValuesIn(formats()), format_name);
INSTANTIATE_TEST_SUITE_P(Formats, ExactBlocks, testing::ValuesIn(exact_formats()), format_name);

}  // namespace
}  // namespace sluice::tests
