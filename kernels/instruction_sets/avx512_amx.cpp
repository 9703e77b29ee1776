// Owns: the integer dot products of tall row tiles compiled for AMX-INT8 beside AVX-512 F, BW and VNNI. Exports
// avx512_amx_dots, nothing else.
#include "kernels/instruction_sets/amx_tiles.hpp"
#include "kernels/instruction_sets/avx512_matrix.hpp"
#include "kernels/instruction_sets/dot_family.hpp"

namespace sluice::detail {
namespace {

template <class Element, int largest>
struct Dots {
  // Of the speed by VNNI (Emerald Rapids, 2048x5632, one thread, whole FFN). int8:32 by int8: M = 8 1.02, 12 1.09. By
  // int16, and of 4 bits, whose codes are made bytes first: M = 8 0.8 to 0.9, 12 0.89 to 1.06, but 24, of two tiles of
  // 12, 1.17 to 1.48.
  static constexpr int first_mr = Element::bits == 8 && largest == 127 ? 8 : 12;
  // Right above the tallest tiles that VNNI has for the wider panels.
  static constexpr int first_mr_of_64 = 5;
  static constexpr auto& value = MatrixDotsOf<AmxTiles, Element, largest, first_mr, first_mr_of_64>::value;
};

}  // namespace

constinit const TallDotTable avx512_amx_dots = make_dot_table<Dots, TallDotTable>();

}  // namespace sluice::detail
