// Owns: checking what FFN is asked for, choosing the panel width, allocating the memory of its weights.
#include "kernels/call/unpacked_ffn.hpp"

#include <cstdint>
#include <new>

#include "kernels/weights/memory.hpp"

namespace sluice::detail {

Status check_kind(Kind kind) noexcept {
  if (!parse_kind(name(kind)))
    return Status::error(Code::invalid_argument, "a %s kind with activation %u is not offered; see sluice::kinds()",
                         kind.gated ? "gated" : "plain", static_cast<unsigned>(kind.activation));
  if (!parse_weight_type(name(kind.weights)))
    return Status::error(Code::invalid_argument,
                         "weights of type {%u, %u} are not offered; see sluice::all_weight_types()",
                         static_cast<unsigned>(kind.weights.element), kind.weights.group);
  if (!offered(kind.weights, kind.arithmetic))
    return Status::error(
        Code::invalid_argument, "weights of type %s with arithmetic %u (%s) are not offered; see sluice::offered()",
        name(kind.weights).data(), static_cast<unsigned>(kind.arithmetic), name(kind.arithmetic).data());
  return {};
}

Status check_asked(Shape shape, Kind kind, const PackOptions& options) noexcept {
  if (shape.d_model == 0 || shape.d_ff == 0)
    return Status::error(Code::invalid_argument, "d_model = %zu, d_ff = %zu; expected both at least 1", shape.d_model,
                         shape.d_ff);
  if (const Status status = check_kind(kind); !status.ok()) return status;
  if (options.scales != ScaleChoice::absmax && options.scales != ScaleChoice::least_squares)
    return Status::error(Code::invalid_argument, "scales = %u; expected ScaleChoice::absmax or least_squares",
                         static_cast<unsigned>(options.scales));
  return {};
}

Result<std::shared_ptr<Ffn::Packed>> allocate_unpacked(const KernelTable& kernels, Shape shape, Kind kind,
                                                       const PackOptions& options) {
  std::uint32_t nr = options.nr;
  if (nr == 0) nr = tuned_nr(options.plans, kernels.isa, kind, shape);
  const std::uint32_t preferred = preferred_tile(kernels).nr;
  if (nr == 0) nr = preferred;
  const PanelKernels* panels = panel_kernels(kernels, nr, kind.weights.element);
  if (panels == nullptr)
    return Status::error(Code::invalid_argument, "nr = %u has no microkernel in %s; preferred: %u", nr,
                         name(kernels.isa).data(), preferred);

  std::shared_ptr<Ffn::Packed> packed;
  try {
    packed = std::make_shared<Ffn::Packed>();
  } catch (const std::bad_alloc&) {
    return Status::error(Code::out_of_memory, "no memory for an FFN; free some");
  }
  packed->kernels = &kernels;
  packed->panels = panels;
  packed->dots = dot_kernels(kernels, nr, kind.weights.element, kind.arithmetic);
  packed->shape = shape;
  packed->plans = options.plans;
  packed->caches = options.caches;
  PackedLayout at;
  if (!lay_out(shape, kind, nr, packed->up, packed->down, at))
    return Status::error(Code::too_large,
                         "d_model = %zu and d_ff = %zu: the size of the packed weights overflows; "
                         "use smaller extents",
                         shape.d_model, shape.d_ff);
  packed->bytes = at.bytes;
  packed->memory = {static_cast<std::byte*>(allocate_weights(packed->bytes)), Ffn::Packed::Free{packed->bytes}};
  if (packed->memory == nullptr)
    return Status::error(Code::out_of_memory,
                         "no memory for %zu bytes of packed weights; free some, or use smaller extents", packed->bytes);
  std::byte* const memory = packed->memory.get();
  packed->up.weights = memory + at.up_weights;
  packed->down.weights = memory + at.down_weights;
  packed->up.bias = reinterpret_cast<float*>(memory + at.up_bias);
  packed->down.bias = reinterpret_cast<float*>(memory + at.down_bias);
  return packed;
}

PanelFormat panel_format(const Ffn::Packed& packed, Kind kind, ScaleChoice scales) noexcept {
  return {kind.weights, kind.arithmetic, packed.panels->tile.nr, packed.kernels->lanes, scales};
}

}  // namespace sluice::detail
