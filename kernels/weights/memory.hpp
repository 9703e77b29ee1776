// Owns: allocation of the large buffers. Internal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace sluice::detail {

inline constexpr std::size_t cache_line = 64;

// At least cache-line aligned; null when there is no memory. To be freed with std::free.
// A buffer of at least a quarter of a huge page gets whole huge pages. On them, streaming weights at M = 1 to 8 took
// 0.78 of their time on 4 KiB pages (a virtual machine, where a TLB miss walks two page tables). 1 MB of weights, when
// it got a huge page, took 0.54 to 0.70 at M = 1 to 8, 0.79 at 16, 0.94 at 64.
inline void* allocate(std::size_t bytes) noexcept {
  constexpr std::size_t huge_page = std::size_t{2} << 20U;
  const std::size_t alignment = bytes < huge_page / 4 ? cache_line : huge_page;
  if (bytes == 0 || bytes > SIZE_MAX - alignment) return nullptr;
  const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  void* memory = std::aligned_alloc(alignment, rounded);
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  // The advice reaches the end of the last page, since a page advised in part is not made huge. Failing is harmless.
  if (memory != nullptr && alignment == huge_page) madvise(memory, rounded, MADV_HUGEPAGE);
#endif
  return memory;
}

}  // namespace sluice::detail
