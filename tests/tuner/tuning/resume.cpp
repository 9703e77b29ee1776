// Tunings that were killed, cut short, damaged or interrupted anywhere: resumed, they end as if they had not been.
#include <gtest/gtest.h>

#include <random>

#include "tests/tuner/fake_backend.hpp"
#include "tuner/tuning/landscape.hpp"

namespace sluice::tuner {
namespace {

#ifdef SLUICE_BRIEF_TESTS
constexpr int cuts = 8;
#else
constexpr int cuts = 50;
#endif

constexpr std::string_view finished_record = R"({"record":"cell")";

TEST(Resume, WhereItEndedItMeasuresNothing) {
  const TemporaryDirectory directory;
  const Attempt whole = attempt(directory.path() / "j");
  const Attempt again = attempt(directory.path() / "j", 0);
  EXPECT_EQ(again.measurements, 0U);
  EXPECT_FALSE(again.report.interrupted);
  EXPECT_EQ(text_of(again.plans), text_of(whole.plans));
}

TEST(Resume, KilledAtRandomPointsAndResumedItEndsTheSame) {
  std::mt19937_64 random(5);
  for (const Rigor rigor : {Rigor::measure, Rigor::patient}) {
    const TemporaryDirectory directory;
    const auto never = ~std::uint64_t{0};
    const Attempt whole = attempt(directory.path() / "whole", never, rigor);
    const std::string journal = contents_of(directory.path() / "whole");
    for (int i = 0; i < cuts; ++i) {
      const auto path = directory.path() / std::to_string(i);
      std::uint64_t done = 0;
      for (int kills = 0;; ++kills) {
        const std::uint64_t kill_at = kills < 1 + (i % 5 == 0) ? random() % (whole.measurements / 2) : never;
        const Attempt part = attempt(path, kill_at, rigor);
        done += part.measurements;
        if (part.report.interrupted) continue;
        ASSERT_EQ(text_of(part.plans), text_of(whole.plans)) << i;
        break;
      }
      // Nothing was measured twice, and the journal is the same to the byte.
      ASSERT_EQ(done, whole.measurements) << i;
      ASSERT_EQ(contents_of(path), journal) << i;
    }
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

// Some cells of a group are recorded as finished, others only as measured. Their validations took turns, so the number
// of pairs of the latter depends on the former.
TEST(Resume, CutWhileItFinishesAGroupItEndsTheSame) {
  const TemporaryDirectory directory;
  const Attempt whole = attempt(directory.path() / "whole");
  const std::string journal = contents_of(directory.path() / "whole");
  std::size_t cuts_tried = 0;
  for (std::size_t cut = journal.find(finished_record); cut != std::string::npos;
       cut = journal.find(finished_record, cut + 1)) {
    const std::string part = journal.substr(0, cut);
    const auto path = directory.write("cut", part);
    const Attempt resumed = attempt(path);
    EXPECT_EQ(measured(parse_journal(part, "cut")) + resumed.measurements, whole.measurements) << cut;
    EXPECT_LE(resumed.verified, whole.verified) << cut;
    EXPECT_GT(resumed.verified, 0U) << cut;  // a plan that wins now is verified, though its pairs are old
    EXPECT_EQ(text_of(resumed.plans), text_of(whole.plans)) << cut;
    EXPECT_EQ(contents_of(path), journal) << cut;
    ++cuts_tried;
  }
  EXPECT_EQ(cuts_tried, 4U);
}

TEST(Resume, APlanThatIsWrongNowIsNotChosenForItsOldPairs) {
  const TemporaryDirectory directory;
  const Attempt whole = attempt(directory.path() / "whole");
  const std::string journal = contents_of(directory.path() / "whole");
  const auto path = directory.write("cut", journal.substr(0, journal.find(finished_record)));
  std::vector<ProfilePlan> plans;
  const TuneOptions options = example_options(plans);
  Journal resumed(path, header_of(options), Journal::Start::resume);
  FakeBackend backend(measured(resumed.contents()));
  backend.wrong = whole.plans.front().row.plan;
  expect_message(failure_of([&] { (void)tune(example_cells(), options, backend, &resumed); }),
                 exit_code::verification_failed, {"wrong"});
  for (const ProfilePlan& plan : plans) EXPECT_FALSE(plan.row.plan == backend.wrong);
}

TEST(Resume, DamageInTheMiddleCostsTheDamagedRecordsAlone) {
  const TemporaryDirectory directory;
  const Attempt whole = attempt(directory.path() / "whole");
  std::string journal = contents_of(directory.path() / "whole");
  // Without the end record and the finished cells, which would be taken over whatever they came from.
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
      FakeBackend backend;
      backend.interrupt_at = static_cast<std::uint64_t>(share * static_cast<double>(whole.measurements));
      EXPECT_TRUE(tune(example_cells(), options, backend, &journal).interrupted);
      EXPECT_EQ(backend.measurements, backend.interrupt_at);  // it ends after the current trial
      EXPECT_FALSE(journal.contents().ended);
    }
    EXPECT_LE(plans.size(), 4U);
    EXPECT_EQ(text_of(attempt(path).plans), text_of(whole.plans));
  }
}

// The journal is a landscape, although the finalists were timed more often than the other plans.
TEST(Resume, AnExhaustiveTuningGoesOnInItsFinal) {
  const TemporaryDirectory directory;
  const std::vector<Cell> cells{{swiglu, {64, 128}, 16, 1, {}}};
  const auto run = [&](const std::filesystem::path& path, std::uint64_t interrupt_at) {
    std::vector<ProfilePlan> plans;
    TuneOptions options = example_options(plans);
    options.isa = Isa::scalar;
    options.rigor = Rigor::exhaustive;
    options.budget_seconds.reset();
    JournalHeader header = header_of(options);
    header.cells = cells;
    Journal journal(path, header, Journal::Start::resume);
    FakeBackend backend(measured(journal.contents()));
    backend.interrupt_at = interrupt_at;
    (void)tune(cells, options, backend, &journal);
    return text_of(plans);
  };
  const std::string whole = run(directory.path() / "whole", ~std::uint64_t{0});
  const std::size_t trials = read_journal(directory.path() / "whole").trials.size();
  const std::vector<Landscape> found = load_landscapes(directory.path() / "whole");
  ASSERT_EQ(found.size(), 1U);
  const std::size_t rounds = effort(Rigor::exhaustive).rounds;
  EXPECT_EQ(found.front().rounds(), rounds);
  const std::size_t before_final = rounds * found.front().space()->size();
  ASSERT_GT(trials, before_final + 3);
  for (const std::size_t cut : {before_final - 1, before_final, (before_final + trials) / 2, trials - 1}) {
    const auto path = directory.path() / std::to_string(cut);
    (void)run(path, cut);
    EXPECT_EQ(read_journal(path).trials.size(), cut);
    EXPECT_EQ(run(path, ~std::uint64_t{0}), whole) << cut;
    EXPECT_EQ(contents_of(path), contents_of(directory.path() / "whole")) << cut;
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
    FakeBackend backend;
    backend.each = std::chrono::seconds(1);
    const TuneReport report = tune(example_cells(), options, backend, &journal);
    EXPECT_FALSE(report.untuned.empty());
    EXPECT_FALSE(journal.contents().ended);
  }
  options.budget_seconds = 1e6;
  plans.clear();
  Journal journal(path, header_of(options), Journal::Start::resume);
  FakeBackend backend;
  EXPECT_TRUE(tune(example_cells(), options, backend, &journal).untuned.empty());
  EXPECT_TRUE(journal.contents().ended);
  EXPECT_EQ(plans.size(), 4U);
}

}  // namespace
}  // namespace sluice::tuner
