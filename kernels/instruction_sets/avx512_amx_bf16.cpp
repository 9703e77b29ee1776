// Owns: the bf16 dot products of row tiles that are not of a few rows, compiled for AMX-BF16 beside AVX-512 F and BW.
// Exports avx512_amx_bf16_dots, nothing else.
#include "kernels/instruction_sets/amx_tiles.hpp"
#include "kernels/instruction_sets/dot_family.hpp"
#include "kernels/instruction_sets/tall_dot_family.hpp"

namespace sluice::detail {
namespace {

// Of each panel width of AVX-512.
constexpr TallDots bf16[] = {TallBf16Family<AmxTiles, 2, 4>::value(), TallBf16Family<AmxTiles, 4, 4>::value()};

}  // namespace

constinit const TallDotTable avx512_amx_bf16_dots = with_bf16(TallDotTable{}, bf16);

}  // namespace sluice::detail
