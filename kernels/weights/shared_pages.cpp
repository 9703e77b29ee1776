#include "kernels/weights/shared_pages.hpp"

#include <pthread.h>

#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <new>

#include "kernels/weights/memory.hpp"

namespace sluice::detail {
namespace {

constexpr std::size_t block_bytes = 8 * huge_page;

// Stands at the beginning of its block, which is aligned to its size, so that it is found from any address inside.
struct Block {
  std::size_t used = cache_line;
  std::size_t layers = 0;
};
static_assert(sizeof(Block) <= cache_line);

// Both are initialised before the program runs, and nothing ends them: layers may be globals.
constinit std::mutex mutex;
constinit Block* filling = nullptr;  // the block that the next layer goes into; guarded by the mutex

// A forked child has none of the threads that might have held the lock. Registered when the library is loaded: a thread
// that registered it with the first layer could be too late for a fork that has begun.
[[maybe_unused]] const int usable_after_forks =
    pthread_atfork([] { mutex.lock(); }, [] { mutex.unlock(); }, [] { mutex.unlock(); });

bool shares_pages(std::size_t bytes) noexcept { return bytes >= huge_page / 4 && bytes < 2 * huge_page; }

Block* new_block() noexcept {
  void* const memory = std::aligned_alloc(block_bytes, block_bytes);
  if (memory == nullptr) return nullptr;
  advise_huge_pages(memory, block_bytes);
  return new (memory) Block;
}

}  // namespace

void* allocate_weights(std::size_t bytes) noexcept {
  if (!shares_pages(bytes)) return allocate(bytes);
  const std::size_t rounded = (bytes + cache_line - 1) / cache_line * cache_line;
  const std::lock_guard lock(mutex);
  if (filling == nullptr || filling->used + rounded > block_bytes) {
    Block* const fresh = new_block();
    if (fresh == nullptr) return nullptr;
    filling = fresh;
  }
  void* const memory = reinterpret_cast<std::byte*>(filling) + filling->used;
  filling->used += rounded;
  ++filling->layers;
  return memory;
}

void release_weights(void* memory, std::size_t bytes) noexcept {
  if (memory == nullptr) return;
  if (!shares_pages(bytes)) {
    std::free(memory);
    return;
  }
  const auto address = reinterpret_cast<std::uintptr_t>(memory);
  auto* const block = reinterpret_cast<Block*>(static_cast<std::byte*>(memory) - address % block_bytes);
  {
    const std::lock_guard lock(mutex);
    if (--block->layers != 0) {
      give_back_pages(memory, bytes);
      return;
    }
    if (block == filling) filling = nullptr;
  }
  std::free(block);  // nobody else knows it any more, and what it takes keeps nobody from the lock
}

}  // namespace sluice::detail
