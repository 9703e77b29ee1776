// Owns: cells, the unit of tuning and measuring: one kind with its type of weights, shape, M and thread count each.
// Does not own: plans, measuring, the command line that selects them (commands/command_line.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "sluice/kind.hpp"
#include "tuner/workload/kind_name.hpp"
#include "tuner/workload/workload.hpp"

namespace sluice::tuner {

struct Cell {
  Kind kind;
  Shape shape;
  std::size_t m;
  std::uint32_t threads;
  std::vector<std::string> models;  // the named workloads it belongs to
};

// How the plain kinds are sized. as_named is the model's own plain d_ff. The others are for comparing with a gated kind
// of (D, F): equal_width is (D, F), and equal_budget is (D, 1.5·F), which has as many weights and FLOPs.
struct PlainSizes {
  bool as_named = true;
  bool equal_width = false;
  bool equal_budget = false;
};

// Parses the words of --equal, "width" and "budget". No word means as_named. Throws Failure 2 for another word.
PlainSizes parse_plain_sizes(const std::vector<std::string>& words);

// Cells are made from all combinations of these. No list may be empty.
struct CellAxes {
  std::vector<Workload> workloads;  // sizes given as numbers: one, without a name
  std::vector<Kind> kinds;          // with each type of weights
  std::vector<std::size_t> m;
  std::vector<std::uint32_t> threads;
};

// Returns the cells without repetitions. Those to be compared (one model, M and thread count) follow each other.
std::vector<Cell> cells(const CellAxes& axes, const PlainSizes& plain_sizes);

// "2048x5632".
std::string shape_name(Shape shape);

}  // namespace sluice::tuner
