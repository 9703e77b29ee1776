// Owns: the time that a user grants ("40s", "2min") and its division among cells. Does not own: a clock. Callers say
// what was spent.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tuner/workload/cell.hpp"

namespace sluice::tuner {

// Parses "40", "40s", "2min" or "1.5h" into seconds. Throws Failure 2, which names the option.
double parse_duration(std::string_view option, std::string_view word);
// "40 s", "2 min", "1.5 h".
std::string duration_name(double seconds);

// The seconds that a cell's work takes on a modest core (50 GFLOP/s, 10 GB/s), for comparing cells with each other.
double assumed_seconds(const Cell& cell, Shape shape);

// The time of one tuning. Cells have shares by their size, and what a cell leaves over goes to those after it.
class Budget {
 public:
  // seconds: empty if there is no limit.
  Budget(std::optional<double> seconds, const std::vector<Cell>& cells);

  // The seconds that this cell may take after `spent` seconds; infinite without a limit.
  [[nodiscard]] double share(const Cell& cell, double spent) const;
  [[nodiscard]] double left(double spent) const;
  // Whether there is time for the minimum that a cell needs: its verification and three pairs. Cells that are cheap
  // beside the budget are always tuned.
  [[nodiscard]] bool affords(const Cell& cell, double spent) const;
  // The seconds that all cells need at least, as far as is known.
  [[nodiscard]] double least(const std::vector<Cell>& cells) const;
  // The part of the time that is gone or, without a limit, of the work that is done, from 0 to 1.
  [[nodiscard]] double share_done(double spent) const;

  // Learns from a sample of `seconds` how fast this machine is.
  void learn(const Cell& cell, Shape shape, double seconds);
  // Says that the cell is done, so that what it left over goes to those after it.
  void finish(const Cell& cell);

 private:
  [[nodiscard]] double least(const Cell& cell) const;

  std::optional<double> seconds_;
  double weights_ = 0;  // of all cells
  double weights_left_ = 0;
  double observed_ = 0;
  double assumed_ = 0;
};

}  // namespace sluice::tuner
