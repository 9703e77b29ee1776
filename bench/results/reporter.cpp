#include "bench/results/reporter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <optional>
#include <string_view>
#include <utility>

#include "bench/results/peer_comparison.hpp"
#include "tuner/base/file.hpp"
#include "tuner/base/standard_streams.hpp"
#include "tuner/base/timestamp.hpp"
#include "tuner/base/version.hpp"
#include "tuner/measurement/statistics.hpp"
#include "tuner/profile/profile_json.hpp"
#include "tuner/workload/accuracy.hpp"

namespace sluice::bench {
namespace {

using Json = nlohmann::ordered_json;

// The fields that identify an entry: of a cell, of its baseline's plan, or of a peer in it.
Json identity(const Measurement& measurement, const std::string& name_of_entry, Isa isa) {
  const tuner::Cell& cell = measurement.cell;
  return {{"name", name_of_entry},
          {"run_name", name_of_entry},
          {"run_type", "iteration"},
          {"repetitions", 1},
          {"repetition_index", 0},
          {"threads", cell.threads},
          {"kind", name(cell.kind)},
          {"isa", name(isa)},
          {"weights", name(cell.kind.weights)},
          {"arithmetic", name(cell.kind.arithmetic)},
          {"d_model", cell.shape.d_model},
          {"d_ff", cell.shape.d_ff},
          {"m", cell.m},
          {"models", cell.models}};
}

// Google Benchmark's fields for a run that failed.
void add_error(Json& json, const std::string& error) {
  json["error_occurred"] = true;
  json["error_message"] = error;
  json["error"] = error;
}

// The figures of the samples of a cell, of its baseline's plan, or of a peer in it.
template <class Samples>
void add_figures(Json& json, const tuner::Cell& cell, const Samples& measured, const tuner::Clock& clock) {
  const double work = flops(cell.kind, cell.shape, cell.m);
  const double traffic = bytes(cell.kind, cell.shape, cell.m);
  const std::vector<tuner::Sample>& samples = measured.samples;
  const double ns = measured.median_ns();
  // The share of the probed roof comes from the probes, that of the other roof from the run's own level of it.
  const bool compute = samples.front().roof == tuner::Roof::fma;
  const double share = measured.share_of_probes(compute ? work : traffic);
  const double fma =
      compute ? share * clock.level(tuner::Roof::fma) / clock.fma_peak() : clock.fma_fraction(measured.fast_ns(), work);
  const double read = compute ? clock.read_fraction(measured.fast_ns(), traffic, samples.front().footprint) : share;
  json["iterations"] = samples.size();
  json["real_time"] = ns;
  json["cpu_time"] = ns;
  json["time_unit"] = "ns";
  json["flops"] = work / (ns * 1e-9);
  json["bytes_per_second"] = traffic / (ns * 1e-9);
  json["fma_fraction"] = fma;
  json["read_fraction"] = read;
  const bool dots = cell.kind.arithmetic != Arithmetic::f32;
  const double dot = dots ? fma * clock.fma_peak() / clock.peak(cell.kind) : 0;
  if (dots) json["dot_fraction"] = dot;
  json["roof_fraction"] = !compute ? read : dots ? dot : fma;
  json["roof"] = !compute ? "read" : dots ? "dot" : "fma";
  Json rounds = Json::array();
  Json probes = Json::array();
  for (const tuner::Sample& sample : samples) {
    rounds.push_back(sample.round);
    probes.push_back({sample.before, sample.after});
  }
  json["samples_ns"] = times(samples);
  json["sample_rounds"] = rounds;
  json["sample_contended"] = measured.contended;
  json["sample_probes"] = probes;
  if (measured.contended_count() == samples.size()) json["contended"] = true;
}

Json describe(const Measurement& measurement, const tuner::Clock* clock, Isa isa) {
  Json json = identity(measurement, measurement.name, isa);
  if (!measurement.error.empty()) {
    add_error(json, measurement.error);
    return json;
  }
  add_figures(json, measurement.cell, measurement, *clock);
  json["portions"] = measurement.portions;
  if (measurement.portions != 1) {
    Json rounds = Json::array();
    for (const tuner::Sample& whole : measurement.wholes.samples) rounds.push_back(whole.round);
    json["wholes_ns"] = times(measurement.wholes.samples);
    json["whole_rounds"] = rounds;
  }
  if (measurement.phases)
    for (std::size_t i = 0; i < phase_names.size(); ++i) json["phases"][phase_names[i]] = (*measurement.phases)[i];
  json["plan"] = tuner::to_json(measurement.plan);
  json["plan_origin"] = name(measurement.origin);
  if (measurement.peers.empty()) return json;
  json["best_peer"] = nullptr;
  if (const std::optional<BestPeer> best = best_peer(measurement))
    json["best_peer"] = {{"peer", best->peer->peer},   {"arithmetic", best->peer->arithmetic},
                         {"ratio", best->ratio.value}, {"low", best->ratio.low},
                         {"high", best->ratio.high},   {"pairs", best->ratio.pairs},
                         {"verdict", best->verdict}};
  return json;
}

Json describe(const PlanComparison& comparison, const std::string& baseline) {
  Json json{{"rival", baseline}, {"same_plan", comparison.same}};
  const bool known = comparison.has_ratio();
  json["ratio"] = known ? Json(comparison.ratio.value) : Json(nullptr);
  json["low"] = known ? Json(comparison.ratio.low) : Json(nullptr);
  json["high"] = known ? Json(comparison.ratio.high) : Json(nullptr);
  json["pairs"] = comparison.ratio.pairs;
  json["verdict"] = comparison.verdict;
  json["promise"] = nullptr;
  if (const std::optional<Promise>& promise = comparison.promise) {
    json["promise"] = {{"roof_fraction", promise->roof_fraction},
                       {"roof_in_place", promise->roof_in_place},
                       {"ratio_to_default", promise->ratio_to_default.value},
                       {"low", promise->ratio_to_default.low},
                       {"high", promise->ratio_to_default.high},
                       {"in_place", nullptr}};
    if (const std::optional<InPlace>& here = promise->in_place)
      json["promise"]["in_place"] = {{"ratio", here->ratio.value},
                                     {"low", here->ratio.low},
                                     {"high", here->ratio.high},
                                     {"verdict", here->verdict}};
  }
  return json;
}

Json describe(const std::vector<LeftOut>& left_out) {
  Json list = Json::array();
  for (const LeftOut& out : left_out) list.push_back({{"form", out.form}, {"reason", out.reason}});
  return list;
}

std::string phases_line(const PhaseShares& shares) {
  std::string line = "   ";
  for (std::size_t i = 0; i < shares.size(); ++i)
    line += fmt::format(" {} {:.1f} %{}", phase_names[i], 100 * shares[i], i + 1 < shares.size() ? "," : "\n");
  return line;
}

// with_roof: the cell's roof bounds what was measured.
void write_line(const std::string& entry, const Json& json, std::string_view last, const SampleSet& measured,
                bool with_roof = true) {
  const std::string share =
      with_roof ? fmt::format("{:.1f} %", json["roof_fraction"].get<double>() * 100) : std::string("–  ");
  tuner::write_stdout(fmt::format("{:<44} {:>8.3f} ms {:>9.1f} {:>8}  {:<11} {}/{}\n", entry,
                                  json["real_time"].get<double>() / 1e6, json["flops"].get<double>() / 1e9, share, last,
                                  measured.contended_count(), measured.samples.size()));
}

}  // namespace

Json context_of(const benchmark::BenchmarkReporter::Context& context, const RunContext& run) {
  using Executable = benchmark::BenchmarkReporter::Context;
  const benchmark::CPUInfo& cpu = context.cpu_info;
  Json caches = Json::array();
  for (const auto& cache : cpu.caches)
    caches.push_back(
        {{"type", cache.type}, {"level", cache.level}, {"size", cache.size}, {"num_sharing", cache.num_sharing}});
  return {{"date", tuner::local_now()},
          {"host_name", context.sys_info.name},
          {"executable", Executable::executable_name == nullptr ? "" : Executable::executable_name},
          {"num_cpus", cpu.num_cpus},
          {"mhz_per_cpu", static_cast<std::int64_t>(cpu.cycles_per_second / 1e6)},
          {"cpu_scaling_enabled", cpu.scaling == benchmark::CPUInfo::ENABLED},
          {"caches", caches},
          {"load_avg", cpu.load_avg},
#ifdef NDEBUG
          {"library_build_type", "release"},
#else
          {"library_build_type", "debug"},
#endif
          {"sluice_version", tuner::version},
          {"command", run.command},
          {"machine", tuner::to_json(run.machine)}};
}

Reporter::Reporter(const Session& session, tuner::Clocks& clocks, RunContext run, bool table)
    : session_(session), clocks_(clocks), run_(std::move(run)), table_(table) {}

bool Reporter::ReportContext(const Context& context) {
  context_ = context_of(context, run_);
  if (table_)
    tuner::write_stdout(fmt::format("{:<44} {:>11} {:>9} {:>8}  {:<11} {}\n", "cell", "median", "GFLOP/s", "of roof",
                                    "plan", "contended"));
  return true;
}

void Reporter::ReportRuns(const std::vector<Run>& runs) {
  for (const Run& run : runs) {
    const auto& all = session_.measurements();
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const auto& m) { return m.name == run.run_name.function_name; });
    // A cell that an interruption left without samples has no entry.
    if (found == all.end() || (found->error.empty() && found->samples.empty())) continue;
    const tuner::Clock* clock = found->error.empty() ? &clocks_[found->cell.threads] : nullptr;
    Json json = describe(*found, clock, session_.options().isa);
    if (found->error.empty() && found->baseline) compare(*found, json);
    if (!found->error.empty()) {
      ++errors_;
      if (table_) tuner::write_stdout(fmt::format("{:<44} {}\n", found->name, found->error));
    } else if (table_) {
      write_line(found->name, json, name(found->origin), *found);
      if (found->phases) tuner::write_stdout(phases_line(*found->phases));
    }
    ++cells_;
    benchmarks_.push_back(json);
    report_baseline(*found);
    report_peers(*found);
  }
}

