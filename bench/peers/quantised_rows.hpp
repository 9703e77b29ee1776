// Owns: rows quantised to 8 bits by groups, for libraries that multiply such rows and leave their making to the caller.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sluice::peers {

// elements[m, k] and scales[m, k / group] of rows[m, k]: the largest magnitude of a group over 127, and the nearest
// integers. group divides k.
void quantise_rows(const float* rows, std::size_t m, std::size_t k, std::size_t group, std::int8_t* elements,
                   float* scales, int threads);

}  // namespace sluice::peers
