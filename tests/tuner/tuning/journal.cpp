// The journal: what was written is read back, and damage costs the damaged lines and no others.
#include "tuner/tuning/journal.hpp"

#include <gtest/gtest.h>

#include <array>

#include "tests/tuner/support.hpp"
#include "tuner/tuning/journal_record.hpp"

namespace sluice::tuner {
namespace {

Cell example_cell() { return {swiglu, {2048, 5632}, 9, 2, {}}; }

JournalHeader example_header() {
  JournalHeader header;
  header.fingerprint = "0123456789abcdef";
  header.sluice_version = "0.1.0";
  header.command = {"sluice", "tune", "--profile", "a file\nof two lines.json"};
  header.cells = {example_cell(), {relu, {768, 3072}, 1, 1, {}}};
  header.seed = 7;
  header.rigor = "measure";
  header.strategy = "axes";
  header.budget_seconds = 120.5;
  header.kept_widths = {{{2048, 5632}, swiglu, 8}};
  header.caches.prefetch_streams = true;
  return header;
}

Trial example_trial(std::uint32_t round) {
  Trial trial{example_row(swiglu, 9), 5632, 1234.5678901234567, 0.91, round % 2 == 1, round, 1'000'000 + round};
  trial.row.shape.d_ff = 768;
  trial.row.plan.tiling.kc = 64 + round;
  return trial;
}

Pair example_pair() {
  return {PairPurpose::validation,
          example_row(swiglu, 9),
          example_row(swiglu, 16).plan,
          5632,
          {100, 0.5},
          {101.5, 0.49},
          true,
          3,
          42};
}

FinishedCell example_finished() {
  ProfilePlan plan{example_row(swiglu, 16), Measured{0.97, 0.96, 0.98, Verdict::faster, 12, 14, 0.91, 0.1}};
  return {example_cell(), plan, Verdict::tied, 99};
}

std::vector<std::string> example_lines() {
  return {record_line(example_header(), 0),
          record_line(example_trial(0), 1),
          record_line(example_trial(1), 2),
          record_line(example_pair(), 3),
          record_line(example_finished(), 4),
          record_line(example_trial(2), 5),
          end_line(6)};
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line;
  return text;
}

std::size_t records(const JournalContents& contents) {
  return (contents.header ? 1U : 0U) + contents.trials.size() + contents.pairs.size() + contents.finished.size() +
         (contents.ended ? 1U : 0U);
}

TEST(Journal, GivesBackWhatWasWritten) {
  const JournalContents contents = parse_journal(joined(example_lines()), "j");
  EXPECT_EQ(contents.damaged, 0U);
  EXPECT_TRUE(contents.ended);
  EXPECT_EQ(contents.next_number, 7U);
  ASSERT_TRUE(contents.header);
  EXPECT_TRUE(differences(*contents.header, example_header()).empty());
  EXPECT_EQ(contents.header->command, example_header().command);
  EXPECT_EQ(contents.header->budget_seconds, 120.5);
  EXPECT_EQ(contents.header->caches.l2, CacheSizes{}.l2);
  EXPECT_TRUE(contents.header->caches.prefetch_streams);
  ASSERT_EQ(contents.header->kept_widths.size(), 1U);
  EXPECT_EQ(contents.header->kept_widths[0].nr, 8U);
  ASSERT_EQ(contents.trials.size(), 3U);
  for (std::uint32_t i = 0; i < 3; ++i) {
    const Trial& trial = contents.trials[i];
    const Trial expected = example_trial(i);
    EXPECT_EQ(trial.row.plan, expected.row.plan);
    EXPECT_EQ(trial.row.shape, expected.row.shape);
    EXPECT_EQ(trial.row.m, 9U);  // not its bucket
    EXPECT_EQ(trial.d_ff, expected.d_ff);
    EXPECT_EQ(trial.cost_ns, expected.cost_ns);  // every bit of it
    EXPECT_EQ(trial.contended, expected.contended);
    EXPECT_EQ(trial.round, i);
    EXPECT_EQ(trial.took_ns, expected.took_ns);
  }
  ASSERT_EQ(contents.pairs.size(), 1U);
  EXPECT_EQ(contents.pairs[0].purpose, PairPurpose::validation);
  EXPECT_EQ(contents.pairs[0].b, example_pair().b);
  EXPECT_EQ(contents.pairs[0].sample_b.cost_ns, 101.5);
  ASSERT_EQ(contents.finished.size(), 1U);
  EXPECT_EQ(contents.finished[0].plan.measured, example_finished().plan.measured);
  EXPECT_EQ(contents.finished[0].self_check, Verdict::tied);
  EXPECT_EQ(contents.finished[0].plan.row.m, 16U);
}

TEST(Journal, CutAtEveryByteKeepsEveryWholeRecord) {
  const std::vector<std::string> lines = example_lines();
  const std::string text = joined(lines);
  std::size_t whole = 0;
  std::size_t end = lines[0].size();
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    if (cut == end) {
      ++whole;
      if (whole < lines.size()) end += lines[whole].size();
    }
    const JournalContents contents = parse_journal(std::string_view(text).substr(0, cut), "j");
    ASSERT_EQ(records(contents), whole) << "cut at " << cut;
    ASSERT_LE(contents.damaged, 1U);
  }
}

TEST(Journal, AnyAlteredByteCostsItsRecordAlone) {
  const std::vector<std::string> lines = example_lines();
  const std::string text = joined(lines);
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (const char byte : {'\0', ' ', '"', '7', '\n', static_cast<char>(text[i] ^ 1)}) {
      if (byte == text[i]) continue;
      std::string damaged = text;
      damaged[i] = byte;
      const JournalContents contents = parse_journal(damaged, "j");
      // A lost line break joins two records, and both are lost.
      ASSERT_EQ(records(contents), lines.size() - (text[i] == '\n' && i + 1 != text.size() ? 2 : 1)) << i;
      ASSERT_GE(contents.damaged, 1U);
    }
  }
}

