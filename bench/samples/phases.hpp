// Owns: how the time of a cell divides into phases, measured by time stamps, as shares of the time of all threads.
// Does not own: the stamps (kernels/call/phases.hpp), how many forwards are taken and when (session.hpp).
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "kernels/call/phases.hpp"

namespace sluice::bench {

// The phases of a thread, and the call around them: waking a thread until its first instruction, and from its last one
// until the call returns.
inline constexpr std::array<std::string_view, detail::phase_count + 1> phase_names = {"pack",   "up",   "gate", "down",
                                                                                      "unpack", "wait", "call"};

// Fractions of the time of all threads, in the order of phase_names; their sum is 1.
using PhaseShares = std::array<double, phase_names.size()>;

// The shares of one call, averaged over its threads.
PhaseShares shares_of(const detail::Phases& phases);

// Returns the shares of one call on at most that many threads; `forward` runs it and fills in the phases.
PhaseShares shares_of_call(std::uint32_t threads, const std::function<void(detail::Phases&)>& forward);

// Returns the median of each share over the calls, at least one, scaled to a sum of 1.
PhaseShares median_shares(std::span<const PhaseShares> calls);

}  // namespace sluice::bench
