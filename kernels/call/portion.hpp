// Owns: doing a part of a call's work, for measurements of calls so long that a pair of them does not meet the same
// neighbours. Internal. All portions of a call together do each panel once. y is then no answer, since the down stage
// of a portion reads all of H, most of which it has not written.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/threads/share.hpp"

namespace sluice::detail {

// Part `index` of `count` of the panels of each stage of each block, and the same part of packing x.
struct Portion {
  std::uint32_t index = 0;
  std::uint32_t count = 1;

  [[nodiscard]] constexpr Range of(Range panels) const noexcept {
    const Range part = share(panels.end - panels.begin, index, count);
    return {panels.begin + part.begin, panels.begin + part.end};
  }
};

}  // namespace sluice::detail
