// Owns: the integer dot products of tall row tiles compiled for AMX-INT8 beside AVX-512 F, BW and VNNI. Exports
// avx512_amx_dots, nothing else.
#include "kernels/instruction_sets/avx512_vectors.hpp"
#include "kernels/instruction_sets/kernel_family.hpp"
#include "kernels/instruction_sets/tall_dot_family.hpp"

namespace sluice::detail {
namespace {

// The tile registers of AMX, by asm since the intrinsics of g++ 12 do not say that they read memory.
struct Tiles {
  // Sums have `rows` rows of 64 bytes, A as many of k bytes, B k/4 of 64.
  [[gnu::always_inline]] static inline void configure(std::ptrdiff_t rows, std::size_t k) {
    struct alignas(64) Configuration {
      std::uint8_t palette = 1;
      std::uint8_t start_row = 0;
      std::uint8_t reserved[14] = {};
      std::uint16_t row_bytes[16] = {};
      std::uint8_t rows[16] = {};
    } configuration;
    for (int tile = 0; tile < 8; ++tile) {
      const bool of_a = tile == 4 || tile == 5;
      configuration.row_bytes[tile] = static_cast<std::uint16_t>(of_a ? k : 64);
      configuration.rows[tile] = static_cast<std::uint8_t>(tile < 6 ? static_cast<std::size_t>(rows) : k / 4);
    }
    asm volatile("ldtilecfg %0" ::"m"(configuration));
  }
  [[gnu::always_inline]] static inline void release() { asm volatile("tilerelease" ::: "memory"); }
  template <int tile>
  [[gnu::always_inline]] static inline void zero() {
    asm volatile("tilezero %%tmm%c0" ::"i"(tile));
  }
  template <int tile>
  [[gnu::always_inline]] static inline void load(const std::byte* memory, std::ptrdiff_t stride) {
    asm volatile("tileloadd (%1,%2,1), %%tmm%c0" ::"i"(tile), "r"(memory), "r"(stride) : "memory");
  }
  template <int tile>
  [[gnu::always_inline]] static inline void store(std::int32_t (&memory)[16][16]) {
    asm volatile("tilestored %%tmm%c0, (%1,%2,1)" ::"i"(tile), "r"(memory), "r"(sizeof memory[0]) : "memory");
  }
  template <int sums, int a, int b>
  [[gnu::always_inline]] static inline void multiply() {
    asm volatile("tdpbsud %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(sums), "i"(a), "i"(b));
  }
  template <int sums, int a, int b>
  [[gnu::always_inline]] static inline void multiply_without_sign() {
    asm volatile("tdpbuud %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(sums), "i"(a), "i"(b));
  }
  // Sums of both digits of elements of 16 bits.
  [[gnu::always_inline]] static inline __m512i join_digits(__m512i upper, __m512i lower) {
    return reinterpret_cast<__m512i>((reinterpret_cast<__v16su>(upper) << 8) + reinterpret_cast<__v16su>(lower));
  }
};

// Quantised elements of 8 bits, rows of them.
struct OneDigit {
  static constexpr bool takes_rows = true;
  static constexpr int parts = 1;
  [[gnu::always_inline]] static inline void store_codes(__m512i codes, std::byte* target, std::ptrdiff_t,
                                                        std::size_t words) {
    alignas(16) std::byte stored[16];
    _mm_store_si128(reinterpret_cast<__m128i*>(stored), _mm512_cvtepi32_epi8(codes));
    __builtin_memcpy(target, stored, 4 * words);
  }
};

// Those of 16 bits, as 256 times the upper digit plus the lower one, which has no sign.
struct TwoDigits {
  static constexpr bool takes_rows = true;
  static constexpr int parts = 2;
  [[gnu::always_inline]] static inline void store_codes(__m512i codes, std::byte* target, std::ptrdiff_t next_digit,
                                                        std::size_t words) {
    OneDigit::store_codes(reinterpret_cast<__m512i>(reinterpret_cast<__v16si>(codes) >> 8), target, 0, words);
    OneDigit::store_codes(codes, target + next_digit, 0, words);
  }
};

template <class Element, int largest>
struct Dots {
  using Digits = std::conditional_t<largest == 127, OneDigit, TwoDigits>;
  // Of the speed by VNNI (Emerald Rapids, 2048x5632, one thread, whole FFN). int8:32 by int8: M = 8 1.02, 12 1.09. By
  // int16, and of 4 bits, whose codes are made bytes first: M = 8 0.8 to 0.9, 12 0.89 to 1.06, but 24, of two tiles of
  // 12, 1.17 to 1.48.
  static constexpr int first_mr = Element::bits == 8 && largest == 127 ? 8 : 12;
  // Right above the tallest tiles that VNNI has for the wider panels.
  static constexpr int first_mr_of_64 = 5;
  template <int vectors, int first>
  using Family = TallDotFamily<Avx512, Tiles, Digits, Element, largest, vectors, first>;
  static constexpr TallDots value[] = {Family<2, first_mr>::value(), Family<4, first_mr_of_64>::value()};
};

}  // namespace

constinit const TallDotTable avx512_amx_dots = make_dot_table<Dots, TallDotTable>();

}  // namespace sluice::detail
