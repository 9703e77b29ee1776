// Owns: the microkernel of exact integer dot products by registers that hold a matrix. Included by the ISA files only.
//
// Such an instruction multiplies a whole row tile, by rows, with 16 columns of words of four bytes, as they stand in a
// panel. Matrix says how an instruction set does it: registers of `rows` rows of at most 64 bytes, sums (0 to 3), A (4
// and 5) and B (6 and 7). The sums go through memory to be scaled and added to C.
//
// A of a group, after its scales and starts, are its rows, each of quantised elements of 8 bits; those of 16 bits are
// two such digits, all rows of the upper one, which has the sign, and then all rows of the lower one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/microkernels/dot_kernel.hpp"
#include "kernels/microkernels/kernel_table.hpp"

namespace sluice::detail {
namespace {

inline constexpr std::ptrdiff_t matrix_columns = 16;
inline constexpr std::ptrdiff_t matrix_row_bytes = 64;

// The bytes that elements of 4 bits are made at once, for all row tiles: in L1 beside a tile of A.
inline constexpr std::size_t unpacked_bytes = 16384;

// How many k steps one instruction multiplies, of a group of so many: as many as divide it, of words of four.
constexpr std::size_t matrix_k(std::size_t padded) {
  std::size_t k = matrix_row_bytes;
  while (padded % k != 0) k -= 4;
  return k;
}

// The elements of k steps of 4 bits as bytes with a sign, in words of four: [k/4][nr]. Their sums need no start, which
// is one of six vector operations for each (of the speed with it, Emerald Rapids: int4:32 M = 64 1.03 to 1.12, M = 16
// 1.02 to 1.08; int4:128 M = 64 1.02 to 1.04, M = 16 0.92 to 0.97).
template <class Simd, class Element, int vectors>
[[gnu::always_inline]] inline void unpack_codes(const std::byte* codes, [[maybe_unused]] const std::byte* scales,
                                                std::size_t k, std::byte* bytes) {
  constexpr std::ptrdiff_t lanes = static_cast<std::ptrdiff_t>(Simd::Batch::size);
  constexpr std::ptrdiff_t step_bytes = vectors * lanes * 4;
  typename Simd::Words zeros[vectors];
#pragma GCC unroll 8
  for (int j = 0; j < vectors; ++j) {
    if constexpr (Element::has_zeros)
      zeros[j] = Simd::repeat_bytes(Simd::widen_bytes(
          scales + vectors * lanes * static_cast<std::ptrdiff_t>(sizeof(typename Element::Scale)) + j * lanes));
    else
      zeros[j] = Simd::broadcast_byte(Element::zero);
  }
  for (std::size_t word = 0; word < k / Element::word_k; ++word) {
#pragma GCC unroll 8
    for (int j = 0; j < vectors; ++j) {
      const auto words = Simd::load_words(codes + j * lanes * 4);
      const auto store = [&](auto quad) __attribute__((always_inline)) {
        constexpr int number = decltype(quad)::value;
        Simd::store_words(bytes + number * step_bytes + j * lanes * 4,
                          Simd::subtract_bytes(Element::template bytes_of<Simd, number>(words), zeros[j]));
      };
      store(std::integral_constant<int, 0>{});
      store(std::integral_constant<int, 1>{});
    }
    codes += step_bytes;
    bytes += 2 * step_bytes;
  }
}

// A slice of a panel against row tiles of mr rows. An item is a group of a row tile and of as many columns as two
// registers of sums hold: 32, or 16 with two digits. Of three items in turn, one is multiplied, the sums of the one
// before are stored, those of the one before that are scaled and added to C: the three in pieces one after the other,
// since their own order would not let the processor do them at once (groups of 32, in L1, Emerald Rapids: 73 cycles for
// 32 columns, 92 with only the multiplication ahead, 116 one after the other).
template <class Simd, class Matrix, class Digits, class Element, int vectors>
class MatrixDots {
  using V = typename Simd::Batch;
  static constexpr std::ptrdiff_t lanes = static_cast<std::ptrdiff_t>(V::size);
  static_assert(lanes == matrix_columns && vectors % 2 == 0);
  static constexpr std::ptrdiff_t nr = vectors * lanes;
  static constexpr int digits = Digits::parts;
  static constexpr int columns = 2 / digits;  // in vectors
  static constexpr std::ptrdiff_t scale_bytes = sizeof(typename Element::Scale);
  static constexpr bool unpack = Element::bits == 4;

