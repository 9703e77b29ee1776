// Owns: Eigen as a peer: a header library, compiled for this processor with OpenMP; it has no prepacked weights.
#include <Eigen/Core>
#include <vector>

#include "bench/peers/product_composition.hpp"

namespace sluice::peers {
namespace {

using Index = Eigen::Index;
using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using ColumnMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::ColMajor>;
using In = Eigen::Map<const RowMajor, Eigen::Unaligned, Eigen::OuterStride<>>;
using Out = Eigen::Map<RowMajor, Eigen::Unaligned, Eigen::OuterStride<>>;

class EigenComposition final : public ProductComposition {
 public:
  using ProductComposition::ProductComposition;

 private:
  // A row times a matrix is another product in Eigen than a matrix of one row: it is told at compile time.
  void multiply(const float* a, std::size_t lda, std::size_t k, const float* b, std::size_t n, float* c,
                std::size_t ldc) const override {
    const auto i = [](std::size_t value) { return static_cast<Index>(value); };
    const Eigen::Map<const RowMajor> in_out(b, i(k), i(n));
    const Eigen::Map<const ColumnMajor> out_in(b, i(k), i(n));
    if (m() == 1) {
      const Eigen::Map<const Eigen::RowVectorXf> row(a, i(k));
      Eigen::Map<Eigen::RowVectorXf> result(c, i(n));
      if (transposed())
        result.noalias() = row * out_in;
      else
        result.noalias() = row * in_out;
      return;
    }
    const In rows(a, i(m()), i(k), Eigen::OuterStride<>(i(lda)));
    Out result(c, i(m()), i(n), Eigen::OuterStride<>(i(ldc)));
    if (transposed())
      result.noalias() = rows * out_in;
    else
      result.noalias() = rows * in_out;
  }
};

std::string version() {
  return std::to_string(EIGEN_WORLD_VERSION) + "." + std::to_string(EIGEN_MAJOR_VERSION) + "." +
         std::to_string(EIGEN_MINOR_VERSION);
}

std::string note() { return Eigen::SimdInstructionSetsInUse(); }

std::vector<Variant> variants(const Problem& problem) {
  Eigen::setNbThreads(problem.threads);
  std::vector<Variant> all;
  add_product_variants(
      problem, "product",
      [](const Problem& p, ProductWays ways) { return std::make_unique<EigenComposition>(p, ways); }, all);
  return all;
}

}  // namespace

const Library library{"eigen", version, note, variants};

}  // namespace sluice::peers