void Reporter::compare(const Measurement& measurement, Json& own) {
  const double fraction = own["roof_fraction"].get<double>();
  const std::string& baseline = session_.options().baseline->name;
  plan_comparisons_.push_back(
      compare_with_baseline(measurement, baseline, session_.options().isa, fraction, run_.promises));
  own["against"] = describe(plan_comparisons_.back(), baseline);
}

void Reporter::report_baseline(const Measurement& measurement) {
  // The same plan has no samples of its own, and neither has one that was interrupted before its first turn.
  if (!measurement.baseline || measurement.baseline->samples.empty()) return;
  const BaselineMeasurement& baseline = *measurement.baseline;
  Json json = identity(measurement, measurement.name + "/rival", session_.options().isa);
  json["rival"] = session_.options().baseline->name;
  add_figures(json, measurement.cell, baseline, clocks_[measurement.cell.threads]);
  json["portions"] = measurement.portions;
  json["plan"] = tuner::to_json(baseline.plan);
  json["plan_origin"] = name(baseline.origin);
  if (table_) write_line("  baseline", json, name(baseline.origin), baseline);
  benchmarks_.push_back(json);
}

void Reporter::report_peers(const Measurement& measurement) {
  for (const PeerMeasurement& peer : measurement.peers) {
    // Interrupted before its first turn.
    if (peer.error.empty() && peer.samples.empty()) continue;
    Json json = identity(measurement, measurement.name + "/peer:" + peer.peer, session_.options().isa);
    json["peer"] = peer.peer;
    json["peer_version"] = peer.version;
    json["peer_note"] = peer.note;
    json["peer_variant"] = peer.variant;
    json["peer_arithmetic"] = peer.arithmetic;
    if (!peer.left_out.empty()) json["peer_left_out"] = describe(peer.left_out);
    if (!peer.error.empty()) {
      add_error(json, peer.error);
    } else {
      json["peer_error"] = peer.distance;
      json["peer_tolerance"] = peer.tolerance;
      add_figures(json, measurement.cell, peer, clocks_[measurement.cell.threads]);
      // The peaks of other arithmetic than float32 differ from peer to peer.
      const bool float32 = peer.arithmetic == "f32" && measurement.cell.kind.arithmetic == Arithmetic::f32;
      if (table_) write_line("  " + peer.peer + " " + peer.version, json, "", peer, float32);
    }
    benchmarks_.push_back(json);
  }
}

