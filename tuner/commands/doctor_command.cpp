#include "tuner/commands/doctor_command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <sstream>

#include "tuner/base/failure.hpp"
#include "tuner/base/file.hpp"
#include "tuner/base/interruption.hpp"
#include "tuner/base/standard_streams.hpp"
#include "tuner/base/version.hpp"
#include "tuner/doctor/doctor_window.hpp"
#include "tuner/machine/binding.hpp"
#include "tuner/profile/profile_json.hpp"

namespace sluice::tuner {
namespace {

constexpr std::size_t columns = 120;
constexpr std::size_t indent = 27;  // severity and subject stand before it

// Returns the text wrapped to `columns`, with `lead` before the first word.
std::string paragraph(std::string_view lead, const std::string& text) {
  std::string result;
  std::string line(lead);
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    if (line.size() + 1 + word.size() > columns && line.size() > indent) {
      result += line + "\n";
      line.assign(indent, ' ');
    } else if (line.size() > indent) {
      line += ' ';
    }
    line += word;
  }
  return result + line + "\n";
}

std::size_t count(const std::vector<Finding>& findings, Severity severity) {
  return static_cast<std::size_t>(std::ranges::count(findings, severity, &Finding::severity));
}

std::string bad_subjects(const std::vector<Finding>& findings) {
  std::string list;
  for (const Finding& finding : findings) {
    if (finding.severity == Severity::bad) list += (list.empty() ? "" : "; ") + finding.subject;
  }
  return list;
}

Json series_json(const ProbeSeries& series) {
  const Contention found = contention(series);
  return {{"roof", series.roof == Roof::fma ? "fma" : "read"},
          {"threads", series.threads},
          {"probes", found.probes},
          {"level", found.level},
          {"peak", series.peak},
          {"calm_bound", series.calm_bound},
          {"contended_share", found.share},
          {"contended_depth", found.depth},
          {"quantile_5", found.low},
          {"median", found.middle},
          {"longest_burst_seconds", found.longest_seconds},
          {"drift", nullable(drift(series))}};
}

Json counters_json(const Readings& readings) {
  const Counters& before = readings.before;
  const Counters& after = readings.after;
  Json json{{"own_cpu_seconds", after.own_seconds - before.own_seconds}};
  const bool cpus = before.cpus && after.cpus;
  json["cpu_seconds"] = cpus ? Json(after.cpus->all - before.cpus->all) : Json(nullptr);
  json["busy_seconds"] = cpus ? Json(after.cpus->busy - before.cpus->busy) : Json(nullptr);
  json["steal_seconds"] = cpus ? Json(after.cpus->steal - before.cpus->steal) : Json(nullptr);
  const bool throttling = before.throttling && after.throttling;
  json["throttled_periods"] = throttling ? Json(after.throttling->periods - before.throttling->periods) : Json(nullptr);
  json["throttled_seconds"] = throttling ? Json(after.throttling->seconds - before.throttling->seconds) : Json(nullptr);
  json["swapped_pages"] =
      before.swapped_pages && after.swapped_pages ? Json(*after.swapped_pages - *before.swapped_pages) : Json(nullptr);
  return json;
}

}  // namespace

std::string diagnosis_text(const Readings& readings, const std::vector<Finding>& findings) {
  const std::size_t notes = count(findings, Severity::note);
  const std::size_t bad = count(findings, Severity::bad);
  std::string text;
  for (const Finding& finding : findings) {
    text += paragraph(fmt::format("{:<5} {:<20} ", name(finding.severity), finding.subject), finding.value);
    if (!finding.effect.empty()) text += paragraph(std::string(indent, ' '), finding.effect);
    if (!finding.advice.empty()) text += paragraph(std::string(indent, ' '), "-> " + finding.advice);
  }
  return text + fmt::format("\n{} for measuring: {} bad, {} to note, {} ok; {:.0f} s on {}\n",
                            bad == 0 ? "Fit" : "Unfit", bad, notes, findings.size() - bad - notes, readings.seconds,
                            readings.machine.cpu.value_or("an unknown CPU"));
}

