// Owns: the tile registers of AMX and what the kernels do with them. Included by the ISA files only.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sluice::detail {
namespace {

// By asm, since the intrinsics of g++ 12 do not say that they read memory.
struct AmxTiles {
  // Sums have `rows` rows of 64 bytes, A as many of row_bytes, B row_bytes/4 of 64.
  [[gnu::always_inline]] static inline void configure(std::ptrdiff_t rows, std::size_t row_bytes) {
    struct alignas(64) Configuration {
      std::uint8_t palette = 1;
      std::uint8_t start_row = 0;
      std::uint8_t reserved[14] = {};
      std::uint16_t row_bytes[16] = {};
      std::uint8_t rows[16] = {};
    } configuration;
    for (int tile = 0; tile < 8; ++tile) {
      const bool of_a = tile == 4 || tile == 5;
      configuration.row_bytes[tile] = static_cast<std::uint16_t>(of_a ? row_bytes : 64);
      configuration.rows[tile] = static_cast<std::uint8_t>(tile < 6 ? static_cast<std::size_t>(rows) : row_bytes / 4);
    }
    asm volatile("ldtilecfg %0" ::"m"(configuration));
  }
  [[gnu::always_inline]] static inline void release() { asm volatile("tilerelease" ::: "memory"); }
  template <int tile>
  [[gnu::always_inline]] static inline void zero() {
    asm volatile("tilezero %%tmm%c0" ::"i"(tile));
  }
  template <int tile>
  [[gnu::always_inline]] static inline void load(const void* memory, std::ptrdiff_t stride) {
    asm volatile("tileloadd (%1,%2,1), %%tmm%c0" ::"i"(tile), "r"(memory), "r"(stride) : "memory");
  }
  template <int tile>
  [[gnu::always_inline]] static inline void store(void* memory, std::ptrdiff_t stride) {
    asm volatile("tilestored %%tmm%c0, (%1,%2,1)" ::"i"(tile), "r"(memory), "r"(stride) : "memory");
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
  template <int sums, int a, int b>
  [[gnu::always_inline]] static inline void multiply_bf16() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(sums), "i"(a), "i"(b));
  }
};

}  // namespace
}  // namespace sluice::detail
