// Owns: how far one rounding to float32 may be from the exact value, and several of them, and how an activation carries
// errors on. Internal.
#pragma once

#include <cmath>
#include <cstddef>

#include "sluice/kind.hpp"

namespace sluice::detail {

// Half a unit in the last place of 1.0f: the largest relative error of one rounding to nearest.
inline constexpr double unit_roundoff = 0x1p-24;
// Half of the smallest float: the largest absolute error of one rounding in the range of denormals.
inline constexpr double underflow = 0x1p-150;
// Below it a float is a denormal.
inline constexpr double smallest_normal = 0x1p-126;
// The oracle's own roundings are 2⁻²⁹ of the float32 ones; this factor on the bound covers them.
inline constexpr double oracle_margin = 1.0 + 0x1p-20;
// γ(n) bounds the relative error of n roundings one after the other (Higham, Accuracy and Stability of Numerical
// Algorithms, 2nd edition, lemma 3.1).
inline double accumulated_roundoff(std::size_t roundings) noexcept {
  const double nu = static_cast<double>(roundings) * unit_roundoff;
  return nu < 1.0 ? nu / (1.0 - nu) : HUGE_VAL;
}

// The largest slope of an activation, rounded up. sigmoid: 1/4 at 0. silu: 1.09984 at z = 2.3994, where z·tanh(z/2)
// = 2. gelu: at √2, Φ(√2) + √2·φ(√2) = 1.12890. gelu_tanh: 1.12900 at 1.4185, found by bisection of its second
// derivative.
inline double largest_slope(Activation activation) noexcept {
  switch (activation) {
    case Activation::identity:
    case Activation::relu:
      return 1.0;
    case Activation::sigmoid:
      return 0.25;
    case Activation::silu:
      return 1.0999;
    case Activation::gelu:
      return 1.1290;
    case Activation::gelu_tanh:
      return 1.1291;
  }
  return HUGE_VAL;
}

}  // namespace sluice::detail
