// The header exported from a profile, compiled: its rows are those of the profile.
#include <algorithm>

#include "sluice_profile.hpp"
#include "tests/tuner/support.hpp"

namespace sluice::tuner {
namespace {

TEST(CompiledHeader, HoldsTheRowsOfTheProfile) {
  const std::vector<PlanRow> rows = sorted_rows(load_profile(SLUICE_EXPORTED_PROFILE));
  const PlanTable table = sluice_profile::plans;
  ASSERT_GT(rows.size(), 10U);
  ASSERT_EQ(table.rows.size(), rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_TRUE(same_cell(table.rows[i], rows[i])) << i;
    EXPECT_EQ(table.rows[i].plan, rows[i].plan) << i;
  }
  const auto with = [&](WeightType type) {
    return std::count_if(rows.begin(), rows.end(), [&](const PlanRow& row) { return row.kind.weights == type; });
  };
  EXPECT_GT(with(WeightType::f32), 0);
  EXPECT_GT(with(WeightType::bf16), 0);
}

}  // namespace
}  // namespace sluice::tuner
