// Owns: where bf16 weights stand for dot products of bf16: two consecutive k of a column in one 32-bit word, the words
// of a panel's columns side by side. Internal.
#pragma once

#include <cstddef>

#include "kernels/element_types/bf16.hpp"

namespace sluice::detail {
namespace {

struct Bf16Pairs {
  using Stored = Bf16::Stored;
  // k steps whose products are summed before they are added to the others (Arithmetic::bf16 in kind.hpp); a panel is
  // filled up to whole blocks.
  static constexpr std::size_t block_k = 32;
  static constexpr std::size_t word_k = 2;

  static constexpr std::size_t position(std::size_t k, std::size_t column, std::size_t nr) {
    return (k / word_k * nr + column) * word_k + k % word_k;
  }
};

}  // namespace
}  // namespace sluice::detail
