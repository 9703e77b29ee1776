// Merging profiles: neither order nor repetition matters.
#include "tuner/profile/profile_merge.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "tests/tuner/support.hpp"
#include "tuner/profile/profile_json.hpp"

namespace sluice::tuner {
namespace {

// Each field has few values, so that profiles share cells and ties reach the last criterion.
class RandomProfiles {
 public:
  explicit RandomProfiles(std::uint64_t seed) : random_(seed) {}

  Profile next() {
    Profile profile = make_profile(example_machine(), {"sluice", "tune", pick({"--seed", "--budget"})});
    profile.created = pick({"2026-01-31T12:00:00Z", "2026-02-01T00:00:00Z", "2025-12-31T23:59:59Z"});
    profile.machine.available_threads = 1 + below(3);
    for (const std::uint32_t threads : {1U, 2U, 3U}) {
      if (below(2) == 0) profile.roofs.fma.push_back({Isa::scalar, threads, 1e9 * (1 + below(3))});
      if (below(2) == 0) profile.roofs.read.push_back({threads, 1e10 * (1 + below(3)), 1U << 28U});
    }
    for (const Kind kind : {swiglu, relu, geglu}) {
      for (const std::uint32_t m : {1U, 64U, 256U}) {
        if (below(3) != 0) profile.plans.push_back(plan(kind, m));
      }
    }
    std::shuffle(profile.plans.begin(), profile.plans.end(), random_);
    return profile;
  }

 private:
  std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(random_() % limit); }
  std::string pick(const std::vector<std::string>& words) {
    return words[below(static_cast<std::uint32_t>(words.size()))];
  }
  ProfilePlan plan(Kind kind, std::uint32_t m) {
    ProfilePlan plan{example_row(kind, m), std::nullopt};
    plan.row.plan.tiling.kc = 64 * (1 + below(3));
    if (below(4) == 0) return plan;
    const double high = 0.9 + 0.05 * below(3);
    plan.measured =
        Measured{high - 0.02, high - 0.04, high, Verdict::faster, 10 + 10 * below(2), below(3), 0.9, 0.1 * below(2)};
    return plan;
  }

