// The division of the time budget among cells.
#include "tuner/tuning/budget.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/tuner/support.hpp"

namespace sluice::tuner {
namespace {

TEST(Budget, ReadsTimesAsPeopleWriteThem) {
  for (const auto& [word, seconds] : std::vector<std::pair<std::string, double>>{
           {"40", 40}, {"40s", 40}, {"2min", 120}, {"2m", 120}, {"1.5h", 5400}, {"1e3", 1000}})
    EXPECT_EQ(parse_duration("--budget", word), seconds) << word;
  for (const std::string word : {"", "0", "-3", "0.5s", "s", "4 s", "4x", "nan", "inf", "1e99", "min2", "9999999h"})
    expect_message(failure_of([&] { (void)parse_duration("--budget", word); }), exit_code::usage,
                   {"--budget " + word + ":", "2min"});
  EXPECT_EQ(duration_name(40), "40 s");
  EXPECT_EQ(duration_name(120), "2 min");
  EXPECT_EQ(duration_name(9000), "2.5 h");
}

const Cell small{swiglu, {64, 64}, 1, 1, {}};
const Cell large{swiglu, {4096, 11008}, 256, 1, {}};

TEST(Budget, GivesLargeCellsMoreAndLeftOversToThoseAfter) {
  Budget budget(100, {small, large, small});
  EXPECT_GT(budget.share(large, 0), 3 * budget.share(small, 0));
  EXPECT_NEAR(budget.share(large, 0) + 2 * budget.share(small, 0), 100, 1e-9);
  const double planned = budget.share(large, 0);
  budget.finish(small);
  EXPECT_GT(budget.share(large, 0), planned);  // the small cell took nothing
  budget.finish(large);
  EXPECT_NEAR(budget.share(small, 60), 40, 1e-9);
  EXPECT_EQ(budget.share(small, 101), 0);
  budget.finish(small);
  EXPECT_NEAR(budget.share_done(40), 0.4, 1e-12);
  EXPECT_EQ(budget.share_done(101), 1);
}

TEST(Budget, AffordsWhatFitsAsFarAsItHasLearned) {
  Budget budget(20, {small, large});
  EXPECT_TRUE(budget.affords(large, 0));
  EXPECT_FALSE(budget.affords(large, 19));
  EXPECT_TRUE(budget.affords(small, 21));  // next to nothing
  // The machine is ten times slower than assumed.
  budget.learn(large, {4096, 768}, 10 * assumed_seconds(large, {4096, 768}));
  EXPECT_FALSE(budget.affords(large, 0));
  EXPECT_TRUE(Budget(std::nullopt, {large}).affords(large, 1e9));
  Budget endless(std::nullopt, {large, large});
  EXPECT_TRUE(std::isinf(endless.share(large, 1e9)));
  endless.finish(large);
  EXPECT_NEAR(endless.share_done(1e9), 0.5, 1e-12);
}

}  // namespace
}  // namespace sluice::tuner
