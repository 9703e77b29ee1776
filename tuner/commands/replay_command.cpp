#include "tuner/commands/replay_command.hpp"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "tuner/base/failure.hpp"
#include "tuner/base/file.hpp"
#include "tuner/base/standard_streams.hpp"
#include "tuner/tuning/landscape.hpp"

namespace sluice::tuner {
namespace {

constexpr std::size_t seeds = 100;

struct Way {
  Rigor rigor;
  Strategy strategy;
};
constexpr std::array ways = {Way{Rigor::estimate, Strategy::axes},   Way{Rigor::measure, Strategy::axes},
                             Way{Rigor::measure, Strategy::descent}, Way{Rigor::measure, Strategy::halving},
                             Way{Rigor::patient, Strategy::axes},    Way{Rigor::patient, Strategy::descent},
                             Way{Rigor::patient, Strategy::halving}, Way{Rigor::exhaustive, Strategy::exhaustive}};

// An estimate tries nothing, whatever the strategy.
std::string_view strategy_of(const Way& way) { return way.rigor == Rigor::estimate ? "-" : name(way.strategy); }

}  // namespace

int replay_command(const std::vector<std::string>& files, bool json, const std::optional<std::filesystem::path>& out) {
  std::string text =
      fmt::format("Regret of {} seeded searches on recorded costs, against the best plan there is.\n", seeds);
  nlohmann::ordered_json document = nlohmann::ordered_json::array();
  std::vector<Landscape> all;
  for (const std::string& file : files)
    for (Landscape& landscape : load_landscapes(file)) all.push_back(std::move(landscape));
  if (out) {
    if (all.size() != 1)
      throw Failure(exit_code::usage, fmt::format("--out {}: takes one landscape, and --replay names {}; name a file "
                                                  "of one cell",
                                                  out->string(), all.size()));
    write_file_atomically(*out, landscape_text(all.front()));
  }
  for (const Landscape& landscape : all) {
    text += fmt::format("\n{}: {} plans, {} rounds\n{:<11} {:<11} {:>8} {:>8} {:>8} {:>7}\n", landscape.name(),
                        landscape.space()->size(), landscape.rounds(), "rigor", "strategy", "geomean", "median",
                        "worst", "trials");
    for (const Way& way : ways) {
      const ReplaySummary summary = replay_many(landscape, way.strategy, way.rigor, seeds);
      text +=
          fmt::format("{:<11} {:<11} {:>6.2f} % {:>6.2f} % {:>6.2f} % {:>7.0f}\n", name(way.rigor), strategy_of(way),
                      summary.geomean * 100, summary.median * 100, summary.worst * 100, summary.trials);
      document.push_back({{"landscape", landscape.name()},
                          {"rigor", name(way.rigor)},
                          {"strategy", strategy_of(way)},
                          {"seeds", seeds},
                          {"regret_geomean", summary.geomean},
                          {"regret_median", summary.median},
                          {"regret_worst", summary.worst},
                          {"trials", summary.trials}});
    }
  }
  write_stdout(json ? document.dump(2) + "\n" : text);
  return exit_code::ok;
}

}  // namespace sluice::tuner
