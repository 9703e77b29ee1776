#include "tuner/measurement/measurement_backend.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "tuner/base/failure.hpp"
#include "tuner/base/interruption.hpp"

namespace sluice::tuner {

std::vector<CellGroup> grouped(const std::vector<Cell>& cells) {
  std::vector<CellGroup> groups;
  for (const Cell& cell : cells) {
    auto same = std::find_if(groups.begin(), groups.end(), [&](const CellGroup& group) {
      return group.shape == cell.shape && same_packing(group.kind, cell.kind);
    });
    if (same == groups.end()) same = groups.insert(groups.end(), CellGroup{cell.shape, cell.kind, {}});
    same->cells.push_back(cell);
  }
  return groups;
}

MachineBackend::MachineBackend(Isa isa, const Machine& machine, std::uint32_t max_threads,
                               std::function<void(Shape)> packing)
    : isa_(isa),
      machine_(machine),
      max_threads_(max_threads),
      packing_(std::move(packing)),
      begin_(std::chrono::steady_clock::now()) {}

void MachineBackend::enter(const CellGroup& group) {
  group_ = &group;
  verifications_.clear();
  layers_.clear();
}

Clocks& MachineBackend::clocks() {
  if (!clocks_) clocks_.emplace(isa_, machine_, max_threads_);
  return *clocks_;
}

Layer& MachineBackend::layer(Shape shape, std::uint32_t nr) {
  const auto found = std::find_if(layers_.begin(), layers_.end(),
                                  [&](const auto& layer) { return layer->shape() == shape && layer->nr() == nr; });
  if (found != layers_.end()) return **found;
  packing_(shape);
  std::size_t max_m = 1;
  for (const Cell& cell : group_->cells) max_m = std::max(max_m, cell.m);
  return *layers_.emplace_back(std::make_unique<Layer>(shape, group_->kind, isa_, nr, max_m, clocks().cold_bytes()));
}

Sample MachineBackend::sample(const Cell& cell, Shape shape, const Plan& plan) {
  Layer& timed = layer(shape, plan.tiling.nr);
  timed.prepare(cell.m, plan);
  Clock& clock = clocks()[cell.threads];
  const double traffic = bytes(cell.kind, shape, cell.m);
  const Roof roof = clock.binding_roof(flops(cell.kind, shape, cell.m), traffic, cell.kind);
  return clock.measure(roof, traffic, [&] { timed.forward(cell.kind.activation, cell.m, plan, clocks().executor()); });
}

Timed MachineBackend::timed(const Cell& cell, Shape shape, const Sample& sample) {
  const Clock& clock = clocks()[cell.threads];
  const double fraction = sample.roof == Roof::fma
                              ? clock.peak_fraction(sample.ns, flops(cell.kind, shape, cell.m), cell.kind)
                              : clock.read_fraction(sample.ns, bytes(cell.kind, shape, cell.m), sample.footprint);
  return {sample.ns, fraction, clock.contended(sample)};
}

Timed MachineBackend::time(const Cell& cell, Shape shape, const Plan& plan) {
  // The group's panel width is settled now, and layers packed in another only take memory.
  std::erase_if(layers_, [&](const auto& layer) { return layer->nr() != plan.tiling.nr; });
  return timed(cell, shape, sample(cell, shape, plan));
}

TimedPair MachineBackend::time_pair(const Cell& cell, Shape shape, const Plan& a, const Plan& b, bool b_first) {
  // Both layers are made before the first sample, or packing would come between the two.
  layer(shape, a.tiling.nr).prepare(cell.m, a);
  layer(shape, b.tiling.nr).prepare(cell.m, b);
  Sample first = sample(cell, shape, b_first ? b : a);
  Sample second = sample(cell, shape, b_first ? a : b);
  if (b_first) std::swap(first, second);
  return {timed(cell, shape, first), timed(cell, shape, second)};
}

void MachineBackend::verify(const Cell& cell, const Plan& plan) {
  const auto key = std::pair(cell.kind.activation, cell.m);
  auto known = verifications_.find(key);
  if (known == verifications_.end()) {
    Layer& whole = layer(cell.shape, plan.tiling.nr);
    known = verifications_.emplace(key, whole.verification(cell.kind.activation, cell.m)).first;
  }
  PlanVerification& verification = known->second;
  Status status = verification.status();
  if (status.ok()) status = verification.verify(plan, &clocks().executor());
  if (!status.ok()) {
    throw Failure(exit_code::verification_failed,
                  fmt::format("{} {} M={} t={}: {}", kind_name(cell.kind), shape_name(cell.shape), cell.m, cell.threads,
                              status.message()));
  }
}

std::chrono::nanoseconds MachineBackend::elapsed() { return std::chrono::steady_clock::now() - begin_; }

bool MachineBackend::interrupted() { return tuner::interrupted(); }

Roofs MachineBackend::roofs() const { return clocks_ ? clocks_->roofs() : Roofs{}; }

}  // namespace sluice::tuner
