// Owns: the memory of packed weights: the weights of small layers share huge pages, those of large ones have their own.
// Internal. Does not own: allocating a large buffer (memory.hpp).
#pragma once

#include <cstddef>

namespace sluice::detail {

// Returns memory aligned to a cache line, or null if there is none. Many layers of half a huge page up to two of them
// would take up to four times their size if each had huge pages of its own, and small pages would cost them up to half
// of their speed (memory.hpp). So they are taken one after another from blocks of eight huge pages. The place
// of a freed layer is not used again: its pages go back to the system at once, the block when all its layers are freed.
// Thread-safe, and usable in a forked child.
void* allocate_weights(std::size_t bytes) noexcept;

// `bytes` are those that were asked for. Null is ignored.
void release_weights(void* memory, std::size_t bytes) noexcept;

}  // namespace sluice::detail
