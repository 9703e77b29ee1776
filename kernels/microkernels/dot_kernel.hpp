// Owns: the microkernel of exact integer dot products, and the quantisation of its A. Included by the ISA files only.
//
// Element gives words of four bytes of weights without a sign, element + zero (scaled_integer.hpp); the sums start from
// −zero·Σq, which the quantisation leaves beside the scale. Where each group of a column has a zero point of its own,
// it leaves −Σq, and the kernel multiplies. Dot says how an instruction set multiplies: `parts` words
// of A for each such word, the integers of it that each part multiplies (part<i>), and the sum of their products
// (accumulate).
//
// Sums of 16 bits wrap on their way, but what they end with fits for start_k steps: each adds two of the four products
// of a word, so a start holds those of k % 4 < 2 in its lower half and of the others in its upper half. Then the halves
// are added (add_halves).
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/element_types/code_words.hpp"
#include "kernels/microkernels/kernel_table.hpp"

namespace sluice::detail {
namespace {

// Whether an ISA tells the compiler that a sum stays in its register.
template <class Simd>
constexpr bool keeps_words = requires(typename Simd::Words& sum) {
  Simd::keep_in_register(sum);
};

// Whether A of a group is its rows, one after the other, as matrix_dot_kernel.hpp has them; else words of all rows.
template <class Dot>
constexpr bool takes_rows = requires {
  Dot::takes_rows;
};

// What Dot::part subtracts from each byte of weights, since it takes them with a sign.
template <class Dot>
constexpr int subtracted_from_bytes = [] {
  if constexpr (requires { Dot::subtracted; })
    return Dot::subtracted;
  else
    return 0;
}();

// Whether products are summed in 16 bits before they are in 32.
template <class Dot>
constexpr bool sums_in_16_bits = requires {
  Dot::sums_in_16_bits;
};

// How many steps such a sum holds: a power of two, at least a word. Others hold a group, whatever its length.
template <class Dot, class Element>
constexpr std::size_t start_k = [] {
  if (!sums_in_16_bits<Dot>) return whole_column_block;
  std::size_t steps = Element::word_k;
  while (steps * 2 <= 2 * (32767 / (127 * Element::most_from_zero))) steps *= 2;
  return steps;
}();

// A negative sum of the codes of a row's group, of at most 128·32767, as the start of sums of 32 bits: its lower seven
// bits and the others, each as an integer of 16 bits. So one instruction multiplies it by a zero point, which stands
// beside 128 times itself (255·128 < 2¹⁵).
inline constexpr int start_digit_bits = 7;
constexpr std::int32_t digits_of_start(std::int32_t sum) {
  const auto lower = static_cast<std::uint32_t>(sum) & ((1U << start_digit_bits) - 1U);
  return static_cast<std::int32_t>(lower | static_cast<std::uint32_t>(sum >> start_digit_bits) << 16U);
}
// The zero points of some columns as they multiply starts: in sums of 16 bits, those of both halves.
template <class Simd, class Dot>
[[gnu::always_inline]] inline typename Simd::Words zero_factors(const std::byte* zeros) {
  const auto words = Simd::widen_bytes(zeros);
  constexpr int to_upper_half = sums_in_16_bits<Dot> ? 16 : 16 + start_digit_bits;
  const auto factors = Simd::add_words(words, Simd::template shift_left<to_upper_half>(words));
  if constexpr (subtracted_from_bytes<Dot> == 0) {
    return factors;
  } else {
    const std::int32_t less = subtracted_from_bytes<Dot> * (1 + (1 << to_upper_half));
    return Simd::subtract_halves(factors, Simd::broadcast_word(&less));
  }
}
template <class Simd, class Dot>
[[gnu::always_inline]] inline typename Simd::Words scaled_start(typename Simd::Words factors,
                                                                typename Simd::Words start) {
  if constexpr (sums_in_16_bits<Dot>)
    return Simd::multiply_halves(factors, start);
  else
    return Simd::dot_halves(factors, start);
}

template <class Simd, class Dot, class Element, int mr, int vectors, int panels>
void dot_kernel(const DotCall& call) {
  using V = typename Simd::Batch;
  using Words = typename Simd::Words;
  using Sums = Words[panels][mr][vectors];
  constexpr std::ptrdiff_t lanes = static_cast<std::ptrdiff_t>(V::size);
  constexpr std::ptrdiff_t nr = vectors * lanes;
  constexpr std::ptrdiff_t word_bytes = 4;
  constexpr std::ptrdiff_t step_bytes = nr * word_bytes;
  constexpr std::ptrdiff_t scale_bytes = sizeof(typename Element::Scale);
  constexpr std::size_t most_k = start_k<Dot, Element>;
  const auto each = [](auto&& action) __attribute__((always_inline)) {
#pragma GCC unroll 8
    for (int p = 0; p < panels; ++p)
#pragma GCC unroll 16
      for (int i = 0; i < mr; ++i)
#pragma GCC unroll 8
        for (int j = 0; j < vectors; ++j) action(p, i, j);
  };
  const std::byte* a_tile = call.a;
  const float* c_in_tile = call.c_in;
  float* c_tile = call.c;
  const char* ahead = call.weight_prefetch;
  for (std::size_t tile = call.tiles; tile != 0; --tile) {
    const std::byte* a = a_tile;
    const std::byte* codes = call.groups.codes;
    const std::byte* scales = call.groups.scales;
    const float* c_in = c_in_tile;
    std::ptrdiff_t c_in_row = call.c_in_row_stride;
    std::ptrdiff_t c_in_panel = call.c_in_panel_stride;
    for (std::size_t left = call.k; left != 0;) {
      const std::size_t length = left < call.groups.length ? left : call.groups.length;
      const auto* row_scales = reinterpret_cast<const float*>(a);
      const auto* starts = reinterpret_cast<const std::int32_t*>(a) + mr;
      a += mr * (sizeof(float) + (length + most_k - 1) / most_k * sizeof(std::int32_t));
      Sums sums;
      const auto begin_sums = [&](Sums & into) __attribute__((always_inline)) {
        if constexpr (Element::has_zeros) {
#pragma GCC unroll 8
          for (int p = 0; p < panels; ++p) {
            const std::byte* const zeros = scales + p * call.b_panel_stride + nr * scale_bytes;
#pragma GCC unroll 8
            for (int j = 0; j < vectors; ++j) {
              const Words factors = zero_factors<Simd, Dot>(zeros + j * lanes);
#pragma GCC unroll 16
              for (int i = 0; i < mr; ++i)
                into[p][i][j] = scaled_start<Simd, Dot>(factors, Simd::broadcast_word(starts + i));
            }
          }
        } else {
          each([&](int p, int i, int j)
                   __attribute__((always_inline)) { into[p][i][j] = Simd::broadcast_word(starts + i); });
        }
      };
      const std::byte* b = codes;
      // A word of weights of each column.
      const auto step = [&](Sums & into) __attribute__((always_inline)) {
#pragma GCC unroll 8
        for (int p = 0; p < panels; ++p) {
          const std::byte* const words = b + p * call.b_panel_stride;
#pragma GCC unroll 4
          for (std::ptrdiff_t line = 0; line < step_bytes; line += 64) {
            if constexpr (panels > 1)
              __builtin_prefetch(words + line + call.distance, 0, 3);
            else
              __builtin_prefetch(ahead + line, 0, 2);
          }
          ahead += call.weight_prefetch_step;
          const auto multiply = [&](auto quad) __attribute__((always_inline)) {
            Words bytes[vectors];
#pragma GCC unroll 8
            for (int j = 0; j < vectors; ++j)
              bytes[j] = Element::template bytes_of<Simd, decltype(quad)::value>(
                  Simd::load_words(words + j * lanes * word_bytes));
            const auto* const factors =
                reinterpret_cast<const std::int32_t*>(a) + decltype(quad)::value * mr * Dot::parts;
            const auto multiply_part = [&](auto part) __attribute__((always_inline)) {
              Words integers[vectors];
#pragma GCC unroll 8
              for (int j = 0; j < vectors; ++j) integers[j] = Dot::template part<decltype(part)::value>(bytes[j]);
#pragma GCC unroll 16
              for (int i = 0; i < mr; ++i) {
                const Words factor = Simd::broadcast_word(factors + i * Dot::parts + decltype(part)::value);
#pragma GCC unroll 8
                for (int j = 0; j < vectors; ++j) Dot::accumulate(into[p][i][j], integers[j], factor);
              }
            };
            multiply_part(std::integral_constant<int, 0>{});
            if constexpr (Dot::parts == 2) multiply_part(std::integral_constant<int, 1>{});
            // Nothing is kept for the other quad or the next panel: loading it again costs less than the registers.
            if constexpr (Element::quads == 2) asm volatile("" ::: "memory");
          };
          multiply(std::integral_constant<int, 0>{});
          if constexpr (Element::quads == 2) multiply(std::integral_constant<int, 1>{});
        }
        b += step_bytes;
        a += Element::quads * mr * Dot::parts * word_bytes;
        if constexpr (keeps_words<Simd>)
          each([&](int p, int i, int j) __attribute__((always_inline)) { Simd::keep_in_register(into[p][i][j]); });
      };
      if constexpr (sums_in_16_bits<Dot>) {
        if (length <= most_k) {
          begin_sums(sums);
#pragma GCC unroll 1
          for (std::size_t k = 0; k < length; k += Element::word_k) step(sums);
          each([&](int p, int i, int j)
                   __attribute__((always_inline)) { sums[p][i][j] = Dot::add_halves(sums[p][i][j]); });
        } else {
          each([&](int p, int i, int j) __attribute__((always_inline)) { sums[p][i][j] = Simd::zero_words(); });
          for (std::size_t k = 0; k < length;) {
            Sums part;
            begin_sums(part);
            starts += mr;
            const std::size_t end = length - k < most_k ? length : k + most_k;
#pragma GCC unroll 1
            for (; k < end; k += Element::word_k) step(part);
            each([&](int p, int i, int j) __attribute__((always_inline)) {
              sums[p][i][j] = Simd::add_words(sums[p][i][j], Dot::add_halves(part[p][i][j]));
            });
          }
        }
      } else if constexpr (Element::quads == 2 && panels == 1) {
        begin_sums(sums);
        // Twice four k as it is; clang 14 would unroll it further, and spill. Side by side, with few rows, it gains by
        // being unrolled (4 bits, M = 1, AVX-512 with VNNI on Emerald Rapids: 0.92 to 0.96 of the time).
#pragma GCC unroll 1
        for (std::size_t k = 0; k < length; k += Element::word_k) step(sums);
      } else {
        begin_sums(sums);
#pragma GCC unroll 2
        for (std::size_t k = 0; k < length; k += Element::word_k) step(sums);
      }
#pragma GCC unroll 8
      for (int p = 0; p < panels; ++p) {
        V scale[vectors];
#pragma GCC unroll 8
        for (int j = 0; j < vectors; ++j)
          scale[j] = Element::template load_scales<Simd>(scales + p * call.b_panel_stride + j * lanes * scale_bytes);
#pragma GCC unroll 16
        for (int i = 0; i < mr; ++i) {
          const V row_scale(row_scales[i]);
#pragma GCC unroll 8
          for (int j = 0; j < vectors; ++j) {
            const V start = V::load_unaligned(c_in + p * c_in_panel + i * c_in_row + j * lanes);
            Simd::fma(Simd::to_float(sums[p][i][j]), row_scale * scale[j], start)
                .store_unaligned(c_tile + (p * mr + i) * nr + j * lanes);
          }
        }
      }
      c_in = c_tile;
      c_in_row = nr;
      c_in_panel = mr * nr;
      codes += call.groups.step;
      scales += call.groups.scale_step;
      left -= length;
    }
    a_tile += call.a_tile_stride;
    c_in_tile += call.c_in_tile_stride;
    c_tile += mr * nr;
  }
}

// Independent sums on registers alone, whose speed is the peak. *flops: two for each product of elements.
template <class Simd, class Dot>
std::uint32_t dot_probe(std::size_t iterations, double* flops) {
  using Words = typename Simd::Words;
  constexpr int chains = 10;
  constexpr int unroll = 4;
  constexpr std::int32_t ones = 0x01010101;
  const Words codes = Simd::broadcast_word(&ones);
  const Words factor = codes;
  Words sums[chains];
#pragma GCC unroll 16
  for (int i = 0; i < chains; ++i) sums[i] = Simd::zero_words();
  for (std::size_t iteration = 0; iteration < iterations; ++iteration) {
#pragma GCC unroll 4
    for (int u = 0; u < unroll; ++u)
#pragma GCC unroll 16
      for (int i = 0; i < chains; ++i) Dot::accumulate(sums[i], codes, factor);
  }
  Words sum = sums[0];
#pragma GCC unroll 16
  for (int i = 1; i < chains; ++i) sum = Simd::add_words(sum, sums[i]);
  constexpr double products = 4.0 / Dot::parts * Simd::Batch::size;
  *flops = 2.0 * products * chains * unroll * static_cast<double>(iterations);
  return static_cast<std::uint32_t>(Simd::sum_of_words(sum));
}

template <class Simd, class Dot, class Element, int largest>
void quantise_rows(const QuantiseCall& call) {
  using V = typename Simd::Batch;
  using Words = typename Simd::Words;
  constexpr std::size_t lanes = V::size;
  constexpr std::size_t most_k = start_k<Dot, Element>;
  static_assert(most_k % lanes == 0);
  std::byte* a = call.a;
  for (std::size_t k0 = 0; k0 < call.k; k0 += call.group) {
    const std::size_t length = call.k - k0 < call.group ? call.k - k0 : call.group;
    auto* const scales = reinterpret_cast<float*>(a);
    auto* const starts = reinterpret_cast<std::int32_t*>(a) + call.rows;
    const std::size_t start_count = (length + most_k - 1) / most_k;
    a += call.rows * (sizeof(float) + start_count * sizeof(std::int32_t));
    for (std::size_t row = 0; row < call.rows; ++row) {
      const float* x = call.x + static_cast<std::ptrdiff_t>(row) * call.ldx + k0;
      // What is no whole vector, and what fills up the last word, goes through a copy.
      alignas(64) float rest[lanes] = {};
      const std::size_t whole = length / lanes * lanes;
      for (std::size_t k = whole; k < length; ++k) rest[k - whole] = x[k];
      // Magnitudes are compared as integers: their order is the same, and a NaN is the largest.
      Words most = Simd::magnitude(V::load_unaligned(rest));
      for (std::size_t k = 0; k < whole; k += lanes)
        most = Simd::larger(most, Simd::magnitude(V::load_unaligned(x + k)));
      const std::uint32_t bits = Simd::largest_word(most);
      constexpr std::uint32_t infinite = 0x7f800000U;
      constexpr std::uint32_t negligible = 0x0d800000U;  // 2⁻¹⁰⁰: of what is smaller the reciprocal might overflow
      const float magnitude = __builtin_bit_cast(float, bits);
      const bool usable = bits >= negligible && bits < infinite;
      const V factor(usable ? static_cast<float>(largest) / magnitude : 0.0F);
      scales[row] = usable ? magnitude / static_cast<float>(largest) : bits >= infinite ? __builtin_nanf("") : 0.0F;
      Words sum = Simd::zero_words();
      Words lower = Simd::zero_words();  // of k % 4 < 2, where sums have 16 bits
      const std::size_t filled = (length + Element::word_k - 1) / Element::word_k * Element::word_k;
      std::byte* target = a + row * (takes_rows<Dot> ? filled : Dot::parts * 4);
      // From one word of a row to the next; where A is rows, from one digit's rows to those of the next.
      const auto stride = static_cast<std::ptrdiff_t>(call.rows * (takes_rows<Dot> ? filled : Dot::parts * 4));
      const auto store = [&](const V& values, std::size_t words) __attribute__((always_inline)) {
        const Words codes = usable ? Simd::nearest(values * factor) : Simd::zero_words();
        sum = Simd::add_words(sum, codes);
        if constexpr (sums_in_16_bits<Dot>) lower = Simd::add_words(lower, Simd::lower_halves(codes));
        Dot::store_codes(codes, target, stride, words);
        target += static_cast<std::ptrdiff_t>(words) * (takes_rows<Dot> ? 4 : stride);
      };
      std::int32_t* start = starts + row;
      constexpr std::int32_t times = [] {
        if constexpr (Element::has_zeros)
          return -1;
        else
          return subtracted_from_bytes<Dot> - Element::zero;
      }();
      const auto end_sum = [&]() __attribute__((always_inline)) {
        const std::int32_t all = times * Simd::sum_of_words(sum);
        *start = Element::has_zeros ? digits_of_start(all) : all;
        if constexpr (sums_in_16_bits<Dot>) {
          const std::int32_t low = times * Simd::sum_of_words(lower);
          *start = static_cast<std::int32_t>((static_cast<std::uint32_t>(low) & 0xffffU) |
                                             static_cast<std::uint32_t>(all - low) << 16U);
        }
        start += call.rows;
        sum = lower = Simd::zero_words();
      };
      for (std::size_t k = 0; k < whole; k += lanes) {
        store(V::load_unaligned(x + k), lanes / 4);
        if ((k + lanes) % most_k == 0) end_sum();
      }
      if (whole != length) store(V::load_unaligned(rest), (length - whole + 3) / 4);
      // As many fours as the words of weights hold.
      for (std::size_t four = (length + 3) / 4; four < filled / 4; ++four) store(V(0.0F), 1);
      if (length % most_k != 0) end_sum();
    }
    a += call.rows * ((length + Element::word_k - 1) / Element::word_k * Element::word_k) * Dot::parts;
  }
}

}  // namespace
}  // namespace sluice::detail
