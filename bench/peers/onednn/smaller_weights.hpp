// Owns: oneDNN's products with weights smaller than float32: of 16 bits, and of integers with grouped scales,
// which it converts in the product; x in float32, in 16 bits, or quantised to 8 bits by groups.
#pragma once

#include <cstring>
#include <memory>
#include <numeric>
#include <oneapi/dnnl/dnnl.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

#include "bench/peers/matrix.hpp"
#include "bench/peers/onednn/attributes.hpp"
#include "bench/peers/peer.hpp"
#include "bench/peers/quantised_rows.hpp"
#include "kernels/element_types/f16.hpp"

namespace sluice::peers {

using DataType = memory::data_type;

// One way to multiply with weights of a type.
struct SmallerForm {
  DataType weights;
  DataType rows;     // x and H as they enter a product; s8: quantised by groups
  DataType between;  // the up product and H as the products write them
};

// The rows of x or of H in the type that a product takes, made anew in each forward.
class Rows {
 public:
  Rows(std::size_t m, std::size_t k, DataType given, DataType wanted, std::size_t group, const dnnl::engine& engine)
      : m_(m), k_(k), group_(group), quantised_(wanted == DataType::s8) {
    given_ = memory(plain(m, k, k, given), engine, nullptr);
    if (given == wanted) return;
    made_ = memory(plain(m, k, k, wanted), engine);
    if (quantised_) {
      scales_ = memory(plain(m, k / group, k / group), engine);
    } else {
      reorder_ = dnnl::reorder(given_, made_);
    }
  }

  // Returns what the product takes; puts scales of it into the arguments.
  memory& from(void* data, const dnnl::stream& stream, int threads) {
    given_.set_data_handle(data);
    if (quantised_) {
      dnnl::stream(stream).wait();
      quantise_rows(static_cast<const float*>(data), m_, k_, group_, static_cast<std::int8_t*>(made_.get_data_handle()),
                    static_cast<float*>(scales_.get_data_handle()), threads);
      return made_;
    }
    if (!reorder_) return given_;
    reorder_->execute(stream, given_, made_);
    return made_;
  }
  [[nodiscard]] const memory* scales() const { return quantised_ ? &scales_ : nullptr; }

 private:
  std::size_t m_, k_, group_;
  bool quantised_;
  memory given_, made_, scales_;
  std::optional<dnnl::reorder> reorder_;
};

// A matrix as a product wants it, and its scales.
struct SmallerWeights {
  memory elements;
  std::optional<memory> scales;

  // The same in other memory: quicker than to pack them again.
  [[nodiscard]] SmallerWeights duplicate(const dnnl::engine& engine) const {
    const auto copy = [&](const memory& from) {
      memory to(from.get_desc(), engine);
      std::memcpy(to.get_data_handle(), from.get_data_handle(), from.get_desc().get_size());
      return to;
    };
    return {copy(elements), scales ? std::optional(copy(*scales)) : std::nullopt};
  }
};

class SmallerProduct {
 public:
  SmallerProduct(const Problem& problem, const SmallerForm& form, std::size_t k, std::size_t n, DataType output,
                 dnnl::primitive_attr attributes, const dnnl::engine& engine)
      : k_(k), n_(n), group_(group(problem, k)) {
    const auto i = [](std::size_t value) { return static_cast<memory::dim>(value); };
    constexpr int both = 3;
    if (group_ != 0) {
      // With integers the mode says in what the product computes once they are converted.
      if (form.rows != DataType::s8)
        attributes.set_fpmath_mode(form.rows == DataType::bf16 ? dnnl::fpmath_mode::bf16 : dnnl::fpmath_mode::strict,
                                   true);
      attributes.set_scales(DNNL_ARG_WEIGHTS, both, {i(group_), 1}, DataType::f32);
    }
    if (form.rows == DataType::s8)
      attributes.set_scales(DNNL_ARG_SRC, both, {1, i(row_group(problem, k))}, DataType::f32);
    const dnnl::matmul::primitive_desc chosen(engine, plain(problem.m, k, k, form.rows),
                                              memory::desc({i(k), i(n)}, form.weights, memory::format_tag::any),
                                              plain(problem.m, n, n, output), attributes);
    // Its reference loops take thousands of times as long.
    const std::string implementation = chosen.impl_info_str();
    if (implementation.starts_with("ref"))
      throw std::runtime_error("only its reference " + implementation + " multiplies these types");
    packed_ = chosen.weights_desc();
    primitive_ = dnnl::matmul(chosen);
    output_ = memory(plain(problem.m, n, n, output), engine, nullptr);
  }