 public:
  [[gnu::always_inline]] inline MatrixDots(const DotCall& call, std::ptrdiff_t mr)
      : call_(call), mr_(mr), ahead_(call.weight_prefetch) {}

  [[gnu::always_inline]] inline void run() {
    if (call_.c_in != call_.c) start_sums();
    const std::byte* codes = call_.groups.codes;
    constexpr std::size_t most_k = unpacked_bytes / nr;
    for (std::size_t left = call_.k; left != 0; left -= part_k_) {
      part_k_ = unpack && left > most_k ? most_k : left;
      group_count_ = (part_k_ + call_.groups.length - 1) / call_.groups.length;
      b_ = codes;
      if constexpr (unpack) {
        b_ = unpacked_;
        b_step_ = static_cast<std::ptrdiff_t>(call_.groups.length) * nr;
        const std::byte* from = codes;
        const std::byte* scales = scales_;
        for (std::size_t group = 0; group < group_count_; ++group) {
          unpack_codes<Simd, Element, vectors>(from, scales, length_of(group),
                                               unpacked_ + group * call_.groups.length * nr);
          from += call_.groups.step;
          scales += call_.groups.scale_step;
        }
      }
      run_part();
      const auto groups = static_cast<std::ptrdiff_t>(group_count_);
      a_ += groups * group_bytes(call_.groups.length);
      codes += groups * call_.groups.step;
      scales_ += groups * call_.groups.scale_step;
    }
  }

 private:
  struct Item {
    std::size_t group;
    const std::byte* a;
    const std::byte* b;
    const std::byte* scales;
    std::ptrdiff_t zeros;  // bytes from the scales to the zero points
    float* c;
  };
  // Where the first group of an item's columns stands.
  struct Place {
    std::ptrdiff_t tile;
    std::ptrdiff_t column;
  };

  [[gnu::always_inline]] inline void start_sums() {
    for (std::ptrdiff_t tile = 0; tile < static_cast<std::ptrdiff_t>(call_.tiles); ++tile)
      for (std::ptrdiff_t i = 0; i < mr_; ++i)
#pragma GCC unroll 4
        for (int j = 0; j < vectors; ++j)
          V::load_unaligned(call_.c_in + tile * call_.c_in_tile_stride + i * call_.c_in_row_stride + j * lanes)
              .store_unaligned(call_.c + (tile * mr_ + i) * nr + j * lanes);
  }

  static std::size_t padded(std::size_t length) {
    return (length + Element::word_k - 1) / Element::word_k * Element::word_k;
  }
  // Of a group of this part, in whole words.
  [[gnu::always_inline]] inline std::size_t length_of(std::size_t group) const {
    const std::size_t left = part_k_ - group * call_.groups.length;
    return left < call_.groups.length ? padded(left) : call_.groups.length;
  }
  [[gnu::always_inline]] inline std::size_t step_of(std::size_t length) const {
    return length == call_.groups.length ? step_ : last_step_;
  }
  // Of A of a tile.
  [[gnu::always_inline]] inline std::ptrdiff_t group_bytes(std::size_t length) const {
    return mr_ * static_cast<std::ptrdiff_t>(sizeof(float) + sizeof(std::int32_t) + digits * length);
  }

  [[gnu::always_inline]] inline Item first_of(const Place& place) const {
    return {.group = 0,
            .a = a_ + place.tile * call_.a_tile_stride,
            .b = b_ + place.column * 4,
            .scales = scales_ + place.column * scale_bytes,
            .zeros = nr * scale_bytes - place.column * (scale_bytes - 1),
            .c = call_.c + place.tile * mr_ * nr + place.column};
  }
  [[gnu::always_inline]] inline void advance(Item& item, Place& place) const {
    if (++item.group < group_count_) {
      item.a += group_bytes(call_.groups.length);
      item.b += b_step_;
      item.scales += call_.groups.scale_step;
      return;
    }
    place.column += columns * lanes;
    if (place.column == nr) place = {place.tile + 1, 0};
    item = first_of(place);
  }

  [[gnu::always_inline]] inline void run_part() {
    const std::size_t count = call_.tiles * static_cast<std::size_t>(vectors / columns) * group_count_;
    Place place{0, 0};
    Item multiplied = first_of(place);
    Item stored = multiplied;
    Item scaled = multiplied;
    // One turn more for the sums of the last item to be stored, and one for them to be added.
    const auto turn = [&](auto parity, std::size_t number) __attribute__((always_inline)) {
      run_turn<decltype(parity)::value>(
          scaled, multiplied, {number >= 2, number >= 1 && number <= count, number < count}, place.column == 0);
      scaled = stored;
      stored = multiplied;
      if (number + 1 < count) advance(multiplied, place);
    };
    for (std::size_t number = 0; number < count + 2; number += 2) {
      turn(std::integral_constant<int, 0>{}, number);
      if (number + 1 == count + 2) break;
      turn(std::integral_constant<int, 1>{}, number + 1);
    }
  }

