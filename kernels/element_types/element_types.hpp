// Owns: the list of the types that weights may have. Internal. A type's own file owns how a value is rounded and where
// it stands in a panel.
#pragma once

#include <cstddef>

#include "kernels/element_types/bf16.hpp"
#include "kernels/element_types/f16.hpp"
#include "kernels/element_types/f32.hpp"

namespace sluice::detail {

template <class... Elements>
struct ElementList {
  static constexpr std::size_t count = sizeof...(Elements);
  static constexpr WeightType types[] = {Elements::type...};

  // Calls action(F32{}), action(Bf16{}), … for each type.
  template <class Action>
  static constexpr void for_each(Action&& action) {
    (action(Elements{}), ...);
  }
};
// In the order of WeightType.
using ElementTypes = ElementList<F32, Bf16, F16>;
static_assert(ElementTypes::count == weight_type_count);

// Calls action(F32{}), action(Bf16{}), … for the type; nothing if there is no such type.
template <class Action>
void with_element_type(WeightType type, Action&& action) {
  ElementTypes::for_each([&](auto element) {
    if (decltype(element)::type == type) action(element);
  });
}

}  // namespace sluice::detail
