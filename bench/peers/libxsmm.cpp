// Owns: libxsmm as a peer: it has kernels, not an FFN, so blocks, packing, the loops and the threads are here: batch-
// reduce GEMMs over weights packed in blocks, and the gate on each finished tile while it is in the cache.
#include <libxsmm.h>

#include <algorithm>
#include <stdexcept>

#include "bench/peers/gate.hpp"
#include "bench/peers/matrix.hpp"

namespace sluice::peers {
namespace {

struct Blocks {
  std::size_t rows, columns, depth;
};

std::size_t largest_divisor(std::size_t value, std::size_t at_most) {
  std::size_t divisor = std::min(value, at_most);
  while (value % divisor != 0) --divisor;
  return divisor;
}

// Weights [k, n] in blocks of `columns`: [n / columns][k][columns], the last one narrower. What libxsmm, whose matrices
// are column-major, takes for the left factor.
Matrix pack(const float* weights, std::size_t k, std::size_t n, std::size_t columns) {
  Matrix packed(k * n);
  float* to = packed.data();
  for (std::size_t j = 0; j < n; j += columns) {
    const std::size_t width = std::min(columns, n - j);
    for (std::size_t i = 0; i < k; ++i, to += width) std::copy_n(weights + i * n + j, width, to);
  }
  return packed;
}

// The kernels of one product for full and partial tiles: c[rows, columns] = Σ over blocks of a · b.
class Kernels {
 public:
  Kernels(std::size_t m, std::size_t k, std::size_t n, std::size_t lda, std::size_t ldc, Blocks blocks)
      : count_(k / blocks.depth), blocks_(blocks) {
    for (const std::size_t rows : {blocks.rows, m % blocks.rows}) {
      for (const std::size_t columns : {blocks.columns, n % blocks.columns}) {
        kernels_.push_back(rows == 0 || columns == 0 ? nullptr : dispatch(rows, columns, lda, ldc));
      }
    }
  }

  void operator()(std::size_t rows, std::size_t columns, const float* a, const float* b, float* c) const {
    const std::size_t partial = (rows != blocks_.rows ? 2U : 0U) + (columns != blocks_.columns ? 1U : 0U);
    kernels_[partial](b, a, c, &count_);
  }

 private:
  [[nodiscard]] libxsmm_smmfunction_reducebatch_strd dispatch(std::size_t rows, std::size_t columns, std::size_t lda,
                                                              std::size_t ldc) const {
    const auto i = [](std::size_t value) { return static_cast<libxsmm_blasint>(value); };
    const libxsmm_blasint ld_weights = i(columns);
    const libxsmm_blasint ld_a = i(lda);
    const libxsmm_blasint ld_c = i(ldc);
    const float alpha = 1;
    const float beta = 0;
    const int flags = LIBXSMM_GEMM_FLAG_NONE;
    const int prefetch = LIBXSMM_GEMM_PREFETCH_NONE;
    const auto kernel = libxsmm_smmdispatch_reducebatch_strd(
        i(columns), i(rows), i(blocks_.depth), i(blocks_.depth * columns * sizeof(float)),
        i(blocks_.depth * sizeof(float)), &ld_weights, &ld_a, &ld_c, &alpha, &beta, &flags, &prefetch);
    if (kernel == nullptr) throw std::runtime_error("libxsmm has no kernel for this block");
    return kernel;
  }

