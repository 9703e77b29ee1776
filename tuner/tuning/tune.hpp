// Owns: tuning: for each cell a search on a slice of the problem, the verification of its winner, and the validation of
// it on the whole problem against the analytical plan. It has no clock of its own. Does not own: the command line
// (tune_command.hpp), timing (measurement_backend.hpp), the files (journal.hpp, profile.hpp).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tuner/measurement/measurement_backend.hpp"
#include "tuner/profile/profile.hpp"
#include "tuner/search/strategy.hpp"
#include "tuner/tuning/budget.hpp"
#include "tuner/tuning/journal.hpp"
#include "tuner/workload/cell.hpp"

namespace sluice::tuner {

struct TuneOptions {
  Isa isa;
  CacheSizes caches;
  Rigor rigor = Rigor::measure;
  Strategy strategy = Strategy::halving;
  std::optional<double> budget_seconds = 120;  // for all cells, packing included; empty: no limit
  std::uint64_t seed = 1;
  std::vector<KeptWidth> kept_widths = {};  // the nr of shapes that have plans already, which new plans keep
  // Is given each cell's plan after its search, as the best so far, and again after its validation.
  std::function<void(const ProfilePlan&, bool proven)> done = [](const ProfilePlan&, bool) {};
  std::function<void(double share_done, const std::string& what, double seconds_left)> progress =
      [](double, const std::string&, double) {};
};

struct TuneReport {
  std::vector<Cell> untuned;     // there was no time for a search
  std::size_t self_checks = 0;   // comparisons of a plan with itself
  std::size_t false_alarms = 0;  // of these, those that found a difference
  bool interrupted = false;
};

// Each cell is recorded in the journal (null: nowhere) and given to done() when it is finished. What the journal holds
// already is not measured again. Rigor::estimate measures nothing. Throws Failure 1 if a kernel gives wrong results.
TuneReport tune(const std::vector<Cell>& cells, const TuneOptions& options, MeasurementBackend& backend,
                Journal* journal);

}  // namespace sluice::tuner
