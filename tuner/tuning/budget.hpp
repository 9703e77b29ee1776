// Owns: time as a user grants it ("40s", "2min"), and its division among cells. No clock: it is told what was spent.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tuner/workload/cell.hpp"

namespace sluice::tuner {

// Seconds of "40", "40s", "2min" or "1.5h". Failure 2 that names the option.
double parse_duration(std::string_view option, std::string_view word);
// "40 s", "2 min", "1.5 h".
std::string duration_name(double seconds);

// What a cell's work takes on a modest core (50 GFLOP/s, 10 GB/s), in seconds: for comparing cells with each other.
double assumed_seconds(const Cell& cell, Shape shape);

// One tuning's time. Cells get shares by their size, and what one leaves over goes to those after it.
class Budget {
 public:
  // seconds: nothing for no limit.
  Budget(std::optional<double> seconds, const std::vector<Cell>& cells);

  // What this cell may take now that `spent` seconds are gone; infinite without a limit.
  [[nodiscard]] double share(const Cell& cell, double spent) const;
  [[nodiscard]] double left(double spent) const;
  // Whether there is time for the least that a cell needs: its verification and three pairs. Cells that are cheap in
  // comparison with the budget are always tuned.
  [[nodiscard]] bool affords(const Cell& cell, double spent) const;
  // What all cells need at least, as far as is known.
  [[nodiscard]] double least(const std::vector<Cell>& cells) const;
  // This much of the time is gone, or of the work done where there is no limit: 0 … 1.
  [[nodiscard]] double share_done(double spent) const;

  // A sample of `seconds`: how fast this machine really is.
  void learn(const Cell& cell, Shape shape, double seconds);
  // The cell is done: what it did not take is for those after it.
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
