// Owns: the dot products of tall tiles by a plain model of registers that hold a matrix, so that their kernels are
// tested wherever there is AVX-512. Does not own: what is expected of them (dots.cpp).
#include <cmath>
#include <cstring>

#include "kernels/element_types/bf16.hpp"
#include "kernels/element_types/float_mode.hpp"
#include "kernels/instruction_sets/avx512_matrix.hpp"
#include "kernels/instruction_sets/dot_family.hpp"

namespace sluice::detail {
namespace {

// As the instructions are specified; a register is configured to some rows of some bytes, and instructions read and
// write no more. Of one thread.
struct Model {
  struct Register {
    std::ptrdiff_t rows;
    std::ptrdiff_t row_bytes;
    std::uint8_t bytes[16][64];
  };
  static inline Register registers[8];

  static void configure(std::ptrdiff_t rows, std::size_t k) {
    for (int i = 0; i < 8; ++i) {
      registers[i] = {};
      registers[i].rows = i < 6 ? rows : static_cast<std::ptrdiff_t>(k / 4);
      registers[i].row_bytes = i == 4 || i == 5 ? static_cast<std::ptrdiff_t>(k) : 64;
    }
  }
  static void release() {
    for (Register& one : registers) one = {};
  }
  template <int index>
  static void zero() {
    std::memset(registers[index].bytes, 0, sizeof registers[index].bytes);
  }
  template <int index>
  static void load(const void* memory, std::ptrdiff_t stride) {
    Register& to = registers[index];
    for (std::ptrdiff_t row = 0; row < to.rows; ++row)
      std::memcpy(to.bytes[row], static_cast<const std::byte*>(memory) + row * stride,
                  static_cast<std::size_t>(to.row_bytes));
  }
  template <int index>
  static void store(void* memory, std::ptrdiff_t stride) {
    const Register& from = registers[index];
    for (std::ptrdiff_t row = 0; row < from.rows; ++row)
      std::memcpy(static_cast<std::byte*>(memory) + row * stride, from.bytes[row],
                  static_cast<std::size_t>(from.row_bytes));
  }
  template <int sums, int a, bool a_has_sign, int b, bool b_has_sign>
  static void multiply() {
    for (std::ptrdiff_t row = 0; row < registers[sums].rows; ++row)
      for (std::ptrdiff_t column = 0; column < 16; ++column) {
        std::int32_t sum = 0;
        std::memcpy(&sum, &registers[sums].bytes[row][4 * column], sizeof sum);
        for (std::ptrdiff_t k = 0; k < registers[a].row_bytes; ++k)
          sum += integer<a_has_sign>(registers[a].bytes[row][k]) *
                 integer<b_has_sign>(registers[b].bytes[k / 4][4 * column + k % 4]);
        std::memcpy(&registers[sums].bytes[row][4 * column], &sum, sizeof sum);
      }
  }
  template <int sums, int a, int b>
  static void multiply_bf16() {
    const FlushingMode mode;
    for (std::ptrdiff_t row = 0; row < registers[sums].rows; ++row)
      for (std::ptrdiff_t column = 0; column < 16; ++column) {
        float halves[2] = {};
        for (std::ptrdiff_t k = 0; k < registers[a].row_bytes / 2; ++k)
          halves[k % 2] = std::fma(bf16(&registers[a].bytes[row][2 * k]),
                                   bf16(&registers[b].bytes[k / 2][4 * column + 2 * (k % 2)]), halves[k % 2]);
        float sum = 0;
        std::memcpy(&sum, &registers[sums].bytes[row][4 * column], sizeof sum);
        sum += halves[0] + halves[1];
        std::memcpy(&registers[sums].bytes[row][4 * column], &sum, sizeof sum);
      }
  }
  static float bf16(const std::uint8_t* bytes) {
    Bf16::Stored stored = 0;
    std::memcpy(&stored, bytes, sizeof stored);
    return Bf16::widen(stored);
  }
  template <bool has_sign>
  static std::int32_t integer(std::uint8_t byte) {
    return has_sign ? static_cast<std::int8_t>(byte) : byte;
  }
};

template <class Element, int largest>
struct Dots {
  // No later than the tallest tiles of AVX-512 alone end.
  static constexpr auto& value = MatrixDotsOf<Model, Element, largest, 5, 5>::value;
};

// From as few rows on as AMX-BF16.
constexpr TallDots bf16[] = {TallBf16Family<Model, 2, 4>::value(), TallBf16Family<Model, 4, 4>::value()};

}  // namespace

extern const TallDotTable modelled_matrix_dots;
constinit const TallDotTable modelled_matrix_dots = with_bf16(make_dot_table<Dots, TallDotTable>(), bf16);

}  // namespace sluice::detail
