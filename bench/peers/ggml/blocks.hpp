// Owns: the type of ggml that holds exactly the values of a type of weights, its rows as bytes, and what ggml rounds
// when it multiplies with it. Does not own: the graph (ggml.cpp).
//
// A row is one output's inputs. Blocks of integers have 32 elements; where our scales are shared by more of them,
// blocks repeat the scale.
#pragma once

#include <ggml.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "bench/peers/matrix.hpp"
#include "bench/peers/peer.hpp"

namespace sluice::peers {

struct BlockType {
  ggml_type type;
  Rounding rounds;
  // The rows of a matrix [in, out] in this type. Throws std::runtime_error if it has none of that depth.
  std::vector<std::byte> (*encode)(const Problem&, const float* values, const Codes& codes, std::size_t in,
                                   std::size_t out);
};

template <auto convert, class Stored>
std::vector<std::byte> converted_rows(const Problem&, const float* values, const Codes&, std::size_t in,
                                      std::size_t out) {
  const Matrix transposed = single(values, in, out, true);
  std::vector<std::byte> rows(in * out * sizeof(Stored));
  convert(transposed.data(), reinterpret_cast<Stored*>(rows.data()), static_cast<std::int64_t>(in * out));
  return rows;
}

inline void copy_floats(const float* from, float* to, std::int64_t count) { std::copy_n(from, count, to); }

// Blocks of a scale and 32 elements, as bytes or as nibbles, of which the first half stands in the lower bits.
template <class Scale, bool nibbles, int offset>
std::vector<std::byte> block_rows(const Problem& problem, const float*, const Codes& codes, std::size_t in,
                                  std::size_t out) {
  constexpr std::size_t depth = 32;
  constexpr std::size_t half = depth / 2;
  const std::size_t group = problem.group(in);
  // A shorter last group would end within a block.
  if (in % depth != 0 || group % depth != 0) throw std::runtime_error("its blocks are of 32 inputs");
  const std::size_t groups = (in + group - 1) / group;
  std::vector<std::byte> rows;
  rows.reserve(in * out / depth * (sizeof(Scale) + (nibbles ? half : depth)));
  const auto* scales = static_cast<const Scale*>(codes.scales);
  for (std::size_t n = 0; n < out; ++n) {
    for (std::size_t k = 0; k < in; k += depth) {
      const std::int8_t* const elements = codes.elements + n * in + k;
      std::byte scale[sizeof(Scale)];
      std::memcpy(scale, scales + n * groups + k / group, sizeof scale);
      rows.insert(rows.end(), scale, scale + sizeof scale);
      for (std::size_t j = 0; j < (nibbles ? half : depth); ++j) {
        const int low = elements[j] + offset;
        const int high = nibbles ? elements[j + half] + offset : 0;
        rows.push_back(static_cast<std::byte>(nibbles ? low | high << 4 : low));
      }
    }
  }
  return rows;
}

// x and H are rounded to the type that it multiplies with: for blocks q8_0, 8 bits by 32 with an f16 scale.
inline const BlockType* block_type(const Problem& problem) {
  static const Rounding quantised{.inputs = "int8", .group = 32, .scales = "f16"};
  static const BlockType f32{GGML_TYPE_F32, {}, converted_rows<copy_floats, float>};
  static const BlockType f16{GGML_TYPE_F16, {.inputs = "f16"}, converted_rows<ggml_fp32_to_fp16_row, ggml_fp16_t>};
  static const BlockType bf16{GGML_TYPE_BF16, {.inputs = "bf16"}, converted_rows<ggml_fp32_to_bf16_row, ggml_bf16_t>};
  static const BlockType int8{GGML_TYPE_Q8_0, quantised, block_rows<std::uint16_t, false, 0>};
  static const BlockType int4{GGML_TYPE_Q4_0, quantised, block_rows<std::uint16_t, true, 8>};
  static const BlockType mxfp4{GGML_TYPE_MXFP4, quantised, block_rows<std::uint8_t, true, 0>};
  switch (problem.kind.weights.element) {
    case ElementType::f32:
      return &f32;
    case ElementType::bf16:
      return &bf16;
    case ElementType::f16:
      return &f16;
    case ElementType::int8:
      return &int8;
    case ElementType::int4:
      return &int4;
    case ElementType::mxfp4:
      return &mxfp4;
  }
  return nullptr;
}

}  // namespace sluice::peers
