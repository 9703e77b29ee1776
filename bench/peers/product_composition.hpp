// Owns: the FFN of a library that multiplies matrices and no more: products of unpacked weights, and the shared gate
// between them. Does not own: the product (each library's own).
#pragma once

#include <vector>

#include "bench/peers/gate.hpp"
#include "bench/peers/matrix.hpp"
#include "bench/peers/peer.hpp"

namespace sluice::peers {

struct ProductWays {
  bool merged;      // gate and up are one matrix
  bool transposed;  // weights are [out, in]
};

class ProductComposition : public Composition {
 public:
  ProductComposition(const Problem& problem, ProductWays ways)
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

 protected:
  [[nodiscard]] std::size_t m() const { return problem_.m; }
  [[nodiscard]] bool transposed() const { return ways_.transposed; }

 private:
  struct Copy {
    Matrix gate, up, down;
  };

  // c[m, n] = a[m, k] · b, with b [k, n], or [n, k] when transposed().
  virtual void multiply(const float* a, std::size_t lda, std::size_t k, const float* b, std::size_t n, float* c,
                        std::size_t ldc) const = 0;

  Problem problem_;
  ProductWays ways_;
  std::size_t width_;
  Matrix z_;
  std::vector<Copy> copies_;
};

// A variant for each way there is of such products; `make` is called with a problem and a way.
template <class Make>
void add_product_variants(const Problem& problem, const char* product, Make make, std::vector<Variant>& variants) {
  for (const bool merged : {true, false}) {
    if (!merged && !problem.kind.gated) continue;
    for (const bool transposed : {false, true}) {
      const ProductWays ways{merged, transposed};
      std::string name = product;
      name += transposed ? ", weights [out, in]" : ", weights [in, out]";
      if (problem.kind.gated) name += merged ? ", gate and up merged" : ", gate and up apart";
      variants.push_back({name, [make, ways](const Problem& p) { return make(p, ways); }});
    }
  }
}

}  // namespace sluice::peers
