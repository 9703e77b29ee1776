#include "bench/results/micro_reporter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "tuner/base/file.hpp"
#include "tuner/base/standard_streams.hpp"
#include "tuner/measurement/statistics.hpp"
#include "tuner/profile/profile_json.hpp"

namespace sluice::bench {
namespace {

using Json = nlohmann::ordered_json;

// Returns the nanoseconds of one run.
std::vector<double> times_per_run(const std::vector<tuner::Sample>& samples, std::size_t runs) {
  std::vector<double> ns;
  ns.reserve(samples.size());
  for (const tuner::Sample& sample : samples) ns.push_back(sample.ns / static_cast<double>(runs));
  return ns;
}

Json describe(const MicroMeasurement& measurement, tuner::Clocks& clocks, Isa isa) {
  const Micro& micro = measurement.micro;
  Json json = {{"name", micro.name},    {"run_name", micro.name},   {"run_type", "iteration"}, {"repetitions", 1},
               {"repetition_index", 0}, {"threads", micro.threads}, {"micro", micro.group},    {"isa", name(isa)}};
  if (!micro.tile.empty()) json["tile"] = micro.tile;
  if (!micro.level.empty()) json["operands"] = micro.level;
  if (!measurement.error.empty()) {
    json["error_occurred"] = true;
    json["error_message"] = measurement.error;
    json["error"] = measurement.error;
    return json;
  }
  const std::vector<tuner::Sample>& samples = measurement.samples;
  const double ns = measurement.median_ns() / static_cast<double>(measurement.runs);
  json["iterations"] = samples.size() * measurement.runs;
  json["real_time"] = ns;
  json["cpu_time"] = ns;
  json["time_unit"] = "ns";
  if (micro.flops > 0) {
    const tuner::Clock& clock = clocks[micro.threads];
    json["flops"] = micro.flops / (ns * 1e-9);
    json["fma_fraction"] =
        clock.fma_fraction(measurement.fast_ns(), micro.flops * static_cast<double>(measurement.runs));
  }
  if (micro.kind) {
    json["weights"] = name(micro.kind->weights);
    json["arithmetic"] = name(micro.kind->arithmetic);
    if (micro.flops > 0)
      json["dot_fraction"] = clocks[micro.threads].peak_fraction(
          measurement.fast_ns(), micro.flops * static_cast<double>(measurement.runs), *micro.kind);
  }
  if (micro.bytes > 0) json["bytes_per_second"] = micro.bytes / (ns * 1e-9);
  if (micro.elements > 0) json["ns_per_element"] = ns / micro.elements;
  json["samples_ns"] = times_per_run(samples, measurement.runs);
  json["sample_contended"] = measurement.contended;
  if (measurement.contended_count() == samples.size()) json["contended"] = true;
  return json;
}

// The figure that matters for each group.
std::string value_text(const Json& json) {
  if (json.contains("dot_fraction"))
    return fmt::format("{:>8.1f} GFLOP/s, {:.1f} % of the peak of dot products", json["flops"].get<double>() / 1e9,
                       100 * json["dot_fraction"].get<double>());
  if (json.contains("fma_fraction"))
    return fmt::format("{:>8.1f} GFLOP/s, {:.1f} % of the FMA peak", json["flops"].get<double>() / 1e9,
                       100 * json["fma_fraction"].get<double>());
  if (json.contains("ns_per_element"))
    return fmt::format("{:>8.1f} GB/s, {:.3f} ns per element", json["bytes_per_second"].get<double>() / 1e9,
                       json["ns_per_element"].get<double>());
  return fmt::format("{:>8.1f} ns", json["real_time"].get<double>());
}

}  // namespace

MicroReporter::MicroReporter(const MicroSession& session, tuner::Clocks& clocks, RunContext run, Isa isa, bool table)
    : session_(session), clocks_(clocks), run_(std::move(run)), isa_(isa), table_(table) {}

bool MicroReporter::ReportContext(const Context& context) {
  context_ = context_of(context, run_);
  return true;
}

void MicroReporter::ReportRuns(const std::vector<Run>& runs) {
  for (const Run& run : runs) {
    const auto& all = session_.measurements();
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const auto& m) { return m.micro.name == run.run_name.function_name; });
    if (found == all.end() || (found->error.empty() && found->samples.empty())) continue;
    const Json json = describe(*found, clocks_, isa_);
    if (!found->error.empty()) ++errors_;
    if (table_)
      tuner::write_stdout(fmt::format("{:<44} {}{}\n", found->micro.name,
                                      found->error.empty() ? value_text(json) : found->error,
                                      json.contains("contended") ? ", contended" : ""));
    benchmarks_.push_back(json);
  }
}

std::string MicroReporter::text() const {
  Json context = context_;
  context["roofs"] = tuner::to_json(clocks_.roofs());
  context["profile"] = nullptr;
  context["measurement"] = {{"clock", "steady_clock"}, {"cold", false}};
  return tuner::dump({{"context", context}, {"benchmarks", benchmarks_}});
}

}  // namespace sluice::bench