TEST(Journal, LinesThatAreRepeatedOrOutOfOrderDoNotCount) {
  std::vector<std::string> lines = example_lines();
  lines.insert(lines.begin() + 3, lines[1]);
  lines.insert(lines.begin() + 5, lines[0]);
  const JournalContents contents = parse_journal(joined(lines), "j");
  EXPECT_EQ(contents.damaged, 2U);
  EXPECT_EQ(records(contents), 7U);
}

TEST(Journal, ResumesQuarantinesOnceAndAppends) {
  const TemporaryDirectory directory;
  std::vector<std::string> lines = example_lines();
  lines[2][20] ^= 1;
  const auto path = directory.write("j", joined(lines) + "torn");
  {
    Journal journal(path, example_header(), Journal::Start::resume);
    EXPECT_EQ(journal.contents().trials.size(), 2U);
    ASSERT_EQ(journal.notes().size(), 1U);
    EXPECT_NE(journal.notes()[0].find("2 damaged lines"), std::string::npos) << journal.notes()[0];
    EXPECT_EQ(contents_of(directory.path() / "j.damaged"), lines[2] + "torn");
    journal.append(example_trial(8));
  }
  const Journal again(path, example_header(), Journal::Start::resume);
  EXPECT_TRUE(again.notes().empty());
  EXPECT_EQ(again.contents().damaged, 0U);
  EXPECT_EQ(again.contents().trials.size(), 3U);
  EXPECT_FALSE(again.contents().ended);
}

TEST(Journal, ATornHeaderIsBegunAnew) {
  const std::string header = record_line(example_header(), 0);
  for (const std::size_t cut : std::array<std::size_t, 4>{0, 1, 30, header.size() - 1}) {
    const TemporaryDirectory directory;
    const auto path = directory.write("j", header.substr(0, cut));
    { const Journal journal(path, example_header(), Journal::Start::resume); }
    EXPECT_EQ(contents_of(path), header) << cut;
  }
}

TEST(Journal, AfreshMovesAsideAndNeverReplaces) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "j";
  for (int i = 0; i < 3; ++i) {
    JournalHeader header = example_header();
    header.seed = static_cast<std::uint64_t>(i);
    Journal journal(path, header, Journal::Start::afresh);
    EXPECT_EQ(journal.notes().size(), i == 0 ? 0U : 1U);
  }
  EXPECT_EQ(read_journal(directory.path() / "j.old").header->seed, 0U);
  EXPECT_EQ(read_journal(directory.path() / "j.old.2").header->seed, 1U);
  EXPECT_EQ(read_journal(path).header->seed, 2U);
}

TEST(Journal, RefusesWhatIsNotItsOwnAndTouchesNothing) {
  const TemporaryDirectory directory;
  const auto refused = [&](const std::string& contents, Journal::Start start,
                           std::initializer_list<std::string_view> parts) {
    const auto path = directory.write("j", contents);
    expect_message(failure_of([&] { const Journal journal(path, example_header(), start); }), exit_code::file, parts);
    EXPECT_EQ(contents_of(path), contents);
    EXPECT_EQ(directory.files(), 1);
  };
  for (const Journal::Start start : {Journal::Start::afresh, Journal::Start::resume}) {
    refused("my diary\n", start, {"not a journal"});
    refused("{}", start, {"not a journal"});
  }
  JournalHeader other = example_header();
  other.fingerprint = "fedcba9876543210";
  other.seed = 8;
  other.cells.pop_back();
  refused(record_line(other, 0), Journal::Start::resume, {"fedcba9876543210", "seed (8, here 7)", "cells (1"});
  std::vector<std::string> lines = example_lines();
  lines[0][40] ^= 1;
  refused(joined(lines), Journal::Start::resume, {"first record is damaged"});
  // The header of a later version, with a sound checksum.
  Json newer = *read_line(std::string_view(lines[0] = example_lines()[0]).substr(0, lines[0].size() - 1));
  ASSERT_EQ(newer["schema_version"], journal_version);
  const std::string unsealed = lines[0].substr(0, lines[0].rfind(",\"fnv1a\""));
  const auto at = unsealed.find("\"schema_version\":1");
  std::string changed = unsealed;
  changed[at + 17] = '2';
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char byte : changed) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  std::array<char, 17> digits{};
  std::snprintf(digits.data(), digits.size(), "%016llx", static_cast<unsigned long long>(hash));
  const std::string sealed = changed + R"(,"fnv1a":")" + digits.data() + "\"}\n";
  for (const Journal::Start start : {Journal::Start::afresh, Journal::Start::resume})
    refused(sealed, start, {"schema_version", "newer"});
}

TEST(Journal, HasOneWriter) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "j";
  const Journal first(path, example_header(), Journal::Start::afresh);
  expect_message(failure_of([&] { const Journal second(path, example_header(), Journal::Start::resume); }),
                 exit_code::file, {"another sluice"});
}

TEST(Journal, ReadingAMissingFileIsAFailureAndAForeignOneHasNoRecords) {
  const TemporaryDirectory directory;
  EXPECT_EQ(failure_of([&] { (void)read_journal(directory.path() / "none"); }).exit_code, exit_code::file);
  const auto path = directory.write("j", "text\n");
  EXPECT_FALSE(read_journal(path).header);
  EXPECT_EQ(read_journal(path).damaged, 1U);
}

}  // namespace
}  // namespace sluice::tuner
