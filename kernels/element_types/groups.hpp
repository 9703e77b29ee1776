// Owns: what the elements of a group of a column have in common, and where it stands in front of the codes: the scales
// of the panel's columns, then, for types that have them, their zero points. Internal.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

namespace sluice::detail {
namespace {

// The range of the values of a group, 0 included; both are NaN if one of the values is.
struct Extremes {
  float least = 0;
  float most = 0;

  void take(float value) {
    if (value > most)
      most = value;
    else if (value < least)
      least = value;
    else if (std::isnan(value))
      least = most = std::numeric_limits<float>::quiet_NaN();
  }
  // NaN if one of the values is.
  [[nodiscard]] float magnitude() const { return -least > most ? -least : most; }
};

// A scale and the code that stands for 0.
template <class Scale>
struct ScaleAndZero {
  Scale scale;
  std::uint8_t zero;
  friend bool operator==(const ScaleAndZero& a, const ScaleAndZero& b) {
    return a.scale == b.scale && a.zero == b.zero;
  }
};

// The bytes of a group for each column, beside its codes.
template <class Element>
constexpr std::size_t group_bytes = sizeof(typename Element::Scale) + (Element::has_zeros ? 1 : 0);

// `groups` holds those of nr columns.
template <class Element>
void store_group(std::byte* groups, std::size_t column, std::size_t nr, typename Element::Group group) {
  typename Element::Scale scale;
  if constexpr (Element::has_zeros) {
    scale = group.scale;
    groups[nr * sizeof scale + column] = static_cast<std::byte>(group.zero);
  } else {
    scale = group;
  }
  std::memcpy(groups + column * sizeof scale, &scale, sizeof scale);
}

}  // namespace
}  // namespace sluice::detail
