// Owns: the FFN sizes of well-known models, by name.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "sluice/kind.hpp"

namespace sluice::tuner {

// One FFN layer of a model (of one expert, in a mixture). The name is empty for sizes given as numbers.
struct Workload {
  std::string_view name;
  std::size_t d_model;
  std::size_t d_ff_gated;  // d_ff of the gated kinds
  std::size_t d_ff_plain;  // d_ff of the plain kinds
  friend constexpr bool operator==(const Workload&, const Workload&) = default;
};

// Returns every named workload, small models first.
std::span<const Workload> workloads() noexcept;

// Returns null when there is no such name.
const Workload* find_workload(std::string_view name) noexcept;

// Returns the sizes that a kind has in this workload.
Shape shape(const Workload& workload, Kind kind) noexcept;

}  // namespace sluice::tuner
