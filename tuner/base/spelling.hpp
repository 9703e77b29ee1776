// Owns: help for a name that was mistyped: the nearest known one, and the list of all.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace sluice::tuner {

// Returns the candidate that is a few typing errors away from `name`, else one that begins with it, else an empty text.
// Of equally near candidates it returns the first.
std::string_view nearest(std::string_view name, std::span<const std::string_view> candidates);

// Returns "did you mean swiglu? Known: relu, gelu, …" or, when nothing is near, "known: relu, gelu, …".
std::string known_names(std::string_view name, std::span<const std::string_view> candidates);

}  // namespace sluice::tuner