  struct Work {
    bool scale;
    bool store;
    bool multiply;
  };
  // The item to be multiplied has registers 2·parity and 2·parity + 1; the one to be stored has the others.
  template <int parity>
  [[gnu::always_inline]] inline void run_turn(const Item& scaled, const Item& multiplied, Work work, bool prefetches) {
    constexpr int first = 2 * parity;
    constexpr int second = first + 1;
    const std::size_t length = length_of(multiplied.group);
    const std::size_t step = step_of(length);
    if (work.multiply && configuration(step) != call_.state->configuration) {  // which ends all sums
      if (work.store) {
        Matrix::template store<2 - first>(sums_[1 - parity][0], matrix_row_bytes);
        Matrix::template store<3 - first>(sums_[1 - parity][1], matrix_row_bytes);
        work.store = false;
      }
      Matrix::configure(mr_, step);
      call_.state->configuration = configuration(step);
    }
    V scale[columns];
    typename Simd::Words zeros[columns];  // of elements of 8 bits that have them
    if (work.scale)
#pragma GCC unroll 2
      for (int j = 0; j < columns; ++j) {
        scale[j] = Element::template load_scales<Simd>(scaled.scales + j * lanes * scale_bytes);
        if constexpr (!unpack && Element::has_zeros)
          zeros[j] = zero_factors<Simd, Digits>(scaled.scales + scaled.zeros + j * lanes);
        else
          zeros[j] = Simd::zero_words();
      }
    const bool in_pieces = work.scale && mr_ >= 8;
    const std::byte* a = multiplied.a + mr_ * 8;
    const std::byte* b = multiplied.b;
    const auto a_stride = static_cast<std::ptrdiff_t>(length);
    const auto load_second = [&]() __attribute__((always_inline)) {
      if constexpr (digits == 2)
        Matrix::template load<5>(a + mr_ * a_stride, a_stride);
      else
        Matrix::template load<7>(b + lanes * 4, nr * 4);
    };
    const auto multiply_second = []() __attribute__((always_inline)) {
      if constexpr (digits == 2)
        Matrix::template multiply<second, 5, false, 6, unpack>();
      else
        Matrix::template multiply<second, 4, true, 7, unpack>();
    };
    if (work.multiply) {
      Matrix::template zero<first>();
      Matrix::template zero<second>();
      Matrix::template load<4>(a, a_stride);
    }
    if (in_pieces) add_rows<parity, 2>(scaled, scale, zeros, 0);
    if (work.store) Matrix::template store<2 - first>(sums_[1 - parity][0], matrix_row_bytes);
    if (work.multiply) Matrix::template load<6>(b, nr * 4);
    if (in_pieces) add_rows<parity, 2>(scaled, scale, zeros, 2);
    if (work.multiply) {
      Matrix::template multiply<first, 4, true, 6, unpack>();
      load_second();
    }
    if (in_pieces) add_rows<parity, 4>(scaled, scale, zeros, 4);
    if (work.store) Matrix::template store<3 - first>(sums_[1 - parity][1], matrix_row_bytes);
    if (work.multiply) {
      multiply_second();
      for (std::size_t at = step; at < length; at += step) {
        a += step;
        b += static_cast<std::ptrdiff_t>(step) * nr;
        Matrix::template load<4>(a, a_stride);
        Matrix::template load<6>(b, nr * 4);
        Matrix::template multiply<first, 4, true, 6, unpack>();
        load_second();
        multiply_second();
      }
      if (prefetches) prefetch(length);
    }
    if (work.scale)
      for (std::ptrdiff_t row = in_pieces ? 8 : 0; row < mr_; ++row) add_rows<parity, 1>(scaled, scale, zeros, row);
  }

  [[gnu::always_inline]] inline std::uint32_t configuration(std::size_t step) const {
    return static_cast<std::uint32_t>(static_cast<std::size_t>(mr_) << 16U | step);
  }

  [[gnu::always_inline]] inline void prefetch(std::size_t length) {
    const auto asked = static_cast<std::ptrdiff_t>(length / Element::word_k) * call_.weight_prefetch_step;
    for (std::ptrdiff_t line = 0; line < asked; line += 64) __builtin_prefetch(ahead_ + line, 0, 2);
    ahead_ += asked;
  }

