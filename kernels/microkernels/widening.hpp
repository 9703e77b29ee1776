// Owns: widening a panel of elements with scales to floats. Included by the ISA files only.
#pragma once

#include <cstddef>
#include <type_traits>

#include "kernels/microkernels/kernel_table.hpp"

namespace sluice::detail {
namespace {

template <class Simd, class Element, int vectors>
void widen_groups(const PanelGroups& groups, std::size_t k, float* widened) {
  using V = typename Simd::Batch;
  using Words = typename Simd::Words;
  constexpr std::ptrdiff_t lanes = static_cast<std::ptrdiff_t>(V::size);
  constexpr std::ptrdiff_t nr = vectors * lanes;
  constexpr auto scale_bytes = static_cast<std::ptrdiff_t>(sizeof(typename Element::Scale));
  const std::byte* codes_of_group = groups.codes;
  const std::byte* scales_of_group = groups.scales;
  for (std::size_t left = k; left != 0;) {
    const std::size_t length = left < groups.length ? left : groups.length;
    V scale[vectors];
    V zero[vectors];
#pragma GCC unroll 8
    for (int j = 0; j < vectors; ++j) {
      scale[j] = Element::template load_scales<Simd>(scales_of_group + j * lanes * scale_bytes);
      if constexpr (Element::has_zeros)
        zero[j] = Simd::to_float(Simd::widen_bytes(scales_of_group + nr * scale_bytes + j * lanes));
      else
        zero[j] = V(static_cast<float>(Element::zero));
    }
    const std::byte* words = codes_of_group;
    for (std::size_t step = 0; step < length; step += Element::word_k) {
#pragma GCC unroll 8
      for (int j = 0; j < vectors; ++j) {
        const Words word = Simd::load_words(words + j * lanes * 4);
        const auto widen_quad = [&](auto quad) __attribute__((always_inline)) {
          constexpr int index = decltype(quad)::value;
          const Words bytes = Element::template bytes_of<Simd, index>(word);
          const V values[] = {Simd::template byte_of<0>(bytes), Simd::template byte_of<1>(bytes),
                              Simd::template byte_of<2>(bytes), Simd::template byte_of<3>(bytes)};
#pragma GCC unroll 4
          for (int i = 0; i < 4; ++i)
            Element::template values_of<Simd>(values[i], scale[j], zero[j])
                .store_unaligned(widened + (4 * index + i) * nr + j * lanes);
        };
        widen_quad(std::integral_constant<int, 0>{});
        if constexpr (Element::quads == 2) widen_quad(std::integral_constant<int, 1>{});
      }
      words += nr * 4;
      widened += nr * static_cast<std::ptrdiff_t>(Element::word_k);
    }
    codes_of_group += groups.step;
    scales_of_group += groups.scale_step;
    left -= length;
  }
}

}  // namespace
}  // namespace sluice::detail
