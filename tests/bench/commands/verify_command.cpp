// `sluice verify` with right kernels and with wrong ones: the exit code 1 and its line.
#include "bench/commands/verify_command.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "tuner/commands/program.hpp"

namespace sluice::bench {
namespace {

// Packs the weights with one element of the last bias changed, which each row shows.
Result<Ffn> pack_wrong(Shape shape, Kind kind, const Weights& weights, const PackOptions& options) {
  std::vector<float> bias(shape.d_model);
  if (weights.down_bias != nullptr) std::copy_n(weights.down_bias, shape.d_model, bias.begin());
  bias.back() += 1;
  Weights wrong = weights;
  wrong.down_bias = bias.data();
  return Ffn::pack(shape, kind, wrong, options);
}

int verify_wrong(int argc, char** argv) { return verify_with(argc, argv, pack_wrong); }

int run(int (*verb)(int, char**), std::vector<std::string> words, std::string& output, std::string& errors) {
  const std::array verbs{tuner::Verb{"verify", "", verb}};
  words.insert(words.begin(), {"sluice-bench", "verify"});
  std::vector<char*> arguments;
  arguments.reserve(words.size());
  for (std::string& word : words) arguments.push_back(word.data());
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const int code = tuner::run_program("sluice-bench", verbs, static_cast<int>(arguments.size()), arguments.data());
  output = testing::internal::GetCapturedStdout();
  errors = testing::internal::GetCapturedStderr();
  return code;
}

TEST(Verify, RightKernelsPass) {
  std::string output;
  std::string errors;
  EXPECT_EQ(run(verify_command, {"--kind", "swiglu"}, output, errors), 0) << errors;
  EXPECT_EQ(errors, "");
  for (const Isa isa : runnable_isas())
    EXPECT_NE(output.find(std::string(name(isa)) + "/swiglu"), std::string::npos) << output;
  EXPECT_NE(output.find("worst error / bound"), std::string::npos);
  EXPECT_EQ(output.find("FAILED"), std::string::npos);
}

TEST(Verify, WrongKernelsExitWithOne) {
  std::string output;
  std::string errors;
  EXPECT_EQ(run(verify_wrong, {"--kind", "swiglu,relu", "--isa", "scalar"}, output, errors), 1);
  EXPECT_NE(errors.find("2 of 2 kernels failed"), std::string::npos) << errors;
  EXPECT_EQ(std::count(errors.begin(), errors.end(), '\n'), 1);
  EXPECT_NE(output.find("FAILED"), std::string::npos);
}

TEST(Verify, JsonSaysWhatFailed) {
  std::string output;
  std::string errors;
  EXPECT_EQ(run(verify_wrong, {"--kind", "glu", "--isa", "scalar", "--json"}, output, errors), 1);
  EXPECT_NE(output.find("\"passed\": false"), std::string::npos) << output;
  EXPECT_NE(output.find("\"failure\": "), std::string::npos);
}

// The first case after `--case ` in the output.
std::string first_case(const std::string& output) {
  const std::string command = "sluice verify --case ";
  const std::size_t begin = output.find(command);
  if (begin == std::string::npos) return "";
  return output.substr(begin + command.size(), output.find('\n', begin) - begin - command.size());
}

TEST(VerifyRandom, RightKernelsPassAndTheSeedChoosesTheCases) {
  std::string first;
  std::string again;
  std::string other;
  std::string errors;
  const std::vector<std::string> words{"--random", "3", "--weights", "f32,int8:64", "--arithmetic", "f32,int16"};
  EXPECT_EQ(run(verify_command, words, first, errors), 0) << errors;
  EXPECT_EQ(errors, "");
  EXPECT_EQ(std::count(first.begin(), first.end(), '\n'), static_cast<std::ptrdiff_t>(3 * runnable_isas().size()))
      << first;
  EXPECT_EQ(run(verify_command, words, again, errors), 0);
  EXPECT_EQ(first, again);
  std::vector<std::string> seeded = words;
  seeded.insert(seeded.end(), {"--seed", "2"});
  EXPECT_EQ(run(verify_command, seeded, other, errors), 0);
  EXPECT_NE(first, other);
}

// Each failure is a line whose command repeats it.
TEST(VerifyRandom, AFailureIsRepeatedByItsLine) {
  std::string output;
  std::string errors;
  EXPECT_EQ(run(verify_wrong, {"--random", "20", "--weights", "f32", "--isa", "scalar"}, output, errors), 1);
  EXPECT_NE(errors.find("of 20 random cases failed"), std::string::npos) << errors;
  EXPECT_EQ(std::count(errors.begin(), errors.end(), '\n'), 1);
  const std::string one = first_case(output);
  ASSERT_NE(one, "") << output;
  std::string repeated;
  EXPECT_EQ(run(verify_wrong, {"--case", one}, repeated, errors), 1);
  EXPECT_NE(errors.find("1 of 1 random cases failed"), std::string::npos) << errors;
  EXPECT_EQ(first_case(repeated), one);
  const std::size_t begin = output.find("\n  ") + 1;
  EXPECT_NE(repeated.find(output.substr(begin, output.find('\n', begin) - begin)), std::string::npos) << repeated;
  EXPECT_EQ(run(verify_command, {"--case", one, "--json"}, repeated, errors), 0) << errors;
  EXPECT_NE(repeated.find("\"passed\": true"), std::string::npos) << repeated;
}

}  // namespace
}  // namespace sluice::bench
