// Owns: the memory that micro benchmarks compute on, and how they name a register tile.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "tuner/measurement/clock.hpp"

namespace sluice::bench {

using Run = std::function<void(std::size_t)>;

inline constexpr std::size_t line_floats = 64 / sizeof(float);

// Floats for operands, each beginning on a cache line. All are zero: there are no denormals, and a product of zeros
// takes as long as any other.
class Operands {
 public:
  explicit Operands(std::initializer_list<std::size_t> counts) {
    std::size_t end = 0;
    for (const std::size_t count : counts) {
      offsets_.push_back(end);
      end += (count + line_floats - 1) / line_floats * line_floats;
    }
    memory_ = std::make_shared<tuner::StreamBuffer>(end * sizeof(float));
  }
  [[nodiscard]] float* operator[](std::size_t index) const { return memory_->data() + offsets_[index]; }

 private:
  std::vector<std::size_t> offsets_;
  std::shared_ptr<tuner::StreamBuffer> memory_;
};

inline std::string tile_name(std::size_t mr, std::size_t nr) { return fmt::format("{}x{}", mr, nr); }

}  // namespace sluice::bench
