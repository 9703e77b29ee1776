// Owns: the FFN a user calls: weights packed once, forward for any M.
// Does not own: which plan is good (plan.hpp, and the tuner), the threads (executor.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "sluice/executor.hpp"
#include "sluice/isa.hpp"
#include "sluice/kind.hpp"
#include "sluice/plan.hpp"
#include "sluice/status.hpp"

namespace sluice {

// Where element (in, out) of a weight matrix stands: in_out: data[in·ld + out]; out_in (PyTorch's nn.Linear):
// data[out·ld + in].
enum class Order : std::uint8_t { in_out, out_in };

// How the elements of a matrix that is given quantised stand.
//   q8_0 … mxfp4: blocks as GGUF files hold them, of 32 consecutive inputs (k) of an output, of q4_k and q6_k of 256,
//   in
//                 the bytes that ggml defines (ggml-common.h, names in lower case). Any alignment.
//   gptq:         `data` (qweight) are words of 32 bits, [in/8, out], of eight consecutive inputs of an output each,
//   the
//                 first in the lowest four bits. `zeros` (qzeros) are such words, [groups, out/8], of eight consecutive
//                 outputs: the zero points less one. `scales` are f16, [groups, out]. As AutoGPTQ stores layers of 4
//                 bits; one with desc_act (g_idx that does not ascend) has to be sorted before, and x with it.
//   gptq_v2:      the same with the zero points as they are, as GPTQModel stores them.
//   awq:          `data` are words [in, out/8] of eight consecutive outputs, of which the lowest four bits hold the
//   first
//                 and those above them the third, fifth, seventh, second, fourth, sixth and eighth; `zeros` [groups,
//                 out/8] likewise, as they are; `scales` f16, [groups, out]. As AutoAWQ stores layers (GEMM).
enum class BlockFormat : std::uint8_t { none, q8_0, q4_0, q4_1, q4_k, q6_k, mxfp4, gptq, gptq_v2, awq };

// A view of a weight matrix; the alignment of its type is enough. A merged gate_up_proj is two views of one array.
// bf16 and f16 elements are two bytes each, as the processor stores integers of 16 bits.
//
// With `blocks` of a GGUF file the data are blocks, output by output: order is out_in, `in` and ld are multiples of a
// block's length, and type stays f32. With gptq, gptq_v2 or awq order is in_out, `in` and out are multiples of eight,
// and so is ld, the outputs from one row to the next in all three arrays; scales, zeros and group are set.
//
// q8_0 is packed as int8(32), q4_0 as int4(32), mxfp4 as mxfp4, and gptq, gptq_v2 and awq as uint4(group) without loss,
// their scales, zero points and elements as they are; every other combination goes through the float32 values.
struct Matrix {
  const void* data = nullptr;
  Order order = Order::in_out;
  std::size_t ld = 0;  // elements between rows (in_out) or columns (out_in); 0: dense
  WeightType type = WeightType::f32;
  BlockFormat blocks = BlockFormat::none;
  const void* scales = nullptr;
  const void* zeros = nullptr;
  std::uint32_t group = 0;  // inputs that share a scale: 32, 64, 128 or WeightType::whole_column
};

// gate and up are [d_model, d_ff], down is [d_ff, d_model]. *gate* is the matrix inside the activation of a gated kind,
// whatever a paper or a checkpoint calls it; a plain kind has up and down alone. Biases may be null (zero).
struct Weights {
  Matrix gate, up, down;
  const float* gate_bias = nullptr;  // [d_ff]
  const float* up_bias = nullptr;    // [d_ff]
  const float* down_bias = nullptr;  // [d_model]
};

// How the scales of weights are chosen that have some and are not given as blocks of the same ones.
//   absmax:        by the largest magnitude of a group, as Ffn::pack says.
//   least_squares: so that Σ (weight − its packed value)² of each group is small, and never more than absmax leaves.
//                  Integers: the best scale for the codes and the codes for that scale in turn, from several starts,
//                  and with zero points from several of these. mxfp4: the best of the exponent that absmax chooses and
//                  those beside it. Packing goes through a group some forty times, with zero points some hundred times.
//                  Same weights, same bits, on every instruction set and executor.
enum class ScaleChoice : std::uint8_t { absmax, least_squares };

struct PackOptions {
  PlanTable plans{};         // tuned plans; must outlive the Ffn. Empty: analytical plans
  std::optional<Isa> isa{};  // nothing: SLUICE_ISA, else the best that runs here
  std::uint32_t nr = 0;      // panel width; 0: what the plans, else the ISA, prefer
  CacheSizes caches = CacheSizes::of_this_machine();
  // Its threads pack the weights, each those it reads in calls split over all threads (NUMA first touch). Null: the
  // process-wide pool.
  Executor* executor = nullptr;
  ScaleChoice scales = ScaleChoice::absmax;
};

// Scratch memory of forward; one per concurrent call. Does not grow: make a larger one.
class Workspace {
 public:
  Workspace() noexcept = default;
  // Allocates. size() is 0 when there was no memory; forward then says so.
  explicit Workspace(std::size_t bytes) noexcept;
  // Uses the caller's memory, which must outlive the workspace; any alignment.
  Workspace(void* memory, std::size_t bytes) noexcept : data_(memory), size_(bytes) {}

