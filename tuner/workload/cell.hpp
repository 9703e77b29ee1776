// Owns: cells, the unit of tuning and measuring: one kind, shape, M and thread count each. Does not own: plans,
// measuring, the command line that selects them (commands/command_line.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "sluice/kind.hpp"
#include "tuner/workload/workload.hpp"

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

// What cells are made from: all combinations. No list is empty.
struct CellAxes {
  std::vector<Workload> workloads;  // sizes given as numbers: one, without a name
  std::vector<Kind> kinds;
  std::vector<std::size_t> m;
  std::vector<std::uint32_t> threads;
};

// Without repetitions; cells to be compared with each other (one model, M and thread count) are neighbours.
std::vector<Cell> cells(const CellAxes& axes, const PlainSizes& plain_sizes);

// "2048x5632".
std::string shape_name(Shape shape);

}  // namespace sluice::tuner
