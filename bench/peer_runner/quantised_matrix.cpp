#include "bench/peer_runner/quantised_matrix.hpp"

#include <algorithm>
#include <cmath>
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
  // Codes of integers have no sign (scaled_integer.hpp); those of E2M1 are what the format defines.
  constexpr int offset = Element::type == ElementType::mxfp4 ? 0 : static_cast<int>(Element::zero_code);
  const std::size_t groups = (in + group - 1) / group;
  std::vector<float> largest(column_block);
  std::vector<Scale> scale(column_block);
  for (std::size_t n0 = 0; n0 < out; n0 += column_block) {
    const std::size_t columns = std::min(column_block, out - n0);
    for (std::size_t g = 0; g < groups; ++g) {
      const std::size_t end = std::min(in, (g + 1) * group);
      std::fill(largest.begin(), largest.end(), 0.0F);
      for (std::size_t k = g * group; k < end; ++k)
        for (std::size_t n = 0; n < columns; ++n) largest[n] = std::max(largest[n], std::abs(from[k * out + n0 + n]));
      for (std::size_t n = 0; n < columns; ++n) {
        scale[n] = Element::scale_of(largest[n]);
        std::memcpy(to.scales + ((n0 + n) * groups + g) * sizeof(Scale), &scale[n], sizeof(Scale));
      }
      for (std::size_t k = g * group; k < end; ++k) {
        for (std::size_t n = 0; n < columns; ++n) {
          const auto code = Element::round(from[k * out + n0 + n], scale[n]);
          to.values[k * out + n0 + n] = Element::widen(code, scale[n]);
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
