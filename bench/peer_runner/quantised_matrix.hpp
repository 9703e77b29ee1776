// Owns: a matrix in the type of a layer's weights, as peers are given it: the values that packing makes of it and, of
// types with scales, the elements and the scales themselves, so that a peer of the same format holds the same values.
// Does not own: how a value is rounded (kernels/element_types), the memory (shared_layer.hpp).
#pragma once

#include <cstddef>
#include <cstdint>

#include "sluice/kind.hpp"

namespace sluice::bench {

// How many consecutive inputs of a column share a scale, at most `in`; 0 for a type without scales.
std::size_t scale_group(WeightType type, std::size_t in) noexcept;
// Scales of one column; 0 for a type without scales.
std::size_t scale_count(WeightType type, std::size_t in) noexcept;
// Bytes of one scale: 2 of f16, 1 of E8M0; 0 for a type without scales.
std::size_t scale_bytes(WeightType type) noexcept;
// Whether the groups of a type have zero points, a byte each.
bool has_zeros(WeightType type) noexcept;

// Where a quantised matrix goes. Elements and scales are null for a type without scales, zeros for one without these.
struct QuantisedMatrix {
  float* values;          // [in, out]
  std::int8_t* elements;  // [out, in]: the integers; of mxfp4 the codes of E2M1, 0 … 15; uint8_t of uint8 and uint4
  std::byte* scales;      // [out, scale_count]
  std::byte* zeros;       // [out, scale_count]
};

// Quantises [in, out] floats as packing does.
void quantise(const float* from, std::size_t in, std::size_t out, WeightType type, const QuantisedMatrix& to);

}  // namespace sluice::bench