  template <int parity, int rows>
  [[gnu::always_inline]] inline void add_rows(const Item& item, const V (&scale)[columns],
                                              [[maybe_unused]] const typename Simd::Words (&zeros)[columns],
                                              std::ptrdiff_t first) const {
    const auto* const row_scales = reinterpret_cast<const float*>(item.a);
    const auto* const starts = reinterpret_cast<const std::int32_t*>(item.a) + mr_;
#pragma GCC unroll 16
    for (std::ptrdiff_t i = first; i < first + rows; ++i) {
      const V row_scale(row_scales[i]);
      [[maybe_unused]] const auto row_start = Simd::broadcast_word(starts + i);
#pragma GCC unroll 2
      for (int j = 0; j < columns; ++j) {
        const auto sum_of = [&](int number) __attribute__((always_inline)) {
          return Simd::load_words(reinterpret_cast<const std::byte*>(sums_[parity][number][i]));
        };
        auto sum = sum_of(j);
        if constexpr (digits == 2) sum = Digits::join(sum, sum_of(1));
        float* const c = item.c + i * nr + j * lanes;
        if constexpr (!unpack && Element::has_zeros)
          sum = Simd::add_words(sum, Simd::dot_halves(zeros[j], row_start));
        else if constexpr (!unpack)
          sum = Simd::add_words(sum, row_start);
        Simd::fma(Simd::to_float(sum), row_scale * scale[j], V::load_unaligned(c)).store_unaligned(c);
      }
    }
  }

  const DotCall& call_;
  const std::ptrdiff_t mr_;
  const std::size_t step_ = matrix_k(call_.groups.length);
  const std::size_t last_step_ = matrix_k(padded(call_.k % call_.groups.length));
  const char* ahead_;
  // Some k steps of the slice: all, or as many as are unpacked at once.
  std::size_t part_k_ = 0;
  std::size_t group_count_ = 0;
  const std::byte* a_ = call_.a;
  const std::byte* b_ = nullptr;
  std::ptrdiff_t b_step_ = call_.groups.step;
  const std::byte* scales_ = call_.groups.scales;
  alignas(64) std::int32_t sums_[2][2][16][matrix_columns];
  alignas(64) std::byte unpacked_[unpack ? unpacked_bytes : 64];
};

// One function serves tiles of every height: with one for each the object has seven times the code and is no faster.
template <class Simd, class Matrix, class Digits, class Element, int vectors>
[[gnu::noinline]] void matrix_dots(const DotCall& call, std::ptrdiff_t mr) {
  MatrixDots<Simd, Matrix, Digits, Element, vectors>(call, mr).run();
}

template <class Simd, class Matrix, class Digits, class Element, int mr, int vectors>
void matrix_dot_kernel(const DotCall& call) {
  matrix_dots<Simd, Matrix, Digits, Element, vectors>(call, mr);
}

// Ends the configuration of the registers, whose contents the operating system would otherwise save.
template <class Matrix>
void end_matrix_dots(DotState& state) {
  if (state.configuration != 0) Matrix::release();
  state.configuration = 0;
}

template <class Matrix>
[[gnu::always_inline]] inline void zero_registers() {
  Matrix::template zero<0>();
  Matrix::template zero<1>();
  Matrix::template zero<2>();
  Matrix::template zero<3>();
  Matrix::template zero<4>();
  Matrix::template zero<5>();
  Matrix::template zero<6>();
  Matrix::template zero<7>();
}

// Independent sums on registers alone, whose speed is the peak. *flops: two for each product of elements.
template <class Matrix, int digits>
std::uint32_t matrix_dot_probe(std::size_t iterations, double* flops) {
  constexpr int rows = 16;
  Matrix::configure(rows, matrix_row_bytes);
  zero_registers<Matrix>();
  for (std::size_t iteration = 0; iteration < iterations; ++iteration) {
    Matrix::template multiply<0, 4, true, 6, false>();
    Matrix::template multiply<1, 4, true, 7, false>();
    Matrix::template multiply<2, 5, false, 6, true>();
    Matrix::template multiply<3, 5, false, 7, true>();
  }
  alignas(64) std::int32_t sums[16][matrix_columns];
  Matrix::template store<0>(sums, matrix_row_bytes);
  Matrix::release();
  *flops = 2.0 / digits * rows * matrix_columns * matrix_row_bytes * 4 * static_cast<double>(iterations);
  return static_cast<std::uint32_t>(sums[0][0]);
}

}  // namespace
}  // namespace sluice::detail
