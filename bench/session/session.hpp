// Owns: measuring cells: the weights, the plans, the interleaving, and the samples of each cell.
// Does not own: the clock (tuner/measurement/clock.hpp), which group is next (schedule.hpp), the requests to a peer
// (prepared_peer.hpp), the comparison with a baseline's plan (plan_comparison.hpp), the form of the results
// (reporter.hpp).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "bench/peer_runner/prepared_peer.hpp"
#include "bench/samples/phases.hpp"
#include "bench/samples/sample_set.hpp"
#include "bench/session/baseline_plans.hpp"
#include "tuner/measurement/clocks.hpp"
#include "tuner/profile/profile.hpp"
#include "tuner/workload/cell.hpp"
#include "tuner/workload/layer.hpp"

namespace sluice::bench {

// The cells of a run's headline take turns in every round, all others in every third round. With six kinds, the two of
// the headline then get half of the time.
inline constexpr std::uint32_t other_turns_every = 3;
// Forty pairs of samples that scatter by 5 % tell 2 %.
inline constexpr std::size_t usual_samples = 40;

struct SessionOptions {
  Isa isa;
  // The most samples of a cell. If empty: usual_samples without a budget, and with one as many as there is time for.
  std::optional<std::size_t> samples = {};
  double budget_seconds = 0;  // for all cells; 0: as long as it takes
  std::uint64_t seed = 1;
  bool cold =
      true;  // each forward takes the next of several copies of the weights, together larger than the last-level cache
  bool phases = false;                         // measure where the time goes, after the samples
  std::vector<PeerProgram> peers = {};         // they are measured in every cell
  std::optional<BaselinePlans> baseline = {};  // not together with peers
};

// The outcome of one peer in one cell.
struct PeerMeasurement : SampleSet {
  std::string peer, version, note;
  std::string variant;     // the form that took the turns
  std::string arithmetic;  // what that rounds, in words
  double distance = 0;     // of its answer from the oracle's, relative to the length of a row
  double tolerance = 0;    // the largest distance that passes for right
  std::vector<LeftOut> left_out;
  std::string error;  // not empty if it could not be measured or gave a wrong answer
};

// The outcome of the baseline's plan in one cell.
struct BaselineMeasurement : SampleSet {
  Plan plan;
  PlanOrigin origin = PlanOrigin::analytical;
  bool same = false;  // it does what the cell's own plan does, so it takes no turns
};

// The outcome of one cell.
struct Measurement : SampleSet {
  tuner::Cell cell;
  std::string name;  // "ffn/swiglu/avx512/2048x5632/M256/t1"
  Plan plan;
  PlanOrigin origin = PlanOrigin::analytical;
  // A sample is one of this many portions of a forward. Its time is that of the whole forward at the portion's speed.
  std::uint32_t portions = 1;
  SampleSet wholes;                 // with several portions: whole forwards, taken now and then as a check
  std::optional<tuner::Roof> roof;  // the binding one at the first sample; all samples are probed for it
  std::optional<PhaseShares> phases;
  std::vector<PeerMeasurement> peers;
  std::optional<BaselineMeasurement> baseline;
  std::string error;  // not empty if it could not be measured
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

  // Called now and then with the part of the work that is done, from 0 to 1, and the name of the next cell.
  using Progress = std::function<void(double, const std::string&)>;

  // Measures all wanted cells once; a second call does nothing. The cells of one d_model, M and thread count are a
  // group, whose members take turns within a round in random order. Passes go over all groups, so that each cell has
  // samples early, and the end of the budget or an interruption leaves a balanced result. If memory does not hold all
  // layers, or if peers keep layers of their own, the groups are measured in several parts, one after another.
  void measure(const Progress& progress);

  // The number of wanted cells.
  [[nodiscard]] std::size_t wanted() const;
  // The cells that have samples.
  [[nodiscard]] std::vector<const Measurement*> measured() const;
  [[nodiscard]] double contended_share() const;

