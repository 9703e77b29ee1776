#include "tuner/search/search.hpp"

#include <cmath>
#include <limits>
#include <utility>

namespace sluice::tuner {

Search::Search(const Setting& setting, const Options& options)
    : Search(std::make_shared<const JointSpace>(setting), options) {}

Search::Search(std::shared_ptr<const JointSpace> space, const Options& options) : space_(std::move(space)) {
  if (options.rigor == Rigor::estimate) return;
  const Strategy strategy = options.rigor == Rigor::exhaustive ? Strategy::exhaustive : options.strategy;
  searcher_ = make_searcher(strategy, effort(options.rigor), *space_, options.seed);
}

std::optional<Plan> Search::next() const {
  const auto plan = searcher_ == nullptr ? std::nullopt : searcher_->next();
  if (!plan) return std::nullopt;
  return space_->plans()[*plan];
}

void Search::report(double cost) {
  if (!next()) return;
  ++trials_;
  // A time of zero comes from a clock that failed, not from a fast plan.
  searcher_->report(std::isfinite(cost) && cost > 0 ? cost : std::numeric_limits<double>::infinity());
}

const Plan& Search::best() const { return space_->plans()[searcher_ == nullptr ? 0 : searcher_->best()]; }

}  // namespace sluice::tuner
