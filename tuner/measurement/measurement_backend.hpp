// Owns: the measurement backend that a tuning asks to time plans, to verify them, for the time and whether to stop; and
// the one of this machine. Does not own: which plans, how often, what follows from it (tune.hpp). The tests have
// backends without a clock.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "tuner/measurement/clocks.hpp"
#include "tuner/workload/cell.hpp"
#include "tuner/workload/layer.hpp"

namespace sluice::tuner {

struct Timed {
  double cost_ns = 0;
  double roof_fraction = 0;
  bool contended = false;
};

// Two plans that were timed right after each other.
struct TimedPair {
  Timed a;
  Timed b;
};

// Cells that share packed weights: one shape, gated or not, one type of weights.
struct CellGroup {
  Shape shape;
  Kind kind;  // of the first cell; the others differ in the activation at most
  std::vector<Cell> cells;
};
std::vector<CellGroup> grouped(const std::vector<Cell>& cells);

class MeasurementBackend {
 public:
  MeasurementBackend() = default;
  MeasurementBackend(const MeasurementBackend&) = delete;
  MeasurementBackend& operator=(const MeasurementBackend&) = delete;
  virtual ~MeasurementBackend() = default;

  // All further calls, until the next enter(), are about cells of this group, which must outlive them.
  virtual void enter(const CellGroup& group) = 0;
  // Times the cell's work, or a slice of it that `shape` names.
  virtual Timed time(const Cell& cell, Shape shape, const Plan& plan) = 0;
  virtual TimedPair time_pair(const Cell& cell, Shape shape, const Plan& a, const Plan& b, bool b_first) = 0;
  // Verifies the plan on the whole problem. Throws Failure 1 if it gives wrong results.
  virtual void verify(const Cell& cell, const Plan& plan) = 0;
  // Returns the time since the backend was made.
  [[nodiscard]] virtual std::chrono::nanoseconds elapsed() = 0;
  [[nodiscard]] virtual bool interrupted() = 0;
};

// The backend that measures on this machine. It packs a layer when it is first timed, so that a resumed tuning does not
// pack what is finished.
class MachineBackend : public MeasurementBackend {
 public:
  // `packing` is called before each packing, which takes seconds for large layers.
  MachineBackend(Isa isa, const Machine& machine, std::uint32_t max_threads, std::function<void(Shape)> packing);

  void enter(const CellGroup& group) override;
  Timed time(const Cell& cell, Shape shape, const Plan& plan) override;
  TimedPair time_pair(const Cell& cell, Shape shape, const Plan& a, const Plan& b, bool b_first) override;
  void verify(const Cell& cell, const Plan& plan) override;
  std::chrono::nanoseconds elapsed() override;
  bool interrupted() override;

  // The roofs of the clocks that were needed so far.
  [[nodiscard]] Roofs roofs() const;

 private:
  Clocks& clocks();
  Layer& layer(Shape shape, std::uint32_t nr);
  Sample sample(const Cell& cell, Shape shape, const Plan& plan);
  Timed timed(const Cell& cell, Shape shape, const Sample& sample);

  Isa isa_;
  const Machine& machine_;
  std::uint32_t max_threads_;
  std::function<void(Shape)> packing_;
  std::chrono::steady_clock::time_point begin_;
  std::optional<Clocks> clocks_;
  const CellGroup* group_ = nullptr;
  std::vector<std::unique_ptr<Layer>> layers_;  // of the group
  // The thread counts of a kind and M share their expected result.
  std::map<std::pair<Activation, std::size_t>, PlanVerification> verifications_;
};

}  // namespace sluice::tuner
