// Owns: how far what a form rounds may move an answer: the variance of each element of y, carried through the FFN.
// Does not own: float32's own rounding (sluice/reference.hpp), the comparison (peer_verification.hpp).
//
// A rounding with unit roundoff u moves a value v by at most u·|v|, evenly in between: a variance of (u·v)²/3. One to
// steps of s, the largest magnitude of its group over 127, moves it by at most s/2: a variance of s²/12, and its scale,
// rounded itself, adds (u·v)²/3. A product adds up its terms' variances, Σ (var x + x²·u_w²/3)·w², the activation
// multiplies them by the square of its largest slope, and a ⊗ b has var a·b² + a²·var b + var a·var b. The errors of so
// many terms are independent enough that their sums are about normal.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "bench/peer_runner/form_rounding.hpp"
#include "sluice/ffn.hpp"

namespace sluice::bench {

// Returns the variance of each element of y [rows, d_model] for the rows of x that are named. The weights are dense
// float32, [in, out], without biases.
std::vector<double> rounding_variance(Shape shape, Kind kind, const Weights& weights, const float* x,
                                      std::span<const std::size_t> rows, const FormRounding& rounding);

}  // namespace sluice::bench
