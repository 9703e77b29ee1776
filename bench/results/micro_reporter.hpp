// Owns: the form of micro benchmarks in results, Google Benchmark's JSON with our fields, and their table for a person.
// Does not own: the samples (micro_session.hpp), what results say of the run (reporter.hpp).
#pragma once

#include <benchmark/benchmark.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/micro/micro_session.hpp"
#include "bench/results/reporter.hpp"

namespace sluice::bench {

class MicroReporter final : public benchmark::BenchmarkReporter {
 public:
  // `table`: whether each benchmark's line goes to standard output as soon as it is finished.
  MicroReporter(const MicroSession& session, tuner::Clocks& clocks, RunContext run, Isa isa, bool table);

  bool ReportContext(const Context& context) override;
  void ReportRuns(const std::vector<Run>& runs) override;

  [[nodiscard]] std::string text() const;
  [[nodiscard]] std::size_t reported() const { return benchmarks_.size(); }
  [[nodiscard]] std::size_t errors() const { return errors_; }

 private:
  const MicroSession& session_;
  tuner::Clocks& clocks_;
  RunContext run_;
  Isa isa_;
  bool table_;
  nlohmann::ordered_json context_;
  std::vector<nlohmann::ordered_json> benchmarks_;
  std::size_t errors_ = 0;
};

}  // namespace sluice::bench