  std::mt19937_64 random_;
};

TEST(Merge, DoesNotDependOnOrderOrRepetition) {
  RandomProfiles profiles(20260131);
  for (int i = 0; i < 200; ++i) {
    const Profile a = profiles.next();
    const Profile b = profiles.next();
    const Profile c = profiles.next();
    const std::string ab = profile_text(merged(a, b));
    ASSERT_EQ(profile_text(merged(b, a)), ab);
    ASSERT_EQ(profile_text(merged(merged(a, b), c)), profile_text(merged(a, merged(b, c))));
    ASSERT_EQ(profile_text(merged(merged(a, b), b)), ab);

    Profile ordered = a;
    ordered.plans = sorted_plans(a);
    ASSERT_EQ(profile_text(merged(a, a)), profile_text(ordered));
    ASSERT_EQ(profile_text(merged(ordered, ordered)), profile_text(ordered));
  }
}

TEST(Merge, KeepsEveryCellOfBothAndTheBetterOfTwo) {
  RandomProfiles profiles(7);
  for (int i = 0; i < 50; ++i) {
    const Profile a = profiles.next();
    const Profile b = profiles.next();
    const Profile both = merged(a, b);
    for (const ProfilePlan& kept : both.plans) {
      int found = 0;
      for (const Profile* source : {&a, &b}) {
        for (const ProfilePlan& plan : source->plans) {
          if (!same_cell(plan.row, kept.row)) continue;
          found += to_json(plan) == to_json(kept) ? 1 : 0;
          EXPECT_FALSE(better(plan, kept));
        }
      }
      EXPECT_GT(found, 0);
    }
    for (const Profile* source : {&a, &b}) {
      for (const ProfilePlan& plan : source->plans) {
        EXPECT_TRUE(std::any_of(both.plans.begin(), both.plans.end(),
                                [&](const ProfilePlan& kept) { return same_cell(plan.row, kept.row); }));
      }
    }
    EXPECT_NO_THROW((void)parse_profile(profile_text(both), "merged.json"));
  }
}

TEST(Merge, TakesTheBetterEvidence) {
  const Measured measured{0.95, 0.93, 0.97, Verdict::faster, 20, 14, 0.9, 0.1};
  ProfilePlan plan{example_row(swiglu, 256), measured};
  const auto with = [&](auto change) {
    ProfilePlan other = plan;
    change(*other.measured);
    return other;
  };
  const ProfilePlan unmeasured{plan.row, std::nullopt};
  // A lower mean with a wider interval proves less.
  const ProfilePlan uncertain = with([](Measured& m) { m = {0.9, 0.8, 1.0, Verdict::inconclusive, 90, 14, 0.95, 0}; });
  const ProfilePlan default_won = with([](Measured& m) { m = {1, 1, 1, Verdict::default_won, 90, 14, 0.9, 0}; });
  const ProfilePlan fewer_pairs = with([](Measured& m) { m.pairs = 19; });
  const ProfilePlan busier = with([](Measured& m) { m.contended_share = 0.2; });
  for (const ProfilePlan& worse : {unmeasured, uncertain, default_won, fewer_pairs, busier}) {
    EXPECT_TRUE(better(plan, worse)) << to_json(worse);
    EXPECT_FALSE(better(worse, plan)) << to_json(worse);
  }
  EXPECT_TRUE(better(default_won, unmeasured));
  EXPECT_FALSE(better(plan, plan));
  ProfilePlan twin = plan;
  twin.row.plan.tiling.kc += 1;
  EXPECT_NE(better(plan, twin), better(twin, plan));
}

TEST(Merge, TakesTheHigherRoofAndTheLaterHead) {
  Profile early = example_profile();
  Profile late = example_profile();
  early.created = "2026-01-01T00:00:00Z";
  late.created = "2026-01-02T00:00:00Z";
  early.command.back() = "early";
  early.machine.os = "Linux 5.0";
  early.roofs.fma[0].flops *= 2;
  late.roofs.read[0].bytes_per_second *= 2;
  for (const Profile& both : {merged(early, late), merged(late, early)}) {
    EXPECT_EQ(both.created, late.created);
    EXPECT_EQ(both.command, late.command);
    EXPECT_EQ(both.machine.os, late.machine.os);
    EXPECT_EQ(both.roofs.fma, early.roofs.fma);
    EXPECT_EQ(both.roofs.read, late.roofs.read);
  }
}

TEST(WidthConflicts, NameTheShapeWhosePlansCannotBeUsedTogether) {
  const auto wide =
      std::find_if(all_isas().begin(), all_isas().end(), [](Isa isa) { return register_tiles(isa).size() > 1; });
  if (wide == all_isas().end()) GTEST_SKIP() << "no instruction set of this build has two widths";
  const auto row = [&](Kind kind, std::uint32_t m, std::size_t tile) {
    const Shape shape{2048, 5632};
    return PlanRow{*wide, kind, shape,
                   m,     1,    analytical_plan({}, *wide, kind, shape, m, 1, register_tiles(*wide)[tile].nr)};
  };
  // Plain kinds have a packing of their own.
  EXPECT_TRUE(width_conflicts({row(swiglu, 1, 0), row(geglu, 256, 0), row(relu, 1, 1)}).empty());
  const std::vector<std::string> lines =
      width_conflicts({row(swiglu, 1, 1), row(swiglu, 64, 0), row(geglu, 256, 0), row(relu, 1, 1)});
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].rfind(fmt::format("1 plan for {} gated 2048x5632 not used", name(*wide)), 0), 0U) << lines[0];
}

}  // namespace
}  // namespace sluice::tuner
