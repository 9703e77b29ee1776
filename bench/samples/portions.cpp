#include "bench/samples/portions.hpp"

#include <algorithm>
#include <cmath>

namespace sluice::bench {
namespace {

constexpr double longest_seconds = 0.04;  // a forward up to this length is measured whole
constexpr double portion_seconds = 0.02;
// A portion reads all of x and H for its panels, as a block of panels does anyway. With fewer panels than this, those
// reads would be most of its time.
constexpr std::size_t fewest_panels = 8;  // for each thread

}  // namespace

std::uint32_t portions(double seconds, Shape shape, const Plan& plan) {
  if (seconds <= longest_seconds) return 1;
  const Tiling& tiling = plan.tiling;
  const std::size_t panels = std::min<std::size_t>(shape.d_model, tiling.fc) / tiling.nr;
  const std::size_t most = std::max<std::size_t>(1, panels / (fewest_panels * plan.threads));
  return static_cast<std::uint32_t>(std::min(std::ceil(seconds / portion_seconds), static_cast<double>(most)));
}

}  // namespace sluice::bench
