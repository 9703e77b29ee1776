// Owns: which plans are worth trying: a pure function of caches, problem and ISA, one commented function per parameter.
// Does not own: the order of trying (search.hpp), measuring.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "sluice/plan.hpp"

namespace sluice::tuner {

// What a plan is for. nr is fixed, because all M share one packing of the weights.
struct Setting {
  CacheSizes caches;
  Isa isa;
  Kind kind;
  Shape shape;
  std::size_t m;
  std::uint32_t max_threads;
  std::uint32_t nr;
};

// The analytical plan: where every search starts.
Plan first_candidate(const Setting& setting);

// One parameter (or a few that only make sense together) and its alternatives to a given plan.
struct Axis {
  std::string_view name;
  std::vector<Plan> (*alternatives)(const Setting& setting, const Plan& plan);
};

// The axes in the order of their weight: what changes most comes first.
const std::vector<Axis>& axes();

// The alternatives of one axis that are valid, differ from `plan` and from each other once clipped to the problem.
std::vector<Plan> candidates(const Axis& axis, const Setting& setting, const Plan& plan);

}  // namespace sluice::tuner