// How far answers with these kinds' weights are from exact ones, if there are other types than float32; else null.
Json Reporter::accuracies() const {
  std::vector<Kind> kinds;
  for (const Measurement& measurement : session_.measurements())
    if (std::ranges::find(kinds, measurement.cell.kind) == kinds.end()) kinds.push_back(measurement.cell.kind);
  if (std::ranges::all_of(kinds, [](Kind kind) { return kind.weights == WeightType::f32; })) return nullptr;
  Json list = Json::array();
  for (const Kind kind : kinds) {
    for (const tuner::Operands operands : tuner::all_operands) {
      const Result<tuner::Accuracy> found = tuner::accuracy(session_.options().isa, kind, operands);
      if (!found) continue;
      list.push_back({{"kind", name(kind)},
                      {"weights", name(kind.weights)},
                      {"by", name(kind.arithmetic)},
                      {"operands", name(operands)},
                      {"arithmetic", found->arithmetic},
                      {"rounded_weights", found->weights},
                      {"quantised_activations", found->activations}});
    }
  }
  return list;
}

std::string Reporter::text() const {
  Json context = context_;
  context["roofs"] = tuner::to_json(clocks_.roofs());
  context["profile"] = run_.profile_path ? Json{{"path", *run_.profile_path},
                                                {"fingerprint", run_.profile_fingerprint},
                                                {"matches_machine", run_.profile_matches}}
                                         : Json(nullptr);
  context["measurement"] = {{"clock", "steady_clock"},         {"cold", session_.options().cold},
                            {"seed", session_.options().seed}, {"cells", session_.wanted()},
                            {"cells_reported", cells_},        {"contended_share", session_.contended_share()}};
  Json peers = Json::array();
  for (const PeerProgram& peer : session_.options().peers) peers.push_back(peer.name);
  context["peers"] = peers;
  context["rival"] = session_.options().baseline ? Json(session_.options().baseline->name) : Json(nullptr);
  if (Json list = accuracies(); !list.is_null()) context["accuracy"] = std::move(list);
  return tuner::dump({{"context", context}, {"benchmarks", benchmarks_}});
}

}  // namespace sluice::bench
