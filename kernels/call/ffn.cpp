// Owns: the public class: checking arguments, choosing the plan, starting the threads.
// Does not own: packing (ffn_pack.cpp), what each thread does (forward.hpp).
#include "sluice/ffn.hpp"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

#include "kernels/call/ffn_access.hpp"
#include "kernels/call/forward.hpp"
#include "kernels/call/workspace.hpp"
#include "kernels/weights/memory.hpp"
#include "kernels/weights/packed_ffn.hpp"

namespace sluice {
namespace {

Status workspace_too_large(Shape shape, std::size_t m) noexcept {
  return Status::error(Code::too_large,
                       "d_model = %zu, d_ff = %zu and m = %zu: the size of the workspace overflows; use fewer rows",
                       shape.d_model, shape.d_ff, m);
}

// Ok when the plan can run on weights packed nr wide for this ISA.
Status check_plan(const Plan& plan, Isa isa, std::uint32_t nr) noexcept {
  if (Status status = validate(plan, isa); !status.ok()) return status;
  if (plan.tiling.nr != nr)
    return Status::error(Code::invalid_argument,
                         "the plan has nr = %u, but the weights are packed with nr = %u; set PackOptions::nr",
                         plan.tiling.nr, nr);
  return {};
}

// Returns null if there is no memory for the pool. The caller's thread then works alone.
Executor* shared_pool() noexcept {
  try {
    return &ThreadPool::process_wide();
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

}  // namespace

Ffn::Ffn(std::shared_ptr<const Packed> packed, Kind kind) noexcept : packed_(std::move(packed)), kind_(kind) {}

Result<Ffn> Ffn::with_activation(Activation activation) const {
  const Kind kind{activation, kind_.gated, kind_.weights, kind_.arithmetic};
  if (const Status status = detail::check_kind(kind); !status.ok()) return status;
  return Ffn(packed_, kind);
}

Result<std::size_t> Ffn::workspace_size(std::size_t m, const Plan& plan) const noexcept {
  if (const Status status = check_plan(plan, isa(), nr()); !status.ok()) return status;
  if (m == 0) return std::size_t{0};
  // An executor that has no threads to give leaves the call to one thread, with the same plan otherwise.
  Plan alone = plan;
  alone.threads = 1;
  detail::Blocking shared;
  detail::Blocking single;
  if (!detail::block(plan, shape(), kind_, m, shared) || !detail::block(alone, shape(), kind_, m, single))
    return workspace_too_large(shape(), m);
  return std::max(shared.bytes, single.bytes);
}

Result<std::size_t> Ffn::workspace_size(std::size_t max_m, std::uint32_t max_threads) const noexcept {
  max_threads = std::min(max_threads == 0 ? available_threads() : max_threads, max_plan_threads);
  std::size_t most = 0;
  // Within a bucket every M has one plan, and the need grows with M, so the bucket's end decides. But each small M may
  // have a plan of its own, and so may each number of threads, so all of these are asked.
  constexpr std::size_t few_rows = 16;
  const auto next = [&](std::size_t m) { return m < few_rows ? m + 1 : m > max_m / 2 ? max_m : 2 * m; };
  for (std::size_t m = 1; max_m != 0; m = next(m)) {
    for (std::uint32_t threads = 1; threads <= max_threads; ++threads) {
      const Result<std::size_t> size = workspace_size(m, plan(m, threads).plan);
      if (!size) return size;
      most = std::max(most, *size);
    }
    if (m == max_m) break;
  }
  return most;
}

PlanChoice Ffn::plan(std::size_t m, std::uint32_t max_threads) const noexcept {
  return choose_plan(packed_->plans, packed_->caches, isa(), kind_, shape(), m, max_threads, nr());
}

Status Ffn::forward(const float* x, std::size_t m, float* y, const Workspace& workspace,
                    const ForwardOptions& options) const noexcept {
  return FfnAccess::forward(*this, x, m, y, workspace, options, {});
}

Status FfnAccess::forward(const Ffn& ffn, const float* x, std::size_t m, float* y, const Workspace& workspace,
                          const ForwardOptions& options, const Asked& asked) noexcept {
  detail::Phases* const phases = asked.phases;
  const std::uint64_t begin = phases == nullptr ? 0 : detail::ticks();
  const Ffn::Packed& packed = *ffn.packed_;
  const Kind kind = ffn.kind_;
  if (m == 0) return {};
  if (x == nullptr || y == nullptr)
    return Status::error(Code::invalid_argument, "%s is null; expected %zu rows", x == nullptr ? "x" : "y", m);
  const std::size_t d_model = packed.shape.d_model;
  const std::size_t ldx = options.ldx == 0 ? d_model : options.ldx;
  const std::size_t ldy = options.ldy == 0 ? d_model : options.ldy;
  if (ldy < d_model)
    return Status::error(Code::invalid_argument, "ldy = %zu makes rows of y overlap; expected 0 or at least %zu", ldy,
                         d_model);
  std::size_t extent = 0;
  if (__builtin_mul_overflow(std::max(ldx, ldy), m, &extent) || extent > PTRDIFF_MAX / sizeof(float) - d_model)
    return Status::error(Code::too_large, "m = %zu rows of stride %zu overflow; use fewer rows", m, std::max(ldx, ldy));

  Executor* executor = options.executor;
  std::uint32_t max_threads = options.max_threads;
  if (executor == nullptr && max_threads != 1) {
    executor = shared_pool();
    if (executor == nullptr) max_threads = 1;
  }
  if (executor != nullptr)
    max_threads = max_threads == 0 ? executor->max_threads() : std::min(max_threads, executor->max_threads());
  Plan plan = options.plan != nullptr ? *options.plan : ffn.plan(m, max_threads).plan;
  if (options.plan != nullptr) {
    if (const Status status = check_plan(plan, ffn.isa(), ffn.nr()); !status.ok()) return status;
    if (plan.threads > max_threads)
      return Status::error(
          Code::invalid_argument,
          "the plan has %u threads, but this call at most %u; set ForwardOptions::max_threads or executor",
          plan.threads, max_threads);
  }

  const auto run_with = [&](std::uint32_t threads, bool& started) -> Status {
    plan.threads = threads;
    detail::ForwardCall call{};
    if (!detail::block(plan, packed.shape, kind, m, call.blocking)) return workspace_too_large(packed.shape, m);
    if (workspace.data() == nullptr || workspace.size() < call.blocking.bytes)
      return Status::error(Code::invalid_argument,
                           "the workspace has %zu bytes; expected at least %zu: see Ffn::workspace_size",
                           workspace.size(), call.blocking.bytes);
    const auto activation = static_cast<std::size_t>(kind.activation);
    detail::Barrier barrier(threads);
    detail::StageClaims claims;
    call.kernels = packed.kernels;
    call.panels = packed.panels;
    call.dots = packed.dots;
    call.epilogue = kind.gated ? packed.kernels->gated[activation] : packed.kernels->plain[activation];
    call.up = &packed.up;
    call.down = &packed.down;
    call.tiling = plan.tiling;
    call.x = x;
    call.ldx = ldx;
    call.y = y;
    call.ldy = ldy;
    call.m = m;
    call.accumulate = options.accumulate;
    void* memory = workspace.data();
    std::size_t room = workspace.size();
    call.memory = static_cast<float*>(std::align(detail::cache_line, 0, memory, room));  // bytes leave room for it
    call.barrier = &barrier;
    call.claims = plan.tiling.schedule == Schedule::claim_columns && threads > 1 ? &claims : nullptr;
    if (call.blocking.boards) {
      call.boards = reinterpret_cast<detail::Board*>(call.memory + call.blocking.board);
      std::uninitialized_default_construct_n(call.boards, call.blocking.teams);
    }
    call.phases = phases;
    call.portion = asked.portion;
    if (asked.work != nullptr) *asked.work = detail::work_of_portion(call);
    if (phases != nullptr) {
      phases->used = threads;
      std::fill_n(phases->threads.begin(), threads, detail::ThreadPhases{});
    }
    if (threads == 1) {
      detail::forward_part(call, 0);
      started = true;
    } else {
      started = executor->run(
          threads,
          [](void* context, std::uint32_t index) {
            detail::forward_part(*static_cast<const detail::ForwardCall*>(context), index);
          },
          &call);
    }
    return {};
  };
  bool started = false;
  Status status = run_with(plan.threads, started);
  // The executor has no threads to give now, so the caller works alone. The answer is the same.
  if (status.ok() && !started) status = run_with(1, started);
  if (phases != nullptr) phases->total = detail::ticks() - begin;
  return status;
}

Ffn FfnAccess::made_of(std::shared_ptr<const Ffn::Packed> packed, Kind kind) noexcept {
  return {std::move(packed), kind};
}

std::span<const float> FfnAccess::packed_memory(const Ffn& ffn) noexcept {
  return {reinterpret_cast<const float*>(ffn.packed_->memory.get()), ffn.packed_->bytes / sizeof(float)};
}

Shape Ffn::shape() const noexcept { return packed_->shape; }
Kind Ffn::kind() const noexcept { return kind_; }
Isa Ffn::isa() const noexcept { return packed_->kernels->isa; }
std::uint32_t Ffn::nr() const noexcept { return packed_->panels->tile.nr; }
std::size_t Ffn::packed_size() const noexcept { return packed_->bytes; }

}  // namespace sluice
