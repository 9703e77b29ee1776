// Owns: the form of results: Google Benchmark's JSON, with our fields, and the table for a person.
// Does not own: the samples (session.hpp).
#pragma once

#include <benchmark/benchmark.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "bench/results/plan_comparison.hpp"
#include "bench/session/session.hpp"

namespace sluice::bench {

// What the results tell about the run as a whole.
struct RunContext {
  std::vector<std::string> command;
  tuner::Machine machine;
  std::optional<std::string> profile_path;  // empty if no profile was used
  std::string profile_fingerprint;
  bool profile_matches = false;
  std::vector<tuner::ProfilePlan> promises = {};  // the profile's plans, if their promises should hold here
};

// Google Benchmark's own context and Sluice's: who measured what, where.
nlohmann::ordered_json context_of(const benchmark::BenchmarkReporter::Context& context, const RunContext& run);

// Google Benchmark reports each run as it ends; the figures come from the session.
class Reporter final : public benchmark::BenchmarkReporter {
 public:
  // `table`: whether each cell's line goes to standard output as soon as it is finished.
  Reporter(const Session& session, tuner::Clocks& clocks, RunContext run, bool table);

  bool ReportContext(const Context& context) override;
  void ReportRuns(const std::vector<Run>& runs) override;

  // Returns the whole results file; if nothing was measured, its list of benchmarks is empty.
  [[nodiscard]] std::string text() const;
  // The number of cells, whatever was measured in them.
  [[nodiscard]] std::size_t reported() const { return cells_; }
  [[nodiscard]] std::size_t errors() const { return errors_; }
  // The comparisons of the cells so far that were measured against a baseline.
  [[nodiscard]] const std::vector<PlanComparison>& plan_comparisons() const { return plan_comparisons_; }

 private:
  [[nodiscard]] nlohmann::ordered_json accuracies() const;
  // The cell's own entry tells how it compares with its baseline.
  void compare(const Measurement& measurement, nlohmann::ordered_json& own);
  void report_baseline(const Measurement& measurement);
  void report_peers(const Measurement& measurement);

  const Session& session_;
  tuner::Clocks& clocks_;
  RunContext run_;
  bool table_;
  nlohmann::ordered_json context_;
  std::vector<nlohmann::ordered_json> benchmarks_;  // cells, baselines and peers
  std::size_t cells_ = 0;
  std::vector<PlanComparison> plan_comparisons_;
  std::size_t errors_ = 0;
};

}  // namespace sluice::bench
