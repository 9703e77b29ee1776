#include "tuner/workload/layer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kernels/call/ffn_access.hpp"
#include "tuner/base/failure.hpp"
#include "tuner/machine/limits.hpp"

namespace sluice::tuner {
namespace {

void require(const Status& status) {
  if (!status.ok()) throw Failure(exit_code::unsupported, status.message());
}

// Makes values in (−scale, scale) without denormals. It is cheap, because layers need hundreds of millions of them.
std::vector<float> made_up(std::size_t count, float scale, std::uint32_t seed) {
  std::vector<float> values(count);
  std::uint32_t state = seed;
  for (float& value : values) {
    state = state * 1664525U + 1013904223U;  // Numerical Recipes' generator; its high bits are random enough here
    value = scale * (static_cast<float>(state >> 8U) * 0x1p-23f - 1.0f + 0x1p-24f);
  }
  return values;
}

}  // namespace

double Layer::bytes_needed(Shape shape, Kind kind, std::size_t max_m, std::size_t cold_bytes) noexcept {
  const double weights = bytes(kind, shape, 0);
  const double unpacked = bytes({kind.activation, kind.gated}, shape, 0);
  const double copies = std::max(1.0, std::ceil(static_cast<double>(cold_bytes) / weights));
  // x and y, the panels of x, H, and the partial sums
  const double rows =
      4.0 * static_cast<double>(max_m) * (3.0 * static_cast<double>(shape.d_model) + static_cast<double>(shape.d_ff));
  return unpacked + weights * copies + rows;
}

Layer::Layer(Shape shape, Kind kind, Isa isa, std::uint32_t nr, std::size_t max_m, std::size_t cold_bytes,
             PlanTable plans)
    : shape_(shape), kind_(kind) {
  require_memory(bytes_needed(shape, kind, max_m, cold_bytes),
                 fmt::format("an FFN of d_model {}, d_ff {}, M {}", shape.d_model, shape.d_ff, max_m));
  const std::size_t count = shape.d_model * shape.d_ff;
  // These scales keep sums over k around one, where the activations are curved.
  const float in_scale = std::sqrt(3.0f / static_cast<float>(shape.d_model));
  const float down_scale = std::sqrt(3.0f / static_cast<float>(shape.d_ff));
  if (kind.gated) gate_ = made_up(count, in_scale, 1);
  up_ = made_up(count, in_scale, 2);
  down_ = made_up(count, down_scale, 3);
  x_ = made_up(max_m * shape.d_model, 1.5f, 4);
  y_.resize(max_m * shape.d_model);

  std::size_t packed = 0;
  do {
    // Quantising takes many times as long as copying.
    Result<Ffn> ffn = copies_.empty() ? Ffn::pack(shape, kind, weights(), {.plans = plans, .isa = isa, .nr = nr})
                                      : FfnAccess::copied(copies_.front().front());
    require(ffn.status());
    packed += ffn->packed_size();
    copies_.emplace_back().reserve(activation_count);  // so that references to variants stay valid
    copies_.back().push_back(*std::move(ffn));
  } while (packed < cold_bytes);
}

Ffn& Layer::copy(std::size_t index, Activation activation) {
  std::vector<Ffn>& variants = copies_[index];
  const auto found = std::find_if(variants.begin(), variants.end(),
                                  [&](const Ffn& ffn) { return ffn.kind().activation == activation; });
  if (found != variants.end()) return *found;
  Result<Ffn> made = variants.front().with_activation(activation);
  require(made.status());
  return variants.emplace_back(*std::move(made));
}

void Layer::prepare(std::size_t m, const Plan& plan) {
  const Result<std::size_t> size = copies_.front().front().workspace_size(m, plan);
  require(size.status());
  if (workspace_ != nullptr && workspace_->size() >= *size) return;
  workspace_.reset();
  workspace_ = std::make_unique<Workspace>(*size);
  if (workspace_->size() < *size) throw Failure(exit_code::unsupported, "no memory for a workspace; use fewer rows");
  // Touches every page now, so that no timed call is the first to do so.
  std::fill_n(static_cast<unsigned char*>(workspace_->data()), *size, static_cast<unsigned char>(0));
}

void Layer::forward(Activation activation, std::size_t m, const Plan& plan, Executor& executor,
                    detail::Phases* phases) {
  if (workspace_ == nullptr) prepare(m, plan);
  const Ffn& ffn = copy(turn_++ % copies_.size(), activation);
  const ForwardOptions options{.executor = &executor, .plan = &plan};
  require(FfnAccess::forward(ffn, x_.data(), m, y_.data(), *workspace_, options, {.phases = phases}));
}

double Layer::forward_portion(Activation activation, std::size_t m, const Plan& plan, Executor& executor,
                              std::uint32_t count) {
  if (workspace_ == nullptr) prepare(m, plan);
  if (++portion_ >= count) {
    portion_ = 0;
    ++turn_;
  }
  const Ffn& ffn = copy(turn_ % copies_.size(), activation);
  const ForwardOptions options{.executor = &executor, .plan = &plan};
  double work = 0;
  require(FfnAccess::forward(ffn, x_.data(), m, y_.data(), *workspace_, options,
                             {.portion = {portion_, count}, .work = &work}));
  return work;
}

std::span<const float> Layer::packed_memory() const { return FfnAccess::packed_memory(copies_.front().front()); }

void Layer::release_unpacked() {
  for (std::vector<float>* matrix : {&gate_, &up_, &down_}) std::vector<float>().swap(*matrix);
}

Weights Layer::weights() const {
  Weights weights;
  if (kind_.gated) weights.gate.data = gate_.data();
  weights.up.data = up_.data();
  weights.down.data = down_.data();
  return weights;
}

PlanVerification Layer::verification(Activation activation, std::size_t m) {
  const auto rows = static_cast<std::ptrdiff_t>(m * shape_.d_model);
  return {copy(0, activation), weights(), {x_.begin(), x_.begin() + rows}, m};
}

}  // namespace sluice::tuner
