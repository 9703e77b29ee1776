// Owns: how forward divides its scratch memory. One arithmetic serves workspace_size and forward. Internal.
#pragma once

#include <cstddef>

#include "sluice/ffn.hpp"

namespace sluice::detail {

// The blocking of one call: a plan clipped to the problem. A team is the threads that share rows: all of them, or,
// under split_rows and claim_rows, each alone.
struct Blocking {
  std::size_t teams = 1;
  std::size_t team_threads = 1;
  std::size_t team_rows = 0;     // the most rows a team has
  std::size_t block_rows = 0;    // rows of the tallest M-block
  std::size_t kc = 0;            // k steps per slice
  std::size_t block_panels = 0;  // panels of up weights whose partial sums are kept together
  std::size_t f_panels = 0;      // panels of up weights per F-block
  std::size_t f_blocks = 0;
  std::size_t h_columns = 0;  // columns of H per F-block
  std::size_t h_buffers = 1;
  bool boards = false;  // whether teams have a Board each

  // Offsets and extents in floats, each a multiple of a cache line.
  std::size_t x = 0;  // packed x, at the start of a team's memory
  std::size_t h = 0;
  std::size_t h_stride = 0;     // from one H buffer to the other
  std::size_t quantised_h = 0;  // for integer dot products; x is then quantised x
  std::size_t y = 0;            // partial sums of y, when several F-blocks add to them
  std::size_t c = 0;            // each thread's block of partial sums
  std::size_t c_stride = 0;
  std::size_t widened = 0;  // from the beginning of a thread's c: room for the widened part of a panel
  std::size_t team_stride = 0;
  std::size_t board = 0;  // the teams' boards, behind their memory
  std::size_t bytes = 0;  // in all, with slack for alignment
};

// False when a size overflows. The plan is valid; m ≥ 1.
bool block(const Plan& plan, Shape shape, Kind kind, std::size_t m, Blocking& blocking) noexcept;

}  // namespace sluice::detail
