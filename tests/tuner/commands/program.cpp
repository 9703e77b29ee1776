// The table of verbs: dispatch, and a Failure as one line and an exit code.
#include "tuner/commands/program.hpp"

#include <array>
#include <new>

#include "tests/tuner/support.hpp"
#include "tuner/base/version.hpp"

namespace sluice::tuner {
namespace {

int count_arguments(int argc, char**) { return 10 + argc; }
int fail(int, char**) { throw Failure(exit_code::unsupported, "two\nlines"); }
int exhaust_memory(int, char**) { throw std::bad_alloc(); }
int break_down(int, char**) { throw std::runtime_error("broken"); }

constexpr std::array verbs{Verb{"count", "counts", count_arguments}, Verb{"fail", "fails", fail},
                           Verb{"memory", "exhausts", exhaust_memory}, Verb{"break", "breaks", break_down}};

struct Outcome {
  int code;
  std::string out, err;
};

Outcome run(std::vector<std::string> words) {
  words.insert(words.begin(), "program");
  std::vector<char*> arguments;
  arguments.reserve(words.size());
  for (std::string& word : words) arguments.push_back(word.data());
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  const int code = run_program("sluice-test", verbs, static_cast<int>(arguments.size()), arguments.data());
  return {code, ::testing::internal::GetCapturedStdout(), ::testing::internal::GetCapturedStderr()};
}

TEST(Program, CallsTheVerbWithItsNameFirst) {
  EXPECT_EQ(run({"count"}).code, 11);
  EXPECT_EQ(run({"count", "--help", "x"}).code, 13);
}

TEST(Program, SaysAFailureInOneLine) {
  const Outcome outcome = run({"fail"});
  EXPECT_EQ(outcome.code, exit_code::unsupported);
  EXPECT_EQ(outcome.err, "sluice fail: two lines\n");
  EXPECT_EQ(outcome.out, "");
}

TEST(Program, SurvivesWhatAVerbDidNotExpect) {
  EXPECT_EQ(run({"memory"}).code, exit_code::unsupported);
  EXPECT_NE(run({"memory"}).err.find("sluice memory: out of memory"), std::string::npos);
  EXPECT_NE(run({"break"}).err.find("sluice break: unexpected error: broken"), std::string::npos);
}

TEST(Program, RefusesAVerbItDoesNotKnow) {
  const Outcome outcome = run({"cuont"});
  EXPECT_EQ(outcome.code, exit_code::usage);
  EXPECT_EQ(outcome.err, "sluice: cuont: not a verb; did you mean count? Known: count, fail, memory, break\n");
  EXPECT_EQ(run({}).code, exit_code::usage);
  EXPECT_EQ(run({""}).code, exit_code::usage);
}

TEST(Program, HelpsOnStandardOutput) {
  const Outcome help = run({"--help"});
  EXPECT_EQ(help.code, exit_code::ok);
  EXPECT_NE(help.out.find("count    counts\n"), std::string::npos);
  EXPECT_EQ(help.err, "");
  EXPECT_EQ(run({"--version"}).out, "sluice " + std::string(version) + "\n");
}

TEST(CommandWords, AreWhatTheUserTyped) {
  std::string verb = "tune", option = "--m";
  std::array<char*, 2> arguments{verb.data(), option.data()};
  EXPECT_EQ(command_words(2, arguments.data()), (std::vector<std::string>{"sluice", "tune", "--m"}));
}

}  // namespace
}  // namespace sluice::tuner