std::string diagnosis_json(const Readings& readings, const std::vector<Finding>& findings) {
  Json json{{"schema", "sluice-doctor"}, {"schema_version", schema_version}, {"sluice_version", version}};
  json["machine"] = to_json(readings.machine);
  json["fit"] = fit(findings);
  json["seconds"] = readings.seconds;
  json["findings"] = Json::array();
  for (const Finding& finding : findings) {
    json["findings"].push_back(Json{{"severity", name(finding.severity)},
                                    {"subject", finding.subject},
                                    {"value", finding.value},
                                    {"effect", finding.effect.empty() ? Json(nullptr) : Json(finding.effect)},
                                    {"advice", finding.advice.empty() ? Json(nullptr) : Json(finding.advice)}});
  }
  json["probes"] = Json::array();
  for (const ProbeSeries& series : readings.series) json["probes"].push_back(series_json(series));
  json["peaks"] = Json::array();
  for (const IsaPeak& peak : readings.peaks)
    json["peaks"].push_back(Json{{"isa", name(peak.isa)}, {"threads", 1}, {"flops", peak.flops}});
  json["dot_peaks"] = Json::array();
  for (const DotGain& dot : readings.dots)
    json["dot_peaks"].push_back(
        Json{{"arithmetic", name(dot.arithmetic)}, {"weight_bits", dot.bits}, {"over_fma", dot.over_fma}});
  json["counters"] = counters_json(readings);
  json["timer"] = {{"resolution_ns", readings.timer.resolution_ns},
                   {"cost_ns", readings.timer.cost_ns},
                   {"clocksource", nullable(readings.clocksource)}};
  json["allowed_cpus"] = readings.allowed_cpus;
  json["threads_per_core"] = nullable(readings.threads_per_core);
  json["numa_nodes_used"] = nullable(readings.nodes_used);
  json["huge_pages"] = nullable(readings.huge_pages);
  json["load_average"] = nullable(readings.load_average);
  json["on_battery"] = nullable(readings.power.on_battery);
  json["boost"] = nullable(readings.power.boost);
  return dump(json);
}

void warn_of_unfitness(std::string_view who, const Machine& machine, const Selection& selection) {
  const std::vector<unsigned> cpus = allowed_cpus();
  const Power power = read_power("/", cpus.empty() ? 0 : cpus.front());
  const std::string text = visible_unfitness(machine, power, std::ranges::max(selection.threads));
  if (!text.empty()) write_stderr("{}: warning: {}\n", who, text);
}

int doctor_command(int argc, char** argv) {
  CLI::App app(
      "Tells whether this machine is fit for measuring: how busy its neighbours are, how steady its clock, what "
      "limits it; and what to do about each. Ends with exit code 4 when it is unfit.",
      "sluice doctor");
  RawSelection raw;
  double seconds = 20;
  app.add_option("--seconds", seconds, "how long to probe, 0.1 to 3600 [20]")
      ->check(CLI::Range(0.1, 3600.0).description(""))
      ->type_name("NUMBER");
  add_cores_option(app, raw);
  add_json_option(app, raw);
  add_out_option(app, raw);
  app.footer("Example: sluice doctor --seconds 20");
  if (const auto code = parse(app, argc, argv)) return *code;

  const FileSelection files = resolve_files(raw);
  const Machine machine = bind_and_probe(raw.cores);
  catch_interruption();
  Readings readings = read_system(machine);
  measure_window(readings, machine.isas.back(), seconds);
  if (interrupted()) throw Failure(exit_code::interrupted, "interrupted; nothing is judged by half of its window");
  const std::vector<Finding> findings = diagnose(readings);
  write_output(files.out.value_or(""),
               raw.json ? diagnosis_json(readings, findings) : diagnosis_text(readings, findings));
  if (!fit(findings))
    throw Failure(exit_code::unsupported,
                  fmt::format("unfit for measuring: {}; the report tells what to do", bad_subjects(findings)));
  return exit_code::ok;
}

}  // namespace sluice::tuner
