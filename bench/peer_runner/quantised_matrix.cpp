#include "bench/peer_runner/quantised_matrix.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "kernels/element_types/element_types.hpp"
#include "kernels/element_types/float_mode.hpp"

namespace sluice::bench {
namespace {

// Columns that are quantised together, so that whole cache lines of a row are used.
constexpr std::size_t column_block = 64;

template <class Element>
void quantise_grouped(const float* from, std::size_t in, std::size_t out, std::size_t group,
                      const QuantisedMatrix& to) {
  using Scale = typename Element::Scale;
  // Codes of integers with a sign have none (scaled_integer.hpp); others are what the format defines.
  constexpr int offset = Element::type == ElementType::mxfp4 ? 0 : static_cast<int>(Element::zero_code);
  const std::size_t groups = (in + group - 1) / group;
  std::vector<detail::Extremes> ranges(column_block);
  std::vector<typename Element::Group> common(column_block);
  for (std::size_t n0 = 0; n0 < out; n0 += column_block) {
    const std::size_t columns = std::min(column_block, out - n0);
    for (std::size_t g = 0; g < groups; ++g) {
      const std::size_t end = std::min(in, (g + 1) * group);
      std::fill(ranges.begin(), ranges.end(), detail::Extremes{});
      for (std::size_t k = g * group; k < end; ++k)
        for (std::size_t n = 0; n < columns; ++n) ranges[n].take(from[k * out + n0 + n]);
      for (std::size_t n = 0; n < columns; ++n) {
        common[n] = Element::group_of(ranges[n]);
        const std::size_t at = (n0 + n) * groups + g;
        Scale scale;
        if constexpr (Element::has_zeros) {
          scale = common[n].scale;
          to.zeros[at] = static_cast<std::byte>(common[n].zero);
        } else {
          scale = common[n];
        }
        std::memcpy(to.scales + at * sizeof scale, &scale, sizeof scale);
      }
      for (std::size_t k = g * group; k < end; ++k) {
        for (std::size_t n = 0; n < columns; ++n) {
          const auto code = Element::round(from[k * out + n0 + n], common[n]);
          to.values[k * out + n0 + n] = Element::widen(code, common[n]);
          to.elements[(n0 + n) * in + k] = static_cast<std::int8_t>(static_cast<int>(code) - offset);
        }
      }
    }
  }
}

}  // namespace

std::size_t scale_group(WeightType type, std::size_t in) noexcept { return std::min<std::size_t>(type.group, in); }

std::size_t scale_count(WeightType type, std::size_t in) noexcept {
  const std::size_t group = scale_group(type, in);
  return group == 0 ? 0 : (in + group - 1) / group;
}

std::size_t scale_bytes(WeightType type) noexcept {
  return type.group == 0 ? 0 : type.element == ElementType::mxfp4 ? 1 : 2;
}

bool has_zeros(WeightType type) noexcept {
  bool found = false;
  detail::with_element_type(type.element, [&](auto element) {
    using Element = decltype(element);
    if constexpr (Element::grouped) found = Element::has_zeros;
  });
  return found;
}

void quantise(const float* from, std::size_t in, std::size_t out, WeightType type, const QuantisedMatrix& to) {
  const detail::FloatMode mode;
  detail::with_element_type(type.element, [&](auto element) {
    using Element = decltype(element);
    if constexpr (Element::grouped) {
      quantise_grouped<Element>(from, in, out, scale_group(type, in), to);
    } else {
      for (std::size_t i = 0; i < in * out; ++i) to.values[i] = Element::widen(Element::round(from[i]));
    }
  });
}

}  // namespace sluice::bench
