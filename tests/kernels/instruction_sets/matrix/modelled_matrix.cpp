// Owns: the dot products of tall tiles by a plain model of registers that hold a matrix, so that their kernels are
// tested wherever there is AVX-512. Does not own: what is expected of them (dots.cpp).
#include <cstring>

#include "kernels/instruction_sets/avx512_matrix.hpp"
#include "kernels/instruction_sets/kernel_family.hpp"

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
  static void load(const std::byte* memory, std::ptrdiff_t stride) {
    Register& to = registers[index];
    for (std::ptrdiff_t row = 0; row < to.rows; ++row)
      std::memcpy(to.bytes[row], memory + row * stride, static_cast<std::size_t>(to.row_bytes));
  }
  template <int index>
  static void store(std::int32_t (&memory)[16][16]) {
    const Register& from = registers[index];
    for (std::ptrdiff_t row = 0; row < from.rows; ++row)
      std::memcpy(memory[row], from.bytes[row], static_cast<std::size_t>(from.row_bytes));
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

}  // namespace

extern const TallDotTable modelled_matrix_dots;
constinit const TallDotTable modelled_matrix_dots = make_dot_table<Dots, TallDotTable>();

}  // namespace sluice::detail
