// Tuning without a clock: what it records, verifies and chooses.
#include "tuner/tuning/tune.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "tests/tuner/fake_backend.hpp"

namespace sluice::tuner {
namespace {

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

TEST(Tune, TheValidationsOfAGroupTakeTurns) {
  const TemporaryDirectory directory;
  const std::vector<Cell> cells{
      {swiglu, {256, 512}, 1, 1, {}}, {swiglu, {256, 512}, 8, 1, {}}, {swiglu, {256, 512}, 32, 2, {}}};
  std::vector<ProfilePlan> plans;
  TuneOptions options = example_options(plans);
  std::map<std::uint32_t, std::vector<bool>> told;  // by M
  options.done = [&](const ProfilePlan& plan, bool proven) { told[plan.row.m].push_back(proven); };
  JournalHeader header = header_of(options);
  header.cells = cells;
  Journal journal(directory.path() / "j", header, Journal::Start::afresh);
  FakeBackend backend;
  (void)tune(cells, options, backend, &journal);

  std::vector<std::uint32_t> turns;  // the M of each pair on the whole problem
  for (const Pair& pair : read_journal(directory.path() / "j").pairs)
    if (pair.purpose != PairPurpose::width) turns.push_back(pair.row.m);
  // Once all validations have begun, none takes two pairs in a row unless it is the last.
  const auto all_begun = std::ranges::find(turns, 32U);
  std::size_t taken = 0;
  for (auto turn = std::ranges::find_if(all_begun, turns.end(), [](std::uint32_t m) { return m != 32; });
       turn != turns.end() && turn + 1 != turns.end(); ++turn, ++taken) {
    const bool alone = std::all_of(turn, turns.end(), [&](std::uint32_t m) { return m == *turn; });
    EXPECT_TRUE(alone || *turn != *(turn + 1)) << taken;
  }
  EXPECT_GT(taken, 20U);
  // Each cell is reported twice: when it has a result, and when the result is proven.
  EXPECT_EQ(told.size(), cells.size());
  for (const auto& [m, proven] : told) EXPECT_EQ(proven, (std::vector<bool>{false, true})) << m;
}

TEST(Tune, EstimateMeasuresAndVerifiesNothing) {
  std::vector<ProfilePlan> plans;
  TuneOptions options = example_options(plans);
  options.rigor = Rigor::estimate;
  FakeBackend backend;
  const TuneReport report = tune(example_cells(), options, backend, nullptr);
  EXPECT_EQ(backend.measurements, 0U);
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
    options.kept_widths = {{{256, 512}, swiglu, tile.nr}};
    FakeBackend backend;
    (void)tune(example_cells(), options, backend, nullptr);
    for (const ProfilePlan& plan : plans)
      EXPECT_TRUE(!(plan.row.shape == Shape{256, 512} && plan.row.kind.gated) || plan.row.plan.tiling.nr == tile.nr);
  }
}

// Tunes gated cells of 256x512 on a backend whose costs have this factor.
std::vector<ProfilePlan> tuned_with(Rigor rigor, const std::function<double(const Plan&)>& more) {
  std::vector<ProfilePlan> plans;
  TuneOptions options = example_options(plans);
  options.rigor = rigor;
  options.budget_seconds = 100;
  FakeBackend backend;
  backend.noise = 0.03;
  backend.more = more;
  (void)tune({{swiglu, {256, 512}, 1, 1, {}}, {swiglu, {256, 512}, 32, 1, {}}}, options, backend, nullptr);
  return plans;
}

TEST(Tune, AnotherWidthIsChosenWhereItIsFasterOverAllMAndSlowerForNone) {
  const auto tiles = register_tiles(runnable_isas().back());
  const std::uint32_t usual = tiles.front().nr;
  const std::uint32_t other = tiles.back().nr;
  if (usual == other) GTEST_SKIP() << "one panel width";
  const auto width = [](Rigor rigor, const std::function<double(const Plan&)>& more) {
    return tuned_with(rigor, more).front().row.plan.tiling.nr;
  };
  const auto if_other = [&](double factor) {
    return [=](const Plan& plan) { return plan.tiling.nr == other ? factor : 1.0; };
  };
  EXPECT_EQ(width(Rigor::measure, if_other(0.95)), other);
  EXPECT_EQ(width(Rigor::measure, if_other(1.05)), usual);
  EXPECT_EQ(width(Rigor::patient, if_other(0.95)), other);
  EXPECT_EQ(width(Rigor::estimate, if_other(0.5)), usual);
  // Much faster for one row, a little slower for more.
  const auto mixed = [&](const Plan& plan) { return plan.tiling.nr != other ? 1.0 : plan.tiling.mc == 1 ? 0.7 : 1.15; };
  EXPECT_EQ(width(Rigor::measure, mixed), usual);
  // Slower with the analytical plans, faster with a plan that only a search finds.
  const auto hidden = [&](const Plan& plan) {
    return plan.tiling.nr != other ? 1.0 : plan.tiling.pack_x && plan.tiling.prefetch == 0 ? 0.8 : 1.1;
  };
  EXPECT_EQ(width(Rigor::measure, hidden), usual);
  EXPECT_EQ(width(Rigor::patient, hidden), other);

  // The ratios in the profile are to the default plan of the usual width, not to one of the chosen width.
  for (const ProfilePlan& plan : tuned_with(Rigor::measure, if_other(0.9))) {
    EXPECT_EQ(plan.measured->verdict, Verdict::faster);
    EXPECT_LT(plan.measured->ratio_low, 0.9);
    EXPECT_LT(plan.measured->ratio_high, 0.94);
  }
}

TEST(Tune, FewerThreadsWinWhereTheyAreFaster) {
  for (const bool fewer : {false, true}) {
    std::vector<ProfilePlan> plans;
    TuneOptions options = example_options(plans);
    options.budget_seconds = 1000;
    FakeBackend backend;
    backend.fewer_threads = fewer ? 0.7 : 1.4;
    (void)tune(example_cells(), options, backend, nullptr);
    ASSERT_EQ(plans.size(), 4U);
    for (const ProfilePlan& plan : plans) {
      if (plan.row.max_threads == 1) continue;
      EXPECT_EQ(plan.row.plan.threads, fewer ? 1U : 2U);
      EXPECT_TRUE(!fewer || plan.measured->verdict == Verdict::faster);
    }
  }
}

// The searches for the small shape see other costs than its validations, so they find nothing. The plan that the large
// shape's cells found is tried for them and chosen if it is faster.
TEST(Tune, WhatWonInOneCellIsTriedWhereTheSearchFoundNothing) {
  const Isa isa = runnable_isas().back();
  const Cell large{swiglu, {1024, 4096}, 256, 1, {}};
  const Cell small{swiglu, {512, 1024}, 256, 1, {}};
  const std::uint32_t usual = analytical_plan({}, isa, swiglu, large.shape, large.m, 1).tiling.kc;
  for (const bool better : {true, false}) {
    std::vector<ProfilePlan> plans;
    TuneOptions options = example_options(plans);
    options.budget_seconds = 200;
    class BlindBackend : public FakeBackend {
     public:
      bool carries_over = true;
      std::uint32_t usual = 0;
      Timed time(const Cell& cell, Shape shape, const Plan& plan) override {
        Timed timed = FakeBackend::time(cell, shape, plan);
        if (cell.shape.d_model == 512 && plan.tiling.kc != usual) timed.cost_ns *= 3;
        return timed;
      }
      TimedPair time_pair(const Cell& cell, Shape shape, const Plan& a, const Plan& b, bool b_first) override {
        TimedPair pair = FakeBackend::time_pair(cell, shape, a, b, b_first);
        if (cell.shape.d_model == 512 && !carries_over && a.tiling.kc != usual) pair.a.cost_ns *= 3;
        return pair;
      }
    } backend;
    backend.carries_over = better;
    backend.usual = usual;
    backend.more = [&](const Plan& plan) { return plan.tiling.kc == usual ? 1.5 : 1.0; };
    (void)tune({large, small}, options, backend, nullptr);
    ASSERT_EQ(plans.size(), 2U);
    EXPECT_NE(plans[0].row.plan.tiling.kc, usual);
    EXPECT_EQ(plans[1].row.plan.tiling.kc, better ? plans[0].row.plan.tiling.kc : usual);
    EXPECT_EQ(plans[1].measured->verdict, better ? Verdict::faster : Verdict::default_won);
  }
}

TEST(Tune, APlanThatGivesWrongResultsIsNeverChosen) {
  std::vector<ProfilePlan> plans;
  const TuneOptions options = example_options(plans);
  FakeBackend sound;
  (void)tune(example_cells(), options, sound, nullptr);
  EXPECT_GE(sound.verified, plans.size());
  const Plan winner = plans.front().row.plan;
  plans.clear();
  FakeBackend backend;
  backend.wrong = winner;
  expect_message(failure_of([&] { (void)tune(example_cells(), options, backend, nullptr); }),
                 exit_code::verification_failed, {"wrong"});
  for (const ProfilePlan& plan : plans) EXPECT_FALSE(plan.row.plan == winner);
}

}  // namespace
}  // namespace sluice::tuner
