// A shared library that uses Sluice, as a host loads and unloads one (../unloading.cpp).
#include <vector>

#include "sluice/sluice.hpp"

// Computes an FFN of ones with two threads of the process-wide pool, if it has as many. Returns an element of y; −1 is
// an error.
extern "C" __attribute__((visibility("default"))) float sluice_plugin_answer() {
  constexpr sluice::Shape shape{64, 96};
  constexpr std::size_t rows = 4;
  const std::vector<float> matrix(shape.d_model * shape.d_ff, 1.0F / 64);
  const std::vector<float> x(rows * shape.d_model, 1.0F);
  std::vector<float> y(x.size());
  sluice::Weights weights;
  weights.gate.data = weights.up.data = weights.down.data = matrix.data();
  const sluice::Result<sluice::Ffn> ffn = sluice::Ffn::pack(shape, sluice::swiglu, weights);
  if (!ffn.ok()) return -1;
  const std::uint32_t threads = sluice::ThreadPool::process_wide().max_threads() > 1 ? 2 : 1;
  const sluice::Plan plan =
      sluice::analytical_plan(sluice::CacheSizes{}, ffn->isa(), sluice::swiglu, shape, rows, threads, ffn->nr());
  sluice::ThreadPool::process_wide().run(
      threads, [](void*, std::uint32_t) {}, nullptr);
  const sluice::Result<std::size_t> size = ffn->workspace_size(rows, plan);
  if (!size.ok()) return -1;
  const sluice::Workspace workspace(*size);
  return ffn->forward(x.data(), rows, y.data(), workspace, {.plan = &plan}).ok() ? y.back() : -1;
}
