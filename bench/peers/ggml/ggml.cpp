// Owns: ggml as a peer: a graph of two products, its fused gate and a third product, with weights in ggml's own blocks,
// each form in one of its buffer types: the plain one and those that repack. Does not own: blocks as bytes
// (blocks.hpp).
#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <ggml-cpu.h>
#include <ggml.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/peers/ggml/blocks.hpp"
#include "bench/peers/peer.hpp"

namespace sluice::peers {
namespace {

struct Delete {
  void operator()(ggml_context* context) const { ggml_free(context); }
  void operator()(ggml_backend_buffer* buffer) const { ggml_backend_buffer_free(buffer); }
  void operator()(ggml_gallocr* allocator) const { ggml_gallocr_free(allocator); }
  void operator()(ggml_threadpool* pool) const { ggml_threadpool_free(pool); }
};
using Context = std::unique_ptr<ggml_context, Delete>;
using Buffer = std::unique_ptr<ggml_backend_buffer, Delete>;

ggml_backend_dev_t device() { return ggml_backend_reg_dev_get(ggml_backend_cpu_reg(), 0); }

// The plain type of buffers first, then those that repack weights for this processor.
std::vector<ggml_backend_buffer_type_t> buffer_types() {
  std::vector<ggml_backend_buffer_type_t> all{ggml_backend_cpu_buffer_type()};
  const auto extra = reinterpret_cast<ggml_backend_dev_get_extra_bufts_t>(
      ggml_backend_reg_get_proc_address(ggml_backend_cpu_reg(), "ggml_backend_dev_get_extra_bufts"));
  if (extra == nullptr) return all;
  for (ggml_backend_buffer_type_t* type = extra(device()); type != nullptr && *type != nullptr; ++type)
    all.push_back(*type);
  return all;
}

ggml_tensor* activated(ggml_context* context, Activation activation, ggml_tensor* z) {
  switch (activation) {
    case Activation::identity:
      return z;
    case Activation::sigmoid:
      return ggml_sigmoid(context, z);
    case Activation::relu:
      return ggml_relu(context, z);
    case Activation::gelu:
      return ggml_gelu_erf(context, z);
    case Activation::gelu_tanh:
      return ggml_gelu(context, z);
    case Activation::silu:
      return ggml_silu(context, z);
  }
  return z;
}

// Its gate as one operation; null where it has none.
struct FusedGate {
  ggml_tensor* (*of_halves)(ggml_context*, ggml_tensor*);
  ggml_tensor* (*of_two)(ggml_context*, ggml_tensor*, ggml_tensor*);
};
FusedGate fused_gate(Activation activation) {
  switch (activation) {
    case Activation::relu:
      return {ggml_reglu, ggml_reglu_split};
    case Activation::gelu:
      return {ggml_geglu_erf, ggml_geglu_erf_split};
    case Activation::gelu_tanh:
      return {ggml_geglu, ggml_geglu_split};
    case Activation::silu:
      return {ggml_swiglu, ggml_swiglu_split};
    default:
      return {nullptr, nullptr};
  }
}

class GgmlComposition final : public Composition {
 public:
  GgmlComposition(const Problem& problem, const BlockType& type, ggml_backend_buffer_type_t buffers, bool merged)
      : buffers_(buffers), merged_(merged) {
    ggml_threadpool_params threads = ggml_threadpool_params_default(problem.threads);
    pool_.reset(ggml_threadpool_new(&threads));
    allocator_.reset(ggml_gallocr_new(ggml_backend_cpu_buffer_type()));
    x_ = shared(const_cast<float*>(problem.x), problem.m * problem.shape.d_model);
    y_ = shared(problem.y, problem.m * problem.shape.d_model);
    const Encoded blocks = encode(problem, type);
    std::size_t work = 0;
    for (std::size_t i = 0; i < problem.copies; ++i) {
      copies_.push_back(make_copy(problem, type, blocks));
      work = std::max(work, copies_.back().plan.work_size);
    }
    work_.resize(work);
    for (Copy& copy : copies_) copy.plan.work_data = work_.data();
  }

  void forward(std::size_t index) override {
    Copy& copy = copies_[index];
    if (ggml_graph_compute(copy.graph, &copy.plan) != GGML_STATUS_SUCCESS)
      throw std::runtime_error("ggml_graph_compute failed");
  }

 private:
  struct Encoded {
    std::vector<std::byte> inner, factor, down;  // factor is empty where inner holds both
  };
  struct Copy {
    Context context;
    Buffer weights;
    ggml_cgraph* graph = nullptr;
    ggml_cplan plan = {};
  };

  static Buffer shared(float* data, std::size_t count) {
    return Buffer(ggml_backend_cpu_buffer_from_ptr(data, count * sizeof(float)));
  }

  [[nodiscard]] Encoded encode(const Problem& problem, const BlockType& type) const {
    const auto [d_model, d_ff] = problem.shape;
    const std::vector<std::byte> up = type.encode(problem, problem.up, problem.up_codes, d_model, d_ff);
    Encoded blocks{{}, {}, type.encode(problem, problem.down, problem.down_codes, d_ff, d_model)};
    if (!problem.kind.gated) {
      blocks.inner = up;
      return blocks;
    }
    blocks.inner = type.encode(problem, problem.gate, problem.gate_codes, d_model, d_ff);
    if (merged_)
      blocks.inner.insert(blocks.inner.end(), up.begin(), up.end());  // rows are outputs
    else
      blocks.factor = up;
    return blocks;
  }

