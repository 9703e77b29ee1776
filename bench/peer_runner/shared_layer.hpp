// Owns: the memory that Sluice and the peers' processes share: the weights and rows of a layer, and a place for y.
// Does not own: the layer (tuner/workload/layer.hpp).
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <span>

#include "tuner/workload/layer.hpp"

namespace sluice::bench {

class SharedLayer {
 public:
  // Copies the unpacked weights, which the layer must still have, and x. Throws Failure 4 if memory is short.
  explicit SharedLayer(const tuner::Layer& layer);
  ~SharedLayer();
  SharedLayer(const SharedLayer&) = delete;
  SharedLayer& operator=(const SharedLayer&) = delete;

  [[nodiscard]] Shape shape() const { return shape_; }
  [[nodiscard]] bool gated() const { return gated_; }
  [[nodiscard]] Weights weights() const;
  [[nodiscard]] const float* x() const { return at(x_); }
  // Returns the first m rows of y.
  [[nodiscard]] std::span<float> y(std::size_t m) const { return {at(y_), m * shape_.d_model}; }
  // Returns where another process of this user finds it: path, bytes, and the offset of each array.
  [[nodiscard]] nlohmann::json description() const;

 private:
  [[nodiscard]] float* at(std::size_t offset) const;

  Shape shape_;
  bool gated_;
  int file_ = -1;
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
  std::size_t gate_ = 0, up_ = 0, down_ = 0, x_ = 0, y_ = 0;  // offsets in bytes
};

}  // namespace sluice::bench
