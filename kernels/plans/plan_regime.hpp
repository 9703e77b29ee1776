// Owns: the regimes: which calls are served by the same sort of plan. Internal. Does not own: the plans (plan.cpp), the
// choice (plan_choice.cpp).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/microkernels/kernel_table.hpp"
#include "sluice/plan.hpp"

namespace sluice::detail {

// analytical_plan() for a caller that has a FloatMode. Setting the mode takes some tens of nanoseconds, which a small
// call would notice: with three more, nested, 32x32 at M = 1 took 1.25 of its time (Sapphire Rapids).
Plan analytical_plan_in_mode(const CacheSizes& caches, Isa isa, Kind kind, Shape shape, std::size_t m,
                             std::uint32_t max_threads, std::uint32_t nr) noexcept;

// Whether a call has few rows and weights that L3 holds. Its plans differ from those for weights from memory.
inline bool few_rows_from_l3(const CacheSizes& caches, Kind kind, Shape shape, std::size_t m) noexcept {
  constexpr std::size_t few_rows = 6;  // AVX-512 has kernels for so many against panels side by side
  return m <= few_rows && caches.hold_weights && bytes(kind, shape, m) <= static_cast<double>(caches.l3);
}

// Up to this many rows have kernels of their own that stream the weights, so that a plan says little of another number
// of rows.
inline std::uint32_t most_streamed_rows(const PanelKernels& panels) noexcept {
  return std::max(panels.tile.max_mr, panels.interleaved_rows);
}

}  // namespace sluice::detail