  Copy make_copy(const Problem& problem, const BlockType& type, const Encoded& blocks) {
    const auto [d_model, d_ff] = problem.shape;
    const auto i = [](std::size_t value) { return static_cast<std::int64_t>(value); };
    constexpr std::size_t tensors = 16;
    Copy copy;
    copy.context.reset(
        ggml_init({tensors * ggml_tensor_overhead() + ggml_graph_overhead_custom(tensors, false), nullptr, true}));
    ggml_context* const context = copy.context.get();
    ggml_tensor* const inner = ggml_new_tensor_2d(context, type.type, i(d_model), i(merged_ ? 2 * d_ff : d_ff));
    ggml_tensor* const factor =
        blocks.factor.empty() ? nullptr : ggml_new_tensor_2d(context, type.type, i(d_model), i(d_ff));
    ggml_tensor* const down = ggml_new_tensor_2d(context, type.type, i(d_ff), i(d_model));
    copy.weights.reset(ggml_backend_alloc_ctx_tensors_from_buft(context, buffers_));
    if (copy.weights == nullptr) throw std::runtime_error("no memory for its weights");

    ggml_tensor* const x = ggml_new_tensor_2d(context, GGML_TYPE_F32, i(d_model), i(problem.m));
    ggml_backend_tensor_alloc(x_.get(), x, const_cast<float*>(problem.x));
    ggml_tensor* const z = product(context, inner, x);
    ggml_tensor* h = nullptr;
    const FusedGate fused = fused_gate(problem.kind.activation);
    if (merged_) {
      h = fused.of_halves(context, z);
    } else if (factor == nullptr) {
      h = activated(context, problem.kind.activation, z);
    } else {
      ggml_tensor* const u = product(context, factor, x);
      h = fused.of_two != nullptr ? fused.of_two(context, z, u)
                                  : ggml_mul(context, activated(context, problem.kind.activation, z), u);
    }
    ggml_tensor* const y = product(context, down, h);
    ggml_backend_tensor_alloc(y_.get(), y, problem.y);

    ggml_backend_tensor_set(inner, blocks.inner.data(), 0, blocks.inner.size());
    if (factor != nullptr) ggml_backend_tensor_set(factor, blocks.factor.data(), 0, blocks.factor.size());
    ggml_backend_tensor_set(down, blocks.down.data(), 0, blocks.down.size());
    copy.graph = ggml_new_graph_custom(context, tensors, false);
    ggml_build_forward_expand(copy.graph, y);
    // All copies have the same graph, so what is between the products lies in the same memory.
    if (!ggml_gallocr_alloc_graph(allocator_.get(), copy.graph)) throw std::runtime_error("no memory for its graph");
    copy.plan = ggml_graph_plan(copy.graph, problem.threads, pool_.get());
    return copy;
  }

  // Throws where its kernels are not for such a matrix: it would repack what it cannot multiply.
  ggml_tensor* product(ggml_context* context, ggml_tensor* weights, ggml_tensor* rows) const {
    ggml_tensor* const made = ggml_mul_mat(context, weights, rows);
    if (!ggml_backend_dev_supports_op(device(), made))
      throw std::runtime_error(std::string("no kernel for ") + ggml_type_name(weights->type) + " of this shape in " +
                               ggml_backend_buft_name(buffers_));
    return made;
  }

  ggml_backend_buffer_type_t buffers_;
  bool merged_;
  std::unique_ptr<ggml_threadpool, Delete> pool_;
  std::unique_ptr<ggml_gallocr, Delete> allocator_;
  Buffer x_, y_;
  std::vector<std::uint8_t> work_;
  std::vector<Copy> copies_;
};

std::string version() { return ggml_version(); }

std::string note() {
  std::string names = "OpenMP";
  for (ggml_backend_buffer_type_t type : buffer_types()) names += std::string(", ") + ggml_backend_buft_name(type);
  return names;
}

std::vector<Variant> variants(const Problem& problem) {
  std::vector<Variant> all;
  const BlockType* const type = block_type(problem);
  if (type == nullptr) return all;
  Rounding rounds = type->rounds;
  // Its tanh form of GELU is a table of f16.
  if (problem.kind.activation == Activation::gelu_tanh) rounds.activation = "f16";
  for (ggml_backend_buffer_type_t buffers : buffer_types()) {
    Rounding own = rounds;
    // Its kernels for f16 beside AMX take x as it is.
    if (type->type == GGML_TYPE_F16 && std::string(ggml_backend_buft_name(buffers)) == "AMX") own.inputs = "f32";
    for (const bool merged : {true, false}) {
      if (merged && (!problem.kind.gated || fused_gate(problem.kind.activation).of_halves == nullptr)) continue;
      std::string name = std::string(ggml_type_name(type->type)) + " in " + ggml_backend_buft_name(buffers);
      if (problem.kind.gated) name += merged ? ", gate and up merged" : ", gate and up apart";
      all.push_back(
          {name, [=](const Problem& p) { return std::make_unique<GgmlComposition>(p, *type, buffers, merged); }, own});
    }
  }
  return all;
}

}  // namespace

const Library library{"ggml", version, note, variants, variants};

}  // namespace sluice::peers
