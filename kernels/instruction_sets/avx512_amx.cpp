// Owns: the integer dot products of tall row tiles compiled for AMX-INT8 beside AVX-512 F, BW and VNNI. Exports
// avx512_amx_dots, nothing else.
#include "kernels/instruction_sets/avx512_matrix.hpp"
#include "kernels/instruction_sets/kernel_family.hpp"

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
  template <int sums, int a, bool a_has_sign, int b, bool b_has_sign>
  [[gnu::always_inline]] static inline void multiply() {
    if constexpr (a_has_sign && b_has_sign)
      asm volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(sums), "i"(a), "i"(b));
    else if constexpr (a_has_sign)
      asm volatile("tdpbsud %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(sums), "i"(a), "i"(b));
    else if constexpr (b_has_sign)
      asm volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(sums), "i"(a), "i"(b));
    else
      asm volatile("tdpbuud %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(sums), "i"(a), "i"(b));
  }
};

template <class Element, int largest>
struct Dots {
  // Of the speed by VNNI (Emerald Rapids, 2048x5632, one thread, whole FFN). int8:32 by int8: M = 8 1.02, 12 1.09. By
  // int16, and of 4 bits, whose codes are made bytes first: M = 8 0.8 to 0.9, 12 0.89 to 1.06, but 24, of two tiles of
  // 12, 1.17 to 1.48.
  static constexpr int first_mr = Element::bits == 8 && largest == 127 ? 8 : 12;
  // Right above the tallest tiles that VNNI has for the wider panels.
  static constexpr int first_mr_of_64 = 5;
  static constexpr auto& value = MatrixDotsOf<Tiles, Element, largest, first_mr, first_mr_of_64>::value;
};

}  // namespace

constinit const TallDotTable avx512_amx_dots = make_dot_table<Dots, TallDotTable>();

}  // namespace sluice::detail
