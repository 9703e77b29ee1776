// How work is split between threads: every part contiguous, none more than one longer than another, nothing left over.
#include "kernels/share.hpp"

#include <array>

#include "kernels/claims.hpp"
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

// A core that runs at half the others' speed ends with them, and has had that much less to do, even if it comes first.
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

// Two sockets of 64 cores: a thread without a panel would only wait at the barriers.
TEST(Share, TheAnalyticalPlanLeavesNoThreadOfManyWithoutAPanel) {
  for (const Shape shape : {Shape{4096, 11008}, Shape{768, 2048}, Shape{64, 40}}) {
    for (const Kind kind : {swiglu, relu}) {
      for (const Isa isa : runnable_isas()) {
        const Plan plan = analytical_plan(CacheSizes{}, isa, kind, shape, 256, 128);
        const std::size_t panels = (std::min(shape.d_model, shape.d_ff) + plan.tiling.nr - 1) / plan.tiling.nr;
        EXPECT_LE(plan.threads, 128U);
        // The small shape has too little work for many; the large one keeps all that have a panel busy.
        if (shape.d_model == 4096) {
          EXPECT_EQ(plan.threads, std::min<std::size_t>(128, panels));
        }
        const detail::Range last = detail::share(panels, plan.threads - 1, plan.threads);
        EXPECT_LT(last.begin, last.end) << name(isa) << " " << shape.d_model << "x" << shape.d_ff;
      }
    }
  }
}

}  // namespace
}  // namespace sluice::tests
