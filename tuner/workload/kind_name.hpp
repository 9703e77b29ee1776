// Owns: the name of a kind where the type of its weights matters. Needs the kernels alone.
#pragma once

#include <string>

#include "sluice/kind.hpp"

namespace sluice::tuner {

// "/bf16"; nothing for f32.
inline std::string type_suffix(WeightType weights) {
  return weights == WeightType::f32 ? "" : "/" + std::string(name(weights));
}

// "/bf16", "/int8:32/int16"; nothing for f32 weights and arithmetic.
inline std::string type_suffix(Kind kind) {
  return type_suffix(kind.weights) +
         (kind.arithmetic == Arithmetic::f32 ? "" : "/" + std::string(name(kind.arithmetic)));
}

// "swiglu", "swiglu/bf16".
inline std::string kind_name(Kind kind) { return std::string(name(kind)) + type_suffix(kind); }

}  // namespace sluice::tuner
