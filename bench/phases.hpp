// Owns: where the time of a cell goes: forwards with stamps, as shares of the time of all threads.
// Does not own: the stamps (kernels/phases.hpp), the clock (tuner/clock.hpp).
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <string_view>

#include "kernels/phases.hpp"
#include "tuner/clock.hpp"

namespace sluice::bench {

// The phases of a thread, and the call around them: waking a thread until its first instruction, and from its last one
// until the call returns.
inline constexpr std::array<std::string_view, detail::phase_count + 1> phase_names = {"pack",   "up",   "gate", "down",
                                                                                      "unpack", "wait", "call"};

// Fractions of the time of all threads, in the order of phase_names; their sum is 1.
using PhaseShares = std::array<double, phase_names.size()>;

// The shares of one call, averaged over its threads.
PhaseShares shares_of(const detail::Phases& phases);

// The median of each share over the undisturbed forwards (all of them, where none was), scaled to a sum of 1. Aims for
// `wanted` undisturbed ones. `forward` runs one call, which reads `bytes`, on at most clock.threads() threads and fills
// in the phases.
PhaseShares measure_phases(tuner::Clock& clock, tuner::Roof roof, double bytes, std::size_t wanted,
                           const std::function<void(detail::Phases&)>& forward);

}  // namespace sluice::bench
