// The arithmetic of the phases' shares.
#include "bench/samples/phases.hpp"

#include <gtest/gtest.h>

#include <array>
#include <numeric>
#include <span>

namespace sluice::bench {
namespace {

double sum(const PhaseShares& shares) { return std::accumulate(shares.begin(), shares.end(), 0.0); }

TEST(PhaseShares, AreAveragedOverTheThreadsAndLeaveTheCall) {
  // pack, up, gate, down, unpack, wait
  std::array<detail::ThreadPhases, 3> threads{{{{10, 40, 5, 25, 5, 10}}, {{0, 60, 5, 15, 0, 0}}, {{9, 9, 9, 9, 9, 9}}}};
  const PhaseShares shares = shares_of({.threads = threads, .used = 2, .total = 100});
  const PhaseShares expected{0.05, 0.5, 0.05, 0.2, 0.025, 0.05, 0.125};
  for (std::size_t i = 0; i < shares.size(); ++i) EXPECT_NEAR(shares[i], expected[i], 1e-12) << phase_names[i];
}

TEST(PhaseShares, NeverExceedTheWhole) {
  // The counters of two processors may differ, so the phases may have more ticks than the whole call.
  std::array<detail::ThreadPhases, 1> threads{{{{0, 101, 0, 1, 0, 0}}}};
  const PhaseShares shares = shares_of({.threads = threads, .used = 1, .total = 100});
  EXPECT_NEAR(sum(shares), 1, 1e-12);
  EXPECT_EQ(shares.back(), 0);
  EXPECT_EQ(sum(shares_of({.threads = threads, .used = 0, .total = 0})), 0);
}

TEST(PhaseShares, OfACallAreWhatItsThreadsWrote) {
  const PhaseShares shares = shares_of_call(2, [](detail::Phases& phases) {
    ASSERT_EQ(phases.threads.size(), 2U);
    phases.threads[0] = {{0, 60, 10, 20, 0, 0}};
    phases.used = 1;
    phases.total = 100;
  });
  const PhaseShares expected{0, 0.6, 0.1, 0.2, 0, 0, 0.1};
  for (std::size_t i = 0; i < shares.size(); ++i) EXPECT_NEAR(shares[i], expected[i], 1e-12) << phase_names[i];
}

TEST(PhaseShares, OfManyCallsAreMediansThatMakeAWhole) {
  // The third was disturbed: its barrier took most of its time.
  const std::array<PhaseShares, 3> calls{
      {{0, 0.6, 0.1, 0.2, 0, 0, 0.1}, {0, 0.5, 0.1, 0.3, 0, 0, 0.1}, {0, 0.1, 0.02, 0.1, 0, 0.78, 0}}};
  const PhaseShares shares = median_shares(calls);
  EXPECT_NEAR(sum(shares), 1, 1e-12);
  const PhaseShares expected{0, 0.5, 0.1, 0.2, 0, 0, 0.1};
  for (std::size_t i = 0; i < shares.size(); ++i) EXPECT_NEAR(shares[i], expected[i] / 0.9, 1e-12) << phase_names[i];
  const PhaseShares one = median_shares(std::span(calls).first(1));
  for (std::size_t i = 0; i < one.size(); ++i) EXPECT_NEAR(one[i], calls[0][i], 1e-12) << phase_names[i];
}

}  // namespace
}  // namespace sluice::bench