  unsigned long long count_;
  Blocks blocks_;
  std::vector<libxsmm_smmfunction_reducebatch_strd> kernels_;
};

class XsmmComposition final : public Composition {
 public:
  XsmmComposition(const Problem& problem, std::size_t rows, std::size_t columns, std::size_t depth)
      : problem_(problem),
        up_blocks_{std::min(rows, problem.m), std::min(columns, problem.shape.d_ff),
                   largest_divisor(problem.shape.d_model, depth)},
        down_blocks_{up_blocks_.rows, std::min(columns, problem.shape.d_model),
                     largest_divisor(problem.shape.d_ff, depth)},
        up_kernels_(problem.m, problem.shape.d_model, problem.shape.d_ff, problem.shape.d_model, problem.shape.d_ff,
                    up_blocks_),
        down_kernels_(problem.m, problem.shape.d_ff, problem.shape.d_model, problem.shape.d_ff, problem.shape.d_model,
                      down_blocks_),
        gate_(problem.m * problem.shape.d_ff),
        up_(problem.kind.gated ? problem.m * problem.shape.d_ff : 1) {
    const auto [d_model, d_ff] = problem.shape;
    for (std::size_t i = 0; i < problem.copies; ++i) {
      Copy& copy = copies_.emplace_back();
      if (problem.kind.gated) copy.gate = pack(problem.gate, d_model, d_ff, up_blocks_.columns);
      copy.up = pack(problem.up, d_model, d_ff, up_blocks_.columns);
      copy.down = pack(problem.down, d_ff, d_model, down_blocks_.columns);
    }
  }

  void forward(std::size_t index) override {
    const std::size_t d_model = problem_.shape.d_model;  // no structured binding: OpenMP cannot share one
    const std::size_t d_ff = problem_.shape.d_ff;
    const std::size_t m = problem_.m;
    const bool gated = problem_.kind.gated;
    const Copy& copy = copies_[index];
    const float* inner = gated ? copy.gate.data() : copy.up.data();
    float* h = gate_.data();
    float* up = up_.data();
#pragma omp parallel num_threads(problem_.threads) if (problem_.threads > 1)
    {
#pragma omp for collapse(2) schedule(static)
      for (std::size_t j = 0; j < d_ff; j += up_blocks_.columns) {
        for (std::size_t i = 0; i < m; i += up_blocks_.rows) {
          const std::size_t columns = std::min(up_blocks_.columns, d_ff - j);
          const std::size_t rows = std::min(up_blocks_.rows, m - i);
          const float* x = problem_.x + i * d_model;
          float* tile = h + i * d_ff + j;
          float* factor = gated ? up + i * d_ff + j : nullptr;
          up_kernels_(rows, columns, x, inner + j * d_model, tile);
          if (gated) up_kernels_(rows, columns, x, copy.up.data() + j * d_model, factor);
          apply_gate(problem_.kind.activation, rows, columns, tile, factor, d_ff, tile, d_ff, 1);
        }
      }
#pragma omp for collapse(2) schedule(static)
      for (std::size_t j = 0; j < d_model; j += down_blocks_.columns) {
        for (std::size_t i = 0; i < m; i += down_blocks_.rows) {
          down_kernels_(std::min(down_blocks_.rows, m - i), std::min(down_blocks_.columns, d_model - j), h + i * d_ff,
                        copy.down.data() + j * d_ff, problem_.y + i * d_model + j);
        }
      }
    }
  }

 private:
  struct Copy {
    Matrix gate, up, down;
  };

  Problem problem_;
  Blocks up_blocks_, down_blocks_;
  Kernels up_kernels_, down_kernels_;
  Matrix gate_, up_;
  std::vector<Copy> copies_;
};

std::string version() { return LIBXSMM_VERSION; }

std::string note() { return std::string("target ") + libxsmm_get_target_arch(); }

std::vector<Variant> variants(const Problem& problem) {
  libxsmm_init();
  std::vector<Variant> all;
  const std::size_t most_rows = std::min<std::size_t>(problem.m, 128);
  for (const std::size_t rows : {std::size_t{32}, std::size_t{64}, std::size_t{128}}) {
    if (rows / 2 >= most_rows && rows != 32) continue;
    for (const std::size_t columns : {32U, 64U}) {
      for (const std::size_t depth : {64U, 128U, 256U}) {
        all.push_back({"batch-reduce GEMM, blocks of " + std::to_string(rows) + "x" + std::to_string(columns) + "x" +
                           std::to_string(depth) + ", gate on the tile",
                       [rows, columns, depth](const Problem& p) {
                         return std::make_unique<XsmmComposition>(p, rows, columns, depth);
                       }});
      }
    }
  }
  return all;
}

}  // namespace

const Library library{"libxsmm", version, note, variants};

}  // namespace sluice::peers
