// Owns: the oracle: the FFN in double precision by plain loops, and how far a float32 result may be from it.
#pragma once

#include <cstddef>
#include <span>

#include "sluice/ffn.hpp"

namespace sluice {

// The activation in double precision.
double reference_activation(Activation activation, double z) noexcept;

// y[m, d_model] of x[m, d_model] in double precision, with the weights as packing rounds them to kind.weights with
// `scales` chosen as PackOptions says, and for each element the largest |float32 result − y| that the library's
// arithmetic can produce: the chain error γ(n)·Σ|terms| of each of the products, carried through the activation (its
// Lipschitz constant and its own rounding) and the down product. ldx: floats between rows of x, 0: d_model. y, bound
// and `accumulated` (the y that an accumulating call starts from; may be null) are dense, of m·d_model elements at
// least. Checks no argument; they must be such that pack() and forward() accept them. Throws std::bad_alloc.
void reference_forward(Shape shape, Kind kind, const Weights& weights, const float* x, std::size_t m, std::size_t ldx,
                       std::span<double> y, std::span<double> bound, const float* accumulated = nullptr,
                       ScaleChoice scales = ScaleChoice::absmax);

}  // namespace sluice
