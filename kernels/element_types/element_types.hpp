// Owns: the list of the types that weights may have, for code that is not compiled for one instruction set. Internal.
// A type's own file owns how a value is rounded and where it stands in a panel.
#pragma once

#include "kernels/element_types/bf16.hpp"
#include "kernels/element_types/f16.hpp"
#include "kernels/element_types/f32.hpp"

namespace sluice::detail {

// Calls action(F32{}), action(Bf16{}), … for the type, or returns `otherwise` if there is no such type.
template <class Action, class Answer>
Answer with_element_type(WeightType type, Action&& action, Answer otherwise) {
  switch (type) {
    case WeightType::f32:
      return action(F32{});
    case WeightType::bf16:
      return action(Bf16{});
    case WeightType::f16:
      return action(F16{});
  }
  return otherwise;
}

}  // namespace sluice::detail
