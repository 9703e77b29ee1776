// Owns: the one microkernel template, on mr × vectors, for any batch type. Included by the ISA files only.
// Simd names the batch type (size, load_unaligned, store_unaligned, a broadcasting constructor) and its fused
// multiply-add: xsimd 8.1 has none for AVX-512.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/element_types/f32.hpp"
#include "kernels/microkernels/kernel_table.hpp"

namespace sluice::detail {
namespace {

// An ISA whose FMA takes one factor by element (Simd::by_element) multiplies by the float as it was loaded, the others
// by a vector of copies.
template <class Simd>
constexpr bool by_element = requires {
  Simd::by_element;
};
template <class Simd>
using Factor = std::conditional_t<by_element<Simd>, float, typename Simd::Batch>;

// Stores a row of B as floats.
template <class Simd, int vectors>
[[gnu::always_inline]] inline void store_row(const typename Simd::Batch (&row)[vectors], float* widened) {
#pragma GCC unroll 8
  for (int j = 0; j < vectors; ++j) row[j].store_unaligned(widened + j * static_cast<int>(Simd::Batch::size));
}

// acc[i][j] += a(i)·b(j) for one k. Always inlined: a call would pass the register tile through memory.
// widening: the row of B also becomes floats at `widened`.
template <class Simd, class Element, int mr, int vectors, bool packed, bool widening = false>
[[gnu::always_inline]] inline void rank_one(typename Simd::Batch (&acc)[mr][vectors], const float* a,
                                            std::ptrdiff_t a_row_stride, const typename Element::Stored* b,
                                            [[maybe_unused]] float* widened = nullptr) {
  typename Simd::Batch row[vectors];
  Element::template load_row<Simd, mr * vectors>(b, row);
  if constexpr (widening) store_row<Simd>(row, widened);
#pragma GCC unroll 16
  for (int i = 0; i < mr; ++i) {
    const Factor<Simd> factor(packed ? a[i] : a[i * a_row_stride]);
#pragma GCC unroll 8
    for (int j = 0; j < vectors; ++j) Simd::accumulate(acc[i][j], factor, row[j]);
  }
}

// Four k of packed A where FMAs take a factor by element: the 4·mr floats are whole vectors, each loaded once.
// before_each: called before each k.
template <class Simd, class Element, int mr, int vectors, bool widening, class BeforeEach>
[[gnu::always_inline]] inline void rank_four(typename Simd::Batch (&acc)[mr][vectors], const float* a,
                                             const typename Element::Stored* b, [[maybe_unused]] float* widened,
                                             BeforeEach before_each) {
  using V = typename Simd::Batch;
  constexpr int lanes = static_cast<int>(V::size);
  V floats;
#pragma GCC unroll 4
  for (int step = 0; step < 4; ++step) {
    before_each();
    V row[vectors];
    Element::template load_row<Simd, mr * vectors>(b + step * vectors * lanes, row);
    if constexpr (widening) store_row<Simd>(row, widened + step * vectors * lanes);
#pragma GCC unroll 16
    for (int i = 0; i < mr; ++i) {
      const int index = step * mr + i;
      if (index % lanes == 0) floats = V::load_unaligned(a + index);
#pragma GCC unroll 8
      for (int j = 0; j < vectors; ++j) Simd::accumulate_element(acc[i][j], floats, row[j], index % lanes);
    }
  }
}

// Whether an ISA tells the compiler that an accumulator stays in its register.
template <class Simd>
constexpr bool keeps_registers = requires(typename Simd::Batch& sum) {
  Simd::keep_in_register(sum);
};

template <class Simd, class Element, int mr, int vectors, bool packed, bool widening = false>
void panel_kernel(const PanelCall& call) {
  using V = typename Simd::Batch;
  using Stored = typename Element::Stored;
  constexpr std::ptrdiff_t lanes = static_cast<std::ptrdiff_t>(V::size);
  constexpr std::ptrdiff_t nr = vectors * lanes;
  constexpr std::ptrdiff_t row_bytes = nr * static_cast<std::ptrdiff_t>(sizeof(Stored));
  const char* weights_ahead = call.weight_prefetch;
  const char* data_ahead = call.data_prefetch;
  const std::ptrdiff_t weight_step = call.weight_prefetch_step;
  const std::ptrdiff_t data_step = call.data_prefetch_step;
  const std::ptrdiff_t a_row_stride = call.a_row_stride;
  const float* a_tile = call.a;
  const float* c_in = call.c_in;
  float* c = call.c;
  for (std::size_t tile = call.tiles; tile != 0; --tile) {
    V acc[mr][vectors];
#pragma GCC unroll 16
    for (int i = 0; i < mr; ++i)
#pragma GCC unroll 8
      for (int j = 0; j < vectors; ++j) acc[i][j] = V::load_unaligned(c_in + i * call.c_in_row_stride + j * lanes);
    const float* a = a_tile;
    const auto* b = static_cast<const Stored*>(call.b);
    [[maybe_unused]] float* widened = call.widened;
    constexpr std::ptrdiff_t a_step = packed ? mr : 1;
    const auto prefetch_weights = [&]() __attribute__((always_inline)) {
#pragma GCC unroll 4
      for (std::ptrdiff_t line = 0; line < row_bytes; line += 64) __builtin_prefetch(weights_ahead + line, 0, 2);
      weights_ahead += weight_step;
    };
    for (std::size_t group = call.k / 4; group != 0; --group) {
      if constexpr (packed) {  // rows in place are not stored in slices
        __builtin_prefetch(data_ahead, 0, 2);
        data_ahead += data_step;
      }
      if constexpr (packed && by_element<Simd>) {
        rank_four<Simd, Element, mr, vectors, widening>(acc, a, b, widened, prefetch_weights);
      } else {
#pragma GCC unroll 4
        for (int step = 0; step < 4; ++step) {
          prefetch_weights();
          rank_one<Simd, Element, mr, vectors, packed, widening>(acc, a + step * a_step, a_row_stride, b + step * nr,
                                                                 widening ? widened + step * nr : nullptr);
        }
      }
      a += 4 * a_step;
      b += 4 * nr;
      if constexpr (widening) widened += 4 * nr;
      if constexpr (keeps_registers<Simd>) {
#pragma GCC unroll 16
        for (int i = 0; i < mr; ++i)
#pragma GCC unroll 8
          for (int j = 0; j < vectors; ++j) Simd::keep_in_register(acc[i][j]);
      }
    }
    for (std::size_t rest = call.k % 4; rest != 0; --rest) {
      rank_one<Simd, Element, mr, vectors, packed, widening>(acc, a, a_row_stride, b, widened);
      a += a_step;
      b += nr;
      if constexpr (widening) widened += nr;
    }
#pragma GCC unroll 16
    for (int i = 0; i < mr; ++i)
#pragma GCC unroll 8
      for (int j = 0; j < vectors; ++j) acc[i][j].store_unaligned(c + i * nr + j * lanes);
    a_tile += call.a_tile_stride;
    c_in += call.c_in_tile_stride;
    c += mr * nr;
  }
}

// Up to this many bytes ahead, the processor's own prefetcher has already brought the line into L2, so it is prefetched
// to L1 (Zen 4, weights in L3, one row, 128 ahead: 0.96 of the time; 512 ahead: 1.06 to 1.13).
constexpr std::ptrdiff_t near_prefetch = 256;

// Whether an ISA has one instruction that adds a product with a factor in memory. It pays for one row in two streams.
template <class Simd>
constexpr bool from_memory = requires(typename Simd::Batch& sum, typename Simd::Batch factor, const float* weights) {
  Simd::accumulate_from(sum, factor, weights);
};

// One tile of mr rows against `panels` panels. A(i, k) = a[i·a_row_stride + k·a_tile_stride].
template <class Simd, class Element, int mr, int vectors, int panels>
void few_rows_kernel(const PanelCall& call) {
  using V = typename Simd::Batch;
  using Stored = typename Element::Stored;
  constexpr std::ptrdiff_t lanes = static_cast<std::ptrdiff_t>(V::size);
  constexpr std::ptrdiff_t nr = vectors * lanes;
  constexpr std::ptrdiff_t row_bytes = nr * static_cast<std::ptrdiff_t>(sizeof(Stored));
  const std::ptrdiff_t a_row = call.a_row_stride;
  const std::ptrdiff_t a_step = call.a_tile_stride;
  // In elements: with bytes, g++ 12 keeps four addresses of 1 × 4 vectors on the stack.
  const std::ptrdiff_t panel_stride = call.b_panel_stride / static_cast<std::ptrdiff_t>(sizeof(Stored));
  const std::ptrdiff_t ahead = call.weight_prefetch - static_cast<const char*>(call.b);
  V acc[panels][mr][vectors];
#pragma GCC unroll 8
  for (int p = 0; p < panels; ++p)
#pragma GCC unroll 8
    for (int i = 0; i < mr; ++i)
#pragma GCC unroll 8
      for (int j = 0; j < vectors; ++j)
        acc[p][i][j] = V::load_unaligned(call.c_in + p * call.c_in_tile_stride + i * call.c_in_row_stride + j * lanes);
  const float* a = call.a;
  const auto* b = static_cast<const Stored*>(call.b);
  // locality: that of __builtin_prefetch; 0: no prefetch.
  const auto step = [&](auto locality) __attribute__((always_inline)) {
    Factor<Simd> factor[mr];
#pragma GCC unroll 8
    for (int i = 0; i < mr; ++i) factor[i] = Factor<Simd>(a[i * a_row]);
#pragma GCC unroll 8
    for (int p = 0; p < panels; ++p) {
      const Stored* row = b + p * panel_stride;
      if constexpr (locality != 0) {
#pragma GCC unroll 8
        for (std::ptrdiff_t line = 0; line < row_bytes; line += 64)
          __builtin_prefetch(reinterpret_cast<const char*>(row) + line + ahead, 0, decltype(locality)::value);
      }
      if constexpr (std::is_same_v<Element, F32>) {
#pragma GCC unroll 8
        for (int j = 0; j < vectors; ++j) {
          // Fewer instructions in flight let the loads run further ahead: two streams from L3 gain by it (0.93 to 0.95
          // of the time), one stream from memory loses (1.02 to 1.04).
          if constexpr (mr == 1 && panels > 1 && from_memory<Simd>) {
            Simd::accumulate_from(acc[p][0][j], factor[0], row + j * lanes);
          } else {
            const V column = V::load_unaligned(row + j * lanes);  // one at a time: six rows leave a single register
#pragma GCC unroll 8
            for (int i = 0; i < mr; ++i) Simd::accumulate(acc[p][i][j], factor[i], column);
          }
        }
      } else {
        V columns[vectors];
        Element::template load_row<Simd, panels * mr * vectors>(row, columns);
#pragma GCC unroll 8
        for (int j = 0; j < vectors; ++j)
#pragma GCC unroll 8
          for (int i = 0; i < mr; ++i) Simd::accumulate(acc[p][i][j], factor[i], columns[j]);
      }
    }
    a += a_step;
    b += nr;
  };
  const auto all_steps = [&](auto locality) __attribute__((always_inline)) {
    std::size_t k = call.k;
    // The loop of a single stream is so short that counting takes time (unrolled, two rows take 0.985 of it). Two
    // streams gain nothing by it.
    if constexpr (panels == 1) {
      for (; k >= 4; k -= 4) {
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) step(locality);
      }
    }
    for (; k != 0; --k) step(locality);
  };
  if (ahead == 0)
    all_steps(std::integral_constant<int, 0>{});
  else if (ahead <= near_prefetch)
    all_steps(std::integral_constant<int, 3>{});
  else
    all_steps(std::integral_constant<int, 2>{});
#pragma GCC unroll 8
  for (int p = 0; p < panels; ++p)
#pragma GCC unroll 8
    for (int i = 0; i < mr; ++i)
#pragma GCC unroll 8
      for (int j = 0; j < vectors; ++j) acc[p][i][j].store_unaligned(call.c + (p * mr + i) * nr + j * lanes);
}

}  // namespace
}  // namespace sluice::detail
