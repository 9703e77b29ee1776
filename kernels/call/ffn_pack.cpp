// Owns: Ffn::pack: checking the weights, choosing the panel width, packing by several threads.
// Does not own: the layout of the panels (packed_weights.hpp), running them (ffn.cpp).
#include <algorithm>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

#include "kernels/call/ffn_access.hpp"
#include "kernels/element_types/quantised_reader.hpp"
#include "kernels/threads/share.hpp"
#include "kernels/weights/memory.hpp"
#include "kernels/weights/packed_ffn.hpp"

namespace sluice {
namespace {

// Checks what a matrix of words of integers asks of its other fields.
Status check_integers(const char* matrix_name, std::size_t in, std::size_t out, const Matrix& matrix) noexcept {
  constexpr std::size_t unit = detail::integers_in_word;
  if (matrix.order != Order::in_out)
    return Status::error(Code::invalid_argument,
                         "weights.%s.order = out_in; the rows of gptq and awq are of outputs: in_out", matrix_name);
  if (matrix.scales == nullptr || matrix.zeros == nullptr)
    return Status::error(Code::invalid_argument, "weights.%s.%s is null; gptq and awq have one for each group",
                         matrix_name, matrix.scales == nullptr ? "scales" : "zeros");
  if (!parse_weight_type(name(WeightType::uint4(matrix.group))))
    return Status::error(Code::invalid_argument,
                         "weights.%s.group = %u; expected 32, 64, 128 or WeightType::whole_column", matrix_name,
                         matrix.group);
  for (const auto& [what, value] : {std::pair("inputs", in), std::pair("outputs", out), std::pair("ld", matrix.ld)})
    if (value % unit != 0)
      return Status::error(Code::invalid_argument,
                           "weights.%s: %s = %zu; a word of gptq or awq holds eight, so expected a multiple of that",
                           matrix_name, what, value);
  return {};
}

// Checks what a matrix that is given quantised asks of its other fields; an ld of 0 is made explicit before.
Status check_quantised(const char* matrix_name, std::size_t in, std::size_t out, const Matrix& matrix) noexcept {
  if (matrix.type != WeightType::f32)
    return Status::error(Code::invalid_argument, "weights.%s.type is set; leave it f32, the blocks say what they hold",
                         matrix_name);
  bool integers = false;
  detail::IntegerLayouts::with(matrix.blocks, [&](auto) { integers = true; });
  if (integers) return check_integers(matrix_name, in, out, matrix);
  std::size_t depth = 0;
  detail::BlockFormats::with(matrix.blocks, [&](auto format) { depth = decltype(format)::depth; });
  if (depth == 0)
    return Status::error(Code::invalid_argument, "weights.%s.blocks = %u is no BlockFormat", matrix_name,
                         static_cast<unsigned>(matrix.blocks));
  if (matrix.order != Order::out_in)
    return Status::error(Code::invalid_argument, "weights.%s.order = in_out; blocks are of consecutive inputs: out_in",
                         matrix_name);
  if (in % depth != 0)
    return Status::error(Code::invalid_argument,
                         "weights.%s has %zu inputs; its blocks hold %zu each, so expected a multiple of that",
                         matrix_name, in, depth);
  if (matrix.ld % depth != 0)
    return Status::error(Code::invalid_argument, "weights.%s.ld = %zu; expected a multiple of %zu, a block's elements",
                         matrix_name, matrix.ld, depth);
  return {};
}

// Checks a weight matrix of [in, out] and makes a dense leading dimension explicit.
Status check_matrix(const char* matrix_name, std::size_t in, std::size_t out, Matrix& matrix) noexcept {
  if (matrix.data == nullptr)
    return Status::error(Code::invalid_argument, "weights.%s is null; expected a [%zu, %zu] matrix", matrix_name, in,
                         out);
  if (matrix.order != Order::in_out && matrix.order != Order::out_in)
    return Status::error(Code::invalid_argument, "weights.%s.order = %u; expected in_out or out_in", matrix_name,
                         static_cast<unsigned>(matrix.order));
  if (matrix.type != WeightType::f32 && matrix.type != WeightType::bf16 && matrix.type != WeightType::f16)
    return Status::error(Code::invalid_argument,
                         "weights.%s.type = {%u, %u} is no type of matrix; expected WeightType::f32, bf16 or f16",
                         matrix_name, static_cast<unsigned>(matrix.type.element), matrix.type.group);
  const std::size_t contiguous = matrix.order == Order::in_out ? out : in;
  const std::size_t lines = matrix.order == Order::in_out ? in : out;
  if (matrix.ld == 0) matrix.ld = contiguous;
  if (matrix.ld < contiguous)
    return Status::error(Code::invalid_argument, "weights.%s.ld = %zu is less than a row; expected 0 or at least %zu",
                         matrix_name, matrix.ld, contiguous);
  std::size_t extent = 0;
  if (__builtin_mul_overflow(matrix.ld, lines, &extent) || extent > SIZE_MAX / sizeof(float))
    return Status::error(Code::too_large,
                         "weights.%s.ld = %zu times %zu overflows; expected the elements from one line to the next",
                         matrix_name, matrix.ld, lines);
  return matrix.blocks == BlockFormat::none ? Status{} : check_quantised(matrix_name, in, out, matrix);
}

// Each thread packs the panels it reads when a call is split over as many threads by columns: memory belongs to the
// NUMA node that touches it first.
void pack_stages(const Ffn::Packed& packed, Kind kind, const Weights& weights, const PackOptions& options) {
  struct Context {
    const Ffn::Packed& packed;
    Kind kind;
    const Weights& weights;
    ScaleChoice scales;
    std::uint32_t threads;
  };
  Executor* const executor = options.executor;
  Executor& threads_of = executor != nullptr ? *executor : ThreadPool::process_wide();
  // Below a few MiB waking the threads takes longer than packing.
  constexpr std::size_t worth_a_thread = std::size_t{2} << 20U;
  const std::size_t most = std::max<std::size_t>(1, packed.bytes / worth_a_thread);
  Context context{packed, kind, weights, options.scales,
                  static_cast<std::uint32_t>(std::min<std::size_t>(threads_of.max_threads(), most))};
  const auto pack = [](void* opaque, std::uint32_t index) {
    const auto& [of, its, given, scales, threads] = *static_cast<const Context*>(opaque);
    const detail::PanelFormat format{its.weights, its.arithmetic, of.panels->tile.nr, of.kernels->lanes, scales};
    const detail::Range up = detail::share(of.up.panels, index, threads);
    detail::pack_panels(of.up, format, its.gated ? given.gate : given.up, its.gated ? given.gate_bias : given.up_bias,
                        its.gated ? &given.up : nullptr, given.up_bias, up.begin, up.end);
    const detail::Range down = detail::share(of.down.panels, index, threads);
    detail::pack_panels(of.down, format, given.down, given.down_bias, nullptr, nullptr, down.begin, down.end);
  };
  if (threads_of.run(context.threads, pack, &context)) return;
  context.threads = 1;
  pack(&context, 0);
}

}  // namespace

Status detail::check_kind(Kind kind) noexcept {
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

Result<Ffn> FfnAccess::pack_with(const detail::KernelTable& kernels, Shape shape, Kind kind, const Weights& given,
                                 const PackOptions& options) {
  if (shape.d_model == 0 || shape.d_ff == 0)
    return Status::error(Code::invalid_argument, "d_model = %zu, d_ff = %zu; expected both at least 1", shape.d_model,
                         shape.d_ff);
  if (const Status status = detail::check_kind(kind); !status.ok()) return status;
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

  if (options.scales != ScaleChoice::absmax && options.scales != ScaleChoice::least_squares)
    return Status::error(Code::invalid_argument, "scales = %u; expected ScaleChoice::absmax or least_squares",
                         static_cast<unsigned>(options.scales));

  std::uint32_t nr = options.nr;
  if (nr == 0) nr = tuned_nr(options.plans, kernels.isa, kind, shape);
  const std::uint32_t preferred = detail::preferred_tile(kernels).nr;
  if (nr == 0) nr = preferred;
  const detail::PanelKernels* panels = detail::panel_kernels(kernels, nr, kind.weights.element);
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
  packed->dots = detail::dot_kernels(kernels, nr, kind.weights.element, kind.arithmetic);
  packed->shape = shape;
  packed->plans = options.plans;
  packed->caches = options.caches;
  detail::PackedLayout at;
  if (!detail::lay_out(shape, kind, nr, packed->up, packed->down, at))
    return Status::error(Code::too_large,
                         "d_model = %zu and d_ff = %zu: the size of the packed weights overflows; "
                         "use smaller extents",
                         shape.d_model, shape.d_ff);
  packed->bytes = at.bytes;
  packed->memory = {static_cast<std::byte*>(detail::allocate_weights(packed->bytes)), Ffn::Packed::Free{packed->bytes}};
  if (packed->memory == nullptr)
    return Status::error(Code::out_of_memory,
                         "no memory for %zu bytes of packed weights; free some, or use smaller extents", packed->bytes);
  std::byte* const memory = packed->memory.get();
  packed->up.weights = memory + at.up_weights;
  packed->down.weights = memory + at.down_weights;
  packed->up.bias = reinterpret_cast<float*>(memory + at.up_bias);
  packed->down.bias = reinterpret_cast<float*>(memory + at.down_bias);
  pack_stages(*packed, kind, weights, options);
  return Ffn(std::move(packed), kind);
}

Result<Ffn> Ffn::pack(Shape shape, Kind kind, const Weights& weights, const PackOptions& options) {
  const Result<Isa> isa = select_isa(options.isa);
  if (!isa) return isa.status();
  return FfnAccess::pack_with(*detail::kernel_table(*isa, kind.arithmetic), shape, kind, weights, options);
}

}  // namespace sluice
