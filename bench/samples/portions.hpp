// Owns: into how many portions the forwards of a group of cells are divided; each sample times one portion.
// Does not own: what a portion is (kernels/call/portion.hpp), which is whose turn (session_turns.cpp).
//
// Neighbours slow a core for 10 to 100 ms at a time: two forwards of 190 ms side by side each meet some of that, two
// portions of 20 ms mostly meet it both or not at all. All portions together are the whole forward: measured side by
// side, whole forwards took 0.991 to 1.004 of their portions (eight cells of 65 to 550 ms, Zen 3, median 0.996).
#pragma once

#include <cstdint>

#include "sluice/plan.hpp"

namespace sluice::bench {

// Returns the number for a forward that takes so long at the roof that binds: 1 if it is short or has too few panels.
std::uint32_t portions(double seconds, Shape shape, const Plan& plan);

}  // namespace sluice::bench
