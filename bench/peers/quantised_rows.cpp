// Compiled as gate.cpp is, whose loops are vectors likewise.
#include "bench/peers/quantised_rows.hpp"

#include <algorithm>
#include <cmath>

namespace sluice::peers {

void quantise_rows(const float* rows, std::size_t m, std::size_t k, std::size_t group, std::int8_t* elements,
                   float* scales, int threads) {
  // Below that much work a parallel region costs more than it saves.
  constexpr std::size_t worth_a_region = 32768;
  const std::size_t groups = m * (k / group);
#pragma omp parallel for num_threads(threads) if (threads > 1 && m * k >= worth_a_region) schedule(static)
  for (std::size_t g = 0; g < groups; ++g) {
    const float* from = rows + g * group;
    std::int8_t* to = elements + g * group;
    float largest = 0;
#pragma omp simd reduction(max : largest)
    for (std::size_t i = 0; i < group; ++i) largest = std::max(largest, std::abs(from[i]));
    scales[g] = largest / 127;
    const float steps = largest > 0 ? 127 / largest : 0;
#pragma omp simd
    for (std::size_t i = 0; i < group; ++i) to[i] = static_cast<std::int8_t>(std::rint(from[i] * steps));
  }
}

}  // namespace sluice::peers
