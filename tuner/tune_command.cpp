#include "tuner/tune_command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "tuner/command_line.hpp"
#include "tuner/failure.hpp"
#include "tuner/file.hpp"
#include "tuner/interruption.hpp"
#include "tuner/merge_command.hpp"
#include "tuner/profile.hpp"
#include "tuner/profile_json.hpp"
#include "tuner/program.hpp"
#include "tuner/tune.hpp"

namespace sluice::tuner {
namespace {

std::string summary(const std::vector<ProfilePlan>& plans) {
  std::string text = fmt::format("{:<11} {:<11} {:>5} {:>3}  {:>8}  {:>7}  {}\n", "kind", "shape", "M", "t", "of roof",
                                 "gain", "plan");
  for (const ProfilePlan& plan : plans) {
    const PlanRow& row = plan.row;
    const Tiling& tiling = row.plan.tiling;
    const Measured& measured = *plan.measured;
    const std::string gain = measured.verdict == Verdict::faster
                                 ? fmt::format("{:.1f} %", (1 / measured.ratio_to_default - 1) * 100)
                                 : "default";
    text +=
        fmt::format("{:<11} {:<11} {:>5} {:>3}  {:>6.1f} %  {:>7}  {}x{} kc {} mc {} nc {} {} t{}\n", name(row.kind),
                    shape_name(row.shape), row.m, row.max_threads, measured.roof_fraction * 100, gain, tiling.mr,
                    tiling.nr, tiling.kc, tiling.mc, tiling.nc, name(tiling.schedule), row.plan.threads);
  }
  return text;
}

std::vector<PlanRow> kept_rows(const std::filesystem::path& path) {
  const std::optional<Profile> profile = find_profile(path, false);
  return profile ? sorted_rows(*profile) : std::vector<PlanRow>{};
}

}  // namespace

int tune_command(int argc, char** argv) {
  if (asks_for_merge(argc, argv)) return merge_command(argc, argv);
  CLI::App app("Finds the fastest plans for this machine and writes them into a profile.", "sluice tune");
  RawSelection raw;
  raw.default_kinds = {swiglu, relu};
  add_selectors(app, raw);
  std::vector<std::string> equal;
  app.add_option("--equal", equal,
                 "Size the plain kinds for comparison with gated ones: width (same d_ff), budget "
                 "(1.5 times d_ff: equal parameters and FLOPs), or both")
      ->delimiter(',');
  double budget = 120;
  app.add_option("--budget", budget, "Seconds to spend, about")->check(CLI::Range(1.0, 1e6))->capture_default_str();
  std::uint64_t seed = 1;
  app.add_option("--seed", seed, "Seed of the order of trials")->capture_default_str();
  app.footer(
      fmt::format("{}\n\n{}", selector_help("sluice tune --model tinyllama --kind swiglu,relu --m 1,256"), merge_help));
  if (const auto code = parse(app, argc, argv)) return *code;

  const Machine machine = probe_machine();
  const Selection selection = resolve(raw, machine);
  const Isa isa = selection.isa.value_or(machine.isas.back());
  const std::vector<Cell> all = cells(selection, parse_plain_sizes(equal));
  const std::filesystem::path path = selection.out.value_or(selection.profile);
  check_mergeable(path, machine);

  catch_interruption();
  Profile profile = make_profile(machine, command_words(argc, argv));
  const std::uint32_t max_threads = *std::max_element(selection.threads.begin(), selection.threads.end());
  fmt::print(stderr, "tune: {} cells on {}, about {:.0f} s\n", all.size(), name(isa), budget);
  Clocks clocks(isa, machine, max_threads);
  // Each finished cell is in the file at once: an interrupted run keeps them.
  tune(all, machine, {isa, budget, seed, kept_rows(path)}, clocks, [&](const ProfilePlan& plan) {
    profile.plans.push_back(plan);
    profile.roofs = clocks.roofs();
    merge_into_file(path, profile);
  });
  if (interrupted()) {
    const std::string kept = profile.plans.empty() ? "nothing was tuned yet"
                                                   : fmt::format("{} of {} cells are in {}", profile.plans.size(),
                                                                 all.size(), path.string());
    throw Failure(exit_code::interrupted, "interrupted; " + kept);
  }
  write_stdout(selection.json ? profile_text(profile)
                              : summary(profile.plans) + fmt::format("\nProfile: {}\n", path.string()));
  return exit_code::ok;
}

}  // namespace sluice::tuner
