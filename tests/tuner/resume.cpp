// Tunings that were killed, cut short, damaged or interrupted anywhere: resumed, they end as if they had not been.
#include <gtest/gtest.h>

#include <random>

#include "tests/tuner/fake_rig.hpp"

namespace sluice::tuner {
namespace {

#ifdef SLUICE_BRIEF_TESTS
constexpr int cuts = 8;
#else
constexpr int cuts = 50;
#endif

TEST(Resume, WhereItEndedItMeasuresNothing) {
  const TemporaryDirectory directory;
  const Attempt whole = attempt(directory.path() / "j");
  const Attempt again = attempt(directory.path() / "j", 0);
  EXPECT_EQ(again.measurements, 0U);
  EXPECT_FALSE(again.report.interrupted);
  EXPECT_EQ(text_of(again.plans), text_of(whole.plans));
}

TEST(Resume, KilledAtRandomPointsAndResumedItEndsTheSame) {
  const TemporaryDirectory directory;
  const Attempt whole = attempt(directory.path() / "whole");
  const std::string journal = contents_of(directory.path() / "whole");
  std::mt19937_64 random(5);
  for (int i = 0; i < cuts; ++i) {
    const auto path = directory.path() / std::to_string(i);
    std::uint64_t done = 0;
    for (int kills = 0;; ++kills) {
      const Attempt part =
          attempt(path, kills < 1 + (i % 5 == 0) ? random() % (whole.measurements / 2) : ~std::uint64_t{0});
      done += part.measurements;
      if (part.report.interrupted) continue;
      ASSERT_EQ(text_of(part.plans), text_of(whole.plans)) << i;
      break;
    }
    // Nothing was measured twice, and the journal tells the same story to the byte.
    ASSERT_EQ(done, whole.measurements) << i;
    ASSERT_EQ(contents_of(path), journal) << i;
  }
}

TEST(Resume, CutAnywhereInItsJournalItEndsTheSame) {
  const TemporaryDirectory directory;
  const Attempt whole = attempt(directory.path() / "whole");
  const std::string journal = contents_of(directory.path() / "whole");
  std::mt19937_64 random(6);
  for (int i = 0; i < cuts; ++i) {
    const std::string part = journal.substr(0, random() % journal.size());
    const auto path = directory.write("cut", part);
    const JournalContents kept = parse_journal(part, "cut");
    const Attempt resumed = attempt(path);
    ASSERT_EQ(text_of(resumed.plans), text_of(whole.plans)) << part.size();
    ASSERT_EQ(measured(kept) + resumed.measurements, whole.measurements) << part.size();
    ASSERT_EQ(contents_of(path), journal) << part.size();
  }
}

TEST(Resume, DamageInTheMiddleCostsTheDamagedRecordsAlone) {
  const TemporaryDirectory directory;
  const Attempt whole = attempt(directory.path() / "whole");
  std::string journal = contents_of(directory.path() / "whole");
  // All but the end record and the finished cells: these would be taken over, whatever they came from.
  std::string kept;
  std::size_t removed = 0;
  std::size_t lines = 0;
  for (std::size_t begin = 0; begin < journal.size();) {
    const std::size_t end = journal.find('\n', begin) + 1;
    std::string line = journal.substr(begin, end - begin);
    begin = end;
    const bool trial = line.starts_with(R"({"record":"trial")");
    if (!trial && !line.starts_with(R"({"record":"pair")") && !line.starts_with(R"({"record":"header")")) continue;
    if (trial && ++lines % 10 == 0) {
      line[line.size() / 2] ^= 1;
      ++removed;
    }
    kept += line;
  }
  const auto path = directory.write("damaged", kept);
  const Attempt resumed = attempt(path);
  EXPECT_GE(resumed.measurements, removed);
  EXPECT_LT(resumed.measurements, whole.measurements);
  EXPECT_EQ(resumed.plans.size(), 4U);
  EXPECT_TRUE(std::filesystem::exists(directory.path() / "damaged.damaged"));
}

TEST(Resume, InterruptedATuningKeepsWhatItHasAndGoesOn) {
  const TemporaryDirectory directory;
  const Attempt whole = attempt(directory.path() / "whole");
  for (const double share : {0.1, 0.4, 0.6, 0.95}) {
    const auto path = directory.path() / std::to_string(share);
    std::vector<ProfilePlan> plans;
    const TuneOptions options = example_options(plans);
    {
      Journal journal(path, header_of(options), Journal::Start::resume);
      FakeRig rig;
      rig.interrupt_at = static_cast<std::uint64_t>(share * static_cast<double>(whole.measurements));
      EXPECT_TRUE(tune(example_cells(), options, rig, &journal).interrupted);
      EXPECT_EQ(rig.measurements, rig.interrupt_at);  // the trial it was at, and no other
      EXPECT_FALSE(journal.contents().ended);
    }
    EXPECT_LE(plans.size(), 4U);
    EXPECT_EQ(text_of(attempt(path).plans), text_of(whole.plans));
  }
}

TEST(Resume, NoTimeLeftIsToldAndTheRestCanFollow) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "j";
  std::vector<ProfilePlan> plans;
  TuneOptions options = example_options(plans);
  options.budget_seconds = 3;
  {
    Journal journal(path, header_of(options), Journal::Start::resume);
    FakeRig rig;
    rig.each = std::chrono::seconds(1);
    const TuneReport report = tune(example_cells(), options, rig, &journal);
    EXPECT_FALSE(report.untuned.empty());
    EXPECT_FALSE(journal.contents().ended);
  }
  options.budget_seconds = 1e6;
  plans.clear();
  Journal journal(path, header_of(options), Journal::Start::resume);
  FakeRig rig;
  EXPECT_TRUE(tune(example_cells(), options, rig, &journal).untuned.empty());
  EXPECT_TRUE(journal.contents().ended);
  EXPECT_EQ(plans.size(), 4U);
}

}  // namespace
}  // namespace sluice::tuner
