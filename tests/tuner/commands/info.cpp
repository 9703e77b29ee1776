// What `info` says of a machine, a profile and the plan of a call.
#include "tuner/commands/info.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "tests/tuner/support.hpp"
#include "tuner/profile/profile_json.hpp"

namespace sluice::tuner {
namespace {

Selection one_cell() {
  Selection selection;
  selection.workloads = {*find_workload("tinyllama")};
  selection.kinds = {swiglu};
  selection.m = {200};
  selection.threads = {2};
  selection.isa = Isa::scalar;
  return selection;
}

Information about(const Machine& machine, std::optional<Profile> profile) {
  Information information{machine, "out/profile.json", std::move(profile), {}, {}};
  if (information.profile) information.usable = usable_rows(*information.profile, machine);
  return information;
}

TEST(Info, SaysWhatIsUnknown) {
  Machine machine;
  machine.isas = {Isa::scalar};
  const std::string text = information_text(about(machine, std::nullopt));
  EXPECT_TRUE(contains(text, "unknown CPU"));
  EXPECT_TRUE(contains(text, "L3 unknown"));
  EXPECT_TRUE(contains(text, "none at out/profile.json"));
  const Json json = Json::parse(information_json(about(machine, std::nullopt)));
  EXPECT_EQ(json["machine"]["cpu"], nullptr);
  EXPECT_EQ(json["profile"]["state"], "none");
}

TEST(Info, ShowsTheMachine) {
  Machine machine = example_machine();
  machine.features = {"asimd", "i8mm"};
  const std::string text = information_text(about(machine, std::nullopt));
  for (const char* part : {"Example CPU", "stepping 8", "a virtual machine", "L1d 48 KiB, L2 2 MiB, L3 60 MiB",
                           "4 usable (cgroup quota: 3.5 CPUs)", "8.0 GiB", "performance", "scalar   runs, the default",
                           "neon     cannot run", "features  asimd i8mm\n"}) {
    EXPECT_TRUE(contains(text, part)) << part << "\n" << text;
  }
  EXPECT_TRUE(contains(text, example_machine().fingerprint()));
  EXPECT_EQ(Json::parse(information_json(about(machine, std::nullopt)))["features"], Json({"asimd", "i8mm"}));
}

TEST(Info, ExplainsWhereAPlanComesFrom) {
  Information exact = about(example_machine(), example_profile());
  plan_cells(exact, one_cell());
  ASSERT_EQ(exact.planned.size(), 1U);
  EXPECT_EQ(exact.planned[0].origin, PlanOrigin::exact);
  EXPECT_EQ(exact.planned[0].choice.plan, example_row(swiglu, 256).plan);
  EXPECT_EQ(exact.planned[0].reason, "tuned for swiglu M 256 with at most 2 threads");
  EXPECT_TRUE(contains(information_text(exact), "exact: tuned for swiglu M 256"));

  Machine here = example_machine();
  here.l2 = 1048576;
  Information borrowed = about(here, example_profile());
  plan_cells(borrowed, one_cell());
  EXPECT_EQ(borrowed.planned.at(0).origin, PlanOrigin::borrowed);
  EXPECT_TRUE(contains(borrowed.planned.at(0).reason, "another machine"));
  EXPECT_TRUE(contains(information_text(borrowed), "l2 (2097152, here 1048576)"));
  const Json json = Json::parse(information_json(borrowed));
  EXPECT_EQ(json["profile"]["state"], "borrowed");
  EXPECT_EQ(json["profile"]["differences"][0], "l2 (2097152, here 1048576)");
  EXPECT_EQ(json["plans"][0]["origin"], "borrowed");
  // The row's plan is the analytical one for M = 256 on a machine of these caches, so M = 200 has its own.
  EXPECT_EQ(json["plans"][0]["plan"],
            to_json(analytical_plan(here.cache_sizes(), Isa::scalar, swiglu, {2048, 5632}, 200, 2)));

  Information analytical = about(example_machine(), std::nullopt);
  plan_cells(analytical, one_cell());
  EXPECT_EQ(analytical.planned.at(0).origin, PlanOrigin::analytical);
  EXPECT_TRUE(contains(analytical.planned.at(0).reason, "no profile"));
  Selection other = one_cell();
  other.m = {4};
  Information unserved = about(example_machine(), example_profile());
  plan_cells(unserved, other);
  EXPECT_EQ(unserved.planned.at(0).origin, PlanOrigin::analytical);
  EXPECT_TRUE(contains(unserved.planned.at(0).reason, "no plan of the profile"));

  Selection another_shape = one_cell();
  another_shape.workloads = {Workload{"", 64, 96, 96}};
  Information transferred = about(example_machine(), example_profile());
  plan_cells(transferred, another_shape);
  EXPECT_EQ(transferred.planned.at(0).origin, PlanOrigin::transferred);
  EXPECT_EQ(transferred.planned.at(0).reason, "tuned for swiglu 2048x5632 M 256 with at most 2 threads");
  const std::string text = information_text(transferred);
  EXPECT_TRUE(contains(text, "transferred: tuned for swiglu 2048x5632")) << text;
  EXPECT_TRUE(contains(text, "this call differs: 2048x5632 for 64x96")) << text;
  EXPECT_TRUE(contains(text, "expected cost: unknown")) << text;
}

// A profile of the example machine whose plans for one shape have these kc.
struct TunedKc {
  Kind kind;
  std::uint32_t m;
  std::uint32_t max_threads;
  std::uint32_t kc;
};
Profile tuned(const std::vector<TunedKc>& cells) {
  Profile profile = example_profile();
  profile.plans.clear();
  for (const TunedKc& cell : cells) {
    PlanRow row = example_row(cell.kind, cell.m);
    row.plan = example_row(swiglu, 256).plan;
    row.max_threads = cell.max_threads;
    row.plan.threads = 1;
    row.plan.tiling.kc = cell.kc;
    row.plan.tiling.mc = 64;
    profile.plans.push_back({row, Measured{0.9, 0.88, 0.92, Verdict::faster, 20, 9, 0.9, 0}});
  }
  return profile;
}

PlannedCell planned(const Profile& profile, Kind kind, std::size_t m, std::uint32_t threads) {
  Selection selection = one_cell();
  selection.kinds = {kind};
  selection.m = {m};
  selection.threads = {threads};
  Information information = about(example_machine(), profile);
  plan_cells(information, selection);
  PlannedCell cell = information.planned.at(0);
  cell.choice.row = nullptr;  // of the information
  return cell;
}

TEST(Borrowing, CostsNothingOnlyWhereLikeStepsLedToTheSamePlan) {
  // M = 64 is borrowed from M = 256 at one thread; the profile has both of them at two threads.
  const PlannedCell same =
      planned(tuned({{swiglu, 256, 1, 128}, {swiglu, 256, 2, 192}, {swiglu, 64, 2, 192}}), swiglu, 64, 1);
  ASSERT_TRUE(same.borrowing.has_value());
  EXPECT_EQ(same.borrowing->steps, std::vector<std::string>{"M 256 for 64"});
  ASSERT_EQ(same.borrowing->like_steps.size(), 1U);
  EXPECT_TRUE(same.borrowing->none_expected());
  EXPECT_EQ(same.borrowing->expected_cost(), "none: in 1 of 1 like step of this profile both plans are the same");

  const PlannedCell other =
      planned(tuned({{swiglu, 256, 1, 128}, {swiglu, 256, 2, 192}, {swiglu, 64, 2, 96}}), swiglu, 64, 1);
  ASSERT_TRUE(other.borrowing.has_value());
  ASSERT_EQ(other.borrowing->like_steps.size(), 1U);
  EXPECT_FALSE(other.borrowing->like_steps[0].same_plan);
  EXPECT_EQ(other.borrowing->expected_cost(),
            "unknown: not measured; in 0 of 1 like step of this profile both plans are the same");

  const PlannedCell alone = planned(tuned({{swiglu, 256, 1, 128}}), swiglu, 64, 1);
  ASSERT_TRUE(alone.borrowing.has_value());
  EXPECT_TRUE(alone.borrowing->like_steps.empty());
  EXPECT_EQ(alone.borrowing->expected_cost(), "unknown: not measured");
}

TEST(Borrowing, NamesEveryStepAndTheChangeToThePlan) {
  const PlannedCell cell = planned(tuned({{geglu, 256, 2, 128}}), swiglu, 100, 1);
  ASSERT_TRUE(cell.borrowing.has_value());
  EXPECT_EQ(cell.borrowing->steps,
            (std::vector<std::string>{"geglu for swiglu", "M 256 for 100", "at most 2 threads for 1"}));
  const Plan analytical = analytical_plan(example_machine().cache_sizes(), Isa::scalar, swiglu, {2048, 5632}, 100, 1);
  const auto& changes = cell.borrowing->changes;
  EXPECT_NE(std::find(changes.begin(), changes.end(), fmt::format("kc 128, analytical {}", analytical.tiling.kc)),
            changes.end());
  EXPECT_FALSE(planned(tuned({{swiglu, 256, 1, 128}}), swiglu, 200, 1).borrowing.has_value());
}

TEST(Borrowing, FromAnotherMachineIsUnknownWhateverItsProfileHolds) {
  Information information =
      about(example_machine(), tuned({{swiglu, 256, 2, 128}, {swiglu, 256, 1, 192}, {swiglu, 64, 1, 192}}));
  information.machine.l2 = 1048576;
  information.usable = usable_rows(*information.profile, information.machine);
  plan_cells(information, one_cell());
  const PlannedCell& cell = information.planned.at(0);
  ASSERT_TRUE(cell.borrowing.has_value());
  EXPECT_TRUE(cell.borrowing->steps.empty());
  EXPECT_FALSE(cell.borrowing->none_expected());
  const std::string text = information_text(information);
  for (const char* part :
       {"expected cost: unknown: not measured on this machine", "this machine differs: l2 (2097152, here 1048576)",
        "measured there: 0.900 (0.880 to 0.920) of the analytical plan's time", "sluice tune"}) {
    EXPECT_TRUE(contains(text, part)) << part << "\n" << text;
  }
  const Json plan = Json::parse(information_json(information))["plans"][0];
  EXPECT_EQ(plan["borrowing"]["expected_cost"], "unknown");
  EXPECT_EQ(plan["measured"]["ratio_high"], 0.92);
  EXPECT_EQ(plan["row"]["m"], 256);
}

TEST(Borrowing, ThatChangesNothingIsSaid) {
  Profile profile = tuned({{swiglu, 256, 2, 128}});
  profile.plans[0].row.plan =
      analytical_plan(example_machine().cache_sizes(), Isa::scalar, swiglu, {2048, 5632}, 256, 2);
  const PlannedCell cell = planned(profile, geglu, 256, 2);
  ASSERT_TRUE(cell.borrowing.has_value());
  EXPECT_TRUE(cell.borrowing->changes.empty());
  EXPECT_EQ(cell.borrowing->expected_cost(),
            "unknown: not measured; but it is the plan this call would have without a profile");
}

TEST(Info, PlansEveryCellOfTheSelection) {
  Selection selection = one_cell();
  selection.workloads.push_back(*find_workload("gpt2"));
  selection.kinds = {swiglu, relu, geglu};
  selection.m = {1, 8};
  selection.threads = {1, 2};
  Information information = about(example_machine(), std::nullopt);
  plan_cells(information, selection);
  EXPECT_EQ(information.planned.size(), 24U);
  EXPECT_EQ(Json::parse(information_json(information))["plans"].size(), 24U);
}

}  // namespace
}  // namespace sluice::tuner
