// Owns: the choice of a plan from a table of tuned ones. Does not own: the analytical default (plan.cpp).
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <tuple>

#include "kernels/element_types/float_mode.hpp"
#include "kernels/microkernels/kernel_table.hpp"
#include "kernels/plans/plan_regime.hpp"
#include "sluice/plan.hpp"

namespace sluice {
namespace {

// Whether a row tells anything about this kind and shape on this ISA.
bool applies(const PlanRow& row, Isa isa, Kind kind, Shape shape) noexcept {
  return row.isa == isa && same_packing(row.kind, kind) && row.shape == shape && validate(row.plan, isa).ok();
}

// Whether a row that applies tells anything about another bucket. One row tile is a stream of weights whose prefetch
// depends on the number of rows (2048x5632 by the plan for M = 8: M = 4 reaches 0.67 of the read roof, M = 2 0.70; by
// the analytical plan 0.9), and a plan made for fewer than some full tiles says nothing about many.
bool carries_over(const PlanRow& row, std::uint32_t bucket) noexcept {
  const std::uint32_t row_bucket = m_bucket(row.m);
  if (row_bucket == bucket) return true;
  constexpr std::uint32_t some_full_tiles = 64;
  const detail::KernelTable* kernels = detail::kernel_table(row.isa);
  const detail::PanelKernels* panels =
      kernels == nullptr ? nullptr : detail::panel_kernels(*kernels, row.plan.tiling.nr, row.kind.weights.element);
  if (panels == nullptr) return false;
  return std::min(bucket, row_bucket) > detail::most_streamed_rows(*panels) &&
         (row_bucket > bucket || row_bucket >= some_full_tiles);
}

// How far a row's cell is from the call's within one regime (the same bucket of M, and one thread or several), the most
// important difference first: whether L3 holds the weights, which blocks of rows read again; threads; octaves of the
// shape; the gate; the activation. What a search finds depends on the machine more than on the shape: at M = 1 ten of
// twelve cells found the same two streams (Zen 3, AVX2).
using RegimeDistance = std::tuple<bool, std::uint32_t, double, bool, bool>;

RegimeDistance distance(const PlanRow& row, const PlanRow& asked, const CacheSizes& caches) noexcept {
  const auto from_l3 = [&](const PlanRow& one) {
    return bytes(one.kind, one.shape, 0) <= static_cast<double>(caches.l3);
  };
  const auto octaves = [](std::size_t a, std::size_t b) {
    return std::abs(std::log2(static_cast<double>(a) / static_cast<double>(b)));
  };
  return {from_l3(row) != from_l3(asked),
          std::max(row.max_threads, asked.max_threads) - std::min(row.max_threads, asked.max_threads),
          octaves(row.shape.d_model, asked.shape.d_model) + octaves(row.shape.d_ff, asked.shape.d_ff),
          row.kind.gated != asked.kind.gated, row.kind.activation != asked.kind.activation};
}

// Returns the nearest row of another shape or gate for a call that no row was tuned for, or null if there is none.
// asked.plan is the analytical plan; the weights have its panel width.
const PlanRow* nearest_of_regime(PlanTable table, const CacheSizes& caches, const PlanRow& asked) noexcept {
  const PlanRow* best = nullptr;
  RegimeDistance least{};
  for (const PlanRow& row : table.rows) {
    if (row.isa != asked.isa || row.kind.weights != asked.kind.weights ||
        row.kind.arithmetic != asked.kind.arithmetic || m_bucket(row.m) != asked.m ||
        row.plan.tiling.nr != asked.plan.tiling.nr || (row.max_threads == 1) != (asked.max_threads == 1) ||
        row.plan.threads > row.max_threads || row.shape.d_model == 0 || row.shape.d_ff == 0 ||
        asked.shape.d_model == 0 || asked.shape.d_ff == 0 || !validate(row.plan, asked.isa).ok())
      continue;
    const RegimeDistance its = distance(row, asked, caches);
    if (best != nullptr && its >= least) continue;
    best = &row;
    least = its;
  }
  return best;
}

// Whether the row's plan is the analytical one of its cell, which the search did not replace. A call that such a row
// serves gets its own analytical plan: by the one for M = 8, M = 5 takes 1.13 of the time, M = 6 1.04 (Zen 3, AVX2).
bool stood(const PlanRow& row, const CacheSizes& caches) noexcept {
  return row.plan == detail::analytical_plan_in_mode(caches, row.isa, row.kind, row.shape, row.m, row.max_threads,
                                                     row.plan.tiling.nr);
}

// The row's plan for another shape. The caches are the same, so the blocks stay the same. An extent that covered the
// whole problem there covers the whole problem here.
Plan carried_over(const PlanRow& row, const Plan& analytical, const CacheSizes& caches) noexcept {
  const Tiling& there = row.plan.tiling;
  if (stood(row, caches)) return analytical;
  Plan plan = row.plan;
  const auto whole = [](std::uint32_t& extent, std::uint32_t unit, std::size_t problem) {
    constexpr std::uint32_t no_block = 1U << 28U;
    if (extent >= problem) extent = no_block / unit * unit;
  };
  whole(plan.tiling.kc, 1, std::max(row.shape.d_model, row.shape.d_ff));
  whole(plan.tiling.fc, there.nr, row.kind.gated ? 2 * row.shape.d_ff : row.shape.d_ff);
  // Whether threads are worth their wake-up depends on the size of the work.
  plan.threads =
      row.plan.threads == row.max_threads ? analytical.threads : std::min(row.plan.threads, analytical.threads);
  return plan;
}

}  // namespace

std::uint32_t tuned_nr(PlanTable table, Isa isa, Kind kind, Shape shape) noexcept {
  const PlanRow* tallest = nullptr;
  for (const PlanRow& row : table.rows)
    if (applies(row, isa, kind, shape) && (tallest == nullptr || row.m > tallest->m)) tallest = &row;
  return tallest == nullptr ? 0 : tallest->plan.tiling.nr;
}

PlanChoice choose_plan(PlanTable table, const CacheSizes& caches, Isa isa, Kind kind, Shape shape, std::size_t m,
                       std::uint32_t max_threads, std::uint32_t nr) noexcept {
  const detail::FloatMode mode;  // a host may trap inexact results
  const std::uint32_t threads = std::clamp(max_threads, 1U, max_plan_threads);
  const std::uint32_t bucket = m_bucket(m);
  const PlanRow* best = nullptr;
  // Rows are measured with weights from memory, so here they serve only to set the panel width.
  if (detail::few_rows_from_l3(caches, kind, shape, m)) {
    if (nr == 0) nr = tuned_nr(table, isa, kind, shape);
    table = {};
  }
  // Lower is nearer: first the thread limit, then the bucket (the next higher, else the highest), then the activation.
  std::array<std::uint64_t, 3> best_distance{};
  for (const PlanRow& row : table.rows) {
    if (row.plan.threads > threads || (nr != 0 && row.plan.tiling.nr != nr) || !applies(row, isa, kind, shape) ||
        !carries_over(row, bucket))
      continue;
    const std::uint32_t row_bucket = m_bucket(row.m);
    const std::uint64_t bucket_distance = row_bucket >= bucket ? row_bucket - bucket : std::uint64_t{1} << 32U;
    const std::array<std::uint64_t, 3> distance = {
        static_cast<std::uint64_t>(row.max_threads > threads ? row.max_threads - threads : threads - row.max_threads),
        row_bucket >= bucket ? bucket_distance : bucket_distance + bucket - row_bucket, row.kind == kind ? 0U : 1U};
    if (best == nullptr || distance < best_distance) {
      best = &row;
      best_distance = distance;
    }
  }
  if (best == nullptr) {
    // If rows for other M apply, the plan has their panel width, since one packed layout serves every M.
    const std::uint32_t width = nr != 0 ? nr : tuned_nr(table, isa, kind, shape);
    const Plan plan = detail::analytical_plan_in_mode(caches, isa, kind, shape, m, threads, width);
    const PlanRow* like = nr == 0 || nr == plan.tiling.nr
                              ? nearest_of_regime(table, caches, {isa, kind, shape, bucket, threads, plan})
                              : nullptr;
    if (like == nullptr) return {plan, PlanOrigin::analytical, nullptr};
    return {carried_over(*like, plan, caches), PlanOrigin::transferred, like};
  }
  Plan plan = best->plan;
  if (m != best->m && stood(*best, caches))
    plan = detail::analytical_plan_in_mode(caches, isa, kind, shape, m, threads, plan.tiling.nr);
  // It used all the threads it was allowed, so it says nothing against more.
  if (best->max_threads < threads && plan.threads == best->max_threads)
    plan.threads = detail::analytical_plan_in_mode(caches, isa, kind, shape, m, threads, plan.tiling.nr).threads;
  const bool exact = best->kind == kind && m_bucket(best->m) == bucket && best->max_threads == threads;
  return {plan, exact ? PlanOrigin::exact : PlanOrigin::borrowed, best};
}

}  // namespace sluice
