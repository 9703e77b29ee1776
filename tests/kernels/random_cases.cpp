// Random cases: every type of weights by every arithmetic on every instruction set that runs here; what is drawn is as
// varied as it should be, and its text repeats it.
#include <algorithm>
#include <set>

#include "kernels/call/ffn_access.hpp"
#include "kernels/microkernels/kernel_table.hpp"
#include "tests/kernels/support.hpp"
#include "tuner/workload/random_case.hpp"
#include "tuner/workload/random_verification.hpp"

namespace sluice::tests {
namespace {

class RandomCases : public testing::TestWithParam<Kind> {};

std::vector<Kind> drawn_kinds() {
  std::vector<Kind> result;
  for (const WeightType type : all_weight_types())
    for (const Arithmetic arithmetic : all_arithmetics())
      if (offered(type, arithmetic) && !spared(type, arithmetic))
        result.push_back({Activation::silu, true, type, arithmetic});
  return result;
}

TEST_P(RandomCases, AreSolvedRightly) {
  tuner::RandomOptions options;
  options.cases = brief ? 4 : 16;
  const std::vector<tuner::RandomVerdict> verdicts =
      tuner::verify_random(all_runnable(), all_kinds(), GetParam().weights, GetParam().arithmetic, options);
  ASSERT_EQ(verdicts.size(), all_runnable().size());
  for (const tuner::RandomVerdict& verdict : verdicts) {
    SCOPED_TRACE(name(verdict.isa));
    EXPECT_EQ(verdict.cases, options.cases);
    for (const std::string& failure : verdict.failures) ADD_FAILURE() << failure;
    EXPECT_GT(verdict.worst_error_over_bound, 0.0) << "float32 rounds somewhere";
    EXPECT_EQ(verdict.digest, verdicts.front().digest);
  }
}

std::string drawn_kind_name(const testing::TestParamInfo<Kind>& info) { return kind_name(info.param); }
INSTANTIATE_TEST_SUITE_P(Types, RandomCases, testing::ValuesIn(drawn_kinds()), drawn_kind_name);

#if defined(__x86_64__)
// Dot products as processors compute them that have no extension for them.
class RandomCasesWithoutExtensions : public testing::TestWithParam<Kind> {};

TEST_P(RandomCasesWithoutExtensions, AreSolvedRightly) {
  for (const detail::KernelTable* kernels : {&detail::avx2_kernels, &detail::avx512_kernels}) {
    if (!runnable(kernels->isa)) continue;
    SCOPED_TRACE(name(kernels->isa));
    tuner::RandomOptions options;
    options.cases = brief ? 4 : 16;
    options.seed = 2;
    options.pack = [kernels](Shape shape, Kind kind, const Weights& weights, const PackOptions& pack_options) {
      return FfnAccess::pack_with(*kernels, shape, kind, weights, pack_options);
    };
    const Isa isas[] = {kernels->isa};
    const auto verdicts = tuner::verify_random(isas, all_kinds(), GetParam().weights, GetParam().arithmetic, options);
    EXPECT_EQ(verdicts.front().cases, options.cases);
    for (const std::string& failure : verdicts.front().failures) ADD_FAILURE() << failure;
  }
}

std::vector<Kind> drawn_integer_kinds() {
  std::vector<Kind> kinds = drawn_kinds();
  std::erase_if(kinds, [](Kind kind) { return kind.arithmetic == Arithmetic::f32; });
  return kinds;
}
INSTANTIATE_TEST_SUITE_P(Types, RandomCasesWithoutExtensions, testing::ValuesIn(drawn_integer_kinds()),
                         drawn_kind_name);
#endif

std::vector<tuner::RandomCase> drawn_cases(WeightType weights, Arithmetic arithmetic, Isa isa, std::size_t count) {
  std::vector<tuner::RandomCase> cases;
  for (std::size_t index = 0; index < count; ++index) {
    cases.push_back(tuner::draw_problem(7, index, all_kinds(), weights, arithmetic));
    tuner::draw_plan(cases.back(), isa, 3);
  }
  return cases;
}

TEST(DrawnCases, TakeEveryValueOfWhatACallMayBe) {
  for (const Isa isa : all_runnable()) {
    SCOPED_TRACE(name(isa));
    std::set<std::string> words;
    std::set<std::size_t> rows, widths, hidden;
    const auto say = [&words](bool said, const char* word) {
      if (said) words.insert(word);
    };
    for (const WeightType type :
         {WeightType::int8(32), WeightType::int4(32), WeightType::mxfp4, WeightType::uint4(64)}) {
      for (const tuner::RandomCase& one : drawn_cases(type, Arithmetic::int8, isa, 300)) {
        EXPECT_TRUE(validate(one.plan, isa).ok());
        rows.insert(one.m);
        widths.insert(one.shape.d_model);
        hidden.insert(one.shape.d_ff);
        words.insert(std::string(name(one.kind)));
        words.insert(std::string(name(one.plan.tiling.schedule)));
        words.insert("threads " + std::to_string(one.plan.threads));
        words.insert("nr " + std::to_string(one.plan.tiling.nr));
        const tuner::Forms& forms = one.forms;
        for (const tuner::MatrixForm& form : {forms.up, forms.down}) {
          words.insert(form.blocks >= BlockFormat::gptq   ? "words"
                       : form.blocks != BlockFormat::none ? "blocks"
                                                          : std::string(name(form.type)));
          words.insert(form.order == Order::in_out ? "in_out" : "out_in");
        }
        say(forms.up.ld > std::max(one.shape.d_model, one.shape.d_ff), "padded up");
        say(forms.down.ld > std::max(one.shape.d_model, one.shape.d_ff), "padded down");
        say(forms.ldx < one.shape.d_model, "overlapping x");
        say(forms.ldx > one.shape.d_model, "padded x");
        say(forms.ldy > one.shape.d_model, "padded y");
        say(one.accumulate, "accumulate");
        say(forms.scales == ScaleChoice::least_squares, "least squares");
        say(forms.gate_bias && !forms.up_bias, "some biases");
        say(!forms.gate_bias && !forms.up_bias && !forms.down_bias, "no bias");
        say(one.plan.tiling.pack_x, "packed x");
        say(!one.plan.tiling.pack_x, "x in place");
        say(one.plan.tiling.kc > 128, "slices of several groups");
        say(one.plan.tiling.nc > 4 * one.plan.tiling.nr, "many panels side by side");
      }
    }
    std::vector<std::string> expected{"blocks",
                                      "words",
                                      "f32",
                                      "bf16",
                                      "f16",
                                      "in_out",
                                      "out_in",
                                      "padded up",
                                      "padded x",
                                      "padded y",
                                      "padded down",
                                      "overlapping x",
                                      "accumulate",
                                      "least squares",
                                      "no bias",
                                      "packed x",
                                      "x in place",
                                      "some biases",
                                      "threads 1",
                                      "threads 2",
                                      "threads 3",
                                      "slices of several groups",
                                      "many panels side by side"};
    for (const Kind kind : all_kinds()) expected.emplace_back(name(kind));
    for (const Schedule schedule : all_schedules()) expected.emplace_back(name(schedule));
    for (const RegisterTile& tile : register_tiles(isa)) expected.push_back("nr " + std::to_string(tile.nr));
    for (const std::string& word : expected) EXPECT_TRUE(words.contains(word)) << word;
    for (const std::set<std::size_t>& extents : {widths, hidden}) {
      EXPECT_TRUE(extents.contains(1));
      EXPECT_GT(extents.size(), 100U);
      EXPECT_GT(*extents.rbegin(), 3 * 128U);
    }
    EXPECT_TRUE(rows.contains(1));
    EXPECT_GT(rows.size(), 50U);
    EXPECT_GT(*rows.rbegin(), 64U);
  }
}

TEST(DrawnCases, FollowFromTheirSeedAndNothingElse) {
  const auto first = tuner::draw_problem(5, 11, all_kinds(), WeightType::bf16, Arithmetic::f32);
  EXPECT_EQ(first, tuner::draw_problem(5, 11, all_kinds(), WeightType::bf16, Arithmetic::f32));
  EXPECT_NE(first, tuner::draw_problem(6, 11, all_kinds(), WeightType::bf16, Arithmetic::f32));
  EXPECT_NE(first, tuner::draw_problem(5, 12, all_kinds(), WeightType::bf16, Arithmetic::f32));
  EXPECT_NE(first.seed, tuner::draw_problem(5, 11, all_kinds(), WeightType::f16, Arithmetic::f32).seed);
}

TEST(DrawnCases, AreReadFromTheirText) {
  for (const Isa isa : all_runnable()) {
    for (const WeightType type : {WeightType::f32, WeightType::int8(32), WeightType::mxfp4, WeightType::uint4(128)}) {
      for (const tuner::RandomCase& one : drawn_cases(type, Arithmetic::f32, isa, 40)) {
        const Result<tuner::RandomCase> read = tuner::parse_random_case(tuner::describe(one));
        ASSERT_TRUE(read.ok()) << read.status().message();
        EXPECT_EQ(*read, one) << tuner::describe(one);
      }
    }
  }
}

// What parse_random_case() says of a case whose text was changed.
std::string case_refusal(std::string text, const std::string& part, const std::string& other) {
  const std::size_t at = text.find(part);
  EXPECT_NE(at, std::string::npos) << part;
  if (at != std::string::npos) text.replace(at, part.size(), other);
  const Result<tuner::RandomCase> read = tuner::parse_random_case(text);
  EXPECT_FALSE(read.ok()) << text;
  return read.ok() ? "" : read.status().message();
}

TEST(DrawnCases, WhatIsNoCaseIsRefused) {
  const std::string good =
      "isa=scalar,kind=swiglu,weights=mxfp4,arithmetic=int8,m=3,d_model=64,d_ff=40,gate=f32:in_out:40,"
      "up=mxfp4:out_in:64,down=bf16:out_in:41,biases=gate+down,ldx=64,ldy=65,accumulate=no,scales=absmax,nr=8,mr=2,kc="
      "9,mc=4,nc=16,"
      "fc=8,prefetch=128,pack_x=yes,schedule=split_rows,threads=2,seed=9";
  ASSERT_TRUE(tuner::parse_random_case(good).ok()) << tuner::parse_random_case(good).status().message();
  // A field that is wrong, what stands there instead, and what the refusal names.
  const std::tuple<const char*, const char*, const char*> refused[] = {
      {"isa=scalar", "isa=mmx", "isa=mmx"},
      {"isa=scalar,", "", "isa is missing"},
      {"m=3", "m=3,m=3", "m is given twice"},
      {"m=3", "m=3,rows=3", "rows=3 is unknown"},
      {"m=3", "m", "NAME=VALUE"},
      {"m=3", "m=0", "1 to 4096"},
      {"m=3", "m=-3", "m=-3"},
      {"m=3", "m=99999999999999999999", "m=99999999999999999999"},
      {"kind=swiglu", "kind=relu", "plain kind"},
      {"weights=mxfp4", "weights=bf16", "arithmetic=int8"},
      {"gate=f32:in_out:40", "gate=f32:in_out:39", "40 to"},
      {"gate=f32:in_out:40", "gate=f32", "TYPE:ORDER:LD"},
      {"gate=f32:in_out:40", "gate=int8:32:in_out:40", "gate=int8:32"},
      {"up=mxfp4:out_in:64", "up=q4_k:out_in:64", "q4_0"},
      {"up=mxfp4:out_in:64", "up=mxfp4:out_in:65", "multiples of 32"},
      {"up=mxfp4:out_in:64", "up=awq:out_in:64", "in_out"},
      {"up=mxfp4:out_in:64", "up=gptq:in_out:44", "multiples of 8"},
      {"down=bf16:out_in:41", "down=q8_0:out_in:64", "multiples of 32"},
      {"down=bf16:out_in:41", "down=bf16:aside:41", "in_out or out_in"},
      {"biases=gate+down", "biases=gate,down", "NAME=VALUE"},
      {"biases=gate+down", "biases=gate+side", "gate+side"},
      {"ldy=65", "ldy=63", "64 to"},
      {"scales=absmax", "scales=best", "absmax or least_squares"},
      {"pack_x=yes", "pack_x=1", "yes or no"},
      {"mr=2", "mr=99", "mr"},
      {"nr=8", "nr=7", "7"},
      {"schedule=split_rows", "schedule=none", "schedule=none"},
      {"threads=2", "threads=65", "1 to 64"},
      {"seed=9", "seed=", "seed="}};
  for (const auto& [part, other, named] : refused)
    EXPECT_NE(case_refusal(good, part, other).find(named), std::string::npos)
        << other << ": " << case_refusal(good, part, other);
}

}  // namespace
}  // namespace sluice::tests
