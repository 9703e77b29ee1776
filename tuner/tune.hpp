// Owns: tuning: for each cell a search on a slice of the problem, the verification of its winner, and the duel in place
// against the analytical default. Does not own: the command line (tune_command.hpp), the file (profile.hpp).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "tuner/cell.hpp"
#include "tuner/clock.hpp"
#include "tuner/profile.hpp"

namespace sluice::tuner {

struct TuneOptions {
  Isa isa;
  double budget_seconds = 120;  // for all cells; roofs and packing are part of it
  std::uint64_t seed = 1;
  std::vector<PlanRow> kept_rows = {};  // what the profile holds already: new plans of a shape keep its nr
};

// The clocks of one ISA, one per thread count, made when first asked for.
class Clocks {
 public:
  Clocks(Isa isa, const Machine& machine, std::uint32_t max_threads);

  [[nodiscard]] Clock& operator[](std::uint32_t threads);
  [[nodiscard]] Executor& executor() noexcept { return pool_; }
  // Bytes of weights to take turns through, so that each is cold when its turn comes.
  [[nodiscard]] std::size_t cold_bytes() const noexcept { return cold_bytes_; }
  [[nodiscard]] Roofs roofs() const;

 private:
  Isa isa_;
  std::size_t cold_bytes_;
  ThreadPool pool_;
  StreamBuffer buffer_;
  std::map<std::uint32_t, std::unique_ptr<Clock>> clocks_;
};

// Calls done(plan) after each cell; stops early, keeping what is done, when interrupted() is set. Throws Failure 1 when
// a kernel gives wrong results here.
void tune(const std::vector<Cell>& cells, const Machine& machine, const TuneOptions& options, Clocks& clocks,
          const std::function<void(const ProfilePlan&)>& done);

}  // namespace sluice::tuner
