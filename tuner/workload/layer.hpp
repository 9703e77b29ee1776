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
  // Returns the bytes that a layer takes while it is made: its unpacked weights, its copies, and the rows.
  [[nodiscard]] static double bytes_needed(Shape shape, Kind kind, std::size_t max_m, std::size_t cold_bytes) noexcept;

  // Packs ceil(cold_bytes / packed size) copies, at least one. The kind's activation does not matter. nr = 0 stands for
  // the width of the plans in the table, which must outlive the layer. Throws Failure 4 if packing fails, or before it
  // if there is too little memory.
  Layer(Shape shape, Kind kind, Isa isa, std::uint32_t nr, std::size_t max_m, std::size_t cold_bytes,
        PlanTable plans = {});

  // Runs one forward of m ≤ max_m rows on the copy whose turn it is. A timed forward must come
  // after prepare(). Throws Failure 4 if the forward fails. `phases` receives where the time went.
  void forward(Activation activation, std::size_t m, const Plan& plan, Executor& executor,
               detail::Phases* phases = nullptr);
  // Runs one of `count` portions of such a forward. Every call runs the next one, whoever asks, so that none finds the
  // last one's weights in a cache. Returns the portion's share of the forward's multiplications. y is not a result.
  double forward_portion(Activation activation, std::size_t m, const Plan& plan, Executor& executor,
                         std::uint32_t count);
  // Makes the workspace large enough, so that the first timed forward allocates nothing. Packs nothing.
  void prepare(std::size_t m, const Plan& plan);

  [[nodiscard]] PlanVerification verification(Activation activation, std::size_t m);

  // weights() are views of the unpacked weights, which are float32. x and the last forward's y are [max_m, d_model].
  [[nodiscard]] Weights weights() const;
  [[nodiscard]] const std::vector<float>& x() const { return x_; }
  [[nodiscard]] const std::vector<float>& y() const { return y_; }

  // Frees the unpacked weights. verification() and weights() must not be called afterwards.
  void release_unpacked();

  [[nodiscard]] Shape shape() const { return shape_; }
  // Of any activation.
  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] std::uint32_t nr() const { return copies_.front().front().nr(); }
  [[nodiscard]] std::size_t copies() const { return copies_.size(); }
  // Returns the packed weights of the first copy.
  [[nodiscard]] std::span<const float> packed_memory() const;

 private:
  [[nodiscard]] Ffn& copy(std::size_t index, Activation activation);

  Shape shape_;
  Kind kind_;
  std::vector<float> gate_, up_, down_;
  std::vector<float> x_, y_;
  std::vector<std::vector<Ffn>> copies_;  // [copy][the activations asked for so far]
  std::unique_ptr<Workspace> workspace_;
  std::size_t turn_ = 0;
  std::uint32_t portion_ = 0;
};

}  // namespace sluice::tuner
