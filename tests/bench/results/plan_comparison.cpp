// Two plans for one cell: what samples taken in turns say of them and of the profile's promise, the table, and which
// baselines are refused.
#include "bench/results/plan_comparison.hpp"

#include <gtest/gtest.h>

#include <string>

#include "tests/tuner/support.hpp"

namespace sluice::bench {
namespace {

constexpr Isa isa = Isa::scalar;

std::vector<tuner::Sample> samples(double scale, std::uint32_t first_round = 0) {
  std::vector<tuner::Sample> all;
  for (const double ns : {100.0, 102.0, 98.0, 101.0, 99.0, 100.0, 103.0, 97.0}) {
    tuner::Sample& sample = all.emplace_back();
    sample.ns = ns * scale;
    sample.round = first_round++;
  }
  return all;
}

// A cell with a tuned plan that takes `scale` times as long as the baseline's.
Measurement measurement(double scale) {
  Measurement made;
  made.cell = {swiglu, {2048, 5632}, 64, 2, {}};
  made.name = "ffn/swiglu/scalar/2048x5632/M64/t2";
  made.plan = tuner::example_row(swiglu, 64).plan;
  made.origin = PlanOrigin::exact;
  made.samples = samples(scale);
  made.baseline.emplace();
  made.baseline->plan = made.plan;
  made.baseline->plan.threads = 1;
  made.baseline->samples = samples(1);
  return made;
}

std::vector<tuner::ProfilePlan> promising(const Measurement& cell, double roof_fraction) {
  const PlanRow row{isa, cell.cell.kind, cell.cell.shape, 64, cell.cell.threads, cell.plan};
  return {{row, tuner::Measured{0.9, 0.89, 0.91, tuner::Verdict::faster, 30, 100, roof_fraction, 0.1}}};
}

TEST(PlanComparison, IsPairedByRound) {
  const PlanComparison faster = compare_with_baseline(measurement(0.9), "default", isa, 0.8, {});
  EXPECT_NEAR(faster.ratio.value, 0.9, 1e-9);
  EXPECT_EQ(faster.ratio.pairs, 8U);
  EXPECT_EQ(faster.verdict, "faster");
  EXPECT_FALSE(faster.promise.has_value());
  EXPECT_EQ(compare_with_baseline(measurement(1.1), "default", isa, 0.8, {}).verdict, "slower");
  EXPECT_EQ(compare_with_baseline(measurement(1), "default", isa, 0.8, {}).verdict, "tied");

  Measurement apart = measurement(1);
  apart.baseline->samples = samples(1, 7);
  EXPECT_FALSE(compare_with_baseline(apart, "default", isa, 0.8, {}).has_ratio());
  EXPECT_EQ(compare_with_baseline(apart, "default", isa, 0.8, {}).verdict, "inconclusive");
  Measurement scattered = measurement(1);
  for (std::size_t i = 0; i < scattered.samples.size(); ++i) scattered.samples[i].ns *= i % 2 == 0 ? 1.2 : 0.85;
  EXPECT_EQ(compare_with_baseline(scattered, "default", isa, 0.8, {}).verdict, "inconclusive");
}

TEST(PlanComparison, TheSamePlanIsExactlyAsFast) {
  Measurement cell = measurement(1);
  cell.baseline->same = true;
  cell.baseline->samples.clear();
  const PlanComparison same = compare_with_baseline(cell, "default", isa, 0.8, {});
  EXPECT_TRUE(same.has_ratio());
  EXPECT_EQ(same.ratio.value, 1);
  EXPECT_EQ(same.ratio.low, 1);
  EXPECT_EQ(same.ratio.high, 1);
  EXPECT_EQ(same.verdict, "same plan");
}

TEST(PlanComparison, ThePromiseIsTheCellsOwn) {
  Measurement cell = measurement(0.9);
  const std::vector<tuner::ProfilePlan> plans = promising(cell, 0.84);
  const auto promise = compare_with_baseline(cell, "default", isa, 0.8, plans).promise;
  ASSERT_TRUE(promise.has_value());
  EXPECT_EQ(promise->roof_fraction, 0.84);
  EXPECT_EQ(promise->ratio_to_default.value, 0.9);
  EXPECT_EQ(promise->ratio_to_default.low, 0.89);
  EXPECT_DOUBLE_EQ(promise->roof_in_place, 0.8 / 0.84);
  // With another baseline there is no ratio to the default.
  EXPECT_FALSE(compare_with_baseline(cell, "other.json", isa, 0.8, plans).promise->in_place.has_value());

  const auto none = [&](const Measurement& other) {
    return !compare_with_baseline(other, "default", isa, 0.8, plans).promise;
  };
  Measurement borrowed = cell;
  borrowed.origin = PlanOrigin::borrowed;
  EXPECT_TRUE(none(borrowed));
  // 50 rows use the plan of the bucket of 64, but reach another fraction of the roof.
  Measurement between = cell;
  between.cell.m = 50;
  EXPECT_TRUE(none(between));
  Measurement fewer_threads = cell;
  fewer_threads.cell.threads = 1;
  EXPECT_TRUE(none(fewer_threads));
  std::vector<tuner::ProfilePlan> unmeasured = plans;
  unmeasured[0].measured.reset();
  EXPECT_FALSE(compare_with_baseline(cell, "default", isa, 0.8, unmeasured).promise.has_value());
}

TEST(PlanComparison, APromiseIsKeptBrokenOrInconclusive) {
  const auto in_place = [](const Measurement& cell, const std::vector<tuner::ProfilePlan>& plans) {
    return compare_with_baseline(cell, "default", isa, 0.8, plans).promise.value().in_place.value();
  };
  // Promised: 0.9 [0.89, 0.91].
  const InPlace kept = in_place(measurement(0.909), promising(measurement(0.9), 0.84));
  EXPECT_NEAR(kept.ratio.value, 1.01, 1e-9);
  EXPECT_NEAR(kept.ratio.high, 1.01 * 0.9 / 0.89, 1e-9);  // the pairs here do not scatter
  EXPECT_NEAR(kept.ratio.low, 1.01 * 0.9 / 0.91, 1e-9);
  EXPECT_EQ(kept.verdict, "kept");
  EXPECT_EQ(in_place(measurement(0.945), promising(measurement(0.9), 0.84)).verdict, "broken");
  EXPECT_EQ(in_place(measurement(0.855), promising(measurement(0.9), 0.84)).verdict, "broken");
  // 1.025 is within 3 %, but its interval is not.
  EXPECT_EQ(in_place(measurement(0.9225), promising(measurement(0.9), 0.84)).verdict, "inconclusive");

  // A plan that is the default's today cannot be faster than it, whatever was promised.
  Measurement same = measurement(1);
  same.baseline->same = true;
  same.baseline->samples.clear();
  EXPECT_EQ(in_place(same, promising(same, 0.84)).verdict, "broken");
  std::vector<tuner::ProfilePlan> plans = promising(same, 0.84);
  plans[0].measured = tuner::Measured{1, 1, 1, tuner::Verdict::default_won, 30, 100, 0.84, 0.1};
  EXPECT_EQ(in_place(same, plans).verdict, "kept");
}

TEST(PlanComparisonTable, TellsBothPlansTheRatioAndTheMeans) {
  const Measurement tuned = measurement(0.9);
  Measurement same = measurement(1);
  same.name = "ffn/relu/scalar/2048x5632/M64/t2";
  same.origin = PlanOrigin::analytical;
  same.baseline->same = true;
  EXPECT_EQ(plan_comparison_table({}, "default"), "");
  const std::vector<PlanComparison> all{compare_with_baseline(tuned, "default", isa, 0.756, promising(tuned, 0.84)),
                                        compare_with_baseline(same, "default", isa, 0.8, {})};
  const std::string table = plan_comparison_table(all, "default");
  const auto says = [&](std::string_view words) { return table.find(words) != std::string::npos; };
  EXPECT_TRUE(says("0.900 … 0.900")) << table;
  EXPECT_TRUE(says("8  faster          0.900  1.000  0.989 … 1.011  kept           0.900\n  own      exact      "))
      << table;
  EXPECT_TRUE(says(" threads 2\n  baseline analytical  nr 8 mr 4 ")) << table;
  EXPECT_TRUE(says(" threads 1\n" + same.name)) << table;
  EXPECT_TRUE(says("0  same plan           -  -                                    -\n  own      analytical")) << table;
  EXPECT_TRUE(says("geometric mean of 2 cells: 0.949")) << table;
  EXPECT_TRUE(says("in place / promised, geometric mean of 1 cells: 1.000")) << table;
  EXPECT_TRUE(says("the analytical default, of samples taken in turns")) << table;
  const std::vector<PlanComparison> other{
      compare_with_baseline(tuned, "other.json", isa, 0.756, promising(tuned, 0.84))};
  EXPECT_NE(plan_comparison_table(other, "other.json")
                .find("8  faster              -  -                                    0.900"),
            std::string::npos);
}

TEST(PlanComparisonTable, WithoutPairsThereIsNoRatio) {
  Measurement apart = measurement(1);
  apart.baseline->samples.clear();
  const std::string table = plan_comparison_table({compare_with_baseline(apart, "default", isa, 0.8, {})}, "default");
  EXPECT_NE(table.find("0  inconclusive"), std::string::npos) << table;
  EXPECT_EQ(table.find("inf"), std::string::npos) << table;
  EXPECT_EQ(table.find("geometric mean"), std::string::npos) << table;
}

TEST(BaselinePlans, AProfileOfThisMachineOrTheDefault) {
  const tuner::Machine here = tuner::probe_machine();
  EXPECT_FALSE(choose_baseline(std::nullopt, here).has_value());
  const auto fallback = choose_baseline("default", here);
  ASSERT_TRUE(fallback.has_value());
  EXPECT_TRUE(fallback->rows.rows.empty());

  const tuner::TemporaryDirectory directory;
  tuner::Profile profile = tuner::make_profile(here, {});
  profile.plans.push_back({tuner::example_row(swiglu, 64), std::nullopt});
  const std::filesystem::path path = directory.path() / "p.json";
  tuner::write_profile(path, profile);
  const auto tuned = choose_baseline(path.string(), here);
  ASSERT_TRUE(tuned.has_value());
  EXPECT_EQ(tuned->name, path.string());

  tuner::Machine elsewhere = here;
  elsewhere.cpu = "another CPU";
  expect_message(tuner::failure_of([&] { choose_baseline(path.string(), elsewhere); }), tuner::exit_code::file,
                 {"--against", "p.json", "another machine", "another CPU"});
  expect_message(tuner::failure_of([&] { choose_baseline((directory.path() / "none.json").string(), here); }),
                 tuner::exit_code::file, {"none.json"});
  expect_message(tuner::failure_of([&] { choose_baseline("", here); }), tuner::exit_code::usage,
                 {"--against", "default"});
}

}  // namespace
}  // namespace sluice::bench
