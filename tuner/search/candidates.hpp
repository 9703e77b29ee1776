// Owns: which plans are worth trying: a pure function of caches, problem and ISA, with one function per parameter
// (candidates.cpp). Does not own: the order of trying (search.hpp), measuring.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "sluice/plan.hpp"

namespace sluice::tuner {

// What a plan is for. nr is fixed, because all M share one packing of the weights.
struct Setting {
  CacheSizes caches;
  Isa isa;
  Kind kind;
  Shape shape;
  std::size_t m;
  std::uint32_t max_threads;
  std::uint32_t nr;
};

// The analytical plan, where every search starts.
Plan first_candidate(const Setting& setting);

// One field of a plan.
struct Parameter {
  std::string_view name;
  // The values worth trying beside that of the analytical plan, in any order. Values that do not fit are dropped later.
  std::vector<std::uint32_t> (*values)(const Setting& setting, const Plan& start);
  std::uint32_t (*get)(const Plan& plan);
  void (*set)(Plan& plan, std::uint32_t value);
  bool strong;  // is combined with all others, however many plans that makes
};

// The parameter that changes the time most comes first.
inline constexpr std::size_t parameter_count = 9;
const std::array<Parameter, parameter_count>& parameters();

// The plan as this problem clips it. Two plans that clip to the same one do the same work in the same order. The result
// is for comparing only and may not be valid.
Plan clipped(const Setting& setting, const Plan& plan);

// The plans of a setting: every valid combination of its parameters' values, without plans that clip to the same one.
// If that makes more than some 1500 plans, the parameters that are not strong differ from the analytical plan only two
// or one at a time. All strategies draw from this space, so a recorded landscape of it answers whatever they ask.
class JointSpace {
 public:
  explicit JointSpace(const Setting& setting);
  // A space of these plans alone, at least one. The plan nearest to the analytical one takes its place.
  JointSpace(const Setting& setting, const std::vector<Plan>& plans);

  [[nodiscard]] const Setting& setting() const noexcept { return setting_; }
  // Element 0 is the analytical plan, where every search starts.
  [[nodiscard]] const std::vector<Plan>& plans() const noexcept { return plans_; }
  [[nodiscard]] std::size_t size() const noexcept { return plans_.size(); }

  // Returns the plan of the space that does the same as this one.
  [[nodiscard]] std::optional<std::size_t> find(const Plan& plan) const;
  // Returns all plans that differ from this one in the given parameter alone.
  [[nodiscard]] std::vector<std::size_t> along(std::size_t plan, std::size_t parameter) const;
  // Returns, for each parameter, the plans with the next lower and the next higher value that makes a difference.
  [[nodiscard]] std::vector<std::size_t> neighbours(std::size_t plan) const;
  // Returns the plan with one parameter's value replaced by its `level`th, modulo the number of values.
  [[nodiscard]] std::optional<std::size_t> moved(std::size_t plan, std::size_t parameter, std::size_t level) const;

 private:
  using Key = std::array<std::uint32_t, parameter_count>;

  [[nodiscard]] Key key(const Plan& plan) const;
  void sort_levels();
  // Returns false, unfinished, if there are more than `most` plans.
  bool fill(std::size_t departures, std::size_t most);
  bool fill(Plan plan, std::size_t parameter, std::size_t departures, std::size_t most);

  Setting setting_;
  std::array<std::vector<std::uint32_t>, parameter_count> levels_;  // ascending
  std::vector<Plan> plans_;
  std::map<Key, std::size_t> index_;
};

}  // namespace sluice::tuner
