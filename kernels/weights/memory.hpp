// Owns: allocation of the large buffers. Internal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace sluice::detail {

inline constexpr std::size_t cache_line = 64;

inline constexpr std::size_t huge_page = std::size_t{2} << 20U;

// Asks for huge pages. A page that is advised in part is not made huge. Failing is harmless.
inline void advise_huge_pages([[maybe_unused]] void* memory, [[maybe_unused]] std::size_t bytes) noexcept {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  madvise(memory, bytes, MADV_HUGEPAGE);
#endif
}

// Gives the pages that lie wholly in the memory back to the system; the addresses stay usable. Failing is harmless.
inline void give_back_pages([[maybe_unused]] void* memory, [[maybe_unused]] std::size_t bytes) noexcept {
#if defined(__linux__)
  const long page_bytes = ::sysconf(_SC_PAGESIZE);
  const auto page = page_bytes > 0 ? static_cast<std::size_t>(page_bytes) : huge_page;
  const std::size_t before = (page - reinterpret_cast<std::uintptr_t>(memory) % page) % page;
  if (before >= bytes) return;
  madvise(static_cast<std::byte*>(memory) + before, (bytes - before) / page * page, MADV_DONTNEED);
#endif
}

// At least cache-line aligned; null when there is no memory. To be freed with std::free.
// A buffer of at least a quarter of a huge page gets huge pages. On them, streaming weights at M = 1 to 8 took 0.78 of
// their time on 4 KiB pages (a virtual machine, where a TLB miss walks two page tables). 1 MB of weights, when it got a
// huge page, took 0.54 to 0.70 at M = 1 to 8, 0.79 at 16, 0.94 at 64. Of several pages, the last one stays small if
// less than half of it would be used, so that no buffer takes more than 1.5 times its size.
inline void* allocate(std::size_t bytes) noexcept {
  const std::size_t alignment = bytes < huge_page / 4 ? cache_line : huge_page;
  if (bytes == 0 || bytes > SIZE_MAX - alignment) return nullptr;
  if (alignment == cache_line)
    return std::aligned_alloc(cache_line, (bytes + cache_line - 1) / cache_line * cache_line);
  constexpr std::size_t small_page = 4096;
  const std::size_t whole = bytes / huge_page * huge_page;
  const std::size_t tail = bytes - whole;
  const bool huge_tail = tail >= huge_page / 2 || whole == 0;
  const std::size_t rounded = huge_tail ? whole + huge_page : (bytes + small_page - 1) / small_page * small_page;
  void* memory = nullptr;
  if (posix_memalign(&memory, huge_page, rounded) != 0) return nullptr;
  advise_huge_pages(memory, huge_tail ? rounded : whole);
  return memory;
}

}  // namespace sluice::detail
