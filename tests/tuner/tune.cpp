// Tuning without a clock: a rig whose costs are made up. What is killed anywhere and resumed ends as if it had not
// been.
#include "tuner/tune.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <set>

#include "support.hpp"
#include "tuner/profile_json.hpp"

namespace sluice::tuner {
namespace {

struct Killed {};

#ifdef SLUICE_BRIEF_TESTS
constexpr int cuts = 8;
#else
constexpr int cuts = 50;
#endif

// Costs are a function of the plan and of how many measurements there were before, in this run or those it resumes; so
// is the time.
class FakeRig : public Rig {
 public:
  explicit FakeRig(std::uint64_t measured_before = 0) : number_(measured_before) {}

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
    return {work * (1 + 0.02 * far * far) * threads * std::exp(scatter(random)), 0.8, random() % 10 == 0};
  }

  std::uint64_t number_;
  std::chrono::nanoseconds elapsed_{0};
};

std::vector<Cell> example_cells() {
  return {{swiglu, {256, 512}, 1, 1, {}},
          {swiglu, {256, 512}, 32, 2, {}},
          {relu, {256, 512}, 8, 1, {}},
          {swiglu, {128, 256}, 16, 2, {}}};
}

TuneOptions example_options(std::vector<ProfilePlan>& plans) {
  TuneOptions options{.isa = runnable_isas().back(), .caches = {}};
  options.budget_seconds = 10;
  options.seed = 11;
  options.done = [&plans](const ProfilePlan& plan) { plans.push_back(plan); };
  return options;
}

JournalHeader header_of(const TuneOptions& options) {
  JournalHeader header;
  header.isa = options.isa;
  header.cells = example_cells();
  header.seed = options.seed;
  return header;
}

std::string text_of(const std::vector<ProfilePlan>& plans) {
  std::string text;
  for (const ProfilePlan& plan : plans) text += to_json(plan).dump() + "\n";
  return text;
}

std::uint64_t measured(const JournalContents& contents) { return contents.trials.size() + contents.pairs.size(); }

struct Attempt {
  std::vector<ProfilePlan> plans;
  TuneReport report;
  std::uint64_t measurements = 0;
};

// Resumes what is at `path`, or begins it.
Attempt attempt(const std::filesystem::path& path, std::uint64_t kill_at = ~std::uint64_t{0}) {
  Attempt result;
  const TuneOptions options = example_options(result.plans);
  Journal journal(path, header_of(options), Journal::Start::resume);
  FakeRig rig(measured(journal.contents()));
  rig.kill_at = kill_at;
  try {
    result.report = tune(example_cells(), options, rig, &journal);
  } catch (const Killed&) {
    result.report.interrupted = true;
  }
  result.measurements = rig.measurements;
  return result;
}

TEST(Tune, TunesEveryCellAndRecordsAll) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "j";
  const Attempt whole = attempt(path);
  ASSERT_EQ(whole.plans.size(), 4U);
  EXPECT_TRUE(whole.report.untuned.empty());
  EXPECT_FALSE(whole.report.interrupted);
  EXPECT_GT(whole.report.self_checks, 0U);
  const JournalContents contents = read_journal(path);
  EXPECT_EQ(measured(contents), whole.measurements);
  EXPECT_EQ(contents.finished.size(), 4U);
  EXPECT_TRUE(contents.ended);
  // All plans of a shape and gate share their panel width.
  std::set<std::uint32_t> widths;
  for (const ProfilePlan& plan : whole.plans)
    if (plan.row.shape == Shape{256, 512} && plan.row.kind.gated) widths.insert(plan.row.plan.tiling.nr);
  EXPECT_EQ(widths.size(), 1U);
}

TEST(Tune, ResumedWhereItEndedItMeasuresNothing) {
  const TemporaryDirectory directory;
  const Attempt whole = attempt(directory.path() / "j");
  const Attempt again = attempt(directory.path() / "j", 0);
  EXPECT_EQ(again.measurements, 0U);
  EXPECT_FALSE(again.report.interrupted);
  EXPECT_EQ(text_of(again.plans), text_of(whole.plans));
}

