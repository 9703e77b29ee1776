// Owns: how work is split between threads. Packing and forward use the same split, so that a thread reads what it
// wrote. Internal.
#pragma once

#include <algorithm>
#include <cstddef>

namespace sluice::detail {

struct Range {
  std::size_t begin;
  std::size_t end;
};

// Part `index` of `parts` contiguous, balanced parts of `count`.
constexpr Range share(std::size_t count, std::size_t index, std::size_t parts) noexcept {
  const std::size_t base = count / parts;
  const std::size_t longer = count % parts;
  const std::size_t begin = index * base + std::min(index, longer);
  return {begin, begin + base + (index < longer ? 1 : 0)};
}

}  // namespace sluice::detail
