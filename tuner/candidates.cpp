#include "tuner/candidates.hpp"

#include <algorithm>
#include <initializer_list>

namespace sluice::tuner {
namespace {

constexpr std::uint32_t whole = 1U << 28;  // an extent larger than any problem: no blocking

std::uint32_t rows(const Setting& setting) {
  return static_cast<std::uint32_t>(std::min<std::size_t>(setting.m, whole));
}

template <class Set>
std::vector<Plan> vary(const Plan& plan, std::initializer_list<std::uint32_t> values, Set set) {
  std::vector<Plan> plans;
  for (const std::uint32_t value : values) {
    plans.push_back(plan);
    set(plans.back(), value);
  }
  return plans;
}

// Threads: all, half, one. Fewer win where the work is too small to share or one thread saturates the memory.
std::vector<Plan> vary_threads(const Setting& setting, const Plan& plan) {
  return vary(plan, {setting.max_threads, std::max(1U, setting.max_threads / 2), 1U},
              [](Plan& p, std::uint32_t threads) { p.threads = threads; });
}

// Schedule: rows can be split where each thread gets tiles of its own; then the weights are read by every thread.
std::vector<Plan> vary_schedule(const Setting& setting, const Plan& plan) {
  if (plan.threads == 1 || rows(setting) < 2 * plan.threads) return {};
  Plan split = plan;
  split.tiling.schedule = plan.tiling.schedule == Schedule::split_rows ? Schedule::split_columns : Schedule::split_rows;
  return {split};
}

// Prefetch distance: none, within a page, some pages. In k slices any distance means the next panel's slice.
std::vector<Plan> vary_prefetch(const Setting&, const Plan& plan) {
  return vary(plan, {0, 512, 1024, 2048, 4096, 8192, 32768},
              [](Plan& p, std::uint32_t bytes) { p.tiling.prefetch = bytes; });
}

// kc: what a slice of B and of A may take of L1, and longer slices that live in L2; for few rows also the whole depth
// as one stream.
std::vector<Plan> vary_kc(const Setting& setting, const Plan& plan) {
  const double fit = static_cast<double>(setting.caches.l1d) / sizeof(float) / (plan.tiling.nr + plan.tiling.mr);
  const auto l1 = static_cast<std::uint32_t>(fit * 0.7) / 16 * 16;
  std::vector<Plan> plans = vary(plan, {std::max(16U, l1), 192, 256, 384, 544, 768, 1024},
                                 [](Plan& p, std::uint32_t kc) { p.tiling.kc = kc; });
  if (rows(setting) <= 2 * plan.tiling.mr) {
    plans.push_back(plan);
    plans.back().tiling.kc = whole;
  }
  // A slice needs its next panel asked for; a stream that prefetches nothing must not carry that over.
  for (Plan& p : plans)
    if (p.tiling.kc != whole && p.tiling.prefetch == 0) p.tiling.prefetch = 4096;
  return plans;
}

// mr: the tallest tile and shorter ones: fewer rows per tile leave registers and L1 to the rest.
std::vector<Plan> vary_mr(const Setting& setting, const Plan& plan) {
  const std::uint32_t tallest = first_candidate(setting).tiling.mr;
  std::vector<Plan> plans;
  for (std::uint32_t mr = tallest; mr > tallest / 2 && mr + 4 > tallest; --mr) {
    plans.push_back(plan);
    plans.back().tiling.mr = mr;
  }
  return plans;
}

// mc: rows whose slice of A, times two, takes a share of L2.
std::vector<Plan> vary_mc(const Setting& setting, const Plan& plan) {
  if (rows(setting) <= plan.tiling.mr) return {};
  return vary(plan, {64, 96, 128, 192, 256, 384, 512}, [&](Plan& p, std::uint32_t mc) {
    p.tiling.mc = std::clamp(mc, p.tiling.mr, std::max(p.tiling.mr, rows(setting)));
  });
}

// nc: columns of partial sums kept near while the k slices pass.
std::vector<Plan> vary_nc(const Setting&, const Plan& plan) {
  return vary(plan, {128, 256, 384, 512, 1024, 2048},
              [](Plan& p, std::uint32_t nc) { p.tiling.nc = std::max(p.tiling.nr, nc / p.tiling.nr * p.tiling.nr); });
}

// fc: all of H at once (one barrier per M-block), or F-blocks whose H stays in a nearer cache.
std::vector<Plan> vary_fc(const Setting& setting, const Plan& plan) {
  std::vector<Plan> plans =
      vary(plan, {whole}, [](Plan& p, std::uint32_t fc) { p.tiling.fc = fc / p.tiling.nr * p.tiling.nr; });
  const std::size_t block_rows = std::max<std::size_t>(1, std::min<std::size_t>(plan.tiling.mc, setting.m));
  for (const std::size_t cache : {setting.caches.l2 / 2, setting.caches.l2 * 2, setting.caches.l3 / 4}) {
    const std::size_t columns = cache / sizeof(float) / block_rows * (setting.kind.gated ? 2 : 1);
    if (columns < 8 * static_cast<std::size_t>(plan.tiling.nr) || columns >= whole) continue;
    plans.push_back(plan);
    plans.back().tiling.fc = static_cast<std::uint32_t>(columns / plan.tiling.nr * plan.tiling.nr);
  }
  return plans;
}

// Reading x in place saves the packing; packing saves strides in the hot loop.
std::vector<Plan> vary_pack_x(const Setting&, const Plan& plan) {
  Plan other = plan;
  other.tiling.pack_x = !plan.tiling.pack_x;
  return {other};
}

// Two plans that clip to the same blocks for this problem are one.
Tiling clip(const Setting& setting, Tiling tiling) {
  const std::uint32_t m = rows(setting);
  const auto depth =
      static_cast<std::uint32_t>(std::min<std::size_t>(std::max(setting.shape.d_model, setting.shape.d_ff), whole));
  const std::uint32_t columns = std::max(depth, tiling.nr) * 2 + tiling.nr;
  const std::uint32_t tiles = (m + tiling.mr - 1) / tiling.mr;
  tiling.mr = (m + tiles - 1) / tiles;
  const std::uint32_t blocks = (m + tiling.mc - 1) / tiling.mc;
  tiling.mc = (m + blocks - 1) / blocks;
  tiling.kc = std::min(tiling.kc, depth);
  tiling.nc = std::min(tiling.nc, columns);
  tiling.fc = std::min(tiling.fc, columns);
  if (tiling.kc < std::min(setting.shape.d_model, setting.shape.d_ff) && tiling.prefetch != 0) tiling.prefetch = 1;
  return tiling;
}

}  // namespace

Plan first_candidate(const Setting& setting) {
  return analytical_plan(setting.caches, setting.isa, setting.kind, setting.shape, setting.m, setting.max_threads,
                         setting.nr);
}

const std::vector<Axis>& axes() {
  static const std::vector<Axis> all = {
      {"threads", vary_threads}, {"kc", vary_kc}, {"prefetch", vary_prefetch}, {"mr", vary_mr},
      {"mc", vary_mc},           {"nc", vary_nc}, {"schedule", vary_schedule}, {"fc", vary_fc},
      {"pack_x", vary_pack_x},
  };
  return all;
}

std::vector<Plan> candidates(const Axis& axis, const Setting& setting, const Plan& plan) {
  std::vector<Plan> kept;
  std::vector<Plan> seen{{clip(setting, plan.tiling), plan.threads}};
  for (const Plan& alternative : axis.alternatives(setting, plan)) {
    if (!validate(alternative, setting.isa).ok() || alternative.threads > setting.max_threads) continue;
    const Plan clipped{clip(setting, alternative.tiling), alternative.threads};
    if (std::find(seen.begin(), seen.end(), clipped) != seen.end()) continue;
    seen.push_back(clipped);
    kept.push_back(alternative);
  }
  return kept;
}

}  // namespace sluice::tuner
