// Owns: oneDNN as a peer, versions 2 and 3: matmul and inner_product with weights in the library's own layout, the
// activation and the product as post-operations or in the shared gate. Does not own: smaller weights than float32
// (smaller_weights.hpp).
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>

#if DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_TBB
#include <tbb/global_control.h>

#include <optional>
#endif

#include "bench/peers/gate.hpp"
#include "bench/peers/matrix.hpp"
#include "bench/peers/onednn/attributes.hpp"
// Since these have groups of scales.
#if DNNL_VERSION_MAJOR > 3 || (DNNL_VERSION_MAJOR == 3 && DNNL_VERSION_MINOR >= 7)
#define SLUICE_PEER_SMALLER_WEIGHTS
#include "bench/peers/onednn/smaller_weights.hpp"
#endif

namespace sluice::peers {
namespace {

using Tag = memory::format_tag;

// c[m, n] = a[m, k] · b, with post-operations, for weights [in, out] that it packs.
class Product {
 public:
  Product(bool inner_product, std::size_t m, std::size_t k, std::size_t n, std::size_t lda, std::size_t ldc,
          const dnnl::primitive_attr& attributes, const dnnl::engine& engine)
      : inner_product_(inner_product), k_(k), n_(n) {
    const auto i = [](std::size_t value) { return static_cast<memory::dim>(value); };
    const memory::desc a = plain(m, k, lda);
    const memory::desc c = plain(m, n, ldc);
    const auto f32 = memory::data_type::f32;
    if (inner_product) {
      const memory::desc b({i(n), i(k)}, f32, Tag::any);
      constexpr auto inference = dnnl::prop_kind::forward_inference;
#if DNNL_VERSION_MAJOR >= 3
      const dnnl::inner_product_forward::primitive_desc chosen(engine, inference, a, b, c, attributes);
#else
      const dnnl::inner_product_forward::primitive_desc chosen({inference, a, b, c}, attributes, engine);
#endif
      packed_ = chosen.weights_desc();
      implementation_ = chosen.impl_info_str();
      primitive_ = dnnl::inner_product_forward(chosen);
    } else {
      const memory::desc b({i(k), i(n)}, f32, Tag::any);
#if DNNL_VERSION_MAJOR >= 3
      const dnnl::matmul::primitive_desc chosen(engine, a, b, c, attributes);
#else
      const dnnl::matmul::primitive_desc chosen({a, b, c}, attributes, engine);
#endif
      packed_ = chosen.weights_desc();
      implementation_ = chosen.impl_info_str();
      primitive_ = dnnl::matmul(chosen);
    }
    a_ = memory(a, engine, nullptr);
    c_ = memory(c, engine, nullptr);
  }

  [[nodiscard]] memory pack(const float* weights, const dnnl::engine& engine, dnnl::stream& stream) const {
    const auto i = [](std::size_t value) { return static_cast<memory::dim>(value); };
    // inner_product's weights are [out, in] by definition; ours are the same bytes seen with the axes exchanged.
    const memory::desc given = inner_product_
                                   ? memory::desc({i(n_), i(k_)}, memory::data_type::f32, memory::dims{1, i(n_)})
                                   : plain(k_, n_, n_);
    memory from(given, engine, const_cast<float*>(weights));
    memory to(packed_, engine);
    dnnl::reorder(from, to).execute(stream, from, to);
    stream.wait();
    return to;
  }

  // `factor`: of the binary post-operation; its place follows the activation's, if there is one.
  void operator()(const dnnl::stream& stream, const float* a, const memory& b, float* c, const memory* factor,
                  int place) {
    a_.set_data_handle(const_cast<float*>(a));
    c_.set_data_handle(c);
    std::unordered_map<int, memory> arguments{{DNNL_ARG_SRC, a_}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_DST, c_}};
    if (factor != nullptr) arguments.insert({DNNL_ARG_ATTR_MULTIPLE_POST_OP(place) | DNNL_ARG_SRC_1, *factor});
    primitive_.execute(stream, arguments);
  }

  [[nodiscard]] const std::string& implementation() const { return implementation_; }

