// What `info` says of a machine, a profile and the plan of a call.
#include "tuner/info.hpp"

#include "tests/tuner/support.hpp"
#include "tuner/profile_json.hpp"

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

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

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

TEST(Info, ExplainsAnExactABorrowedAndAnAnalyticalPlan) {
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
  EXPECT_EQ(json["plans"][0]["plan"], to_json(example_row(swiglu, 256).plan));

  Information analytical = about(example_machine(), std::nullopt);
  plan_cells(analytical, one_cell());
  EXPECT_EQ(analytical.planned.at(0).origin, PlanOrigin::analytical);
  EXPECT_TRUE(contains(analytical.planned.at(0).reason, "no profile"));
  Selection other = one_cell();
  other.workloads = {Workload{"", 64, 96, 96}};
  Information unserved = about(example_machine(), example_profile());
  plan_cells(unserved, other);
  EXPECT_EQ(unserved.planned.at(0).origin, PlanOrigin::analytical);
  EXPECT_TRUE(contains(unserved.planned.at(0).reason, "no plan of the profile"));
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
