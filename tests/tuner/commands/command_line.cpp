// The shared selectors: what each means, and each way to get one wrong.
#include "tuner/commands/command_line.hpp"

#include <cstdlib>
#include <set>

#include "tests/tuner/support.hpp"
#include "tuner/base/spelling.hpp"

namespace sluice::tuner {
namespace {

class CommandLine : public ::testing::Test {
 protected:
  void SetUp() override { ::unsetenv("SLUICE_ISA"); }

  static Selection select(std::vector<std::string> words, const Machine& machine = example_machine()) {
    CLI::App app("test", "sluice test");
    RawSelection raw;
    raw.default_kinds = {swiglu, relu};
    add_selectors(app, raw);
    words.insert(words.begin(), "test");
    std::vector<char*> arguments;
    arguments.reserve(words.size());
    for (std::string& word : words) arguments.push_back(word.data());
    EXPECT_EQ(parse(app, static_cast<int>(arguments.size()), arguments.data()), std::nullopt);
    return resolve(raw, machine);
  }

  static void expect_refusal(std::vector<std::string> words, std::initializer_list<std::string_view> parts,
                             int code = exit_code::usage) {
    expect_message(failure_of([&] { (void)select(words); }), code, parts);
  }
};

TEST_F(CommandLine, HasDefaults) {
  const Selection selection = select({});
  ASSERT_EQ(selection.workloads.size(), 2U);
  EXPECT_EQ(selection.workloads[0].name, "tinyllama");
  EXPECT_EQ(selection.workloads[1].name, "t5-base");
  EXPECT_EQ(selection.kinds, (std::vector<Kind>{swiglu, relu}));
  EXPECT_EQ(selection.m, (std::vector<std::size_t>{1, 8, 64, 256}));
  EXPECT_EQ(selection.threads, (std::vector<std::uint32_t>{1, 4}));
  EXPECT_EQ(selection.isa, std::nullopt);
  EXPECT_EQ(selection.profile, "out/profile.json");
  EXPECT_FALSE(selection.profile_given);
  EXPECT_FALSE(selection.json);
  EXPECT_EQ(selection.out, std::nullopt);
}

TEST_F(CommandLine, TakesListsByCommasAndByRepetitionInTheirOrder) {
  const Selection selection =
      select({"--model", "gpt2,llama2-7b", "--model=gpt2", "--kind", "geglu", "--kind=relu,geglu", "--m", "64,1", "--m",
              "64", "--threads", "all,2,4", "--isa", "scalar", "--profile", "p.json", "--json", "--out", "o.json"});
  ASSERT_EQ(selection.workloads.size(), 2U);
  EXPECT_EQ(selection.workloads[0].name, "gpt2");
  EXPECT_EQ(selection.workloads[1].name, "llama2-7b");
  EXPECT_EQ(selection.kinds, (std::vector<Kind>{geglu, relu}));
  EXPECT_EQ(selection.m, (std::vector<std::size_t>{64, 1}));
  EXPECT_EQ(selection.threads, (std::vector<std::uint32_t>{4, 2}));
  EXPECT_EQ(selection.isa, Isa::scalar);
  EXPECT_EQ(selection.profile, "p.json");
  EXPECT_TRUE(selection.profile_given);
  EXPECT_TRUE(selection.json);
  EXPECT_EQ(selection.out, "o.json");
}

TEST_F(CommandLine, TakesSizesInsteadOfAModel) {
  const Selection selection = select({"--d-model", "17", "--d-ff", "31", "--kind", "relu"});
  ASSERT_EQ(selection.workloads.size(), 1U);
  EXPECT_EQ(selection.workloads[0], (Workload{"", 17, 31, 31}));
}

TEST_F(CommandLine, CollapsesThreadsOnOneThread) {
  Machine machine = example_machine();
  machine.available_threads = 1;
  EXPECT_EQ(select({}, machine).threads, (std::vector<std::uint32_t>{1}));
}

TEST_F(CommandLine, RefusesNamesItDoesNotKnow) {
  expect_refusal({"--model", "llama2"}, {"--model llama2", "did you mean llama2-7b?", "t5-base", "palm-8b"});
  expect_refusal({"--model", "zzz"}, {"--model zzz", "known: t5-base"});
  expect_refusal({"--kind", "swiglo"}, {"--kind swiglo", "did you mean swiglu?", "geglu_tanh"});
  expect_refusal({"--kind", "relu,SWIGLU"}, {"--kind SWIGLU", "did you mean swiglu?"});
  expect_refusal({"--isa", "avx"}, {"--isa avx", "did you mean avx2?", "scalar"});
  expect_refusal({"--isa", ""}, {"--isa", "known"});
  expect_refusal({"--modle", "x"}, {"--modle", "did you mean --model?"});
  expect_refusal({"--kind=relu", "tinyllama"}, {"tinyllama", "unexpected"});
}

TEST_F(CommandLine, RefusesAModelTogetherWithSizesAndHalfASize) {
  expect_refusal({"--model", "gpt2", "--d-model", "8", "--d-ff", "8"}, {"--model gpt2", "--d-model"});
  expect_refusal({"--model", "gpt2", "--d-ff", "8"}, {"--model gpt2", "--d-ff"});
  expect_refusal({"--d-model", "8"}, {"--d-model 8", "--d-ff"});
  expect_refusal({"--d-ff", "8"}, {"--d-ff 8", "--d-model"});
}

TEST_F(CommandLine, RefusesNumbersThatAreNone) {
  for (const std::string word : {"0", "-1", "x", "1.5", "1e3", "0x10", " 1", "+1", "99999999999999999999999"}) {
    expect_refusal({"--m", word}, {"--m " + word, "whole number"});
    expect_refusal({"--threads", word}, {"--threads " + word, "whole number", "all"});
    expect_refusal({"--d-model", word, "--d-ff", "8"}, {"--d-model " + word, "whole number"});
    expect_refusal({"--d-model", "8", "--d-ff", word}, {"--d-ff " + word, "whole number"});
  }
  expect_refusal({"--m", "2147483649"}, {"--m 2147483649", "2147483648"});
  for (const std::string word : {"", ",", "1,,2", "1,", ",1"}) expect_refusal({"--m", word}, {"--m", "empty entry"});
}

TEST_F(CommandLine, RefusesMoreThreadsThanThereAre) {
  expect_refusal({"--threads", "5"}, {"--threads 5", "4"});
  EXPECT_EQ(select({"--threads", "4"}).threads, (std::vector<std::uint32_t>{4}));
}

TEST_F(CommandLine, RefusesSizesThatOverflowOrExceedMemory) {
  expect_refusal({"--d-model", "18446744073709551615", "--d-ff", "2"}, {"overflows"});
  expect_refusal({"--d-model", "4294967296", "--d-ff", "4294967296"}, {"d_model 4294967296", "overflows"});
  expect_refusal({"--d-model", "1", "--d-ff", "6148914691236517205"}, {"overflows"});
  expect_refusal({"--d-model", "65536", "--d-ff", "65536", "--kind", "relu"}, {"relu", "needs 32.", "8.0 GiB"});
  expect_refusal({"--d-model", "1048576", "--d-ff", "1", "--m", "2147483648"}, {"M 2147483648", "GiB"});
  Machine machine = example_machine();
  machine.available_memory = 1 << 20U;
  expect_message(failure_of([&] { (void)select({"--model", "gpt2"}, machine); }), exit_code::usage, {"0.0 GiB"});
  machine.available_memory = machine.memory_bytes = std::nullopt;
  EXPECT_EQ(select({"--d-model", "65536", "--d-ff", "65536"}, machine).workloads[0].d_model, 65536U);
}

TEST_F(CommandLine, RefusesAnIsaThatCannotRunWithAnotherCode) {
  expect_refusal({"--isa", "neon"}, {"--isa neon", "cannot run", "scalar"}, exit_code::unsupported);
  ::setenv("SLUICE_ISA", "neon", 1);
  expect_refusal({}, {"SLUICE_ISA=neon", "cannot run"}, exit_code::unsupported);
  EXPECT_EQ(select({"--isa", "scalar"}).isa, Isa::scalar);
  ::setenv("SLUICE_ISA", "mmx", 1);
  expect_refusal({}, {"SLUICE_ISA=mmx", "unknown"});
  ::setenv("SLUICE_ISA", "scalar", 1);
  EXPECT_EQ(select({}).isa, Isa::scalar);
  ::setenv("SLUICE_ISA", "", 1);
  EXPECT_EQ(select({}).isa, std::nullopt);
  ::unsetenv("SLUICE_ISA");
}

TEST_F(CommandLine, RefusesOptionsWithoutTheirValueAndTwice) {
  expect_refusal({"--m"}, {"--m", "sluice test --help"});
  expect_refusal({"--isa", "scalar", "--isa", "scalar"}, {"--isa"});
  expect_refusal({"--json=3"}, {"json"});
  expect_refusal({"--out", ""}, {"--out", "file name"});
  expect_refusal({"--profile", ""}, {"--profile", "file name"});
}

TEST(RawSelection, KnowsWhetherAnythingWasSelected) {
  RawSelection raw;
  raw.json = true;
  raw.out = "x";
  EXPECT_FALSE(raw.selects());
  raw.d_ff = "8";
  EXPECT_TRUE(raw.selects());
}

TEST(SelectorHelp, ListsEveryName) {
  const std::string text = selector_help("sluice test --m 1");
  for (const Workload& workload : workloads()) EXPECT_NE(text.find(workload.name), std::string::npos);
  for (const NamedKind& kind : kinds()) EXPECT_NE(text.find(kind.name), std::string::npos);
  EXPECT_NE(text.find("sluice test --m 1"), std::string::npos);
}

TEST(Workloads, AreNamedOnceAndFound) {
  std::set<std::string_view> names;
  for (const Workload& workload : workloads()) {
    EXPECT_TRUE(names.insert(workload.name).second);
    ASSERT_NE(find_workload(workload.name), nullptr);
    EXPECT_EQ(*find_workload(workload.name), workload);
  }
  EXPECT_EQ(find_workload("none"), nullptr);
  EXPECT_EQ(find_workload(""), nullptr);
}

TEST(Workloads, HaveASizeForEachKind) {
  const Workload& t5 = *find_workload("t5-base");
  EXPECT_EQ(shape(t5, swiglu), (Shape{768, 2048}));
  EXPECT_EQ(shape(t5, relu), (Shape{768, 3072}));
  EXPECT_EQ(flops(geglu, shape(t5, geglu), 1), flops(relu, shape(t5, relu), 1));
  EXPECT_EQ(shape(*find_workload("llama2-7b"), swiglu), (Shape{4096, 11008}));
}

TEST(Spelling, SuggestsWhatIsNearAndNothingElse) {
  const std::vector<std::string_view> names{"info", "tune", "export"};
  EXPECT_EQ(nearest("inof", names), "info");
  EXPECT_EQ(nearest("TUNE", names), "tune");
  EXPECT_EQ(nearest("expotr", names), "export");
  EXPECT_EQ(nearest("exp", names), "export");
  EXPECT_EQ(nearest("zzzzzz", names), "");
  EXPECT_EQ(nearest("", names), "");
  EXPECT_EQ(nearest(std::string(100000, 'x'), names), "");
}

}  // namespace
}  // namespace sluice::tuner
