// Owns: matrices of the peers: aligned memory, and a peer's weights merged or transposed.
// Does not own: a library's own packed form.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>

#include "bench/peers/peer.hpp"

namespace sluice::peers {

// Cache-line aligned floats, touched.
class Matrix {
 public:
  Matrix() = default;
  explicit Matrix(std::size_t count) {
    constexpr std::size_t alignment = 4096;
    const std::size_t bytes = (count * sizeof(float) + alignment - 1) / alignment * alignment;
    memory_.reset(static_cast<float*>(std::aligned_alloc(alignment, bytes)));
    if (memory_ == nullptr) throw std::bad_alloc();
    std::fill_n(memory_.get(), bytes / sizeof(float), 0.0f);
  }

  [[nodiscard]] float* data() noexcept { return memory_.get(); }
  [[nodiscard]] const float* data() const noexcept { return memory_.get(); }

 private:
  struct Free {
    void operator()(float* memory) const noexcept { std::free(memory); }
  };
  std::unique_ptr<float, Free> memory_;
};

// Writes the [in, out] matrix as it is to rows of `ld` floats, or transposed to `out` rows of `in` floats.
inline void place(const float* from, std::size_t in, std::size_t out, bool transposed, float* to, std::size_t ld) {
  if (!transposed) {
    for (std::size_t i = 0; i < in; ++i) std::copy_n(from + i * out, out, to + i * ld);
    return;
  }
  constexpr std::size_t block = 32;
  for (std::size_t i0 = 0; i0 < in; i0 += block)
    for (std::size_t j0 = 0; j0 < out; j0 += block)
      for (std::size_t j = j0; j < std::min(out, j0 + block); ++j)
        for (std::size_t i = i0; i < std::min(in, i0 + block); ++i) to[j * ld + i] = from[i * out + j];
}

// The weights of the up stage as the products see them: one matrix [d_model, 2·d_ff] with gate first, or one each.
inline Matrix up_weights(const Problem& problem, bool transposed) {
  const auto [in, out] = problem.shape;
  const std::size_t branches = problem.branches();
  Matrix both(branches * in * out);
  const float* sources[] = {problem.kind.gated ? problem.gate : problem.up, problem.up};
  for (std::size_t b = 0; b < branches; ++b)
    place(sources[b], in, out, transposed, both.data() + (transposed ? b * in * out : b * out),
          transposed ? in : branches * out);
  return both;
}

inline Matrix single(const float* from, std::size_t in, std::size_t out, bool transposed) {
  Matrix one(in * out);
  place(from, in, out, transposed, one.data(), transposed ? in : out);
  return one;
}

}  // namespace sluice::peers
