// Names and arithmetic of kinds, names and selection of instruction sets.
#include <cstdlib>
#include <set>

#include "tests/kernels/support.hpp"

namespace sluice::tests {
namespace {

TEST(Kinds, AreTheTenOfTheTableAndParseBack) {
  std::set<std::string_view> names;
  for (const NamedKind& row : kinds()) {
    EXPECT_EQ(parse_kind(row.name), row.kind);
    EXPECT_EQ(name(row.kind), row.name);
    names.insert(row.name);
  }
  EXPECT_EQ(names, (std::set<std::string_view>{"relu", "gelu", "gelu_tanh", "silu", "glu", "bilinear", "reglu", "geglu",
                                               "geglu_tanh", "swiglu"}));
  EXPECT_EQ(parse_kind("SwiGLU"), std::nullopt);
  EXPECT_EQ(parse_kind(""), std::nullopt);
  EXPECT_EQ(name(Kind{Activation::sigmoid, false}), "unnamed");
}

TEST(Kinds, FlopsAndBytesAreCountedAsDocumented) {
  EXPECT_EQ(flops(swiglu, {2048, 5632}, 256), 6.0 * 256 * 2048 * 5632);
  EXPECT_EQ(flops(relu, {768, 3072}, 8), 4.0 * 8 * 768 * 3072);
  EXPECT_EQ(bytes(swiglu, {3, 5}, 7), 4.0 * (3 * 15 + 2 * 21));
  EXPECT_EQ(bytes(gelu, {3, 5}, 7), 4.0 * (2 * 15 + 2 * 21));
  // Equal budget: a gated FFN and a plain one of half as much d_ff again.
  EXPECT_EQ(flops(geglu, {768, 2048}, 4), flops(relu, {768, 3072}, 4));
  EXPECT_EQ(bytes(geglu, {768, 2048}, 4), bytes(relu, {768, 3072}, 4));
}

TEST(Isas, ParseBackAndRunFromScalarUp) {
  for (const Isa isa : all_isas()) {
    EXPECT_EQ(parse_isa(name(isa)), isa);
  }
  EXPECT_EQ(parse_isa("sse"), std::nullopt);
  ASSERT_FALSE(runnable_isas().empty());
  EXPECT_EQ(runnable_isas().front(), Isa::scalar);
  for (const Isa isa : runnable_isas()) {
    EXPECT_TRUE(runnable(isa));
    EXPECT_FALSE(register_tiles(isa).empty());
  }
}

// Sets SLUICE_ISA for one test and puts back what was there.
class IsaVariable : public testing::Test {
 protected:
  IsaVariable() {
    if (const char* value = std::getenv("SLUICE_ISA"); value != nullptr) {
      before_ = value;
    }
    unsetenv("SLUICE_ISA");
  }
  ~IsaVariable() override {
    if (before_) {
      setenv("SLUICE_ISA", before_->c_str(), 1);
    } else {
      unsetenv("SLUICE_ISA");
    }
  }

 private:
  std::optional<std::string> before_;
};

TEST_F(IsaVariable, ChoosesTheKernelsThatReallyRun) {
  const float one = 1;
  for (const Isa isa : runnable_isas()) {
    setenv("SLUICE_ISA", std::string(name(isa)).c_str(), 1);
    const Result<Isa> selected = select_isa();
    ASSERT_TRUE(selected.ok()) << selected.status().message();
    EXPECT_EQ(*selected, isa);
    const Result<Ffn> ffn = Ffn::pack({1, 1}, relu, {{}, {&one}, {&one}});
    ASSERT_TRUE(ffn.ok()) << ffn.status().message();
    EXPECT_EQ(ffn->isa(), isa);
  }
}

TEST_F(IsaVariable, EmptyOrUnsetMeansTheBest) {
  EXPECT_EQ(*select_isa(), runnable_isas().back());
  setenv("SLUICE_ISA", "", 1);
  EXPECT_EQ(*select_isa(), runnable_isas().back());
}

TEST_F(IsaVariable, AnUnknownOneIsAnErrorAndNoFallback) {
  setenv("SLUICE_ISA", "avx1024", 1);
  const Result<Isa> selected = select_isa();
  ASSERT_FALSE(selected.ok());
  EXPECT_EQ(selected.status().code(), Code::unsupported);
  EXPECT_NE(std::string(selected.status().message()).find("avx1024"), std::string::npos);
  const float one = 1;
  const Result<Ffn> ffn = Ffn::pack({1, 1}, relu, {{}, {&one}, {&one}});
  ASSERT_FALSE(ffn.ok());
  EXPECT_EQ(ffn.status().code(), Code::unsupported);
}

TEST_F(IsaVariable, AForcedOneWinsOverItAndIsNeverReplaced) {
  setenv("SLUICE_ISA", "avx1024", 1);
  EXPECT_EQ(*select_isa(Isa::scalar), Isa::scalar);
  for (const Isa isa : all_isas()) {
    if (!runnable(isa)) {
      const Result<Isa> selected = select_isa(isa);
      ASSERT_FALSE(selected.ok()) << name(isa);
      EXPECT_EQ(selected.status().code(), Code::unsupported);
      EXPECT_NE(std::string(selected.status().message()).find(name(isa)), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace sluice::tests
