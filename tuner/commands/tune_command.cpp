#include "tuner/commands/tune_command.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <span>

#include "tuner/base/failure.hpp"
#include "tuner/base/file.hpp"
#include "tuner/base/file_placement.hpp"
#include "tuner/base/interruption.hpp"
#include "tuner/base/progress.hpp"
#include "tuner/base/spelling.hpp"
#include "tuner/base/standard_streams.hpp"
#include "tuner/commands/command_line.hpp"
#include "tuner/commands/doctor_command.hpp"
#include "tuner/commands/merge_command.hpp"
#include "tuner/commands/program.hpp"
#include "tuner/commands/replay_command.hpp"
#include "tuner/machine/binding.hpp"
#include "tuner/machine/limits.hpp"
#include "tuner/measurement/clocks.hpp"
#include "tuner/profile/profile.hpp"
#include "tuner/profile/profile_json.hpp"
#include "tuner/tuning/journal.hpp"
#include "tuner/tuning/journal_record.hpp"
#include "tuner/tuning/tune.hpp"
#include "tuner/workload/layer.hpp"

namespace sluice::tuner {
namespace {

std::string summary(const std::vector<ProfilePlan>& plans) {
  std::string text = fmt::format("{:<15} {:<11} {:>5} {:>3}  {:>8}  {:>7}  {}\n", "kind", "shape", "M", "t", "of roof",
                                 "gain", "plan");
  for (const ProfilePlan& plan : plans) {
    const PlanRow& row = plan.row;
    const Tiling& tiling = row.plan.tiling;
    const bool other = plan.measured && plan.measured->verdict != Verdict::default_won;
    const std::string gain =
        other ? fmt::format("{:.1f} %", (1 / plan.measured->ratio_to_default - 1) * 100) : "default";
    const std::string fraction = plan.measured ? fmt::format("{:.1f} %", plan.measured->roof_fraction * 100) : "-";
    text += fmt::format("{:<15} {:<11} {:>5} {:>3}  {:>8}  {:>7}  {}x{} kc {} mc {} nc {} {} t{}\n",
                        kind_name(row.kind), shape_name(row.shape), row.m, row.max_threads, fraction, gain, tiling.mr,
                        tiling.nr, tiling.kc, tiling.mc, tiling.nc, name(tiling.schedule), row.plan.threads);
  }
  return text;
}

std::vector<KeptWidth> kept_widths(const std::vector<PlanRow>& rows, Isa isa) {
  std::vector<KeptWidth> widths;
  for (const PlanRow& row : rows)
    if (row.isa == isa) widths.push_back({row.shape, row.kind, row.plan.tiling.nr});
  return widths;
}

// The budget of a rigor if --budget was not given.
std::optional<double> default_budget(Rigor rigor) {
  switch (rigor) {
    case Rigor::measure:
      return 115;  // two minutes, including what the last cell takes beyond its share
    case Rigor::patient:
      return 600;
    case Rigor::estimate:
    case Rigor::exhaustive:
      break;
  }
  return std::nullopt;
}

template <class Parse>
auto named(std::string_view option, const std::string& word, Parse parse, std::span<const std::string_view> known) {
  const auto value = parse(word);
  if (!value)
    throw Failure(exit_code::usage, fmt::format("{} {}: unknown; {}", option, word, known_names(word, known)));
  return *value;
}

// The journal is beside the profile. Each tuning has a name of its own, so that no other command finds or moves it.
std::filesystem::path default_journal(const std::filesystem::path& profile, const JournalHeader& header) {
  JournalHeader identity = header;
  identity.command.clear();
  identity.sluice_version.clear();
  identity.budget_seconds.reset();
  identity.kept_widths.clear();
  return beside(profile, fmt::format(".{}.journal", record_checksum(identity).substr(0, 8)));
}

// Returns the word quoted for a shell.
std::string quoted(const std::string& word) {
  const bool plain = !word.empty() && word.find_first_not_of(
                                          "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                          "0123456789_-+=.,:/@%") == std::string::npos;
  if (plain) return word;
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

std::string resume_command(const std::vector<std::string>& command) {
  std::string text;
  for (const std::string& word : command) text += (text.empty() ? "" : " ") + quoted(word);
  if (std::find(command.begin(), command.end(), "--resume") == command.end()) text += " --resume";
  return text;
}

std::string cell_names(const std::vector<Cell>& cells) {
  std::vector<std::string> names;
  names.reserve(cells.size());
  for (const Cell& cell : cells)
    names.push_back(fmt::format("{} {} M={} t={}", kind_name(cell.kind), shape_name(cell.shape), cell.m, cell.threads));
  return fmt::format("{}", fmt::join(names, ", "));
}

struct TuneWords {
  std::optional<std::string> budget, rigor, strategy, journal;
  std::uint64_t seed = 1;
  bool resume = false;
};

void add_tune_options(CLI::App& app, TuneWords& words) {
  app.add_option(
         "--rigor", words.rigor,
         fmt::format("how much to try: {} [measure]; estimate measures nothing", fmt::join(rigor_names(), ", ")))
      ->type_name("NAME");
  app.add_option("--budget", words.budget, "time to spend, about: 40s, 2min [measure: 115s, patient: 10min]")
      ->type_name("TIME");
  app.add_option("--strategy", words.strategy,
                 fmt::format("how to search: {} [halving]", fmt::join(strategy_names(), ", ")))
      ->type_name("NAME");
  app.add_option("--seed", words.seed, "seed of the order of trials [1]")->type_name("NUMBER");
  app.add_option("--journal", words.journal,
                 "record every trial in this file and keep it [beside the profile, until all is done]")
      ->type_name("FILE");
  app.add_flag("--resume", words.resume, "go on with what the same command began, if it did")->disable_flag_override();
}

TuneOptions tune_options(const TuneWords& words, Isa isa, const Machine& machine) {
  TuneOptions options{.isa = isa, .caches = machine.cache_sizes()};
  if (words.rigor) options.rigor = named("--rigor", *words.rigor, parse_rigor, rigor_names());
  if (words.strategy) options.strategy = named("--strategy", *words.strategy, parse_strategy, strategy_names());
  options.budget_seconds = words.budget ? parse_duration("--budget", *words.budget) : default_budget(options.rigor);
  options.seed = words.seed;
  if (words.journal && words.journal->empty()) throw Failure(exit_code::usage, "--journal '': expected a file name");
  return options;
}

// Each cell needs its layer for the verification, in each panel width that is tried, and a slice of it for the trials.
void require_memory_for(const std::vector<Cell>& cells, Isa isa, const Machine& machine) {
  const std::size_t cold = Clocks::cold_bytes(machine);
  const auto widths = static_cast<double>(register_tiles(isa).size());
  for (const Cell& cell : cells) {
    require_memory(static_cast<double>(Clocks::stream_bytes(machine)) + 2 * static_cast<double>(cold) +
                       widths * Layer::bytes_needed(cell.shape, cell.kind, cell.m, cold),
                   fmt::format("tuning {} {}, M {}", kind_name(cell.kind), shape_name(cell.shape), cell.m));
  }
}

JournalHeader journal_header(const std::vector<Cell>& cells, const TuneOptions& options, const Profile& profile) {
  JournalHeader header;
  header.fingerprint = profile.fingerprint;
  header.caches = options.caches;
  header.sluice_version = profile.sluice_version;
  header.command = profile.command;
  header.isa = options.isa;
  header.cells = cells;
  header.seed = options.seed;
  header.rigor = name(options.rigor);
  header.strategy = name(options.strategy);
  header.budget_seconds = options.budget_seconds;
  header.kept_widths = options.kept_widths;
  return header;
}

void announce(const std::vector<Cell>& cells, const TuneOptions& options) {
  const std::string time = options.rigor == Rigor::estimate ? "at once, unmeasured"
                           : options.budget_seconds         ? "about " + duration_name(*options.budget_seconds)
                                                            : "until all is tried";
  write_stderr("tune: {} cell{} on {}, {}\n", cells.size(), cells.size() == 1 ? "" : "s", name(options.isa), time);
  const double least = Budget(options.budget_seconds, cells).least(cells);
  if (options.rigor != Rigor::estimate && options.budget_seconds && least > *options.budget_seconds) {
    write_stderr("tune: that is short for such large cells; some may stay untuned without --budget {:.0f}s\n",
                 std::ceil(2 * least));
  }
}

// Writes on stderr what the table does not tell.
void tell(const TuneReport& report) {
  if (report.self_checks != 0) {
    write_stderr(
        "tune: self-check: a plan against itself came out different in {} of {} comparisons (by chance: 5 %)\n",
        report.false_alarms, report.self_checks);
  }
  if (!report.untuned.empty()) {
    write_stderr(
        "tune: no time was left to search for {} of the cells: {}. Repeat the command with --resume and a "
        "larger --budget\n",
        report.untuned.size(), cell_names(report.untuned));
  }
}

}  // namespace

int tune_command(int argc, char** argv) {
  if (asks_for_merge(argc, argv)) return merge_command(argc, argv);
  CLI::App app("Finds the fastest plans for this machine and writes them into a profile.", "sluice tune");
  RawSelection raw;
  raw.default_kinds = {swiglu, relu};
  add_selectors(app, raw);
  std::vector<std::string> equal;
  add_equal_option(app, equal);
  std::vector<std::string> replay;
  app.add_option("--replay", replay,
                 "tune nothing: show what each strategy finds on recorded landscapes (journals of --rigor exhaustive), "
                 "and in how many trials; --out writes a journal as a small landscape")
      ->delimiter(',')
      ->type_name("FILE");
  TuneWords words;
  add_tune_options(app, words);
  app.footer(
      fmt::format("{}\n\n{}", selector_help("sluice tune --model tinyllama --kind swiglu,relu --m 1,256"), merge_help));
  if (const auto code = parse(app, argc, argv)) return *code;
  if (!replay.empty()) return replay_command(replay, raw.json, resolve_files(raw).out);

  const Machine machine = bind_and_probe(raw.cores);
  const Selection selection = resolve(raw, machine);
  const Isa isa = selection.isa.value_or(machine.isas.back());
  warn_of_unfitness("sluice tune", machine, selection);
  const std::vector<Cell> all = cells(selection, parse_plain_sizes(equal));
  require_memory_for(all, isa, machine);
  TuneOptions options = tune_options(words, isa, machine);
  const std::filesystem::path path = selection.out.value_or(selection.profile);
  check_mergeable(path, machine);
  const std::optional<Profile> before = find_profile(path, false);
  const std::vector<PlanRow> rows_before = before ? sorted_rows(*before) : std::vector<PlanRow>{};
  options.kept_widths = kept_widths(rows_before, isa);

  Profile profile = make_profile(machine, command_words(argc, argv));
  const JournalHeader header = journal_header(all, options, profile);
  std::optional<Journal> journal;
  if (options.rigor != Rigor::estimate) {
    journal.emplace(words.journal ? std::filesystem::path(*words.journal) : default_journal(path, header), header,
                    words.resume ? Journal::Start::resume : Journal::Start::afresh);
    for (const std::string& note : journal->notes()) write_stderr("tune: {}\n", note);
    // These are the widths that the first run found. Since then it has added plans of its own to the profile.
    options.kept_widths = journal->contents().header->kept_widths;
  }
  catch_interruption();
  announce(all, options);
  const std::uint32_t max_threads = *std::max_element(selection.threads.begin(), selection.threads.end());
  TuneReport report;
  {
    Progress progress("tune");
    double share_done = 0;
    options.progress = [&](double share, const std::string& what, double seconds_left) {
      share_done = share;
      progress.show(share, what, seconds_left);
    };
    MachineBackend backend(isa, machine, max_threads, [&](Shape shape) {
      progress.show(share_done, fmt::format("packing {}", shape_name(shape)));
    });
    // Each plan is written at once, so that an interrupted run keeps it. Only a proven one replaces an earlier plan.
    options.done = [&](const ProfilePlan& plan, bool proven) {
      const auto same = [&](const PlanRow& row) { return same_cell(row, plan.row); };
      if (!proven && std::ranges::any_of(rows_before, same)) return;
      put(profile.plans, plan);
      profile.roofs = backend.roofs();
      merge_into_file(path, profile);
    };
    report = tune(all, options, backend, journal ? &*journal : nullptr);
  }
  if (report.interrupted) {
    const std::string kept = profile.plans.empty() ? "nothing was tuned yet"
                                                   : fmt::format("{} of {} cells are in {}", profile.plans.size(),
                                                                 all.size(), path.string());
    throw Failure(exit_code::interrupted,
                  fmt::format("interrupted; {}; go on with: {}", kept, resume_command(profile.command)));
  }
  if (journal && !words.journal && report.untuned.empty()) journal->remove();
  tell(report);
  write_stdout(selection.json ? profile_text(profile)
                              : summary(sorted_plans(profile)) + fmt::format("\nProfile: {}\n", path.string()));
  return exit_code::ok;
}

}  // namespace sluice::tuner
