// Owns: the FFN by the calls that every CBLAS has: sgemm, at M = 1 sgemv too. Include it after the library's own
// header. Does not own: threads, versions (each peer's file).
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "bench/peers/product_composition.hpp"

namespace sluice::peers {

class CblasComposition final : public ProductComposition {
 public:
  // vector: sgemv instead of sgemm; for M = 1.
  CblasComposition(const Problem& problem, ProductWays ways, bool vector)
      : ProductComposition(problem, ways), vector_(vector) {}

 private:
  void multiply(const float* a, std::size_t lda, std::size_t k, const float* b, std::size_t n, float* c,
                std::size_t ldc) const override {
    const auto i = [](std::size_t value) { return static_cast<int>(value); };
    const int ldb = i(transposed() ? k : n);
    if (vector_)
      cblas_sgemv(CblasRowMajor, transposed() ? CblasNoTrans : CblasTrans, i(transposed() ? n : k), ldb, 1.0f, b, ldb,
                  a, 1, 0.0f, c, 1);
    else
      cblas_sgemm(CblasRowMajor, CblasNoTrans, transposed() ? CblasTrans : CblasNoTrans, i(m()), i(n), i(k), 1.0f, a,
                  i(lda), b, ldb, 0.0f, c, i(ldc));
  }

  bool vector_;
};

inline std::vector<Variant> cblas_variants(const Problem& problem) {
  std::vector<Variant> variants;
  for (const bool vector : {false, true}) {
    if (vector && problem.m != 1) continue;
    add_product_variants(
        problem, vector ? "sgemv" : "sgemm",
        [vector](const Problem& p, ProductWays ways) { return std::make_unique<CblasComposition>(p, ways, vector); },
        variants);
  }
  return variants;
}

}  // namespace sluice::peers
