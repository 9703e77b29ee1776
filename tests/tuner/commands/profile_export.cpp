// The exported header as text; that it compiles and is used is tested by tests/consumer.
#include "tuner/commands/profile_export.hpp"

#include "tests/tuner/support.hpp"

namespace sluice::tuner {
namespace {

TEST(ExportedHeader, HoldsEveryRowAndNeedsOnlyThePlans) {
  const Profile profile = example_profile();
  const std::string text = header_text(profile);
  EXPECT_TRUE(contains(text, "#pragma once\n"));
  EXPECT_EQ(text.find("#include"), text.rfind("#include"));
  EXPECT_TRUE(contains(text, "#include \"sluice/plan.hpp\"\n"));
  EXPECT_TRUE(contains(text, "namespace sluice_profile {"));
  EXPECT_TRUE(contains(text, "inline constexpr sluice::PlanRow rows[] = {"));
  EXPECT_TRUE(contains(text, "inline constexpr sluice::PlanTable plans{rows};"));
  EXPECT_TRUE(contains(text, "{sluice::Isa::scalar, sluice::swiglu, {2048, 5632}, 256, 2,"));
  EXPECT_TRUE(contains(text, "{sluice::Isa::scalar, sluice::relu, {2048, 5632}, 1, 2,"));
  EXPECT_TRUE(contains(text, ".schedule = sluice::Schedule::split_"));
  EXPECT_TRUE(contains(text, profile.fingerprint));
  EXPECT_TRUE(contains(text, "Example CPU"));
  EXPECT_TRUE(contains(text, "Sluice " + profile.sluice_version));
}

TEST(ExportedHeader, DoesNotDependOnTheOrderOfTuning) {
  Profile profile = example_profile();
  const std::string text = header_text(profile);
  std::swap(profile.plans[0], profile.plans[1]);
  EXPECT_EQ(header_text(profile), text);
}

TEST(ExportedHeader, WithoutRowsHasAnEmptyTable) {
  Profile profile = example_profile();
  profile.plans.clear();
  const std::string text = header_text(profile);
  EXPECT_FALSE(contains(text, "rows[]"));
  EXPECT_TRUE(contains(text, "inline constexpr std::span<const sluice::PlanRow> rows{};"));
  EXPECT_TRUE(contains(text, "inline constexpr sluice::PlanTable plans{rows};"));
}

TEST(ExportedHeader, LetsNoNameOutOfItsComment) {
  Profile profile = example_profile();
  profile.machine.cpu = "evil\n#error \\";
  profile.sluice_version = "1\r\nint x;";
  const std::string text = header_text(profile);
  EXPECT_FALSE(contains(text, "\n#error"));
  EXPECT_FALSE(contains(text, "\nint x"));
  EXPECT_FALSE(contains(text, "\\"));
}

}  // namespace
}  // namespace sluice::tuner
