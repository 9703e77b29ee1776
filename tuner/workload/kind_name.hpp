// Owns: the name of a kind where the type of its weights matters. Needs the kernels alone.
#pragma once

#include <string>

#include "sluice/kind.hpp"

namespace sluice::tuner {

// "swiglu", "swiglu/bf16": the kind, and the type of its weights if it is not f32.
inline std::string kind_name(Kind kind) {
  return std::string(name(kind)) + (kind.weights == WeightType::f32 ? "" : "/" + std::string(name(kind.weights)));
}

}  // namespace sluice::tuner
