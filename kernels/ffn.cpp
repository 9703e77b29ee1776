// Owns: the public class: checking arguments, packing, choosing the plan, starting the threads.
#include "sluice/ffn.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <new>

#include "kernels/ffn_access.hpp"
#include "kernels/forward.hpp"
#include "kernels/memory.hpp"
#include "kernels/packed_weights.hpp"
#include "kernels/share.hpp"
#include "kernels/workspace.hpp"

namespace sluice {
namespace {

struct FreeMemory {
  void operator()(float* memory) const noexcept { std::free(memory); }
};

Status too_large(Shape shape, const char* what) noexcept {
  return Status::error(Code::too_large, "d_model = %zu and d_ff = %zu: %s overflows; use smaller extents",
                       shape.d_model, shape.d_ff, what);
}

// Checks a weight matrix of [in, out] and makes a dense leading dimension explicit.
Status check_matrix(const char* matrix_name, std::size_t in, std::size_t out, Matrix& matrix) noexcept {
  if (matrix.data == nullptr)
    return Status::error(Code::invalid_argument, "weights.%s is null; expected a [%zu, %zu] matrix", matrix_name, in,
                         out);
  if (matrix.order != Order::in_out && matrix.order != Order::out_in)
    return Status::error(Code::invalid_argument, "weights.%s.order = %u; expected in_out or out_in", matrix_name,
                         static_cast<unsigned>(matrix.order));
  const std::size_t contiguous = matrix.order == Order::in_out ? out : in;
  const std::size_t lines = matrix.order == Order::in_out ? in : out;
  if (matrix.ld == 0) matrix.ld = contiguous;
  if (matrix.ld < contiguous)
    return Status::error(Code::invalid_argument, "weights.%s.ld = %zu is less than a row; expected 0 or at least %zu",
                         matrix_name, matrix.ld, contiguous);
  std::size_t extent = 0;
  if (__builtin_mul_overflow(matrix.ld, lines, &extent) || extent > SIZE_MAX / sizeof(float))
    return Status::error(Code::too_large, "weights.%s.ld = %zu times %zu rows overflows", matrix_name, matrix.ld,
                         lines);
  return {};
}

}  // namespace

struct Ffn::Packed {
  const detail::KernelTable* kernels = nullptr;
  const detail::PanelKernels* panels = nullptr;
  Shape shape{};
  PlanTable plans;
  CacheSizes caches;
  std::unique_ptr<float, FreeMemory> memory;
  std::size_t bytes = 0;
  detail::PackedStage up;
  detail::PackedStage down;
};

namespace {

// Each thread packs the panels it reads when a call is split over as many threads by columns: memory belongs to the
// NUMA node that touches it first.
void pack_stages(const Ffn::Packed& packed, bool gated, const Weights& weights, Executor* executor) {
  struct Context {
    const Ffn::Packed& packed;
    bool gated;
    const Weights& weights;
    std::uint32_t threads;
  };
  Executor& threads_of = executor != nullptr ? *executor : ThreadPool::process_wide();
  // Below a few MiB waking the threads takes longer than packing.
  constexpr std::size_t worth_a_thread = std::size_t{2} << 20U;
  const std::size_t most = std::max<std::size_t>(1, packed.bytes / worth_a_thread);
  Context context{packed, gated, weights,
                  static_cast<std::uint32_t>(std::min<std::size_t>(threads_of.max_threads(), most))};
  const auto pack = [](void* opaque, std::uint32_t index) {
    const auto& [of, is_gated, given, threads] = *static_cast<const Context*>(opaque);
    const std::uint32_t nr = of.panels->tile.nr;
    const detail::Range up = detail::share(of.up.panels, index, threads);
    detail::pack_panels(of.up, nr, is_gated ? given.gate : given.up, is_gated ? given.gate_bias : given.up_bias,
                        is_gated ? &given.up : nullptr, given.up_bias, up.begin, up.end);
    const detail::Range down = detail::share(of.down.panels, index, threads);
    detail::pack_panels(of.down, nr, given.down, given.down_bias, nullptr, nullptr, down.begin, down.end);
  };
  if (threads_of.run(context.threads, pack, &context)) return;
  context.threads = 1;
  pack(&context, 0);
}

}  // namespace

Ffn::Ffn(std::shared_ptr<const Packed> packed, Kind kind) noexcept : packed_(std::move(packed)), kind_(kind) {}

Result<Ffn> FfnAccess::pack_with(const detail::KernelTable& kernels, Shape shape, Kind kind, const Weights& given,
                                 const PackOptions& options) {
  if (shape.d_model == 0 || shape.d_ff == 0)
    return Status::error(Code::invalid_argument, "d_model = %zu, d_ff = %zu; expected both at least 1", shape.d_model,
                         shape.d_ff);
  if (!parse_kind(name(kind)))
    return Status::error(Code::invalid_argument, "a %s kind with activation %u is not offered; see sluice::kinds()",
                         kind.gated ? "gated" : "plain", static_cast<unsigned>(kind.activation));
  Weights weights = given;
  if (kind.gated) {
    if (const Status status = check_matrix("gate", shape.d_model, shape.d_ff, weights.gate); !status.ok())
      return status;
  } else if (weights.gate.data != nullptr || weights.gate_bias != nullptr) {
    return Status::error(Code::invalid_argument, "weights.gate is set, but %s is plain; its matrices are up and down",
                         name(kind).data());
  }
  if (const Status status = check_matrix("up", shape.d_model, shape.d_ff, weights.up); !status.ok()) return status;
  if (const Status status = check_matrix("down", shape.d_ff, shape.d_model, weights.down); !status.ok()) return status;

  std::uint32_t nr = options.nr;
  if (nr == 0) nr = tuned_nr(options.plans, kernels.isa, kind, shape);
  if (nr == 0) nr = kernels.panels[0].tile.nr;
  const detail::PanelKernels* panels = detail::panel_kernels(kernels, nr);
  if (panels == nullptr)
    return Status::error(Code::invalid_argument, "nr = %u has no microkernel in %s; preferred: %u", nr,
                         name(kernels.isa).data(), kernels.panels[0].tile.nr);

  auto packed = std::shared_ptr<Ffn::Packed>(new (std::nothrow) Ffn::Packed);
  if (packed == nullptr) return Status::error(Code::out_of_memory, "no memory for an FFN");
  packed->kernels = &kernels;
  packed->panels = panels;
  packed->shape = shape;
  packed->plans = options.plans;
  packed->caches = options.caches;
  std::size_t floats = 0;
  if (!detail::lay_out(shape, kind.gated, nr, packed->up, packed->down, floats) ||
      floats > SIZE_MAX / sizeof(float) - 64)
    return too_large(shape, "the size of the packed weights");
  packed->bytes = floats * sizeof(float);
  packed->memory.reset(static_cast<float*>(detail::allocate(packed->bytes)));
  if (packed->memory == nullptr)
    return Status::error(Code::out_of_memory, "no memory for %zu bytes of packed weights", packed->bytes);
  detail::PackedStage& up = packed->up;
  detail::PackedStage& down = packed->down;
  up.weights = packed->memory.get();
  down.weights = up.weights + up.panels * up.depth * nr;
  up.bias = down.weights + down.panels * down.depth * nr;
  down.bias = up.bias + up.panels * nr;
  pack_stages(*packed, kind.gated, weights, options.executor);
  return Ffn(std::move(packed), kind);
}

Result<Ffn> Ffn::pack(Shape shape, Kind kind, const Weights& weights, const PackOptions& options) {
  const Result<Isa> isa = select_isa(options.isa);
  if (!isa) return isa.status();
  return FfnAccess::pack_with(*detail::kernel_table(*isa), shape, kind, weights, options);
}

Result<Ffn> Ffn::with_activation(Activation activation) const {
  const Kind kind{activation, kind_.gated};
  if (!parse_kind(name(kind)))
    return Status::error(Code::invalid_argument, "a %s kind with activation %u is not offered; see sluice::kinds()",
                         kind.gated ? "gated" : "plain", static_cast<unsigned>(activation));
  return Ffn(packed_, kind);
}

Result<std::size_t> Ffn::workspace_size(std::size_t m, const Plan& plan) const noexcept {
  if (const Status status = validate(plan, isa()); !status.ok()) return status;
  if (plan.tiling.nr != nr())
    return Status::error(Code::invalid_argument, "the plan has nr = %u, but the weights are packed with nr = %u",
                         plan.tiling.nr, nr());
  if (m == 0) return std::size_t{0};
  // An executor that has no threads to give leaves the call to one thread, with the same plan otherwise.
  Plan alone = plan;
  alone.threads = 1;
  detail::Blocking shared;
  detail::Blocking single;
  if (!detail::block(plan, shape(), kind_.gated, m, shared) || !detail::block(alone, shape(), kind_.gated, m, single))
    return too_large(shape(), "the workspace");
  return std::max(shared.bytes, single.bytes);
}

Result<std::size_t> Ffn::workspace_size(std::size_t max_m, std::uint32_t max_threads) const noexcept {
  if (max_threads == 0) max_threads = available_threads();
  std::size_t most = 0;
  // Within a bucket every M has one plan, and the need grows with M and with the threads: the bucket's end decides.
  // Fewer threads may have another plan, so each limit is asked.
  for (std::size_t m = 1; max_m != 0; m = m > max_m / 2 ? max_m : 2 * m) {
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
  return FfnAccess::forward(*this, x, m, y, workspace, options, nullptr);
}

Status FfnAccess::forward(const Ffn& ffn, const float* x, std::size_t m, float* y, const Workspace& workspace,
                          const ForwardOptions& options, detail::Phases* phases) noexcept {
  const std::uint64_t begin = phases == nullptr ? 0 : detail::ticks();
  const Ffn::Packed& packed = *ffn.packed_;
  const Kind kind = ffn.kind_;
  const std::uint32_t nr = ffn.nr();
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
    return Status::error(Code::too_large, "m = %zu rows of stride %zu overflow", m, std::max(ldx, ldy));

  Executor* executor = options.executor;
  std::uint32_t max_threads = options.max_threads;
  if (executor == nullptr && max_threads != 1) executor = &ThreadPool::process_wide();
  if (executor != nullptr)
    max_threads = max_threads == 0 ? executor->max_threads() : std::min(max_threads, executor->max_threads());
  Plan plan = options.plan != nullptr ? *options.plan : ffn.plan(m, max_threads).plan;
  if (options.plan != nullptr) {
    if (const Status status = validate(plan, ffn.isa()); !status.ok()) return status;
    if (plan.tiling.nr != nr)
      return Status::error(Code::invalid_argument, "the plan has nr = %u, but the weights are packed with nr = %u",
                           plan.tiling.nr, nr);
    if (plan.threads > max_threads)
      return Status::error(Code::invalid_argument, "the plan has %u threads, but at most %u are allowed", plan.threads,
                           max_threads);
  }

  const auto run_with = [&](std::uint32_t threads, bool& started) -> Status {
    plan.threads = threads;
    detail::ForwardCall call{};
    if (!detail::block(plan, packed.shape, kind.gated, m, call.blocking))
      return too_large(packed.shape, "the workspace");
    if (workspace.data() == nullptr || workspace.size() < call.blocking.bytes)
      return Status::error(Code::invalid_argument, "the workspace has %zu bytes; expected at least %zu",
                           workspace.size(), call.blocking.bytes);
    const auto activation = static_cast<std::size_t>(kind.activation);
    detail::Barrier barrier(threads);
    call.kernels = packed.kernels;
    call.panels = packed.panels;
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
    call.phases = phases;
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
  // The executor has no threads to give now; the answer is the same.
  if (status.ok() && !started) status = run_with(1, started);
  if (phases != nullptr) phases->total = detail::ticks() - begin;
  return status;
}

std::span<const float> FfnAccess::packed_memory(const Ffn& ffn) noexcept {
  return {ffn.packed_->memory.get(), ffn.packed_->bytes / sizeof(float)};
}

Shape Ffn::shape() const noexcept { return packed_->shape; }
Kind Ffn::kind() const noexcept { return kind_; }
Isa Ffn::isa() const noexcept { return packed_->kernels->isa; }
std::uint32_t Ffn::nr() const noexcept { return packed_->panels->tile.nr; }
std::size_t Ffn::packed_size() const noexcept { return packed_->bytes; }

}  // namespace sluice