  // The group of its scales divides k: where ours does not, narrower ones repeat the scale.
  static std::size_t group(const Problem& problem, std::size_t k) {
    const std::size_t own = problem.group(k);
    return own == 0 ? 0 : std::gcd(own, k);
  }
  // Of quantised rows: that of the weights, at most 128.
  static std::size_t row_group(const Problem& problem, std::size_t k) {
    return std::gcd(std::min<std::size_t>(problem.group(k), 128), k);
  }

  [[nodiscard]] SmallerWeights pack(const Problem& problem, const float* values, const Codes& codes,
                                    const dnnl::engine& engine, dnnl::stream& stream) const {
    SmallerWeights weights{memory(packed_, engine), std::nullopt};
    if (group_ == 0) {
      memory from(plain(k_, n_, n_), engine, const_cast<float*>(values));
      dnnl::reorder(from, weights.elements).execute(stream, from, weights.elements);
      stream.wait();
      return weights;
    }
    // Our elements are [n, k], which is [k, n] with the axes exchanged. It has no reorder from s4; float32 holds both.
    const std::vector<float> integers(codes.elements, codes.elements + k_ * n_);
    const memory::desc given({static_cast<memory::dim>(k_), static_cast<memory::dim>(n_)}, DataType::f32,
                             memory::format_tag::ba);
    memory from(given, engine, const_cast<float*>(integers.data()));
    dnnl::reorder(from, weights.elements).execute(stream, from, weights.elements);
    stream.wait();
    weights.scales = pack_scales(problem, codes, engine);
    return weights;
  }

  void operator()(const dnnl::stream& stream, memory& rows, const memory* row_scales, const SmallerWeights& weights,
                  void* output, const memory* factor, int place) {
    output_.set_data_handle(output);
    std::unordered_map<int, memory> arguments{
        {DNNL_ARG_SRC, rows}, {DNNL_ARG_WEIGHTS, weights.elements}, {DNNL_ARG_DST, output_}};
    if (weights.scales) arguments.insert({DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS, *weights.scales});
    if (row_scales != nullptr) arguments.insert({DNNL_ARG_ATTR_SCALES | DNNL_ARG_SRC, *row_scales});
    if (factor != nullptr) arguments.insert({DNNL_ARG_ATTR_MULTIPLE_POST_OP(place) | DNNL_ARG_SRC_1, *factor});
    primitive_.execute(stream, arguments);
  }

 private:
  // [groups of k, n]
  [[nodiscard]] memory pack_scales(const Problem& problem, const Codes& codes, const dnnl::engine& engine) const {
    const std::size_t own = problem.group(k_);
    const std::size_t own_groups = (k_ + own - 1) / own;
    const std::size_t groups = k_ / group_;
    memory scales(plain(groups, n_, n_), engine);
    auto* const to = static_cast<float*>(scales.get_data_handle());
    const auto* const given = static_cast<const std::uint16_t*>(codes.scales);
    for (std::size_t g = 0; g < groups; ++g)
      for (std::size_t n = 0; n < n_; ++n)
        to[g * n_ + n] = detail::F16::widen(given[n * own_groups + g * group_ / own]);
    return scales;
  }

