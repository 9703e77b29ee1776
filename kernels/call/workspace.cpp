// Owns: clipping a plan to a problem and laying out the scratch memory.
#include "kernels/call/workspace.hpp"

#include <algorithm>
#include <cstdlib>

#include "kernels/element_types/code_words.hpp"
#include "kernels/microkernels/kernel_table.hpp"
#include "kernels/threads/claims.hpp"
#include "kernels/weights/memory.hpp"
#include "kernels/weights/packed_weights.hpp"

namespace sluice {
namespace detail {
namespace {

constexpr std::size_t line_floats = 64 / sizeof(float);

// Appends a × b floats at `end`, rounded up to a cache line; false on overflow.
bool append(std::size_t a, std::size_t b, std::size_t& end) noexcept {
  std::size_t extent = 0;
  if (__builtin_mul_overflow(a, b, &extent) || __builtin_add_overflow(extent, line_floats - 1, &extent)) return false;
  return !__builtin_add_overflow(end, extent / line_floats * line_floats, &end);
}

constexpr std::size_t round_up(std::size_t value, std::size_t unit) noexcept {
  return (value + unit - 1) / unit * unit;
}

constexpr std::size_t ceil_divide(std::size_t a, std::size_t b) noexcept { return a / b + (a % b != 0 ? 1 : 0); }

// Of a row in groups of so many steps, the most that any kernel makes: of integers with codes of 16 bits and the
// longest words, of bf16 as floats.
std::size_t quantised_floats(std::size_t k, std::size_t group, Arithmetic arithmetic) noexcept {
  const std::size_t bytes = arithmetic == Arithmetic::bf16
                                ? DotKernels::quantised_bytes(k, group, group, sizeof(float), 0)
                                : DotKernels::quantised_bytes(k, group, most_word_k, sizeof(std::int16_t), group);
  return (bytes + sizeof(float) - 1) / sizeof(float);
}

}  // namespace

bool block(const Plan& plan, Shape shape, Kind kind, std::size_t m, Blocking& b) noexcept {
  const Tiling& tiling = plan.tiling;
  const bool by_rows = tiling.schedule == Schedule::split_rows || tiling.schedule == Schedule::claim_rows;
  b.teams = by_rows ? std::min<std::size_t>(plan.threads, m) : 1;
  b.team_threads = by_rows ? 1 : plan.threads;
  b.team_rows = ceil_divide(m, b.teams);
  // Not the balanced extent: a smaller M of the same bucket may need a taller block.
  b.block_rows = std::min<std::size_t>(b.team_rows, tiling.mc);

  const std::size_t width = kind.gated ? tiling.nr / 2 : tiling.nr;
  const std::size_t up_panels = ceil_divide(shape.d_ff, width);
  const std::size_t down_panels = ceil_divide(shape.d_model, tiling.nr);
  b.f_blocks = ceil_divide(up_panels, tiling.fc / tiling.nr);
  // Slices and F-blocks begin where groups of elements with a scale do.
  const std::size_t group = detail::PanelLayout(kind.weights, kind.arithmetic, tiling.nr).block_k;
  b.kc = round_up(tiling.kc, group);
  b.f_panels = round_up(ceil_divide(up_panels, b.f_blocks), std::max<std::size_t>(1, group / width));
  b.f_blocks = ceil_divide(up_panels, b.f_panels);
  b.h_columns = std::min(shape.d_ff, b.f_panels * width);
  b.block_panels = std::min<std::size_t>(tiling.nc / tiling.nr, std::max(b.f_panels, down_panels));
  // With two buffers threads may begin the next up stage while others still read H: one barrier per block.
  const bool several = b.f_blocks > 1 || b.team_rows > b.block_rows;
  // Quantised H is one, since it is written behind a barrier of its own.
  const bool quantised = kind.arithmetic != Arithmetic::f32;
  b.h_buffers = several && b.team_threads > 1 && !quantised ? 2 : 1;

  std::size_t end = 0;
  b.x = 0;
  if (quantised && !append(b.block_rows, quantised_floats(shape.d_model, group, kind.arithmetic), end)) return false;
  if (!quantised && tiling.pack_x && !append(b.block_rows, shape.d_model, end)) return false;
  b.h = end;
  if (!append(b.block_rows, b.h_columns, end)) return false;
  b.h_stride = end - b.h;
  if (b.h_buffers == 2 && __builtin_add_overflow(end, b.h_stride, &end)) return false;
  b.quantised_h = end;
  if (quantised && !append(b.block_rows, quantised_floats(b.h_columns, group, kind.arithmetic), end)) return false;
  b.y = end;
  std::size_t panel = 0;
  if (__builtin_mul_overflow(b.block_rows, std::size_t{tiling.nr}, &panel)) return false;
  if (b.f_blocks > 1 && !append(panel, down_panels, end)) return false;
  b.c = end;
  if (!append(panel, b.block_panels, end)) return false;
  b.widened = end - b.c;
  const std::size_t depth = round_up(std::min(std::max(shape.d_model, shape.d_ff), widened_depth), most_word_k);
  if (kind.weights != WeightType::f32 && !append(depth, tiling.nr, end)) return false;
  b.c_stride = end - b.c;
  std::size_t rest = 0;
  if (__builtin_mul_overflow(b.c_stride, b.team_threads - 1, &rest) || __builtin_add_overflow(end, rest, &end))
    return false;
  b.team_stride = end;
  if (__builtin_mul_overflow(end, b.teams, &b.board)) return false;
  // If there are more stages or panels than a board can count, threads do not help each other.
  std::size_t stages = 0;
  b.boards = tiling.schedule == Schedule::claim_rows && b.teams > 1 &&
             !__builtin_mul_overflow(2 * ceil_divide(b.team_rows, b.block_rows), b.f_blocks, &stages) &&
             stages < Board::max_stages && std::max(up_panels, down_panels) < Board::max_panels;
  std::size_t all = b.board;
  if (b.boards && !append(b.teams, sizeof(Board) / sizeof(float), all)) return false;
  return !__builtin_mul_overflow(all, sizeof(float), &all) && !__builtin_add_overflow(all, std::size_t{64}, &b.bytes);
}

}  // namespace detail

Workspace::Workspace(std::size_t bytes) noexcept
    : owned_(detail::allocate(bytes)), data_(owned_.get()), size_(data_ == nullptr ? 0 : bytes) {}

void Workspace::Free::operator()(void* memory) const noexcept { std::free(memory); }

}  // namespace sluice
