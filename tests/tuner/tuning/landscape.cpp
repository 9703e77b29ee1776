// Searches replayed on costs recorded on a shared machine, and the statistics on its noise. The landscapes are of
// `rigor exhaustive` on one thread of a two-core virtual machine (Zen 4, AVX-512) with busy neighbours;
// that of 1536x4096, M = 8, was recorded after the search was finished.
#include "tuner/tuning/landscape.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "tests/tuner/support.hpp"
#include "tuner/measurement/statistics.hpp"
#include "tuner/tuning/journal_record.hpp"

namespace sluice::tuner {
namespace {

std::vector<std::filesystem::path> files() {
  std::vector<std::filesystem::path> all;
  for (const auto& entry : std::filesystem::directory_iterator(SLUICE_LANDSCAPES)) all.push_back(entry.path());
  std::sort(all.begin(), all.end());
  return all;
}

class RecordedLandscape : public testing::TestWithParam<std::filesystem::path> {};

constexpr std::size_t seeds = 60;

// The goal is a regret of 2 % on average and 5 % at worst, with a limited number of trials.
TEST_P(RecordedLandscape, TheDefaultSearchHasLittleRegret) {
  const Landscape landscape = load_landscape(GetParam());
  const ReplaySummary found = replay_many(landscape, Search::Options{}.strategy, Rigor::measure, seeds);
  EXPECT_LE(found.geomean, 0.02);
  EXPECT_LE(found.worst, 0.05);
  EXPECT_LE(found.trials, 250);
}

TEST_P(RecordedLandscape, TheAnalyticalPlanIsNear) {
  const ReplaySummary found = replay_many(load_landscape(GetParam()), Strategy::axes, Rigor::estimate, seeds);
  EXPECT_LE(found.geomean, 0.05);
  EXPECT_LE(found.worst, 0.15);
  EXPECT_EQ(found.trials, 0);
}

TEST_P(RecordedLandscape, EveryStrategyIsBetterThanChance) {
  const Landscape landscape = load_landscape(GetParam());
  std::vector<double> typical_costs;
  for (const std::vector<double>& costs : landscape.costs()) typical_costs.push_back(median(costs));
  const double least = *std::min_element(typical_costs.begin(), typical_costs.end());
  const double by_chance = median(typical_costs) / least - 1;
  for (const Strategy strategy : {Strategy::axes, Strategy::descent, Strategy::halving})
    EXPECT_LT(replay_many(landscape, strategy, Rigor::measure, 10).median, by_chance) << name(strategy);
}

TEST_P(RecordedLandscape, ReplaysAreRepeatable) {
  const Landscape landscape = load_landscape(GetParam());
  const Replay first = replay(landscape, {.seed = 4});
  const Replay second = replay(landscape, {.seed = 4});
  EXPECT_EQ(first.winner, second.winner);
  EXPECT_EQ(first.trials, second.trials);
  EXPECT_EQ(first.regret, second.regret);
}

TEST_P(RecordedLandscape, ItsTextIsReadAgain) {
  const Landscape landscape = load_landscape(GetParam());
  const TemporaryDirectory directory;
  const Landscape again = load_landscape(directory.write("landscape.json", landscape_text(landscape)));
  EXPECT_EQ(again.name(), landscape.name());
  EXPECT_EQ(again.space()->plans(), landscape.space()->plans());
  EXPECT_EQ(again.costs(), landscape.costs());
  EXPECT_EQ(again.series(), landscape.series());
}

// The same plan under two names may be called different in at most 5 % of 200 seeded runs on recorded repetitions. A
// binomial of 5 % exceeds the bound, 21 of 200, in one case of a thousand.
constexpr std::size_t runs = 200;
constexpr std::size_t most_called_different = 21;

bool called_different(const std::vector<double>& a, const std::vector<double>& b) {
  const Verdict verdict = judge(paired_ratio(a, b));
  return verdict == Verdict::faster || verdict == Verdict::slower;
}

// Two rounds in a row are a pair. Which of the two is a is random, as in the tuner.
TEST_P(RecordedLandscape, APlanAgainstItselfIsRarelyCalledDifferent) {
  const Landscape landscape = load_landscape(GetParam());
  std::size_t different = 0;
  for (std::uint64_t seed = 1; seed <= runs; ++seed) {
    std::mt19937_64 random(seed);
    const std::vector<double>& costs = landscape.costs()[random() % landscape.costs().size()];
    std::vector<double> a;
    std::vector<double> b;
    for (std::size_t i = 0; i + 1 < costs.size() && a.size() < 30; i += 2) {
      const std::size_t swap = random() % 2;
      a.push_back(costs[i + swap]);
      b.push_back(costs[i + 1 - swap]);
    }
    different += called_different(a, b) ? 1 : 0;
  }
  EXPECT_LE(different, most_called_different);
}

// Samples of a series follow each other directly, so a disturbance that lasts longer than one affects both of a pair.
TEST_P(RecordedLandscape, ASeriesSplitInPairsIsRarelyCalledDifferent) {
  const Landscape landscape = load_landscape(GetParam());
  const std::vector<double>& series = landscape.series();
  constexpr std::size_t pairs = 30;
  if (series.size() <= 2 * pairs) GTEST_SKIP() << "a landscape made of a journal has no series";
  std::size_t different = 0;
  for (std::uint64_t seed = 1; seed <= runs; ++seed) {
    std::mt19937_64 random(seed);
    const std::size_t first = random() % (series.size() - 2 * pairs + 1);
    std::vector<double> a;
    std::vector<double> b;
    for (std::size_t i = 0; i < pairs; ++i) {
      const std::size_t swap = random() % 2;
      a.push_back(series[first + 2 * i + swap]);
      b.push_back(series[first + 2 * i + 1 - swap]);
    }
    different += called_different(a, b) ? 1 : 0;
  }
  EXPECT_LE(different, most_called_different);
}

INSTANTIATE_TEST_SUITE_P(Shipped, RecordedLandscape, testing::ValuesIn(files()),
                         [](const auto& parameter) { return parameter.param.stem().string(); });

TEST(Landscape, TheBestPlanOfOneHalfIsJudgedOnTheOther) {
  const Setting setting{{}, Isa::scalar, swiglu, {768, 2048}, 64, 1, register_tiles(Isa::scalar).front().nr};
  const std::vector<Plan> plans = JointSpace(setting).plans();
  std::mt19937_64 random(3);
  std::normal_distribution<double> noise(0, 0.05);
  std::vector<std::vector<double>> costs(plans.size());
  for (std::vector<double>& mine : costs)
    for (int i = 0; i < 12; ++i) mine.push_back(1e6 * std::exp(noise(random)));
  // All plans are equal. However lucky a plan was in the first half, it is judged by the noise of the other half.
  const ReplaySummary found = replay_many({setting, plans, costs}, Strategy::halving, Rigor::measure, 50);
  EXPECT_NEAR(found.geomean, 0, 0.02);
}

TEST(Landscape, WithoutTheAnalyticalPlanSearchesBeginNearIt) {
  const Setting setting{{}, Isa::scalar, swiglu, {768, 2048}, 64, 1, register_tiles(Isa::scalar).front().nr};
  std::vector<Plan> plans = JointSpace(setting).plans();
  const Plan start = plans.front();
  plans.erase(plans.begin());
  const Landscape landscape(setting, plans, std::vector<std::vector<double>>(plans.size(), {4, 4, 4, 4}));
  EXPECT_EQ(landscape.space()->size(), plans.size());
  const Plan& near = landscape.space()->plans().front();
  EXPECT_FALSE(near == start);
  std::size_t differences = 0;
  for (const Parameter& parameter : parameters()) differences += parameter.get(near) == parameter.get(start) ? 0 : 1;
  EXPECT_EQ(differences, 1U);
}

// Eight plans in five rounds, the last of which was cut short.
std::string example_journal(std::size_t trials) {
  JournalHeader header;
  header.fingerprint = "0123456789abcdef";
  header.sluice_version = "0.1.0";
  header.command = {"sluice", "tune", "--rigor", "exhaustive"};
  header.cells = {{swiglu, {2048, 5632}, 64, 1, {}}};
  header.rigor = "exhaustive";
  header.strategy = "exhaustive";
  std::string text = record_line(header, 0);
  for (std::size_t i = 0; i < trials; ++i) {
    Trial trial{example_row(swiglu, 64),           5632, 1000.0 + static_cast<double>(i), 0.9, false,
                static_cast<std::uint32_t>(i / 8), 1000};
    trial.row.shape.d_ff = 768;
    trial.row.plan.tiling.kc = 64 + 16 * static_cast<std::uint32_t>(i % 8);
    text += record_line(trial, i + 1);
  }
  return text;
}

TEST(Landscape, AnExhaustiveJournalIsOne) {
  const TemporaryDirectory directory;
  const std::vector<Landscape> found = load_landscapes(directory.write("journal.jsonl", example_journal(38)));
  ASSERT_EQ(found.size(), 1U);
  const Landscape& landscape = found.front();
  EXPECT_EQ(landscape.space()->size(), 8U);
  EXPECT_EQ(landscape.rounds(), 4U);
  EXPECT_EQ(landscape.setting().shape, (Shape{2048, 768}));
  const std::size_t last = *landscape.space()->find([&] {
    Plan plan = example_row(swiglu, 64).plan;
    plan.tiling.kc = 64 + 16 * 7;
    return plan;
  }());
  EXPECT_EQ(landscape.costs()[last], (std::vector<double>{1007, 1015, 1023, 1031}));

  const Failure failure = failure_of([&] { load_landscapes(directory.write("short.jsonl", example_journal(31))); });
  expect_message(failure, exit_code::file, {"short.jsonl", "timed 4 times", "--rigor exhaustive"});
}

TEST(Landscape, FilesThatAreNoneAreNamed) {
  const TemporaryDirectory directory;
  const auto load = [&](std::string_view text) {
    return failure_of([&] { load_landscape(directory.write("l.json", text)); });
  };
  expect_message(load("no"), exit_code::file, {"l.json", "not JSON"});
  expect_message(load("{}"), exit_code::file, {"l.json", "sluice_landscape", "missing"});
  expect_message(load(R"({"sluice_landscape": 2})"), exit_code::file, {"sluice_landscape", "expected 1"});
  expect_message(failure_of([&] { load_landscape(directory.path() / "absent"); }), exit_code::file, {"absent"});

  const std::string good = contents_of(files().front());
  const auto mended = [&](std::string_view from, std::string_view to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    return load(text);
  };
  expect_message(mended("\"kc\"", "\"kd\""), exit_code::file, {"parameters[0]", "kd", "did you mean kc"});
  expect_message(mended("\"kc\"", "\"mc\""), exit_code::file, {"parameters", "lacks kc"});
  expect_message(mended("\"plan\":[", "\"plan\":[1,"), exit_code::file, {"plans[0].plan", "10 values, expected 9"});
  expect_message(mended("\"ns\":[", "\"ns\":[0,"), exit_code::file, {"plans[0].ns[0]", "is 0"});
  expect_message(mended("\"ns\":[", "\"ns\":[7,"), exit_code::file, {"plans[1].ns", "expected as many"});
}

}  // namespace
}  // namespace sluice::tuner
