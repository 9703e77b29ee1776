// Owns: measuring cells: the weights, the plans, the interleaving, and the samples of each cell.
// Does not own: the clock (tuner/clock.hpp), how a peer is asked (contender.hpp), what the samples say of a rival's
// plan (rival_comparison.hpp), the form of the results (reporter.hpp).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "bench/contender.hpp"
#include "bench/phases.hpp"
#include "bench/rival.hpp"
#include "bench/sample_set.hpp"
#include "tuner/cell.hpp"
#include "tuner/clocks.hpp"
#include "tuner/layer.hpp"
#include "tuner/profile.hpp"

namespace sluice::bench {

struct SessionOptions {
  Isa isa;
  std::size_t samples = 24;   // calm ones to aim for, per cell
  double budget_seconds = 0;  // for all cells; 0: as long as it takes
  std::uint64_t seed = 1;
  bool cold = true;                     // weights take turns through copies larger than the last-level cache
  bool phases = false;                  // measure where the time goes, after the samples
  std::vector<PeerProgram> peers = {};  // they take part in every cell
  std::optional<Rival> rival = {};      // not together with peers
};

// What became of one peer in one cell.
struct PeerMeasurement : SampleSet {
  std::string peer, version, note, variant;
  std::string error;  // not empty: it could not take part, or gave a wrong answer
};

// What became of the rival's plan in one cell.
struct RivalMeasurement : SampleSet {
  Plan plan;
  PlanOrigin origin = PlanOrigin::analytical;
  bool same = false;  // it does what the cell's own plan does, so it takes no turns
};

// What became of one cell.
struct Measurement : SampleSet {
  tuner::Cell cell;
  std::string name;  // "ffn/swiglu/avx512/2048x5632/M256/t1"
  Plan plan;
  PlanOrigin origin = PlanOrigin::analytical;
  std::optional<PhaseShares> phases;
  std::vector<PeerMeasurement> peers;
  std::optional<RivalMeasurement> rival;
  bool done = false;
  std::string error;  // not empty: it could not be measured
};

class Session {
 public:
  // `rows` must outlive the session.
  Session(const std::vector<tuner::Cell>& cells, const tuner::UsableRows& rows, const tuner::Machine& machine,
          tuner::Clocks& clocks, const SessionOptions& options);

  [[nodiscard]] const std::vector<Measurement>& measurements() const { return measurements_; }
  [[nodiscard]] const SessionOptions& options() const { return options_; }

  // Leaves out the cells that are not wanted: they take no part in their group.
  void keep_only(const std::vector<bool>& wanted);

  // Measures the cell and, interleaved with it, the others of its group (same d_model, M and threads); nothing when it
  // is done. Stops early when interrupted().
  const Measurement& measure(std::size_t index);

  // How many cells are wanted.
  [[nodiscard]] std::size_t wanted() const;
  // Those with samples.
  [[nodiscard]] std::vector<const Measurement*> measured() const;
  [[nodiscard]] double contended_share() const;

 private:
  // A layer packed in one panel width, and its copy that the peers see.
  struct Place {
    std::unique_ptr<tuner::Layer> layer;
    std::unique_ptr<SharedLayer> shared;  // null without peers
  };
  // Who takes turns: a cell itself, the rival's plan for it, or a peer in it.
  struct Turn {
    Measurement* measurement = nullptr;
    tuner::Layer* layer = nullptr;  // beside a peer's turn, the cell's own
    const Plan* plan = nullptr;
    RivalMeasurement* rival = nullptr;
    PeerMeasurement* peer = nullptr;
    std::shared_ptr<const ExpectedAnswer> expected;
    std::unique_ptr<Contender> contender;  // null: not a peer, or one that failed
    std::vector<tuner::Sample> samples;
    bool resting = false;  // a peer clearly behind another: it takes no more turns
  };

  // The cell's weights, as wide as the table's plans for the shape have them.
  [[nodiscard]] Place& place(const tuner::Cell& cell, PlanTable plans);
  void measure_group(const std::vector<Measurement*>& group);
  // Plans the cell, its rival's way too, and prepares those who take turns in it.
  void add_turns(Measurement& measurement, std::vector<Turn>& turns);
  [[nodiscard]] RivalMeasurement plan_rival(const Measurement& measurement);
  // The roof that the samples of a cell are to be taken under; when they are to be hot, its weights are now.
  tuner::Roof make_ready(tuner::Clock& clock, const tuner::Cell& cell, tuner::Layer& layer, const Plan& plan);
  // Prepares the peers for the cell, right after a forward of it, whose y they are compared with.
  void add_peers(Measurement& measurement, std::vector<Turn>& turns);
  // The order of a round; a cell and its rival stay neighbours, so that a disturbance mostly meets both or none.
  void shuffle(std::vector<Turn>& turns);
  void take(Turn& turn, std::uint32_t round, tuner::Clock& clock);
  // In how many rounds the turn was not disturbed; of a rival's, nor was the cell's own: only these are pairs.
  static std::size_t calm_rounds(const std::vector<Turn>& turns, const Turn& turn, const tuner::Clock& clock);
  // Of each cell's peers leaves only those in the turns that may be its best, after so many rounds.
  static void rest_slow_peers(std::vector<Turn>& turns, const tuner::Clock& clock, std::uint32_t rounds);
  static void fail(const Measurement& measurement, PeerMeasurement& peer, const PeerError& error);
  [[nodiscard]] double seconds_for(const std::vector<Measurement*>& group) const;

  SessionOptions options_;
  const tuner::UsableRows& rows_;
  CacheSizes caches_;
  tuner::Clocks& clocks_;
  std::mt19937_64 random_;
  std::vector<Measurement> measurements_;
  std::vector<bool> wanted_;
  std::vector<Place> places_;  // of the shapes in use
  std::size_t max_m_ = 1;
  std::chrono::steady_clock::time_point end_;
};

}  // namespace sluice::bench
