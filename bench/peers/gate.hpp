// Owns: the activation and the product for peers whose library has none: vectorised, threaded with OpenMP.
#pragma once

#include <cstddef>

#include "sluice/kind.hpp"

namespace sluice::peers {

// h[m, f] = act(gate[m, f]) ⊗ up[m, f], or act(gate) when up is null; rows are ld floats apart, h may be gate or up.
void apply_gate(Activation activation, std::size_t m, std::size_t f, const float* gate, const float* up,
                std::size_t ld_in, float* h, std::size_t ld_h, int threads);

}  // namespace sluice::peers
