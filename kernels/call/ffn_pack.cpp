// Owns: Ffn::pack: checking whole matrices, packing them by several threads; and copying what is packed.
// Does not own: the memory (unpacked_ffn.hpp), the layout of the panels (packed_weights.hpp), running them (ffn.cpp).
#include <algorithm>
#include <cstdint>
#include <utility>

#include "kernels/call/ffn_access.hpp"
#include "kernels/call/unpacked_ffn.hpp"
#include "kernels/threads/share.hpp"
#include "kernels/weights/matrix_check.hpp"
#include "kernels/weights/packed_ffn.hpp"

namespace sluice {
namespace {

// A panel's columns of a whole matrix.
void pack_panel(const detail::PackedStage& stage, const detail::PanelFormat& format, std::size_t panel,
                detail::Side side, const Matrix& matrix, const float* bias) noexcept {
  const std::size_t first = panel * stage.panel_width;
  const detail::StageColumns columns{side, first, std::min(stage.panel_width, stage.columns - first)};
  detail::pack_range(stage, format, columns, matrix, first);
  detail::pack_biases(stage, format.nr, columns, bias == nullptr ? nullptr : bias + first);
}

// Calls part(index, threads) on as many threads as have enough to do. Each writes the panels it reads when a call is
// split over as many threads by columns: memory belongs to the NUMA node that touches it first.
template <class Part>
void on_threads(const Ffn::Packed& packed, Executor* executor, const Part& part) {
  struct Context {
    const Part& part;
    std::uint32_t threads;
  };
  Executor& threads_of = executor != nullptr ? *executor : ThreadPool::process_wide();
  // Below a few MiB waking the threads takes longer than packing.
  constexpr std::size_t worth_a_thread = std::size_t{2} << 20U;
  const std::size_t most = std::max<std::size_t>(1, packed.bytes / worth_a_thread);
  Context context{part, static_cast<std::uint32_t>(std::min<std::size_t>(threads_of.max_threads(), most))};
  const auto run = [](void* opaque, std::uint32_t index) {
    const auto& [its_part, threads] = *static_cast<const Context*>(opaque);
    its_part(index, threads);
  };
  if (threads_of.run(context.threads, run, &context)) return;
  context.threads = 1;
  run(&context, 0);
}

void pack_stages(const Ffn::Packed& packed, Kind kind, const Weights& weights, const PackOptions& options) {
  const detail::PanelFormat format = detail::panel_format(packed, kind, options.scales);
  on_threads(packed, options.executor, [&](std::uint32_t index, std::uint32_t threads) {
    const detail::Range up = detail::share(packed.up.panels, index, threads);
    for (std::size_t p = up.begin; p < up.end; ++p) {  // both matrices of a panel while it is in the cache
      if (kind.gated) pack_panel(packed.up, format, p, detail::Side::left, weights.gate, weights.gate_bias);
      pack_panel(packed.up, format, p, kind.gated ? detail::Side::right : detail::Side::left, weights.up,
                 weights.up_bias);
    }
    const detail::Range down = detail::share(packed.down.panels, index, threads);
    for (std::size_t p = down.begin; p < down.end; ++p)
      pack_panel(packed.down, format, p, detail::Side::left, weights.down, weights.down_bias);
  });
}

}  // namespace

Result<Ffn> FfnAccess::pack_with(const detail::KernelTable& kernels, Shape shape, Kind kind, const Weights& given,
                                 const PackOptions& options) {
  if (const Status status = detail::check_asked(shape, kind, options); !status.ok()) return status;
  Weights weights = given;
  if (kind.gated) {
    if (const Status status = detail::check_matrix("weights.gate", shape.d_model, shape.d_ff, weights.gate);
        !status.ok())
      return status;
  } else if (weights.gate.data != nullptr || weights.gate_bias != nullptr) {
    return Status::error(Code::invalid_argument, "weights.gate is set, but %s is plain; its matrices are up and down",
                         name(kind).data());
  }
  if (const Status status = detail::check_matrix("weights.up", shape.d_model, shape.d_ff, weights.up); !status.ok())
    return status;
  if (const Status status = detail::check_matrix("weights.down", shape.d_ff, shape.d_model, weights.down); !status.ok())
    return status;
  Result<std::shared_ptr<Ffn::Packed>> packed = detail::allocate_unpacked(kernels, shape, kind, options);
  if (!packed) return packed.status();
  pack_stages(**packed, kind, weights, options);
  return Ffn(*std::move(packed), kind);
}

Result<Ffn> FfnAccess::copied(const Ffn& ffn) {
  const Ffn::Packed& from = *ffn.packed_;
  Result<std::shared_ptr<Ffn::Packed>> made = detail::allocate_unpacked(
      *from.kernels, from.shape, ffn.kind(), {.plans = from.plans, .nr = from.panels->tile.nr, .caches = from.caches});
  if (!made) return made.status();
  const Ffn::Packed& to = **made;
  on_threads(to, nullptr, [&](std::uint32_t index, std::uint32_t threads) {
    // The memory in the order of its parts: the panels of both stages, then the biases, which go with the last panel.
    const std::byte* const end[] = {from.down.weights, from.memory.get() + from.bytes};
    for (const bool down : {false, true}) {
      const detail::PackedStage& source = down ? from.down : from.up;
      const detail::PackedStage& target = down ? to.down : to.up;
      const detail::Range panels = detail::share(source.panels, index, threads);
      const std::byte* const first = source.weights + panels.begin * source.panel_bytes;
      const std::byte* const last =
          panels.end == source.panels ? end[down ? 1 : 0] : source.weights + panels.end * source.panel_bytes;
      std::copy(first, last, target.weights + panels.begin * target.panel_bytes);
    }
  });
  return Ffn(*std::move(made), ffn.kind());
}

Result<Ffn> Ffn::pack(Shape shape, Kind kind, const Weights& weights, const PackOptions& options) {
  const Result<Isa> isa = select_isa(options.isa);
  if (!isa) return isa.status();
  return FfnAccess::pack_with(*detail::kernel_table(*isa, kind.arithmetic), shape, kind, weights, options);
}

}  // namespace sluice
