// Owns: Intel MKL as a peer: the calls of any CBLAS, and sgemm with prepacked weights. MKL chooses its kernels by the
// processor's vendor as well; nothing is done about that here, and the note says which instructions it enables.
#include <mkl_cblas.h>
#include <mkl_service.h>

#include "bench/peers/cblas_peer.hpp"

namespace sluice::peers {
namespace {

class Packed {
 public:
  Packed(const float* weights, std::size_t m, std::size_t k, std::size_t n, bool transposed)
      : m_(static_cast<MKL_INT>(m)), k_(static_cast<MKL_INT>(k)), n_(static_cast<MKL_INT>(n)) {
    const std::size_t bytes = cblas_sgemm_pack_get_size(CblasBMatrix, m_, n_, k_);
    memory_ = Matrix(bytes / sizeof(float) + 16);
    cblas_sgemm_pack(CblasRowMajor, CblasBMatrix, transposed ? CblasTrans : CblasNoTrans, m_, n_, k_, 1.0f, weights,
                     transposed ? k_ : n_, memory_.data());
  }

  void multiply(const float* a, std::size_t lda, float* c, std::size_t ldc) const {
    cblas_sgemm_compute(CblasRowMajor, CblasNoTrans, CblasPacked, m_, n_, k_, a, static_cast<MKL_INT>(lda),
                        memory_.data(), n_, 0.0f, c, static_cast<MKL_INT>(ldc));
  }

 private:
  MKL_INT m_, k_, n_;
  Matrix memory_;
};

class PackedComposition final : public Composition {
 public:
  PackedComposition(const Problem& problem, bool merged)
      : problem_(problem), width_(problem.branches() * problem.shape.d_ff), z_(problem.m * width_) {
    const auto [d_model, d_ff] = problem.shape;
    const Matrix up = up_weights(problem, false);
    for (std::size_t i = 0; i < problem.copies; ++i) {
      Copy& copy = copies_.emplace_back();
      if (merged || !problem.kind.gated) {
        copy.up.emplace_back(up.data(), problem.m, d_model, width_, false);
      } else {
        copy.up.emplace_back(problem.gate, problem.m, d_model, d_ff, false);
        copy.up.emplace_back(problem.up, problem.m, d_model, d_ff, false);
      }
      copy.down.emplace_back(problem.down, problem.m, d_ff, d_model, false);
    }
  }

  void forward(std::size_t index) override {
    const auto [d_model, d_ff] = problem_.shape;
    const Copy& copy = copies_[index];
    float* z = z_.data();
    for (std::size_t b = 0; b < copy.up.size(); ++b) copy.up[b].multiply(problem_.x, d_model, z + b * d_ff, width_);
    apply_gate(problem_.kind.activation, problem_.m, d_ff, z, problem_.kind.gated ? z + d_ff : nullptr, width_, z,
               width_, problem_.threads);
    copy.down.front().multiply(z, width_, problem_.y, d_model);
  }

 private:
  struct Copy {
    std::vector<Packed> up, down;
  };

  Problem problem_;
  std::size_t width_;
  Matrix z_;
  std::vector<Copy> copies_;
};

std::string version() {
  MKLVersion mkl{};
  mkl_get_version(&mkl);
  return std::to_string(mkl.MajorVersion) + "." + std::to_string(mkl.MinorVersion) + "." +
         std::to_string(mkl.UpdateVersion);
}

std::string note() {
  MKLVersion mkl{};
  mkl_get_version(&mkl);
  return mkl.Processor;
}

std::vector<Variant> variants(const Problem& problem) {
  mkl_set_num_threads(problem.threads);
  std::vector<Variant> all = cblas_variants(problem);
  for (const bool merged : {true, false}) {
    if (!merged && !problem.kind.gated) continue;
    std::string name = "sgemm_compute, prepacked weights";
    if (problem.kind.gated) name += merged ? ", gate and up merged" : ", gate and up apart";
    all.push_back({name, [merged](const Problem& p) { return std::make_unique<PackedComposition>(p, merged); }});
  }
  return all;
}

}  // namespace

const Library library{"mkl", version, note, variants};

}  // namespace sluice::peers
