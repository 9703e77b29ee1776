// Owns: an FFN of one shape with made-up weights, ready to be timed: packed in enough copies that taking turns keeps
// the weights cold, with rows of x and a workspace. Does not own: timing, plans.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kernels/call/phases.hpp"
#include "sluice/sluice.hpp"
#include "tuner/workload/verification.hpp"

namespace sluice::tuner {

class Layer {
 public:
  // Packs ceil(cold_bytes / packed size) copies, at least one. nr = 0: the width of the plans in the table, which must
  // outlive the layer. Throws Failure 4 when memory is short, or what packing complains of.
  Layer(Shape shape, bool gated, Isa isa, std::uint32_t nr, std::size_t max_m, std::size_t cold_bytes,
        PlanTable plans = {});

  // One forward of m ≤ max_m rows on the copy whose turn it is. Throws Failure on a status that is not ok. `phases`: to
  // be told where the time went.
  void forward(Activation activation, std::size_t m, const Plan& plan, Executor& executor,
               detail::Phases* phases = nullptr);
  // One of `count` portions of such a forward, each in turn, whoever asks: so that no call finds the weights of the
  // last one in a cache. Returns what part of the forward's multiplications it was; y is no answer.
  double forward_portion(Activation activation, std::size_t m, const Plan& plan, Executor& executor,
                         std::uint32_t count);
  // Makes the workspace large enough and packs nothing: so that the first timed forward allocates nothing.
  void prepare(std::size_t m, const Plan& plan);

  [[nodiscard]] PlanVerification verification(Activation activation, std::size_t m);

  // Views of the unpacked weights; x and the last forward's y, [max_m, d_model].
  [[nodiscard]] Weights weights() const;
  [[nodiscard]] const std::vector<float>& x() const { return x_; }
  [[nodiscard]] const std::vector<float>& y() const { return y_; }

  // Frees the unpacked weights; no verification() or weights() afterwards.
  void release_unpacked();

  [[nodiscard]] Shape shape() const { return shape_; }
  [[nodiscard]] bool gated() const { return gated_; }
  [[nodiscard]] std::uint32_t nr() const { return copies_.front().front().nr(); }
  [[nodiscard]] std::size_t copies() const { return copies_.size(); }
  // What the first copy packed.
  [[nodiscard]] std::span<const float> packed_memory() const;

 private:
  [[nodiscard]] Ffn& copy(std::size_t index, Activation activation);

  Shape shape_;
  bool gated_;
  std::vector<float> gate_, up_, down_;
  std::vector<float> x_, y_;
  std::vector<std::vector<Ffn>> copies_;  // [copy][the activations asked for so far]
  std::unique_ptr<Workspace> workspace_;
  std::size_t turn_ = 0;
  std::uint32_t portion_ = 0;
};

}  // namespace sluice::tuner
