// Owns: what a selection asks for, as a list of cells: one kind, shape, M and thread count each. Does not own: plans,
// measuring.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tuner/command_line.hpp"

namespace sluice::tuner {

struct Cell {
  Kind kind;
  Shape shape;
  std::size_t m;
  std::uint32_t threads;
  std::vector<std::string> models;  // the named workloads it belongs to
};

// How the plain kinds are sized. as_named: the model's own plain d_ff. For comparing with a gated kind of (D, F):
// equal width: (D, F); equal budget: (D, 1.5·F), which has as many weights and FLOPs.
struct PlainSizes {
  bool as_named = true;
  bool equal_width = false;
  bool equal_budget = false;
};

// Words of the option --equal: "width", "budget"; none: as named. Failure 2 for another word.
PlainSizes parse_plain_sizes(const std::vector<std::string>& words);

// Without repetitions; cells to be compared with each other (one model, M and thread count) are neighbours.
std::vector<Cell> cells(const Selection& selection, const PlainSizes& plain_sizes);

// "2048x5632".
std::string shape_name(Shape shape);

}  // namespace sluice::tuner