TEST(Tune, KilledAtRandomPointsAndResumedItEndsTheSame) {
  const TemporaryDirectory directory;
  const Attempt whole = attempt(directory.path() / "whole");
  const std::string journal = contents_of(directory.path() / "whole");
  std::mt19937_64 random(5);
  for (int i = 0; i < cuts; ++i) {
    const auto path = directory.path() / std::to_string(i);
    std::uint64_t done = 0;
    for (int kills = 0;; ++kills) {
      const Attempt part =
          attempt(path, kills < 1 + (i % 5 == 0) ? random() % (whole.measurements / 2) : ~std::uint64_t{0});
      done += part.measurements;
      if (part.report.interrupted) continue;
      ASSERT_EQ(text_of(part.plans), text_of(whole.plans)) << i;
      break;
    }
    // Nothing was measured twice, and the journal tells the same story to the byte.
    ASSERT_EQ(done, whole.measurements) << i;
    ASSERT_EQ(contents_of(path), journal) << i;
  }
}

TEST(Tune, CutAnywhereInItsJournalItEndsTheSame) {
  const TemporaryDirectory directory;
  const Attempt whole = attempt(directory.path() / "whole");
  const std::string journal = contents_of(directory.path() / "whole");
  std::mt19937_64 random(6);
  for (int i = 0; i < cuts; ++i) {
    const std::string part = journal.substr(0, random() % journal.size());
    const auto path = directory.write("cut", part);
    const JournalContents kept = parse_journal(part, "cut");
    const Attempt resumed = attempt(path);
    ASSERT_EQ(text_of(resumed.plans), text_of(whole.plans)) << part.size();
    ASSERT_EQ(measured(kept) + resumed.measurements, whole.measurements) << part.size();
    ASSERT_EQ(contents_of(path), journal) << part.size();
  }
}

TEST(Tune, DamageInTheMiddleCostsTheDamagedRecordsAlone) {
  const TemporaryDirectory directory;
  const Attempt whole = attempt(directory.path() / "whole");
  std::string journal = contents_of(directory.path() / "whole");
  // All but the end record and the finished cells: these would be taken over, whatever they came from.
  std::string kept;
  std::size_t removed = 0;
  std::size_t lines = 0;
  for (std::size_t begin = 0; begin < journal.size();) {
    const std::size_t end = journal.find('\n', begin) + 1;
    std::string line = journal.substr(begin, end - begin);
    begin = end;
    const bool trial = line.starts_with(R"({"record":"trial")");
    if (!trial && !line.starts_with(R"({"record":"pair")") && !line.starts_with(R"({"record":"header")")) continue;
    if (trial && ++lines % 10 == 0) {
      line[line.size() / 2] ^= 1;
      ++removed;
    }
    kept += line;
  }
  const auto path = directory.write("damaged", kept);
  const Attempt resumed = attempt(path);
  EXPECT_GE(resumed.measurements, removed);
  EXPECT_LT(resumed.measurements, whole.measurements);
  EXPECT_EQ(resumed.plans.size(), 4U);
  EXPECT_TRUE(std::filesystem::exists(directory.path() / "damaged.damaged"));
}

TEST(Tune, InterruptedItKeepsWhatItHasAndGoesOn) {
  const TemporaryDirectory directory;
  const Attempt whole = attempt(directory.path() / "whole");
  for (const double share : {0.1, 0.4, 0.6, 0.95}) {
    const auto path = directory.path() / std::to_string(share);
    std::vector<ProfilePlan> plans;
    const TuneOptions options = example_options(plans);
    {
      Journal journal(path, header_of(options), Journal::Start::resume);
      FakeRig rig;
      rig.interrupt_at = static_cast<std::uint64_t>(share * static_cast<double>(whole.measurements));
      EXPECT_TRUE(tune(example_cells(), options, rig, &journal).interrupted);
      EXPECT_EQ(rig.measurements, rig.interrupt_at);  // the trial it was at, and no other
      EXPECT_FALSE(journal.contents().ended);
    }
    EXPECT_LE(plans.size(), 4U);
    EXPECT_EQ(text_of(attempt(path).plans), text_of(whole.plans));
  }
}

