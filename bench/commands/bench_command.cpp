#include "bench/commands/bench_command.hpp"

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <regex>
#include <string>
#include <string_view>

#include "bench/results/micro_reporter.hpp"
#include "bench/results/peer_comparison.hpp"
#include "bench/results/reporter.hpp"
#include "bench/session/baseline_plans.hpp"
#include "bench/session/session.hpp"
#include "tuner/base/failure.hpp"
#include "tuner/base/file.hpp"
#include "tuner/base/interruption.hpp"
#include "tuner/base/progress.hpp"
#include "tuner/base/spelling.hpp"
#include "tuner/base/standard_streams.hpp"
#include "tuner/commands/command_line.hpp"
#include "tuner/commands/doctor_command.hpp"
#include "tuner/commands/program.hpp"
#include "tuner/machine/binding.hpp"
#include "tuner/machine/limits.hpp"
#include "tuner/measurement/clocks.hpp"
#include "tuner/tuning/budget.hpp"
#include "tuner/workload/layer.hpp"

namespace sluice::bench {
namespace {

using tuner::Failure;
namespace exit_code = tuner::exit_code;

// Google Benchmark's own flags bypass our parser. Those that would change how Sluice measures are refused.
std::vector<std::string> take_benchmark_flags(std::vector<char*>& words) {
  constexpr std::string_view known[] = {"--benchmark_filter", "--benchmark_list_tests", "--benchmark_color"};
  std::vector<std::string> flags;
  std::erase_if(words, [&](const char* word) {
    const std::string_view text = word;
    if (text.rfind("--benchmark_", 0) != 0) return false;
    const std::string_view flag = text.substr(0, text.find('='));
    if (std::find(std::begin(known), std::end(known), flag) == std::end(known))
      throw Failure(exit_code::usage,
                    fmt::format("{}: the clock and the reporter are Sluice's own; of Google Benchmark's flags "
                                "--benchmark_filter, --benchmark_list_tests and --benchmark_color work here",
                                flag));
    flags.emplace_back(text);
    return true;
  });
  return flags;
}

bool lists_tests(const std::vector<std::string>& flags) {
  return std::any_of(flags.begin(), flags.end(), [](const std::string& f) {
    return f.rfind("--benchmark_list_tests", 0) == 0 && f != "--benchmark_list_tests=false";
  });
}

// Google Benchmark takes argc and argv. A minimum time of 0 makes it call each benchmark once, since the session
// repeats them, and adds nothing to their names. The others are its defaults, for it would take them from environment
// variables such as BENCHMARK_REPETITIONS. A version that does not know one of them leaves it alone.
void initialize(const std::vector<std::string>& flags) {
  std::vector<std::string> texts{"sluice-bench",
                                 "--benchmark_filter=",
                                 "--benchmark_list_tests=false",
                                 "--benchmark_color=auto",
                                 "--benchmark_min_warmup_time=0",
                                 "--benchmark_repetitions=1",
                                 "--benchmark_enable_random_interleaving=false",
                                 "--benchmark_report_aggregates_only=false",
                                 "--benchmark_display_aggregates_only=false",
                                 "--benchmark_format=console",
                                 "--benchmark_out=",
                                 "--benchmark_out_format=json",
                                 "--benchmark_counters_tabular=false",
                                 "--benchmark_perf_counters=",
                                 "--v=0"};
  texts.insert(texts.end(), flags.begin(), flags.end());
  texts.emplace_back("--benchmark_min_time=0");
  std::vector<char*> words;
  words.reserve(texts.size());
  for (std::string& text : texts) words.push_back(text.data());
  int count = static_cast<int>(words.size());
  benchmark::Initialize(&count, words.data());
}

std::vector<bool> match(const std::vector<std::string>& names, std::string filter) {
  std::vector<bool> wanted;
  // A leading minus excludes, as in Google Benchmark.
  const bool exclude = !filter.empty() && filter.front() == '-';
  if (exclude) filter.erase(0, 1);
  if (filter == "all") filter = ".";
  try {
    const std::regex expression(filter, std::regex::extended);
    for (const std::string& name : names)
      wanted.push_back(filter.empty() || std::regex_search(name, expression) != exclude);
  } catch (const std::regex_error&) {
    throw Failure(exit_code::usage, fmt::format("--benchmark_filter={}: no regular expression", filter));
  }
  if (std::find(wanted.begin(), wanted.end(), true) == wanted.end())
    throw Failure(exit_code::usage, fmt::format("--benchmark_filter={}: matches no cell; --benchmark_list_tests shows "
                                                "the names",
                                                filter));
  return wanted;
}

// Returns the peers that were asked for, or all that are installed if none is named.
std::vector<PeerProgram> choose_peers(const std::vector<std::string>& names) {
  std::vector<PeerProgram> here = find_peers(peers_directory());
  if (here.empty())
    throw Failure(exit_code::usage, fmt::format("--peers: no peer is in {}; run scripts/peers.sh, which installs and "
                                                "builds them",
                                                peers_directory().string()));
  // CLI11 passes the bare option as this text.
  if (names.empty() || names == std::vector<std::string>{""}) return here;
  std::vector<std::string_view> known(here.size());
  std::ranges::transform(here, known.begin(), &PeerProgram::name);
  std::vector<PeerProgram> chosen;
  for (const std::string& name : names) {
    const auto found = std::ranges::find(here, name, &PeerProgram::name);
    if (found == here.end())
      throw Failure(exit_code::usage, fmt::format("--peers {}: unknown; {}", name, tuner::known_names(name, known)));
    if (std::ranges::find(chosen, name, &PeerProgram::name) == chosen.end()) chosen.push_back(*found);
  }
  return chosen;
}

// For scripts that act on exit codes and want a quiet machine. Ratios do not need one: their pairs are in random order.
void expect_calm(const Session& session, std::size_t per_cell) {
  for (const Measurement* measurement : session.measured()) {
    const std::size_t calm = measurement->samples.size() - measurement->contended_count();
    if (calm < per_cell)
      throw Failure(exit_code::unsupported,
                    fmt::format("{} has {} undisturbed samples of the {} that --require-calm asks for; raise --samples "
                                "and --budget, or stop other work on this machine",
                                measurement->name, calm, per_cell));
  }
}

// Writes the results to the file or to standard output, and ends the run.
void deliver(const tuner::Selection& selection, const std::string& text, std::size_t reported, std::size_t ran,
             std::size_t errors) {
  if (selection.out) tuner::write_file_atomically(*selection.out, text);
  if (tuner::interrupted())
    throw Failure(exit_code::interrupted,
                  selection.out
                      ? fmt::format("interrupted; {} of {} cells are in {}", reported, ran, selection.out->string())
                      : fmt::format("interrupted after {} of {} cells", reported, ran));
  if (selection.json && !selection.out) tuner::write_stdout(text);
  if (errors != 0)
    throw Failure(exit_code::unsupported, fmt::format("{} of {} cells could not be measured", errors, ran));
}

// Micro benchmarks have no shape, so an option that gives one is refused.
void refuse_with_micro(const CLI::App& app) {
  for (const char* option : {"--model", "--d-model", "--d-ff", "--kind", "--m", "--equal", "--hot", "--phases",
                             "--profile", "--require-calm", "--peers", "--against", "--budget", "--seed"})
    if (app.count(option) != 0)
      throw Failure(exit_code::usage, fmt::format("--micro together with {}: micro benchmarks measure the parts of a "
                                                  "forward, one after another and without cells; leave one out",
                                                  option));
}

int micro_run(const RunContext& run, const tuner::Selection& selection, const SessionOptions& options,
              const std::vector<std::string>& flags) {
  const std::uint32_t max_threads = *std::max_element(selection.threads.begin(), selection.threads.end());
  // The operands of a part fill half of L2, or hold one tile of a deep x.
  tuner::require_memory(
      static_cast<double>(tuner::Clocks::stream_bytes(run.machine) + 2 * run.machine.cache_sizes().l2),
      "measuring the parts of a forward");
  tuner::Clocks clocks(options.isa, run.machine, max_threads);
  MicroSession session(micros(options.isa, run.machine.cache_sizes(), selection.threads, clocks.executor()), clocks,
                       options.samples.value_or(usual_samples));
  const auto& all = session.measurements();
  std::vector<std::string> names;
  names.reserve(all.size());
  for (const MicroMeasurement& measurement : all) names.push_back(measurement.micro.name);
  match(names, benchmark::GetBenchmarkFilter());
  tuner::Progress progress("bench");
  double finished = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    benchmark::RegisterBenchmark(names[i].c_str(), [&, i](benchmark::State& state) {
      progress.show(finished / static_cast<double>(all.size()), names[i]);
      for ([[maybe_unused]] auto iteration : state) session.measure(i);
      if (!all[i].error.empty()) state.SkipWithError(all[i].error.c_str());
      finished += 1;
    });
  }
  MicroReporter reporter(session, clocks, run, options.isa, !selection.json);
  const std::size_t ran = benchmark::RunSpecifiedBenchmarks(&reporter);
  if (!lists_tests(flags)) deliver(selection, reporter.text(), reporter.reported(), ran, reporter.errors());
  return exit_code::ok;
}

}  // namespace

