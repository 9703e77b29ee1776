// Owns: x and H as the kernels quantise or round them, in double precision, with what their errors become. Internal; of
// the oracle.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include "sluice/kind.hpp"

namespace sluice::detail {

// How many k of a row share a scale; whole columns of weights have groups of 128.
inline std::size_t quantisation_group(WeightType type) noexcept { return std::min<std::size_t>(type.group, 128); }

// Rows of `depth` values, each with the largest distance of its float32 counterpart, become what dot products of this
// kind's arithmetic, which is not f32, read.
void quantise_rows(std::span<double> value, std::span<double> error, std::size_t depth, Kind kind) noexcept;

}  // namespace sluice::detail
