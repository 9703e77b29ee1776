// Owns: the FFN by the calls that every CBLAS has: sgemm, at M = 1 sgemv too, and the shared gate. Include it after the
// library's own header. Does not own: threads, versions (each peer's file).
#pragma once

#include <vector>

#include "bench/peers/gate.hpp"
#include "bench/peers/matrix.hpp"
#include "bench/peers/peer.hpp"

namespace sluice::peers {

struct CblasWays {
  bool merged;      // gate and up are one matrix
  bool transposed;  // weights are [out, in]
  bool vector;      // sgemv instead of sgemm; for M = 1
};

class CblasComposition final : public Composition {
 public:
  CblasComposition(const Problem& problem, CblasWays ways)
      : problem_(problem), ways_(ways), width_(problem.branches() * problem.shape.d_ff), z_(problem.m * width_) {
    const auto [d_model, d_ff] = problem.shape;
    for (std::size_t i = 0; i < problem.copies; ++i) {
      Copy& copy = copies_.emplace_back();
      if (ways.merged || !problem.kind.gated) {
        copy.up = up_weights(problem, ways.transposed);
      } else {
        copy.gate = single(problem.gate, d_model, d_ff, ways.transposed);
        copy.up = single(problem.up, d_model, d_ff, ways.transposed);
      }
      copy.down = single(problem.down, d_ff, d_model, ways.transposed);
    }
  }

  void forward(std::size_t index) override {
    const auto [d_model, d_ff] = problem_.shape;
    const Copy& copy = copies_[index];
    float* z = z_.data();
    // Rows of z are gate | up, whether one product makes them or two: the gate then walks one row at a time.
    if (copy.gate.data() == nullptr) {
      multiply(problem_.x, d_model, d_model, copy.up.data(), width_, z, width_);
    } else {
      multiply(problem_.x, d_model, d_model, copy.gate.data(), d_ff, z, width_);
      multiply(problem_.x, d_model, d_model, copy.up.data(), d_ff, z + d_ff, width_);
    }
    apply_gate(problem_.kind.activation, problem_.m, d_ff, z, problem_.kind.gated ? z + d_ff : nullptr, width_, z,
               width_, problem_.threads);
    multiply(z, width_, d_ff, copy.down.data(), d_model, problem_.y, d_model);
  }

 private:
  struct Copy {
    Matrix gate, up, down;
  };

  // c[m, n] = a[m, k] · b
  void multiply(const float* a, std::size_t lda, std::size_t k, const float* b, std::size_t n, float* c,
                std::size_t ldc) const {
    const auto i = [](std::size_t value) { return static_cast<int>(value); };
    const int ldb = i(ways_.transposed ? k : n);
    if (ways_.vector)
      cblas_sgemv(CblasRowMajor, ways_.transposed ? CblasNoTrans : CblasTrans, i(ways_.transposed ? n : k), ldb, 1.0f,
                  b, ldb, a, 1, 0.0f, c, 1);
    else
      cblas_sgemm(CblasRowMajor, CblasNoTrans, ways_.transposed ? CblasTrans : CblasNoTrans, i(problem_.m), i(n), i(k),
                  1.0f, a, i(lda), b, ldb, 0.0f, c, i(ldc));
  }

  Problem problem_;
  CblasWays ways_;
  std::size_t width_;
  Matrix z_;
  std::vector<Copy> copies_;
};

inline std::vector<Variant> cblas_variants(const Problem& problem) {
  std::vector<Variant> variants;
  for (const bool vector : {false, true}) {
    if (vector && problem.m != 1) continue;
    for (const bool merged : {true, false}) {
      if (!merged && !problem.kind.gated) continue;
      for (const bool transposed : {false, true}) {
        const CblasWays ways{merged, transposed, vector};
        std::string name = vector ? "sgemv" : "sgemm";
        name += transposed ? ", weights [out, in]" : ", weights [in, out]";
        if (problem.kind.gated) name += merged ? ", gate and up merged" : ", gate and up apart";
        variants.push_back({name, [ways](const Problem& p) { return std::make_unique<CblasComposition>(p, ways); }});
      }
    }
  }
  return variants;
}

}  // namespace sluice::peers