int bench_command(int argc, char** argv) {
  CLI::App app("Measures FFNs with the plans of the profile, against the roofs of this machine.", "sluice bench");
  tuner::RawSelection raw;
  raw.default_kinds = {swiglu, relu};
  tuner::add_selectors(app, raw);
  std::vector<std::string> equal;
  tuner::add_equal_option(app, equal);
  SessionOptions options{};
  app.add_option(
         "--samples", options.samples,
         fmt::format("samples to take of each cell [{}; with --budget as many as there is time for]", usual_samples))
      ->check(CLI::Range(std::size_t{1}, std::size_t{100000}).description(""))
      ->type_name("NUMBER");
  std::optional<std::string> budget;
  app.add_option("--budget", budget, "time to spend on all cells, about: 40s, 2min [as long as it takes]")
      ->type_name("TIME");
  std::size_t require_calm = 0;
  app.add_option("--require-calm", require_calm,
                 "undisturbed samples that every cell must have, or the run ends with exit code 4; the results are "
                 "written all the same [0]")
      ->type_name("NUMBER");
  app.add_option("--seed", options.seed, "seed of the order of samples [1]")->type_name("NUMBER");
  std::vector<std::string> peers;
  CLI::Option* const with_peers =
      app.add_option(
             "--peers", peers,
             "measure other libraries in turns with Sluice, each at its best with weights of the same type: all "
             "that scripts/peers.sh built, or those named: --peers=NAME,NAME")
          ->delimiter(',')
          ->expected(0, -1)
          ->type_name("LIST");
  std::optional<std::string> against;
  app.add_option("--against", against,
                 "Measure each cell with a baseline plan as well, in turns, where it has another plan: 'default' "
                 "(the analytical plans) or the file of a profile")
      ->type_name("default|FILE");
  bool hot = false;
  app.add_flag(
      "--hot", hot,
      "let the weights stay in the cache, for which up to six rows take the analytical plan; by default they are cold");
  app.add_flag("--phases", options.phases, "show where the time of each cell goes, by some further calls");
  bool micro = false;
  app.add_flag("--micro", micro,
               "measure the parts of a forward instead: microkernels, packing, epilogues, barrier, call");
  bool no_profile = false;
  app.add_flag("--no-profile", no_profile, "use no profile: the analytical plans");
  app.footer(tuner::selector_help("sluice bench --model tinyllama --kind swiglu,relu --m 1,256 --threads 1,all") +
             "\nGoogle Benchmark's --benchmark_filter=REGEX and --benchmark_list_tests work as well.");
  std::vector<char*> words(argv, argv + argc);
  const std::vector<std::string> flags = take_benchmark_flags(words);
  if (const auto code = tuner::parse(app, static_cast<int>(words.size()), words.data())) return *code;

  if (micro) {
    refuse_with_micro(app);
    raw.layers = false;
  }
  if (budget) options.budget_seconds = tuner::parse_duration("--budget", *budget);

  const tuner::Machine machine = tuner::bind_and_probe(raw.cores);
  const tuner::Selection selection = tuner::resolve(raw, machine);
  options.isa = selection.isa.value_or(machine.isas.back());
  tuner::warn_of_unfitness("sluice bench", machine, selection);
  options.cold = !hot;
  if (with_peers->count() > 0 && against)
    throw Failure(exit_code::usage, fmt::format("--against {} together with --peers: one comparison at a time; leave "
                                                "one out",
                                                *against));
  if (with_peers->count() > 0) options.peers = choose_peers(peers);
  options.baseline = choose_baseline(against, machine);
  RunContext run{tuner::command_words(argc, argv), machine, std::nullopt, {}, false, {}};
  initialize(flags);
  tuner::catch_interruption();
  if (micro) return micro_run(run, selection, options, flags);
  const std::vector<tuner::Cell> cells = tuner::cells(selection, tuner::parse_plain_sizes(equal));
  for (const tuner::Cell& cell : cells) {
    const std::size_t cold = options.cold ? tuner::Clocks::cold_bytes(machine) : 0;
    tuner::require_memory(
        static_cast<double>(tuner::Clocks::stream_bytes(machine)) +
            tuner::Layer::bytes_needed(cell.shape, cell.kind, cell.m, cold) * (options.baseline ? 2 : 1),
        fmt::format("measuring {} {}, M {}", tuner::kind_name(cell.kind), tuner::shape_name(cell.shape), cell.m));
  }
  tuner::UsableRows rows;
  if (!no_profile) {
    if (const auto profile = tuner::find_profile(selection.profile, selection.profile_given)) {
      rows = tuner::usable_rows(*profile, machine);
      run.profile_path = selection.profile.string();
      run.profile_fingerprint = profile->fingerprint;
      run.profile_matches = rows.exact;
      // The profile's promises hold for this machine and cold weights only.
      if (rows.exact && options.cold) run.promises = profile->plans;
      for (const std::string& warning : rows.warnings) tuner::write_stderr("sluice bench: warning: {}\n", warning);
    }
  }

  const std::uint32_t max_threads = *std::max_element(selection.threads.begin(), selection.threads.end());
  tuner::Clocks clocks(options.isa, machine, max_threads);
  Session session(cells, rows, machine, clocks, options);
  std::vector<std::string> names;
  names.reserve(cells.size());
  for (const Measurement& measurement : session.measurements()) names.push_back(measurement.name);
  const std::vector<bool> wanted = match(names, benchmark::GetBenchmarkFilter());
  session.keep_only(wanted);

  tuner::Progress progress("bench");
  for (const std::string& cell : names) {
    benchmark::RegisterBenchmark(cell.c_str(), [&](benchmark::State& state) {
      // The first benchmark that Google Benchmark runs makes the session measure all of them, in turns.
      for ([[maybe_unused]] auto iteration : state)
        session.measure([&](double done, const std::string& next) { progress.show(done, next); });
      const Measurement& measurement = *std::ranges::find(session.measurements(), cell, &Measurement::name);
      if (!measurement.error.empty()) state.SkipWithError(measurement.error.c_str());
    });
  }
  const bool table = !selection.json;
  Reporter reporter(session, clocks, run, table);
  const std::size_t ran = benchmark::RunSpecifiedBenchmarks(&reporter);
  if (lists_tests(flags)) return exit_code::ok;
  if (table) tuner::write_stdout(comparison_table(session.measurements()));
  if (table && options.baseline)
    tuner::write_stdout(plan_comparison_table(reporter.plan_comparisons(), options.baseline->name));
  deliver(selection, reporter.text(), reporter.reported(), ran, reporter.errors());
  expect_calm(session, require_calm);
  return exit_code::ok;
}

}  // namespace sluice::bench
