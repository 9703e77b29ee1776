// Owns: a landscape, which is what every plan of one cell cost in several rounds; its file; the replay of a search over
// it. Does not own: the measuring that recorded it (tune.hpp), the search.
//
// A replay needs no clock. Strategies are compared on the same costs, with the noise of the machine they come from.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tuner/search/search.hpp"
#include "tuner/tuning/journal.hpp"

namespace sluice::tuner {

// The file is JSON: {"sluice_landscape": 1, the cell, "caches", "parameters": their names, "plans": [{"plan": a value
// per parameter, "ns": a time per round}], "series": times of the analytical plan taken in a row}.
class Landscape {
 public:
  static constexpr std::size_t least_rounds = 4;

  // Every plan has a cost per round, and there are at least `least_rounds`. If the analytical plan of the setting is
  // not among the plans, searches start from the nearest one.
  Landscape(const Setting& setting, const std::vector<Plan>& plans, const std::vector<std::vector<double>>& costs,
            std::vector<double> series = {});

  [[nodiscard]] const Setting& setting() const noexcept { return space_->setting(); }
  // The space holds the recorded plans and no others.
  [[nodiscard]] const std::shared_ptr<const JointSpace>& space() const noexcept { return space_; }
  // [plan of the space][round]
  [[nodiscard]] const std::vector<std::vector<double>>& costs() const noexcept { return costs_; }
  [[nodiscard]] std::size_t rounds() const noexcept { return costs_.front().size(); }
  // Times of one plan that were taken in a row, which show the noise of a pair. May be empty.
  [[nodiscard]] const std::vector<double>& series() const noexcept { return series_; }
  // "swiglu 768x2048 M=64 t=1 avx512"
  [[nodiscard]] std::string name() const;

 private:
  std::shared_ptr<const JointSpace> space_;
  std::vector<std::vector<double>> costs_;
  std::vector<double> series_;
};

// Returns the cells of a journal of which every plan tried was timed `least_rounds` times, as by --rigor exhaustive.
std::vector<Landscape> landscapes(const JournalContents& journal);

// Loads a landscape, or the landscapes of a journal, at least one. Throws Failure 5, which names the file.
std::vector<Landscape> load_landscapes(const std::filesystem::path& path);
// Throws Failure 5, which names file and field.
Landscape load_landscape(const std::filesystem::path& path);
std::string landscape_text(const Landscape& landscape);

struct Replay {
  Plan winner;
  std::size_t trials;
  double regret;  // the winner's time over the best plan's, less one
};

// Half of the rounds, chosen by the seed, answer the search. Each plan's costs are in an order of their own. The best
// plan is the one with the lowest quantile of costs (`typical` in race.hpp) on the same half. The other half judges
// both, so that neither gains from luck. The regret of a search that found a better plan than that choice is negative.
Replay replay(const Landscape& landscape, const Search::Options& options);

// Replays with seeds 1 … count.
struct ReplaySummary {
  double geomean;  // of the regret
  double median;
  double worst;
  double trials;  // on average
};
ReplaySummary replay_many(const Landscape& landscape, Strategy strategy, Rigor rigor, std::size_t count);

}  // namespace sluice::tuner
