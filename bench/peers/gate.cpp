// Compiled with -O3 -ffast-math -march=native: the loops over exp and erf become calls of glibc's vector library.
#include "bench/peers/gate.hpp"

#include <algorithm>
#include <cmath>

namespace sluice::peers {
namespace {

// std::erf's vectors exist since glibc 2.35; where they do not, the loop is scalar and right all the same.
inline float activate(Activation activation, float z) {
  switch (activation) {
    case Activation::identity:
      return z;
    case Activation::sigmoid:
      return 1.0f / (1.0f + std::exp(-z));
    case Activation::relu:
      return std::max(z, 0.0f);
    case Activation::gelu:
      return 0.5f * z * (1.0f + std::erf(z * 0.70710678f));
    case Activation::gelu_tanh:
      // (1 + tanh(t))/2 = sigmoid(2t).
      return z / (1.0f + std::exp(-1.5957691216f * (z + 0.044715f * z * z * z)));
    case Activation::silu:
      return z / (1.0f + std::exp(-z));
  }
  return z;
}

template <Activation activation>
void run(std::size_t m, std::size_t f, const float* gate, const float* up, std::size_t ld_in, float* h,
         std::size_t ld_h, int threads) {
  // Pieces of a row, so that one row is work for all threads.
  constexpr std::size_t piece = 1024;
  // Below that much work a parallel region costs more than it saves.
  constexpr std::size_t worth_a_region = 8192;
  const std::size_t pieces = (f + piece - 1) / piece;
#pragma omp parallel for collapse(2) num_threads(threads) if (threads > 1 && m * f >= worth_a_region) schedule(static)
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t p = 0; p < pieces; ++p) {
      const std::size_t end = std::min(f, (p + 1) * piece);
      const float* g = gate + i * ld_in;
      const float* u = up == nullptr ? nullptr : up + i * ld_in;
      float* out = h + i * ld_h;
      if (u == nullptr) {
#pragma omp simd
        for (std::size_t j = p * piece; j < end; ++j) out[j] = activate(activation, g[j]);
      } else {
#pragma omp simd
        for (std::size_t j = p * piece; j < end; ++j) out[j] = activate(activation, g[j]) * u[j];
      }
    }
  }
}

}  // namespace

void apply_gate(Activation activation, std::size_t m, std::size_t f, const float* gate, const float* up,
                std::size_t ld_in, float* h, std::size_t ld_h, int threads) {
  const auto go = [&](auto function) { function(m, f, gate, up, ld_in, h, ld_h, threads); };
  switch (activation) {
    case Activation::identity:
      return go(run<Activation::identity>);
    case Activation::sigmoid:
      return go(run<Activation::sigmoid>);
    case Activation::relu:
      return go(run<Activation::relu>);
    case Activation::gelu:
      return go(run<Activation::gelu>);
    case Activation::gelu_tanh:
      return go(run<Activation::gelu_tanh>);
    case Activation::silu:
      return go(run<Activation::silu>);
  }
}

}  // namespace sluice::peers