TEST(Tune, EstimateMeasuresAndVerifiesNothing) {
  std::vector<ProfilePlan> plans;
  TuneOptions options = example_options(plans);
  options.rigor = Rigor::estimate;
  FakeRig rig;
  const TuneReport report = tune(example_cells(), options, rig, nullptr);
  EXPECT_EQ(rig.measurements, 0U);
  EXPECT_TRUE(report.untuned.empty());
  ASSERT_EQ(plans.size(), 4U);
  for (const ProfilePlan& plan : plans) {
    EXPECT_FALSE(plan.measured);
    EXPECT_TRUE(validate(plan.row.plan, options.isa).ok());
    EXPECT_EQ(plan.row.plan, analytical_plan({}, options.isa, plan.row.kind, plan.row.shape, plan.row.m,
                                             plan.row.max_threads, plan.row.plan.tiling.nr));
  }
}

TEST(Tune, KeepsTheWidthOfPlansThatAreThere) {
  for (const RegisterTile& tile : register_tiles(runnable_isas().back())) {
    std::vector<ProfilePlan> plans;
    TuneOptions options = example_options(plans);
    options.kept_widths = {{{256, 512}, true, tile.nr}};
    FakeRig rig;
    (void)tune(example_cells(), options, rig, nullptr);
    for (const ProfilePlan& plan : plans)
      EXPECT_TRUE(!(plan.row.shape == Shape{256, 512} && plan.row.kind.gated) || plan.row.plan.tiling.nr == tile.nr);
  }
}

TEST(Tune, FewerThreadsWinWhereTheyAreFaster) {
  for (const bool fewer : {false, true}) {
    std::vector<ProfilePlan> plans;
    TuneOptions options = example_options(plans);
    options.budget_seconds = 1000;
    FakeRig rig;
    rig.fewer_threads = fewer ? 0.7 : 1.4;
    (void)tune(example_cells(), options, rig, nullptr);
    ASSERT_EQ(plans.size(), 4U);
    for (const ProfilePlan& plan : plans) {
      if (plan.row.max_threads == 1) continue;
      EXPECT_EQ(plan.row.plan.threads, fewer ? 1U : 2U);
      EXPECT_TRUE(!fewer || plan.measured->verdict == Verdict::faster);
    }
  }
}

TEST(Tune, NoTimeLeftIsToldAndTheRestCanFollow) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "j";
  std::vector<ProfilePlan> plans;
  TuneOptions options = example_options(plans);
  options.budget_seconds = 3;
  {
    Journal journal(path, header_of(options), Journal::Start::resume);
    FakeRig rig;
    rig.each = std::chrono::seconds(1);
    const TuneReport report = tune(example_cells(), options, rig, &journal);
    EXPECT_FALSE(report.untuned.empty());
    EXPECT_FALSE(journal.contents().ended);
  }
  options.budget_seconds = 1e6;
  plans.clear();
  Journal journal(path, header_of(options), Journal::Start::resume);
  FakeRig rig;
  EXPECT_TRUE(tune(example_cells(), options, rig, &journal).untuned.empty());
  EXPECT_TRUE(journal.contents().ended);
  EXPECT_EQ(plans.size(), 4U);
}

TEST(Tune, APlanThatGivesWrongResultsIsNeverCrowned) {
  std::vector<ProfilePlan> plans;
  const TuneOptions options = example_options(plans);
  FakeRig sound;
  (void)tune(example_cells(), options, sound, nullptr);
  EXPECT_GE(sound.verified, plans.size());
  const Plan winner = plans.front().row.plan;
  plans.clear();
  FakeRig rig;
  rig.wrong = winner;
  expect_message(failure_of([&] { (void)tune(example_cells(), options, rig, nullptr); }),
                 exit_code::verification_failed, {"wrong"});
  for (const ProfilePlan& plan : plans) EXPECT_FALSE(plan.row.plan == winner);
}

}  // namespace
}  // namespace sluice::tuner
