// Owns: the memory that Sluice and the peers' processes share: the weights and rows of a layer, and a place for y.
// Does not own: the layer (tuner/workload/layer.hpp), what a type makes of its weights (quantised_matrix.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>

#include "tuner/workload/layer.hpp"

namespace sluice::bench {

class SharedLayer {
 public:
  // Copies the unpacked weights, which the layer must still have, and x. The weights are copied in the layer's type: as
  // the float32 values that packing makes of them and, if the type has scales, as elements and scales too. Throws
  // Failure 4 if memory is short.
  explicit SharedLayer(const tuner::Layer& layer);
  ~SharedLayer();
  SharedLayer(const SharedLayer&) = delete;
  SharedLayer& operator=(const SharedLayer&) = delete;

  [[nodiscard]] Shape shape() const { return shape_; }
  [[nodiscard]] bool gated() const { return gated_; }
  [[nodiscard]] WeightType type() const { return type_; }
  // Returns the values of the weights in their type, as float32.
  [[nodiscard]] Weights weights() const;
  [[nodiscard]] const float* x() const { return floats(x_); }
  // Returns the first m rows of y.
  [[nodiscard]] std::span<float> y(std::size_t m) const { return {floats(y_), m * shape_.d_model}; }
  // Returns where another process of this user finds it: path, bytes, and the offset of each array; null for one that
  // does not exist.
  [[nodiscard]] nlohmann::json description() const;

 private:
  static constexpr std::size_t nowhere = SIZE_MAX;
  // Offsets in bytes.
  struct Place {
    std::size_t values = nowhere, elements = nowhere, scales = nowhere, zeros = nowhere;
  };

  [[nodiscard]] std::byte* at(std::size_t offset) const;
  [[nodiscard]] float* floats(std::size_t offset) const { return reinterpret_cast<float*>(at(offset)); }
  [[nodiscard]] Place reserve_matrix(std::size_t in, std::size_t out);
  [[nodiscard]] std::size_t reserve(std::size_t bytes);
  void fill(const Place& place, const Matrix& from, std::size_t in, std::size_t out) const;

  Shape shape_;
  bool gated_;
  WeightType type_;
  int file_ = -1;
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
  Place gate_, up_, down_;
  std::size_t x_ = 0, y_ = 0;  // offsets in bytes
};

}  // namespace sluice::bench
