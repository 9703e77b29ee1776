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
  Barrier* barrier;     // of the one team, where all threads are one
  StageClaims* claims;  // under claim_columns, else null
  Board* boards;        // of each team under claim_rows, else null
  Phases* phases;       // null: nobody asks where the time goes
  Portion portion;      // all of the work, but in measurements
};

// The part of thread `index`; all parts run at the same time.
void forward_part(const ForwardCall& call, std::uint32_t index) noexcept;

// What part of a call's multiplications its portion is, from 0 to 1. Needs up, down, blocking, claims, boards, portion.
double work_of_portion(const ForwardCall& call) noexcept;

}  // namespace sluice::detail
