// Owns: one call of the blocked FFN, by one thread of it. Internal.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/call/phases.hpp"
#include "kernels/call/portion.hpp"
#include "kernels/call/workspace.hpp"
#include "kernels/microkernels/kernel_table.hpp"
#include "kernels/threads/claims.hpp"
#include "kernels/threads/spin.hpp"
#include "kernels/weights/packed_weights.hpp"
#include "sluice/ffn.hpp"

namespace sluice::detail {

struct ForwardCall {
  const KernelTable* kernels;
  const PanelKernels* panels;
  const DotKernels* dots;  // null for f32 arithmetic
  Epilogue epilogue;
  const PackedStage* up;
  const PackedStage* down;
  Tiling tiling;
  Blocking blocking;
  const float* x;
  std::size_t ldx;
  float* y;
  std::size_t ldy;
  std::size_t m;
  bool accumulate;
  float* memory;        // 64-byte aligned workspace
  Barrier* barrier;     // for the threads of a team of several
  StageClaims* claims;  // under claim_columns, else null
  Board* boards;        // of each team under claim_rows, else null
  Phases* phases;       // null: phases are not measured
  Portion portion;      // all of the work, except in measurements
};

// Does the part of thread `index`. All parts must run at the same time.
void forward_part(const ForwardCall& call, std::uint32_t index) noexcept;

// The share of a call's multiplications that its portion does, from 0 to 1. Needs up, down, blocking, claims, boards
// and portion.
double work_of_portion(const ForwardCall& call) noexcept;

}  // namespace sluice::detail
