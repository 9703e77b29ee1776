// Owns: widening a panel of elements with scales to floats. Included by the ISA files only.
#pragma once

#include <cstddef>

#include "kernels/microkernels/kernel_table.hpp"

namespace sluice::detail {
namespace {

template <class Simd, class Element, int vectors>
void widen_groups(const PanelGroups& groups, std::size_t k, float* widened) {
  using V = typename Simd::Batch;
  using Words = typename Simd::Words;
  constexpr std::ptrdiff_t lanes = static_cast<std::ptrdiff_t>(V::size);
  constexpr std::ptrdiff_t nr = vectors * lanes;
  constexpr int word_k = static_cast<int>(Element::word_k);
  const std::byte* codes_of_group = groups.codes;
  const std::byte* scales_of_group = groups.scales;
  for (std::size_t left = k; left != 0;) {
    const std::size_t length = left < groups.length ? left : groups.length;
    const auto* scales = reinterpret_cast<const typename Element::Scale*>(scales_of_group);
    V scale[vectors];
    V shift[vectors];
#pragma GCC unroll 8
    for (int j = 0; j < vectors; ++j) {
      scale[j] = Simd::widen_half(scales + j * lanes);
      shift[j] = scale[j] * V(-static_cast<float>(Element::zero));
    }
    const std::byte* words = codes_of_group;
    for (std::size_t step = 0; step < length; step += word_k) {
#pragma GCC unroll 8
      for (int j = 0; j < vectors; ++j) {
        const Words word = Simd::load_words(words + j * lanes * word_k);
        const V values[] = {Simd::template byte_of<0>(word), Simd::template byte_of<1>(word),
                            Simd::template byte_of<2>(word), Simd::template byte_of<3>(word)};
#pragma GCC unroll 4
        for (int i = 0; i < word_k; ++i)
          Simd::fma(values[i], scale[j], shift[j]).store_unaligned(widened + i * nr + j * lanes);
      }
      words += nr * word_k;
      widened += word_k * nr;
    }
    codes_of_group += groups.step;
    scales_of_group += groups.scale_step;
    left -= length;
  }
}

}  // namespace
}  // namespace sluice::detail
