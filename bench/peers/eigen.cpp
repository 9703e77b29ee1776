// Owns: Eigen as a peer: a header library, compiled for this processor with OpenMP; it has no prepacked weights.
#include <Eigen/Core>
#include <vector>

#include "bench/peers/gate.hpp"
#include "bench/peers/matrix.hpp"

namespace sluice::peers {
namespace {

using Index = Eigen::Index;
using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using ColumnMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::ColMajor>;
using In = Eigen::Map<const RowMajor, Eigen::Unaligned, Eigen::OuterStride<>>;
using Out = Eigen::Map<RowMajor, Eigen::Unaligned, Eigen::OuterStride<>>;

class EigenComposition final : public Composition {
 public:
  EigenComposition(const Problem& problem, bool merged, bool transposed)
      : problem_(problem),
        transposed_(transposed),
        width_(problem.branches() * problem.shape.d_ff),
        z_(problem.m * width_) {
    const auto [d_model, d_ff] = problem.shape;
    for (std::size_t i = 0; i < problem.copies; ++i) {
      Copy& copy = copies_.emplace_back();
      if (merged || !problem.kind.gated) {
        copy.up = up_weights(problem, transposed);
      } else {
        copy.gate = single(problem.gate, d_model, d_ff, transposed);
        copy.up = single(problem.up, d_model, d_ff, transposed);
      }
      copy.down = single(problem.down, d_ff, d_model, transposed);
    }
  }

  void forward(std::size_t index) override {
    const auto [d_model, d_ff] = problem_.shape;
    const Copy& copy = copies_[index];
    float* z = z_.data();
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

  // A row times a matrix is another product in Eigen than a matrix of one row: it is told at compile time.
  void multiply(const float* a, std::size_t lda, std::size_t k, const float* b, std::size_t n, float* c,
                std::size_t ldc) const {
    const auto i = [](std::size_t value) { return static_cast<Index>(value); };
    const Eigen::Map<const RowMajor> in_out(b, i(k), i(n));
    const Eigen::Map<const ColumnMajor> out_in(b, i(k), i(n));
    if (problem_.m == 1) {
      const Eigen::Map<const Eigen::RowVectorXf> row(a, i(k));
      Eigen::Map<Eigen::RowVectorXf> result(c, i(n));
      if (transposed_)
        result.noalias() = row * out_in;
      else
        result.noalias() = row * in_out;
      return;
    }
    const In rows(a, i(problem_.m), i(k), Eigen::OuterStride<>(i(lda)));
    Out result(c, i(problem_.m), i(n), Eigen::OuterStride<>(i(ldc)));
    if (transposed_)
      result.noalias() = rows * out_in;
    else
      result.noalias() = rows * in_out;
  }

  Problem problem_;
  bool transposed_;
  std::size_t width_;
  Matrix z_;
  std::vector<Copy> copies_;
};

std::string version() {
  return std::to_string(EIGEN_WORLD_VERSION) + "." + std::to_string(EIGEN_MAJOR_VERSION) + "." +
         std::to_string(EIGEN_MINOR_VERSION);
}

std::string note() { return Eigen::SimdInstructionSetsInUse(); }

std::vector<Variant> variants(const Problem& problem) {
  Eigen::setNbThreads(problem.threads);
  std::vector<Variant> all;
  for (const bool merged : {true, false}) {
    if (!merged && !problem.kind.gated) continue;
    for (const bool transposed : {false, true}) {
      std::string name = transposed ? "product, weights [out, in]" : "product, weights [in, out]";
      if (problem.kind.gated) name += merged ? ", gate and up merged" : ", gate and up apart";
      all.push_back({name, [merged, transposed](const Problem& p) {
                       return std::make_unique<EigenComposition>(p, merged, transposed);
                     }});
    }
  }
  return all;
}

}  // namespace

const Library library{"eigen", version, note, variants};

}  // namespace sluice::peers
