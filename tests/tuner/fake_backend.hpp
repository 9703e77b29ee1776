// Owns: a backend without a clock, whose costs are made up, and a tuning with it that can be killed and resumed.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "tests/tuner/support.hpp"
#include "tuner/profile/profile_json.hpp"
#include "tuner/tuning/tune.hpp"

namespace sluice::tuner {

struct Killed {};

// Cost and time are functions of the plan and of the number of earlier measurements, in this run and in those that it
// resumes.
class FakeBackend : public MeasurementBackend {
 public:
  explicit FakeBackend(std::uint64_t measured_before = 0) : number_(measured_before) {}

  void enter(const CellGroup&) override { ++groups; }
  Timed time(const Cell& cell, Shape shape, const Plan& plan) override {
    step();
    return timed(cell, shape, plan, 0);
  }
  TimedPair time_pair(const Cell& cell, Shape shape, const Plan& a, const Plan& b, bool b_first) override {
    step();
    return {timed(cell, shape, a, b_first ? 2 : 1), timed(cell, shape, b, b_first ? 1 : 2)};
  }
  void verify(const Cell&, const Plan& plan) override {
    ++verified;
    if (plan == wrong) throw Failure(exit_code::verification_failed, "wrong");
  }
  std::chrono::nanoseconds elapsed() override { return elapsed_; }
  bool interrupted() override { return measurements >= interrupt_at; }

  std::uint64_t measurements = 0;  // of this run
  std::uint64_t groups = 0;
  std::uint64_t verified = 0;
  std::uint64_t kill_at = ~std::uint64_t{0};
  std::uint64_t interrupt_at = ~std::uint64_t{0};
  std::chrono::nanoseconds each{20'000'000};
  double noise = 0.01;
  double fewer_threads = 1.2;  // time of a plan on one thread where two are allowed
  std::function<double(const Plan&)> more = [](const Plan&) { return 1.0; };  // a factor of a plan's time
  Plan wrong;

 private:
  void step() {
    if (measurements == kill_at) throw Killed{};
    ++measurements;
    ++number_;
    elapsed_ += each;
  }
  Timed timed(const Cell& cell, Shape shape, const Plan& plan, std::uint64_t which) const {
    std::mt19937_64 random(number_ * 4 + which);
    std::normal_distribution<double> scatter(0, noise);
    const double far = std::log2(plan.tiling.kc / 100.0);
    const double threads = plan.threads < cell.threads ? fewer_threads : 1;
    const double work = 1e3 + flops(cell.kind, shape, cell.m) / 100;
    const double mean = work * (1 + 0.02 * far * far) * threads * more(plan);
    return {mean * std::exp(scatter(random)), 0.8, random() % 10 == 0};
  }

  std::uint64_t number_;
  std::chrono::nanoseconds elapsed_{0};
};

inline std::vector<Cell> example_cells() {
  return {{swiglu, {256, 512}, 1, 1, {}},
          {swiglu, {256, 512}, 32, 2, {}},
          {relu, {256, 512}, 8, 1, {}},
          {swiglu, {128, 256}, 16, 2, {}}};
}

inline TuneOptions example_options(std::vector<ProfilePlan>& plans) {
  TuneOptions options{.isa = runnable_isas().back(), .caches = {}};
  options.budget_seconds = 10;
  options.seed = 11;
  options.done = [&plans](const ProfilePlan& plan, bool) { put(plans, plan); };
  return options;
}

inline JournalHeader header_of(const TuneOptions& options) {
  JournalHeader header;
  header.isa = options.isa;
  header.cells = example_cells();
  header.seed = options.seed;
  return header;
}

// Sorts the plans as a profile does, because a resumed tuning reports them in another order.
inline std::string text_of(const std::vector<ProfilePlan>& plans) {
  std::string text;
  Profile profile;
  profile.plans = plans;
  for (const ProfilePlan& plan : sorted_plans(profile)) text += to_json(plan).dump() + "\n";
  return text;
}

inline std::uint64_t measured(const JournalContents& contents) {
  return contents.trials.size() + contents.pairs.size();
}

struct Attempt {
  std::vector<ProfilePlan> plans;
  TuneReport report;
  std::uint64_t measurements = 0;
  std::uint64_t verified = 0;
};

// Resumes the tuning whose journal is at `path`, or begins it.
inline Attempt attempt(const std::filesystem::path& path, std::uint64_t kill_at = ~std::uint64_t{0},
                       Rigor rigor = Rigor::measure) {
  Attempt result;
  TuneOptions options = example_options(result.plans);
  options.rigor = rigor;
  Journal journal(path, header_of(options), Journal::Start::resume);
  FakeBackend backend(measured(journal.contents()));
  backend.kill_at = kill_at;
  try {
    result.report = tune(example_cells(), options, backend, &journal);
  } catch (const Killed&) {
    result.report.interrupted = true;
  }
  result.measurements = backend.measurements;
  result.verified = backend.verified;
  return result;
}

}  // namespace sluice::tuner
