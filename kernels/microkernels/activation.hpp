// Owns: the activations in explicit fused form, so that every ISA computes the same bits. Included by the ISA files
// only. Compiled without contraction; every fused operation is written out. Coefficients are this project's own minimax
// fits.
#pragma once

#include "sluice/kind.hpp"

namespace sluice::detail {
namespace {

// exp(−a) for a ≥ 0; exactly 0 beyond a = 87.33, where the result would leave the normal range. NaN stays NaN.
template <class Simd>
[[gnu::always_inline]] inline typename Simd::Batch exp_negative(typename Simd::Batch a) {
  using V = typename Simd::Batch;
  const V t = V(0.0f) - a;
  // 1.5·2²³ + 127: adding it rounds to an integer n and leaves n + 127 in the low bits, ready to become an exponent.
  const V magic(12583039.0f);
  const V shifted = Simd::fma(t, V(1.44269504f), magic);
  const V n = shifted - magic;
  V r = Simd::fma(n, V(-0x1.62e43p-1f), t);
  r = Simd::fma(n, V(1.90465432e-9f), r);
  // exp(r) = 1 + r·(1 + r·q(r)) on |r| ≤ ln2/2; fitted to a relative error of 3.1e-9.
  V q = Simd::fma(V(1.381500485e-3f), r, V(8.368732438e-3f));
  q = Simd::fma(q, r, V(4.166838508e-2f));
  q = Simd::fma(q, r, V(0.1666652051f));
  q = Simd::fma(q, r, V(0.4999999343f));
  q = Simd::fma(q, r, V(1.0f));
  q = Simd::fma(q, r, V(1.0f));
  return select(a > V(87.33f), V(0.0f), q * Simd::low_bits_to_exponent(shifted));
}

// e = exp(−|z|) ≤ 1, so the divisor is in [1, 2]: nothing overflows.
template <class Simd>
[[gnu::always_inline]] inline typename Simd::Batch sigmoid(typename Simd::Batch z) {
  using V = typename Simd::Batch;
  const V e = exp_negative<Simd>(abs(z));
  return Simd::divide(select(z < V(0.0f), e, V(1.0f)), V(1.0f) + e);
}

// erf(z) = z·P(z²)/Q(z²) on |z| < 4 (fitted to a relative error of 2.5e-8), ±1 beyond (1 − erf(4) < 2⁻²⁵).
template <class Simd>
[[gnu::always_inline]] inline typename Simd::Batch erf_rational(typename Simd::Batch z) {
  using V = typename Simd::Batch;
  const V s = z * z;
  V p = Simd::fma(V(1.986975415e-6f), s, V(2.84561554e-4f));
  p = Simd::fma(p, s, V(3.882902891e-3f));
  p = Simd::fma(p, s, V(5.31006475e-2f));
  p = Simd::fma(p, s, V(0.1935341035f));
  p = Simd::fma(p, s, V(1.12837914f));
  V q = Simd::fma(V(3.742188361e-5f), s, V(1.185469491e-3f));
  q = Simd::fma(q, s, V(1.520645184e-2f));
  q = Simd::fma(q, s, V(0.1153457683f));
  q = Simd::fma(q, s, V(0.5048476957f));
  q = Simd::fma(q, s, V(1.0f));
  const V one = select(z < V(0.0f), V(-1.0f), V(1.0f));
  return select(abs(z) < V(4.0f), z * Simd::divide(p, q), one);
}

template <class Simd, Activation activation>
[[gnu::always_inline]] inline typename Simd::Batch activate(typename Simd::Batch z) {
  using V = typename Simd::Batch;
  if constexpr (activation == Activation::identity) {
    return z;
  } else if constexpr (activation == Activation::sigmoid) {
    return sigmoid<Simd>(z);
  } else if constexpr (activation == Activation::relu) {
    return select(z < V(0.0f), V(0.0f), z);  // in this order NaN passes
  } else if constexpr (activation == Activation::gelu) {
    const V half_erf = V(0.5f) * erf_rational<Simd>(z * V(0.707106781f));
    return z * (V(0.5f) + half_erf);
  } else if constexpr (activation == Activation::gelu_tanh) {
    // (1 + tanh t)/2 = sigmoid(2t), with 2t = 2·√(2/π)·(z + 0.044715·z³).
    const V inner = Simd::fma(z * z, V(0.044715f), V(1.0f));
    return z * sigmoid<Simd>(z * V(1.59576912f) * inner);
  } else {
    static_assert(activation == Activation::silu);
    return z * sigmoid<Simd>(z);
  }
}

}  // namespace
}  // namespace sluice::detail
