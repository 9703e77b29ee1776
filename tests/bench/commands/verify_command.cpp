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

// Packs the weights with one element of down changed: any use of it shows.
Result<Ffn> pack_wrong(Shape shape, Kind kind, const Weights& weights, const PackOptions& options) {
  const std::size_t lines = weights.down.order == Order::in_out ? shape.d_ff : shape.d_model;
  const std::size_t width = weights.down.order == Order::in_out ? shape.d_model : shape.d_ff;
  const std::size_t ld = weights.down.ld == 0 ? width : weights.down.ld;
  const auto* const first = static_cast<const float*>(weights.down.data);
  std::vector<float> down(first, first + (lines - 1) * ld + width);
  down.back() += 1;
  Weights wrong = weights;
  wrong.down.data = down.data();
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

}  // namespace
}  // namespace sluice::bench