 private:
  bool inner_product_;
  std::size_t k_, n_;
  memory::desc packed_;
  std::string implementation_;
  dnnl::primitive primitive_;
  memory a_, c_;
};

enum class Form { merged, apart, fused };

class OneDnnComposition final : public Composition {
 public:
  OneDnnComposition(const Problem& problem, bool inner_product, Form form)
      : problem_(problem),
        form_(form),
        engine_(dnnl::engine::kind::cpu, 0),
        stream_(engine_),
        ld_(form == Form::fused ? problem.shape.d_ff : problem.branches() * problem.shape.d_ff),
        gate_(problem.m * ld_),
        up_(form == Form::fused ? problem.m * ld_ : 1) {
    const auto [d_model, d_ff] = problem.shape;
    const bool gated = problem.kind.gated;
    const memory::desc factor = plain(problem.m, d_ff, d_ff);
    const dnnl::primitive_attr none;
    const dnnl::primitive_attr attributes =
        form == Form::fused ? fused(problem.kind.activation, gated ? &factor : nullptr) : none;
    const auto add = [&](std::vector<Product>& products, std::size_t k, std::size_t n, std::size_t lda, std::size_t ldc,
                         const dnnl::primitive_attr& with) {
      products.emplace_back(inner_product, problem.m, k, n, lda, ldc, with, engine_);
    };
    add(first_, d_model, form == Form::merged ? ld_ : d_ff, d_model, ld_, attributes);
    if (gated && form != Form::merged) add(first_, d_model, d_ff, d_model, ld_, none);
    add(last_, d_ff, d_model, ld_, d_model, none);
    if (form == Form::fused && gated) factor_ = memory(factor, engine_, up_.data());

    const Matrix merged = form == Form::merged ? up_weights(problem, false) : Matrix();
    for (std::size_t i = 0; i < problem.copies; ++i) {
      Copy& copy = copies_.emplace_back();
      const float* inner = form == Form::merged ? merged.data() : gated ? problem.gate : problem.up;
      copy.first.push_back(first_[0].pack(inner, engine_, stream_));
      if (first_.size() == 2) copy.first.push_back(first_[1].pack(problem.up, engine_, stream_));
      copy.down.push_back(last_[0].pack(problem.down, engine_, stream_));
    }
  }

  void forward(std::size_t index) override {
    const std::size_t d_ff = problem_.shape.d_ff;
    const bool gated = problem_.kind.gated;
    const Copy& copy = copies_[index];
    float* gate = gate_.data();
    if (form_ == Form::fused) {
      const int place = problem_.kind.activation == Activation::identity ? 0 : 1;
      if (gated) first_[1](stream_, problem_.x, copy.first[1], up_.data(), nullptr, 0);
      first_[0](stream_, problem_.x, copy.first[0], gate, gated ? &factor_ : nullptr, place);
    } else {
      for (std::size_t b = 0; b < first_.size(); ++b)
        first_[b](stream_, problem_.x, copy.first[b], gate + b * d_ff, nullptr, 0);
      stream_.wait();
      apply_gate(problem_.kind.activation, problem_.m, d_ff, gate, gated ? gate + d_ff : nullptr, ld_, gate, ld_,
                 problem_.threads);
    }
    last_[0](stream_, gate, copy.down[0], problem_.y, nullptr, 0);
    stream_.wait();
  }

  [[nodiscard]] const std::string& implementation() const { return first_[0].implementation(); }

 private:
  struct Copy {
    std::vector<memory> first, down;
  };

  Problem problem_;
  Form form_;
  dnnl::engine engine_;
  dnnl::stream stream_;
  std::size_t ld_;
  Matrix gate_, up_;  // with post-operations one each; else rows of gate | up in gate_
  memory factor_;
  std::vector<Product> first_, last_;
  std::vector<Copy> copies_;
};

std::string version() {
  const dnnl::version_t* found = dnnl::version();
  return std::to_string(found->major) + "." + std::to_string(found->minor) + "." + std::to_string(found->patch);
}

std::string note() {
  switch (dnnl::version()->cpu_runtime) {
    case DNNL_RUNTIME_OMP:
      return "OpenMP";
    case DNNL_RUNTIME_TBB:
      return "TBB";
    default:
      // Its matrices are computed by TBB's threads, in tasks of SYCL's CPU device, whose start is part of each call.
      return "SYCL";
  }
}

// Before the first engine.
void set_threads([[maybe_unused]] const Problem& problem) {
#if DNNL_CPU_RUNTIME == DNNL_RUNTIME_SYCL
  // SYCL reads these when the first engine is made: where its CPU device is, and how many threads it has.
  setenv("OCL_ICD_FILENAMES", SLUICE_PEER_OPENCL, 0);
  setenv("DPCPP_CPU_NUM_CUS", std::to_string(problem.threads).c_str(), 1);
#endif
#if DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_TBB
  static std::optional<tbb::global_control> limit;
  limit.emplace(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(problem.threads));
#endif
}

std::vector<Variant> variants(const Problem& problem) {
  set_threads(problem);
  std::vector<Variant> all;
  for (const bool inner_product : {false, true}) {
    for (const Form form : {Form::fused, Form::merged, Form::apart}) {
      if (form == Form::apart && !problem.kind.gated) continue;
      // Rows with gaps, gate | up, make inner_product fall back to its reference loops, a thousand times slower.
      if (inner_product && form != Form::fused) continue;
      std::string name = inner_product ? "inner_product" : "matmul";
      name += form == Form::fused    ? ", post-operations"
              : form == Form::merged ? ", gate and up merged"
                                     : ", gate and up apart";
      all.push_back({name, [inner_product, form](const Problem& p) {
                       return std::make_unique<OneDnnComposition>(p, inner_product, form);
                     }});
    }
  }
  return all;
}

#ifdef SLUICE_PEER_SMALLER_WEIGHTS
std::vector<Variant> variants_of_smaller(const Problem& problem) {
  set_threads(problem);
  return smaller_variants(problem);
}
#else
constexpr std::vector<Variant> (*variants_of_smaller)(const Problem&) = nullptr;
#endif

}  // namespace

const Library library{SLUICE_PEER_NAME, version, note, variants, variants_of_smaller};

}  // namespace sluice::peers
