#include "kernels/model/quantised_rows.hpp"

#include <cmath>

#include "kernels/element_types/bf16.hpp"
#include "kernels/element_types/float_mode.hpp"
#include "kernels/model/rounding_errors.hpp"

namespace sluice::detail {
namespace {

// A value as a bf16 that dot products of bf16 read: denormals are zeros to them.
double bf16_operand(double value) noexcept {
  const double rounded = Bf16::widen(Bf16::round(static_cast<float>(value)));
  return std::abs(rounded) < smallest_normal ? 0 : rounded;
}

// A row as the kernels round it to bf16. What is exact in float32 (x) comes out the same. Where the kernels' values (H)
// may differ from these, they lie between two ends, and so do the rounded ones, since rounding is monotonic.
void round_to_bf16(std::span<double> value, std::span<double> error) {
  const FloatMode mode;
  for (std::size_t k = 0; k < value.size(); ++k) {
    const double low = bf16_operand(value[k] - error[k] * oracle_margin);
    const double high = bf16_operand(value[k] + error[k] * oracle_margin);
    value[k] = bf16_operand(value[k]);
    error[k] = std::max(value[k] - low, high - value[k]);
  }
}

// The steps of a row's quantisation, ±steps.
float quantisation_steps(Arithmetic arithmetic) noexcept { return arithmetic == Arithmetic::int8 ? 127.0F : 32767.0F; }

// A group of a row as the kernels quantise it. What is exact in float32 (x) is quantised by the same operations in
// float32, so it comes out the same. Where the kernels' values (H) may differ from these, so may their scale, and an
// element near the middle between two integers may go to the other one.
void quantise(std::span<double> value, std::span<double> error, float steps) {
  constexpr float negligible = 0x1p-100F;
  const FloatMode mode;
  float largest = 0;
  double spread = 0;
  bool finite = true;
  for (std::size_t k = 0; k < value.size(); ++k) {
    const auto rounded = static_cast<float>(value[k]);
    error[k] += std::abs(value[k] - static_cast<double>(rounded));
    value[k] = rounded;
    finite = finite && std::isfinite(rounded);
    largest = std::max(largest, std::abs(rounded));
    spread = std::max(spread, error[k]);
  }
  if (!finite) {
    std::fill(value.begin(), value.end(), std::nan(""));
    return;
  }
  const bool zero = largest < negligible;
  const float scale = zero ? 0.0F : largest / steps;
  const float factor = zero ? 0.0F : steps / largest;
  const double least = static_cast<double>(largest) - spread;
  for (std::size_t k = 0; k < value.size(); ++k) {
    const double given = value[k];
    const float ratio = static_cast<float>(given) * factor;
    const double code = std::nearbyint(ratio);
    value[k] = code * static_cast<double>(scale);
    if (spread == 0) continue;
    if (least < static_cast<double>(negligible)) {
      error[k] += std::abs(given) + std::abs(value[k]) + (static_cast<double>(largest) + spread) / steps;
      continue;
    }
    // The relative distance of the kernels' scale, then that of an element in steps, then the steps it may be away.
    const double off = spread / least + 4 * unit_roundoff;
    const double distance = (error[k] * steps / least + std::abs(ratio) * off) * oracle_margin;
    const double jumps = std::floor(std::abs(ratio - code) + distance + 0.5);
    error[k] = (jumps * scale * (1 + off) + std::abs(value[k]) * off) * oracle_margin;
  }
}

}  // namespace

void quantise_rows(std::span<double> value, std::span<double> error, std::size_t depth, Kind kind) noexcept {
  if (kind.arithmetic == Arithmetic::bf16) return round_to_bf16(value, error);
  const std::size_t group = quantisation_group(kind.weights);
  for (std::size_t row = 0; row < value.size(); row += depth) {
    for (std::size_t k = 0; k < depth; k += group) {
      const std::size_t length = std::min(group, depth - k);
      quantise(value.subspan(row + k, length), error.subspan(row + k, length), quantisation_steps(kind.arithmetic));
    }
  }
}

}  // namespace sluice::detail
