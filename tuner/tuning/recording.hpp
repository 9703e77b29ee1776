// Owns: the backend as a tuning sees it: what the journal holds already is answered from it, everything else is timed
// and goes into the journal at once. So a resumed tuning takes the same way as one that was never interrupted. Does not
// own: the file (journal.hpp), the timing (measurement_backend.hpp).
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tuner/measurement/measurement_backend.hpp"
#include "tuner/tuning/journal.hpp"

namespace sluice::tuner {

class Recording {
 public:
  // journal: null if nothing is to be recorded. Both must outlive the recording.
  Recording(Isa isa, MeasurementBackend& backend, Journal* journal);

  Timed time(const Cell& cell, Shape shape, const Plan& plan);
  TimedPair time_pair(PairPurpose purpose, const Cell& cell, Shape shape, const Plan& a, const Plan& b, bool b_first);
  // Whether time_pair() would answer from the journal.
  [[nodiscard]] bool holds(PairPurpose purpose, const Cell& cell, Shape shape, const Plan& a, const Plan& b) const;
  // Whether the journal holds records of the cell that have not been asked for.
  [[nodiscard]] bool begun(const Cell& cell) const;
  // Returns the cell's result in the journal; null if it was not finished before.
  [[nodiscard]] const FinishedCell* finished(const Cell& cell) const;
  // Counts the time of a finished cell as spent, as far as its records were not asked for again, and returns the costs
  // of those trials.
  std::vector<double> count_as_spent(const Cell& cell);
  void finish(const Cell& cell, const ProfilePlan& plan, std::optional<Verdict> self_check);
  void finish_all();

  // The seconds that the tuning has taken up to its last record, without the time between an interruption and a
  // resumption. Whatever depends on it is decided the same way when the records are read again.
  [[nodiscard]] double spent() const { return std::chrono::duration<double>(spent_).count(); }

 private:
  [[nodiscard]] PlanRow row(const Cell& cell, Shape shape, const Plan& plan) const;
  // Nanoseconds since the last record, by the backend's clock.
  std::int64_t lap();

  Isa isa_;
  MeasurementBackend& backend_;
  Journal* journal_;
  // Records by the key of the question, its round included. A record that has been used is removed.
  std::map<std::string, Trial> trials_;
  std::map<std::string, Pair> pairs_;
  std::vector<FinishedCell> finished_;
  std::map<std::string, std::uint32_t> rounds_;  // how often each question was asked
  std::chrono::nanoseconds spent_{0};
  std::chrono::nanoseconds last_{0};
};

}  // namespace sluice::tuner