 private:
  // A layer packed in one panel width, and its copy that the peers see.
  struct ShapeWeights {
    std::unique_ptr<tuner::Layer> layer;
    std::unique_ptr<SharedLayer> shared;  // null without peers
  };
  // One that takes turns: a cell with its own plan, with the baseline's plan, or computed by a peer.
  struct Turn {
    Measurement* measurement = nullptr;
    tuner::Layer* layer = nullptr;  // beside a peer's turn, the cell's own
    const Plan* plan = nullptr;
    SampleSet* samples = nullptr;  // the cell's, the baseline's or the peer's
    PeerMeasurement* peer = nullptr;
    std::shared_ptr<const ExpectedAnswer> expected;
    std::unique_ptr<PreparedPeer> prepared;  // null: not a peer, or one that failed
    bool whole = false;                      // takes whole forwards, as a check on the portions
    bool headline = false;                   // belongs to the comparison that the run is made for
    bool resting = false;                    // takes no more turns: a peer clearly behind, or enough samples
  };
  // Cells that take turns with each other.
  struct Group {
    std::vector<Measurement*> members;
    std::vector<Turn> turns = {};
    std::uint32_t rounds = 0;
    std::uint32_t portions = 1;
  };

  [[nodiscard]] std::vector<Group> groups();
  // Parts of the groups whose layers are in memory together.
  [[nodiscard]] std::vector<std::vector<Group>> parts(std::vector<Group> groups) const;
  void measure_part(std::vector<Group>& part, std::chrono::steady_clock::time_point end, const Progress& progress);
  // Takes a pass after the rounds that measures the phases of each cell.
  void measure_phases(const std::vector<Group>& part, std::chrono::steady_clock::time_point end);
  // Returns the cell's weights, packed in the panel width that the table's plans for the shape have.
  [[nodiscard]] ShapeWeights& weights_for(const tuner::Cell& cell, PlanTable plans);
  void prepare(Group& group);
  // Divides all forwards of the group into the same number of portions, and adds the turns that check the division.
  void divide(Group& group);
  // Chooses the cell's plan and the baseline's, and prepares everything that takes turns in the cell.
  void add_turns(Measurement& measurement, std::vector<Turn>& turns);
  [[nodiscard]] BaselineMeasurement plan_baseline(const Measurement& measurement);
  // Returns the roof that the samples of a cell are probed for. If weights are to be hot, it reads them once.
  tuner::Roof make_ready(tuner::Clock& clock, const tuner::Cell& cell, tuner::Layer& layer, const Plan& plan);
  // Prepares the peers for the cell. Must follow a forward of it, since they are compared with its y.
  void add_peers(Measurement& measurement, std::vector<Turn>& turns);
  // Returns the sum of the sample times in seconds. Probes are not counted: beside short samples they take as long.
  double take_round(Group& group);
  // Draws the order of a round. What is compared stays side by side, so that a disturbance mostly meets both or none: a
  // cell and its baseline plan, and the cells of the headline.
  void shuffle(std::vector<Turn>& turns);
  // Whether it takes a turn in this round.
  [[nodiscard]] static bool takes_part(const Turn& turn, const Group& group);
  // Returns how long the sample was, in ns; 0 if none was taken.
  double take(Turn& turn, std::uint32_t round, tuner::Clock& clock);
  // The half-width of the widest interval among the group's comparisons, relative to the ratio.
  [[nodiscard]] double half_width(const Group& group) const;
  // After this many rounds, only those peers of a cell that may be its fastest go on taking turns.
  static void rest_slow_peers(std::vector<Turn>& turns, std::uint32_t rounds);
  static void fail(const Measurement& measurement, PeerMeasurement& peer, const PeerError& error);
  // The part of the work that is done, by time or by samples.
  [[nodiscard]] double done() const;

  SessionOptions options_;
  const tuner::UsableRows& rows_;
  CacheSizes caches_;
  tuner::Clocks& clocks_;
  std::mt19937_64 random_;
  std::vector<Measurement> measurements_;
  std::vector<bool> wanted_;
  std::vector<ShapeWeights> weights_;  // of the shapes in use
  std::size_t max_m_ = 1;
  std::size_t samples_;  // at most, of each cell
  std::chrono::steady_clock::time_point begin_;
  bool measured_ = false;
};

}  // namespace sluice::bench