  std::size_t k_, n_, group_;
  memory::desc packed_;
  dnnl::primitive primitive_;
  memory output_;
};

class SmallerComposition final : public Composition {
 public:
  SmallerComposition(const Problem& problem, const SmallerForm& form)
      : problem_(problem), engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {
    const auto [d_model, d_ff] = problem.shape;
    const bool gated = problem.kind.gated;
    const memory::desc factor = plain(problem.m, d_ff, d_ff, form.between);
    factor_ = memory(factor, engine_);
    h_ = memory(factor, engine_);
    inner_.emplace(problem, form, d_model, d_ff, form.between,
                   fused(problem.kind.activation, gated ? &factor : nullptr), engine_);
    if (gated) up_.emplace(problem, form, d_model, d_ff, form.between, dnnl::primitive_attr(), engine_);
    down_.emplace(problem, form, d_ff, d_model, DataType::f32, dnnl::primitive_attr(), engine_);
    x_rows_.emplace(problem.m, d_model, DataType::f32, form.rows, SmallerProduct::row_group(problem, d_model), engine_);
    h_rows_.emplace(problem.m, d_ff, form.between, form.rows, SmallerProduct::row_group(problem, d_ff), engine_);
    Copy first;
    first.inner = gated ? inner_->pack(problem, problem.gate, problem.gate_codes, engine_, stream_)
                        : inner_->pack(problem, problem.up, problem.up_codes, engine_, stream_);
    if (gated) first.up = up_->pack(problem, problem.up, problem.up_codes, engine_, stream_);
    first.down = down_->pack(problem, problem.down, problem.down_codes, engine_, stream_);
    for (std::size_t i = 1; i < problem.copies; ++i) {
      Copy& copy = copies_.emplace_back();
      copy.inner = first.inner.duplicate(engine_);
      if (gated) copy.up = first.up.duplicate(engine_);
      copy.down = first.down.duplicate(engine_);
    }
    copies_.push_back(first);
  }

  void forward(std::size_t index) override {
    const Copy& copy = copies_[index];
    memory& x = x_rows_->from(const_cast<float*>(problem_.x), stream_, problem_.threads);
    void* const h = h_.get_data_handle();
    if (up_) (*up_)(stream_, x, x_rows_->scales(), copy.up, factor_.get_data_handle(), nullptr, 0);
    const int place = problem_.kind.activation == Activation::identity ? 0 : 1;
    (*inner_)(stream_, x, x_rows_->scales(), copy.inner, h, up_ ? &factor_ : nullptr, place);
    memory& rows = h_rows_->from(h, stream_, problem_.threads);
    (*down_)(stream_, rows, h_rows_->scales(), copy.down, problem_.y, nullptr, 0);
    stream_.wait();
  }

 private:
  struct Copy {
    SmallerWeights inner, up, down;
  };

  Problem problem_;
  dnnl::engine engine_;
  dnnl::stream stream_;
  std::optional<SmallerProduct> inner_, up_, down_;
  std::optional<Rows> x_rows_, h_rows_;
  memory factor_, h_;
  std::vector<Copy> copies_;
};

inline std::vector<Variant> smaller_variants(const Problem& problem) {
  std::vector<Variant> all;
  const auto add = [&](const std::string& name, const SmallerForm& form, const Rounding& rounds) {
    all.push_back({"matmul, post-operations, " + name,
                   [form](const Problem& p) { return std::make_unique<SmallerComposition>(p, form); }, rounds});
  };
  constexpr DataType f32 = DataType::f32;
  constexpr DataType bf16 = DataType::bf16;
  constexpr DataType f16 = DataType::f16;
  const auto add_grouped = [&](const std::string& name, DataType weights) {
    add(name + " weights, x float32", {weights, f32, f32}, {});
    add(name + " weights, x bf16", {weights, bf16, bf16}, {.inputs = "bf16", .weights = "bf16", .results = "bf16"});
    // Both products quantise by the groups of their own weights.
    const std::size_t group = std::max(SmallerProduct::row_group(problem, problem.shape.d_model),
                                       SmallerProduct::row_group(problem, problem.shape.d_ff));
    add(name + " weights, x s8 by " + std::to_string(group), {weights, DataType::s8, f32},
        {.inputs = "int8", .group = group});
  };
  switch (problem.kind.weights.element) {
    case ElementType::bf16:
      add("bf16 weights, x bf16", {bf16, bf16, bf16}, {.inputs = "bf16", .results = "bf16"});
      add("bf16 weights, x float32", {bf16, f32, f32}, {});
      break;
    case ElementType::f16:
      add("f16 weights, x f16", {f16, f16, f16}, {.inputs = "f16", .results = "f16"});
      add("f16 weights, x float32", {f16, f32, f32}, {});
      break;
    case ElementType::int8:
      add_grouped("s8", DataType::s8);
      break;
    case ElementType::int4:
      add_grouped("s4", DataType::s4);
      break;
    case ElementType::mxfp4:  // its matmul takes f4_e2m1 weights on other engines than a CPU
    case ElementType::f32:
      break;
  }
  return all;
}

}  // namespace sluice::peers
