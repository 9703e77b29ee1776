// Owns: the list of micro benchmarks: the parts of a forward, each alone on operands of a known place in the cache.
// Does not own: measuring them (micro_session.hpp), their form in results (micro_reporter.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sluice/sluice.hpp"

namespace sluice::bench {

struct Micro {
  std::string name;  // "micro/microkernel/avx512/13x32/L1"
  // "microkernel", "in_place", "stream", "wide", "interleaved", "widening", "widen_groups", "dot", "dot_side_by_side",
  // "quantise", "pack_x", "epilogue", "forward_empty", "barrier", "call"
  std::string group;
  std::string tile;   // "13x32"; empty where there is no register tile
  std::string level;  // the cache level of the operands, "L1" or "L2"; empty where it means nothing
  std::uint32_t threads = 1;
  std::optional<Kind> kind;  // of dot products: whose type of weights and arithmetic it is
  // Of one run; 0 where it means nothing.
  double flops = 0;
  double bytes = 0;
  double elements = 0;  // of the result
  // Makes the operands and returns a function that runs the kernel the given number of times.
  std::function<std::function<void(std::size_t)>()> prepare;
};

// Returns the benchmarks of one ISA in the order of the kernel table: the barrier and the call for each thread count
// above 1, the others if 1 is among the thread counts. `executor` must outlive them.
std::vector<Micro> micros(Isa isa, const CacheSizes& caches, const std::vector<std::uint32_t>& threads,
                          Executor& executor);

}  // namespace sluice::bench
