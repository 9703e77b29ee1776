// How work is split between threads: every part contiguous, none more than one longer than another, nothing left over.
#include "kernels/threads/share.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <thread>
#include <vector>

#include "kernels/threads/claims.hpp"
#include "tests/kernels/support.hpp"

namespace sluice::tests {
namespace {

TEST(Share, CoversTheWholeInContiguousBalancedParts) {
  for (const std::size_t count : {0U, 1U, 2U, 127U, 128U, 129U, 344U, 688U, 1000U}) {
    for (const std::size_t parts : {1U, 2U, 3U, 64U, 128U}) {
      std::size_t end = 0;
      for (std::size_t index = 0; index < parts; ++index) {
        const detail::Range part = detail::share(count, index, parts);
        EXPECT_EQ(part.begin, end);
        EXPECT_GE(part.end - part.begin, count / parts);
        EXPECT_LE(part.end - part.begin, (count + parts - 1) / parts);
        end = part.end;
      }
      EXPECT_EQ(end, count) << parts;
    }
  }
}

TEST(Claims, HandOutEverythingOnceInEverShorterRuns) {
  detail::Claims claims;
  for (const std::size_t count : {1U, 2U, 7U, 128U, 689U}) {
    for (const std::size_t parts : {1U, 2U, 3U, 64U}) {
      claims.reset();
      std::size_t end = 0;
      std::size_t last = count;
      for (detail::Range part = claims.take(count, parts); part.begin < part.end; part = claims.take(count, parts)) {
        EXPECT_EQ(part.begin, end);
        EXPECT_LE(part.end - part.begin, last);
        EXPECT_LE(part.end - part.begin, std::max<std::size_t>(1, count / parts));
        last = part.end - part.begin;
        end = part.end;
      }
      EXPECT_EQ(end, count);
      EXPECT_EQ(claims.take(count, parts).begin, count) << "nothing is handed out twice";
    }
  }
}

// A core of half the others' speed ends with them and does about half of their work, even if it starts first.
TEST(Claims, LeaveASlowCoreItsShare) {
  detail::Claims claims;
  constexpr std::size_t panels = 352;
  constexpr std::array<double, 4> speed{0.5, 1, 1, 1};
  std::array<double, 4> time{};
  std::array<std::size_t, 4> done{};
  for (;;) {
    const auto next = static_cast<std::size_t>(std::min_element(time.begin(), time.end()) - time.begin());
    const detail::Range part = claims.take(panels, speed.size());
    if (part.begin == part.end) break;
    time[next] += static_cast<double>(part.end - part.begin) / speed[next];
    done[next] += part.end - part.begin;
  }
  const double ideal = panels / 3.5;
  EXPECT_LT(*std::max_element(time.begin(), time.end()), 1.05 * ideal) << "an even split takes 1.75 times the ideal";
  EXPECT_LT(done[0], panels / 6);
}

// Two sockets of 64 cores: no plan has threads without a panel, which would only wait at the barriers.
TEST(Share, TheAnalyticalPlanLeavesNoThreadOfManyWithoutAPanel) {
  for (const Shape shape : {Shape{4096, 11008}, Shape{768, 2048}, Shape{64, 40}}) {
    for (const Kind kind : {swiglu, relu}) {
      for (const Isa isa : runnable_isas()) {
        const Plan plan = analytical_plan(CacheSizes{}, isa, kind, shape, 256, 128);
        const std::size_t panels = (std::min(shape.d_model, shape.d_ff) + plan.tiling.nr - 1) / plan.tiling.nr;
        EXPECT_LE(plan.threads, 128U);
        // The small shape has too little work for many threads; the large one uses as many as have a panel.
        if (shape.d_model == 4096) {
          EXPECT_EQ(plan.threads, std::min<std::size_t>(128, panels));
        }
        const detail::Range last = detail::share(panels, plan.threads - 1, plan.threads);
        EXPECT_LT(last.begin, last.end) << name(isa) << " " << shape.d_model << "x" << shape.d_ff;
      }
    }
  }
}

TEST(Board, HandsOutEachStageOnceInEverShorterRuns) {
  detail::Board board;
  EXPECT_EQ(board.take(8).panels, 0U) << "nothing is open yet";
  EXPECT_FALSE(board.closed());
  std::uint64_t stage = 0;
  for (const std::size_t count : {1U, 2U, 7U, 128U, 689U}) {
    for (const std::size_t most : {1U, 8U, 1000U}) {
      board.wait();
      board.open(++stage, count);
      std::size_t end = 0;
      std::size_t last = count;
      for (detail::Board::Part part = board.take(most); part.panels != 0; part = board.take(most)) {
        EXPECT_EQ(part.stage, stage);
        EXPECT_EQ(count - part.left, end);
        EXPECT_LE(part.panels, std::min(last, most));
        EXPECT_LE(part.panels, std::max<std::size_t>(1, count / 4)) << "others find something to take";
        last = part.panels;
        end += part.panels;
        board.done(part);
      }
      EXPECT_EQ(end, count);
      EXPECT_FALSE(board.closed());
    }
  }
  board.close();
  EXPECT_TRUE(board.closed());
  EXPECT_EQ(board.take(8).panels, 0U);
}

// Four threads have a board each; a thread whose own board is done takes panels from the others. Each panel is computed
// once, after all panels of the stage before it.
TEST(Board, AStageOpensWhenAllOfTheLastIsDoneWhoeverDoesIt) {
  constexpr std::size_t threads = 4;
  const std::size_t stages = brief ? 50 : 400;
  constexpr std::size_t panels = 23;
  struct Team {
    detail::Board board;
    std::array<std::size_t, panels>
        times{};  // how often each panel was computed; not atomic, since the board orders it
  };
  std::array<Team, threads> teams;
  std::array<std::size_t, threads> wrong{};
  const auto take = [&](Team& team, std::size_t thread) {
    const detail::Board::Part part = team.board.take(6);
    for (std::size_t i = 0; i < part.panels; ++i) {
      std::size_t& times = team.times[panels - part.left + i];
      wrong[thread] += times == part.stage ? 0 : 1;
      ++times;
    }
    if (part.panels != 0) team.board.done(part);
    return part.panels != 0;
  };
  const auto run = [&](std::size_t self) {
    Team& own = teams[self];
    // The first thread has more to do than the others, so they help it.
    for (std::size_t stage = 0; stage < (self == 0 ? 4 * stages : stages); ++stage) {
      own.board.wait();
      for (const std::size_t times : own.times) wrong[self] += times == stage ? 0 : 1;
      own.board.open(stage, panels);
      while (take(own, self)) {
      }
    }
    own.board.close();
    own.board.wait();
    for (std::size_t other = 0; other < threads; ++other)
      while (!teams[other].board.closed()) take(teams[other], self);
  };
  std::vector<std::thread> others;
  for (std::size_t self = 1; self < threads; ++self) others.emplace_back(run, self);
  run(0);
  for (std::thread& other : others) other.join();
  EXPECT_EQ(std::accumulate(wrong.begin(), wrong.end(), std::size_t{0}), 0U);
  for (std::size_t team = 0; team < threads; ++team)
    for (const std::size_t times : teams[team].times) EXPECT_EQ(times, team == 0 ? 4 * stages : stages);
}

}  // namespace
}  // namespace sluice::tests
