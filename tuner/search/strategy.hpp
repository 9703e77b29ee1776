// Owns: the ways of searching, their names, and what each rigor grants them. Does not own: the plans there are
// (candidates.hpp), the checks of costs (search.hpp).
//
// Every strategy starts with the analytical plan as the incumbent and replaces it only by a plan that is ahead by the
// margin.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "tuner/search/candidates.hpp"

namespace sluice::tuner {

//   axes:       one parameter after the other, all its values raced against the plan so far;
//   descent:    the plan so far against its neighbours in every parameter, until none is better;
//   halving:    many plans of the whole space, the slower half dropped round by round, then descent from the winner;
//   exhaustive: all plans, several rounds; then the best of them and the analytical plan, three times as many.
enum class Strategy : std::uint8_t { axes, descent, halving, exhaustive };
std::string_view name(Strategy strategy) noexcept;
std::optional<Strategy> parse_strategy(std::string_view name) noexcept;
std::span<const std::string_view> strategy_names() noexcept;

// How much a search may try. estimate: nothing, the analytical plan is the result. measure: some hundred trials.
// patient: several times as many. exhaustive: every plan.
enum class Rigor : std::uint8_t { estimate, measure, patient, exhaustive };
std::string_view name(Rigor rigor) noexcept;
std::optional<Rigor> parse_rigor(std::string_view name) noexcept;
std::span<const std::string_view> rigor_names() noexcept;

// The limits that belong to a rigor.
struct Effort {
  std::size_t rounds;  // the most rounds of a race
  std::size_t sample;  // the number of plans that a halving begins with
  std::size_t steps;   // the most steps of a descent from one start
  std::size_t starts;  // how often the search starts anew
  double margin;       // how much faster a plan must be to replace the incumbent
};
Effort effort(Rigor rigor) noexcept;

// One search: next() and report() in turns until next() has nothing more.
class Searcher {
 public:
  Searcher() = default;
  Searcher(const Searcher&) = delete;
  Searcher& operator=(const Searcher&) = delete;
  virtual ~Searcher() = default;

  // Returns the index in the space of the plan to try now, the same until report() is called.
  [[nodiscard]] virtual std::optional<std::size_t> next() const = 0;
  // cost: positive, infinite if the plan cannot run.
  virtual void report(double cost) = 0;
  [[nodiscard]] virtual std::size_t best() const = 0;
};

// `space` must outlive the searcher. Must not be called for Rigor::estimate, which tries nothing.
std::unique_ptr<Searcher> make_searcher(Strategy strategy, const Effort& effort, const JointSpace& space,
                                        std::uint64_t seed);

}  // namespace sluice::tuner
