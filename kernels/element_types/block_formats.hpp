// Owns: the blocks that GGUF files hold, as ggml defines them: the value of each element, and, where a type of the
// library has the same elements and scales, its codes. Internal.
//
// A block is `depth` consecutive inputs (k) of one output in `bytes` bytes, little endian. Adding a format is a struct
// here, a name in BlockFormat (ffn.hpp) and a place in the list below.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/element_types/f16.hpp"
#include "kernels/element_types/f32.hpp"
#include "kernels/element_types/int4.hpp"
#include "kernels/element_types/int8.hpp"
#include "kernels/element_types/mxfp4.hpp"
#include "sluice/ffn.hpp"

namespace sluice::detail {
namespace {

inline unsigned byte_at(const std::byte* block, std::size_t at) { return std::to_integer<unsigned>(block[at]); }
inline std::uint16_t half_at(const std::byte* block, std::size_t at) {
  return static_cast<std::uint16_t>(byte_at(block, at) | byte_at(block, at + 1) << 8U);
}
// Of 32 elements in 16 bytes: the first half stands in the lower bits.
inline unsigned nibble_at(const std::byte* nibbles, std::size_t k) {
  return byte_at(nibbles, k % 16) >> (k < 16 ? 0U : 4U) & 0xfU;
}

// An f16 scale, 32 integers.
struct Q8Blocks {
  static constexpr BlockFormat format = BlockFormat::q8_0;
  static constexpr std::size_t depth = 32;
  static constexpr std::size_t bytes = 34;
  using Element = Int8;  // of the same elements and scales
  static constexpr WeightType type = WeightType::int8(32);

  static std::uint16_t scale(const std::byte* block) { return half_at(block, 0); }
  static std::uint8_t code(const std::byte* block, std::size_t k) {
    return static_cast<std::uint8_t>(byte_at(block, 2 + k) ^ 0x80U);  // element + 128
  }
  static float value(const std::byte* block, std::size_t k) { return Int8::widen(code(block, k), scale(block)); }
};

// An f16 scale, 32 integers of 4 bits, each plus 8.
struct Q4Blocks {
  static constexpr BlockFormat format = BlockFormat::q4_0;
  static constexpr std::size_t depth = 32;
  static constexpr std::size_t bytes = 18;
  using Element = Int4;
  static constexpr WeightType type = WeightType::int4(32);

  static std::uint16_t scale(const std::byte* block) { return half_at(block, 0); }
  static std::uint8_t code(const std::byte* block, std::size_t k) {
    return static_cast<std::uint8_t>(nibble_at(block + 2, k));
  }
  static float value(const std::byte* block, std::size_t k) { return Int4::widen(code(block, k), scale(block)); }
};

// An E8M0 scale, 32 elements of E2M1. A scale of 255 is NaN, as the specification has it (ggml makes it 2¹²⁸).
struct Mxfp4Blocks {
  static constexpr BlockFormat format = BlockFormat::mxfp4;
  static constexpr std::size_t depth = 32;
  static constexpr std::size_t bytes = 17;
  using Element = Mxfp4;
  static constexpr WeightType type = WeightType::mxfp4;

  static std::uint8_t scale(const std::byte* block) { return static_cast<std::uint8_t>(byte_at(block, 0)); }
  static std::uint8_t code(const std::byte* block, std::size_t k) {
    return static_cast<std::uint8_t>(nibble_at(block + 1, k));
  }
  static float value(const std::byte* block, std::size_t k) { return Mxfp4::widen(code(block, k), scale(block)); }
};

// An f16 scale, an f16 minimum, 32 steps of 4 bits.
struct Q4MinBlocks {
  static constexpr BlockFormat format = BlockFormat::q4_1;
  static constexpr std::size_t depth = 32;
  static constexpr std::size_t bytes = 20;
  using Element = F32;  // values alone
  static constexpr WeightType type = WeightType::f32;

  static float value(const std::byte* block, std::size_t k) {
    const auto steps = static_cast<float>(nibble_at(block + 4, k));
    return steps * F16::widen(half_at(block, 0)) + F16::widen(half_at(block, 2));
  }
};

// 256 steps of 4 bits; for each 32 a scale and a minimum of 6 bits, in units of an f16 each.
struct Q4KBlocks {
  static constexpr BlockFormat format = BlockFormat::q4_k;
  static constexpr std::size_t depth = 256;
  static constexpr std::size_t bytes = 144;
  using Element = F32;
  static constexpr WeightType type = WeightType::f32;

  static float value(const std::byte* block, std::size_t k) {
    const std::byte* const packed = block + 4;  // 8 scales and 8 minima in 12 bytes
    const std::size_t part = k / 32;
    unsigned scale = 0;
    unsigned minimum = 0;
    if (part < 4) {
      scale = byte_at(packed, part) & 0x3fU;
      minimum = byte_at(packed, part + 4) & 0x3fU;
    } else {  // the lower four bits of both in one byte, the upper two above those of the first four
      scale = (byte_at(packed, part + 4) & 0xfU) | byte_at(packed, part - 4) >> 6U << 4U;
      minimum = byte_at(packed, part + 4) >> 4U | byte_at(packed, part) >> 6U << 4U;
    }
    // Of each 64 elements the first half stands in the lower bits of 32 bytes.
    const unsigned byte = byte_at(block + 16, k / 64 * 32 + k % 32);
    const auto steps = static_cast<float>(part % 2 == 0 ? byte & 0xfU : byte >> 4U);
    return F16::widen(half_at(block, 0)) * static_cast<float>(scale) * steps -
           F16::widen(half_at(block, 2)) * static_cast<float>(minimum);
  }
};

// 256 integers of 6 bits, each plus 32; for each 16 a scale of 8 bits, in units of an f16.
struct Q6KBlocks {
  static constexpr BlockFormat format = BlockFormat::q6_k;
  static constexpr std::size_t depth = 256;
  static constexpr std::size_t bytes = 210;
  using Element = F32;
  static constexpr WeightType type = WeightType::f32;

  static float value(const std::byte* block, std::size_t k) {
    // Of each 128 elements, in parts of 32: the lower four bits, of the last two parts above those of the first two,
    // and the upper two bits of all four parts in a byte.
    const std::size_t half = k / 128;
    const std::size_t part = k % 128 / 32;
    const unsigned low = byte_at(block, half * 64 + part % 2 * 32 + k % 32) >> (part < 2 ? 0U : 4U) & 0xfU;
    const unsigned high = byte_at(block + 128, half * 32 + k % 32) >> (2U * static_cast<unsigned>(part)) & 0x3U;
    const auto scale = static_cast<float>(static_cast<std::int8_t>(byte_at(block + 192, k / 16)));
    return F16::widen(half_at(block, 208)) * scale * static_cast<float>(static_cast<int>(low | high << 4U) - 32);
  }
};

// Calls action(Q8Blocks{}), … for the format; nothing if there is no such format.
template <class... Formats>
struct BlockFormatList {
  template <class Action>
  static void with(BlockFormat format, Action&& action) {
    const auto call = [&](auto one) {
      if (decltype(one)::format == format) action(one);
    };
    (call(Formats{}), ...);
  }
};
using BlockFormats = BlockFormatList<Q8Blocks, Q4Blocks, Q4MinBlocks, Q4KBlocks, Q6KBlocks, Mxfp4Blocks>;

}  // namespace
}  // namespace sluice::detail