  [[nodiscard]] void* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  struct Free {
    void operator()(void* memory) const noexcept;
  };
  std::unique_ptr<void, Free> owned_;
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

struct ForwardOptions {
  std::size_t ldx = 0;            // floats between rows of x; 0: d_model. Less than d_model (overlapping rows) is legal
  std::size_t ldy = 0;            // floats between rows of y; 0: d_model. At least d_model
  std::uint32_t max_threads = 0;  // 0: what the executor offers
  Executor* executor = nullptr;   // null: the process-wide ThreadPool
  const Plan* plan = nullptr;     // a plan to use as it is; null: chosen from the PlanTable
  bool accumulate = false;        // y += FFN(x): the stored y, plus the down bias, starts the chain
};

// Each element of H and of y is one chain of fused multiply-adds over ascending k that starts from the bias. The same
// inputs give the same bits for every plan, thread count, M and ISA. A long chain has a larger worst-case
// rounding error than a tree: |error| ≤ γ(k+1)·Σ|terms| with γ(n) = n·u/(1 − n·u), u = 2⁻²⁴.
// Smaller weights give the bits that float32 weights of the same values give. With integer arithmetic (Arithmetic in
// kind.hpp) a chain goes over groups of k instead, each an exact dot product of integers.
// NaN and Inf propagate as in the definitions; denormals are honoured, whatever the caller's floating-point mode
// (forward sets round-to-nearest without flush-to-zero for its own duration, on each of its threads).
class Ffn {
 public:
  // Copies the weights into panels of the type kind.weights; `weights` is not needed afterwards. Values are rounded to
  // nearest even where that type is smaller than the matrix' own; what lies beyond its range becomes infinite, and NaN
  // stays NaN. int8 and int4: each group's largest magnitude, over 127 or 7 and rounded to f16, is its scale, at most
  // 65504; elements are rounded to the nearest of −127 … 127 or −7 … 7 steps. uint8 and uint4: the range of a group, 0
  // included, over 255 or 15 is its scale, and its zero point the step nearest to its least value. mxfp4: the largest
  // power of two in a group, over 4, is its scale; elements are rounded to nearest even, at most 6. A group with Inf or
  // NaN becomes NaN. PackOptions::scales may choose other scales. Of matrices that come in pieces, FfnPacker packs the
  // same. Fails on a null or too narrow matrix, a zero extent, an unknown kind, type of weights or arithmetic, choice
  // of scales, sizes that overflow, an nr without a microkernel, an ISA that cannot run here, lack of memory.
  static Result<Ffn> pack(Shape shape, Kind kind, const Weights& weights, const PackOptions& options = {});

  // The same packed weights (shared, not copied) under another activation; the gate and the type of weights stay.
  [[nodiscard]] Result<Ffn> with_activation(Activation activation) const;

  // y[m, d_model] = FFN(x[m, d_model]). Allocates nothing, prints nothing, throws nothing (the first call on several
  // threads starts those of the pool); const and thread-safe as long as each concurrent call has its own workspace and
  // y. m = 0 is Ok. x and y may not overlap. Fails, with y untouched, on a null operand, ldy < d_model, extents that
  // overflow, a workspace that is too small, a plan that is not valid here or has too many threads.
  Status forward(const float* x, std::size_t m, float* y, const Workspace& workspace,
                 const ForwardOptions& options = {}) const noexcept;

  // Bytes of workspace that serve every call of at most max_m rows and max_threads threads (0: available_threads()).
  [[nodiscard]] Result<std::size_t> workspace_size(std::size_t max_m, std::uint32_t max_threads = 0) const noexcept;
  // Bytes of workspace for calls of at most m rows with a given plan. Fails if the plan is not valid here.
  [[nodiscard]] Result<std::size_t> workspace_size(std::size_t m, const Plan& plan) const noexcept;

  // The plan forward would use, and where it comes from.
  [[nodiscard]] PlanChoice plan(std::size_t m, std::uint32_t max_threads) const noexcept;

  [[nodiscard]] Shape shape() const noexcept;
  [[nodiscard]] Kind kind() const noexcept;
  [[nodiscard]] Isa isa() const noexcept;
  [[nodiscard]] std::uint32_t nr() const noexcept;
  // Bytes of packed weights. Many layers take at most 1.5 times as much memory, since those of 0.5 to 4 MiB share huge
  // pages; a single one of these takes whole huge pages, of 2 MiB.
  [[nodiscard]] std::size_t packed_size() const noexcept;

  // Opaque; shared by the copies of an Ffn.
  struct Packed;

 private:
  friend struct FfnAccess;
  Ffn(std::shared_ptr<const Packed> packed, Kind kind) noexcept;

  std::shared_ptr<const Packed> packed_;
  Kind kind_;
};

}  // namespace sluice
