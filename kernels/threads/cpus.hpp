// Owns: which CPUs this process may use, and how many threads they and its quota are worth. Internal; the tuner asks
// here too. Does not own: the quota (control_groups.hpp).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace sluice::detail {

// Returns the CPUs of the affinity mask, ascending, however many the machine may have; none where there is no mask.
// Throws std::bad_alloc alone.
std::vector<unsigned> affinity_mask();

// Returns how many threads a quota is worth, at most `threads` and at least one. A quota of 1.5 CPUs is worth two.
std::uint32_t threads_within(std::optional<double> quota, std::uint32_t threads) noexcept;

}  // namespace sluice::detail
