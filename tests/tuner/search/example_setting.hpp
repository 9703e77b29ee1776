// Owns: the setting that the tests of the search draw their candidates in.
#pragma once

#include "tuner/search/candidates.hpp"

namespace sluice::tuner {

// Uses the most capable instruction set that runs here and its usual panel width.
inline Setting example(std::size_t m, std::uint32_t threads = 2) {
  const Isa isa = runnable_isas().back();
  return {CacheSizes{}, isa, swiglu, {2048, 5632}, m, threads, register_tiles(isa).front().nr};
}

}  // namespace sluice::tuner
