// Owns: the micro benchmarks of dot products and of the quantisation of their A.
#pragma once

#include <vector>

#include "bench/micro/micro.hpp"
#include "kernels/microkernels/kernel_table.hpp"

namespace sluice::bench {

// Appends, for each type of weights with scales, arithmetic and panel width of a table: "dot", every height of the
// register tile on operands in L1; "dot_side_by_side", few rows against the panels that fill half of L2; "quantise".
void append_dot_micros(const detail::KernelTable& kernels, const CacheSizes& caches, std::vector<Micro>& all);

}  // namespace sluice::bench
