// Owns: the list of the types that elements of weights may have. Internal. A type's own file owns how a value is
// rounded and where it stands in a panel.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "kernels/element_types/bf16.hpp"
#include "kernels/element_types/f16.hpp"
#include "kernels/element_types/f32.hpp"
#include "kernels/element_types/int4.hpp"
#include "kernels/element_types/int8.hpp"
#include "kernels/element_types/mxfp4.hpp"
#include "kernels/element_types/uint4.hpp"
#include "kernels/element_types/uint8.hpp"

namespace sluice::detail {

template <class... Elements>
struct ElementList {
  static constexpr std::size_t count = sizeof...(Elements);
  static constexpr std::size_t type_count = (std::size(Elements::groups) + ...);

  // The types of weights that the elements make, and their names.
  static constexpr std::array<WeightType, type_count> types = [] {
    std::array<WeightType, type_count> all{};
    std::size_t at = 0;
    const auto append = [&](auto element) {
      for (const NamedGroup& one : decltype(element)::groups) all[at++] = {decltype(element)::type, one.group};
    };
    (append(Elements{}), ...);
    return all;
  }();
  static constexpr std::array<std::string_view, type_count> names = [] {
    std::array<std::string_view, type_count> all{};
    std::size_t at = 0;
    const auto append = [&](auto element) {
      for (const NamedGroup& one : decltype(element)::groups) all[at++] = one.name;
    };
    (append(Elements{}), ...);
    return all;
  }();

  // Calls action(F32{}), action(Bf16{}), … for each type.
  template <class Action>
  static constexpr void for_each(Action&& action) {
    (action(Elements{}), ...);
  }
};
// In the order of ElementType.
using ElementTypes = ElementList<F32, Bf16, F16, Int8, Int4, Mxfp4, UInt8, UInt4>;
static_assert(ElementTypes::count == element_type_count);

// Calls action(F32{}), action(Bf16{}), … for the type; nothing if there is no such type.
template <class Action>
void with_element_type(ElementType type, Action&& action) {
  ElementTypes::for_each([&](auto element) {
    if (decltype(element)::type == type) action(element);
  });
}

// The same for the types whose elements are values of their own.
template <class Action>
void with_plain_type(ElementType type, Action&& action) {
  with_element_type(type, [&](auto element) {
    if constexpr (!decltype(element)::grouped) action(element);
  });
}

}  // namespace sluice::detail
