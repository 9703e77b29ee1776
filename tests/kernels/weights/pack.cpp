// The contract of pack: what is refused, the properties of a packed FFN, the role of each matrix.
#include <cmath>
#include <string>

#include "tests/kernels/support.hpp"

namespace sluice::tests {
namespace {

TEST(Pack, RefusesWhatItCannotPack) {
  const std::vector<float> ones(64, 1.0F);
  const Matrix matrix{ones.data()};
  const auto code = [](Shape shape, Kind kind, const Weights& weights, const PackOptions& options = {}) {
    const Result<Ffn> ffn = Ffn::pack(shape, kind, weights, options);
    EXPECT_FALSE(ffn.ok());
    EXPECT_NE(std::string(ffn.status().message()), "");
    return ffn.status().code();
  };
  const Weights good{matrix, matrix, matrix};
  EXPECT_EQ(code({0, 4}, swiglu, good), Code::invalid_argument);
  EXPECT_EQ(code({4, 0}, swiglu, good), Code::invalid_argument);
  EXPECT_EQ(code({4, 4}, {Activation::sigmoid, false}, good), Code::invalid_argument);
  EXPECT_EQ(code({4, 4}, {static_cast<Activation>(77), true}, good), Code::invalid_argument);
  EXPECT_EQ(code({4, 4}, swiglu, {{}, matrix, matrix}), Code::invalid_argument);
  EXPECT_EQ(code({4, 4}, swiglu, {matrix, {}, matrix}), Code::invalid_argument);
  EXPECT_EQ(code({4, 4}, relu, {{}, matrix, {}}), Code::invalid_argument);
  EXPECT_EQ(code({4, 4}, relu, good), Code::invalid_argument) << "a plain kind has no gate";
  EXPECT_EQ(code({4, 8}, swiglu, {matrix, {ones.data(), Order::in_out, 7}, matrix}), Code::invalid_argument);
  EXPECT_EQ(code({4, 8}, swiglu, {matrix, {ones.data(), Order::out_in, 3}, matrix}), Code::invalid_argument);
  EXPECT_EQ(code({4, 8}, swiglu, {matrix, matrix, {ones.data(), Order::in_out, 3}}), Code::invalid_argument);
  EXPECT_EQ(code({4, 4}, swiglu, good, pack_options(Isa::scalar, 7)), Code::invalid_argument);
  for (const Isa isa : all_isas()) {
    if (!runnable(isa)) {
      EXPECT_EQ(code({4, 4}, swiglu, good, pack_options(isa)), Code::unsupported);
    }
  }
  EXPECT_TRUE(Ffn::pack({4, 8}, relu, {{}, matrix, matrix}).ok()) << "a plain kind needs no gate";
}

TEST(Pack, ReportsWhatItHolds) {
  const std::vector<float> ones(40 * 72, 1.0F);
  const Matrix matrix{ones.data()};
  for (const Isa isa : runnable_isas()) {
    const Result<Ffn> ffn = Ffn::pack(Shape{40, 72}, geglu, {matrix, matrix, matrix}, pack_options(isa));
    ASSERT_TRUE(ffn.ok()) << ffn.status().message();
    EXPECT_EQ(ffn->shape(), (Shape{40, 72}));
    EXPECT_EQ(ffn->kind(), geglu);
    EXPECT_EQ(ffn->isa(), isa);
    EXPECT_EQ(ffn->nr(), register_tiles(isa).front().nr);
    // Three matrices, padded to panels: less than one panel each.
    EXPECT_GE(ffn->packed_size(), 3 * 40 * 72 * sizeof(float));
    EXPECT_LE(ffn->packed_size(), 4 * (3 * 40 * 72 + (2 * 40 + 72 + 300) * ffn->nr()) * sizeof(float));
  }
}

// Records the number of parts of a call, and either runs them on a pool or refuses.
class NotingExecutor final : public Executor {
 public:
  explicit NotingExecutor(bool refuses) : refuses_(refuses) {}
  [[nodiscard]] std::uint32_t max_threads() const noexcept override { return 3; }
  bool run(std::uint32_t threads, void (*task)(void*, std::uint32_t), void* context) noexcept override {
    parts = threads;
    return !refuses_ && pool_.run(threads, task, context);
  }
  std::uint32_t parts = 0;

 private:
  bool refuses_;
  ThreadPool pool_{3};
};

TEST(Pack, SharesTheWorkWithTheExecutorAndDoesWithoutIt) {
  constexpr Shape shape{512, 1100};  // 6.8 MB: worth three threads
  std::vector<float> values(shape.d_model * shape.d_ff + 1);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 251) / 251.0F - 0.5F;
  const Weights weights{{values.data()}, {values.data() + 1, Order::out_in}, {values.data()}};
  const std::vector<float> x(shape.d_model, 0.5F);
  std::vector<std::vector<float>> answers;
  for (const bool refuses : {false, true}) {
    NotingExecutor executor(refuses);
    PackOptions options;
    options.executor = &executor;
    const Result<Ffn> ffn = Ffn::pack(shape, swiglu, weights, options);
    ASSERT_TRUE(ffn.ok()) << ffn.status().message();
    EXPECT_EQ(executor.parts, 3U);
    Workspace workspace(*ffn->workspace_size(1));
    answers.emplace_back(shape.d_model);
    ASSERT_TRUE(ffn->forward(x.data(), 1, answers.back().data(), workspace).ok());
  }
  EXPECT_EQ(answers[0], answers[1]);
  EXPECT_NE(answers[0], std::vector<float>(shape.d_model));
}

// y = silu(gate·x)·(up·x)·down with values for which every swap of matrices changes the result.
TEST(Mapping, GateIsInsideTheActivationAndUpIsTheOther) {
  const float x = 1, gate = 2, up = 3, down = 5, gate_bias = 0.5F, up_bias = -1, down_bias = 0.25F;
  const Weights weights{{&gate}, {&up}, {&down}, &gate_bias, &up_bias, &down_bias};
  const Result<Ffn> ffn = Ffn::pack({1, 1}, swiglu, weights);
  ASSERT_TRUE(ffn.ok()) << ffn.status().message();
  const Workspace workspace(*ffn->workspace_size(1));
  float y = 0;
  ASSERT_TRUE(ffn->forward(&x, 1, &y, workspace).ok());
  const double silu_of_gate = 2.5 / (1 + std::exp(-2.5));
  EXPECT_NEAR(y, silu_of_gate * 2 * 5 + 0.25, 1e-5);
  const double silu_of_up = 2.0 / (1 + std::exp(-2.0));
  EXPECT_GT(std::abs(y - (silu_of_up * 2.5 * 5 + 0.25)), 0.5);
}

// The first GLU paper gates with the second product, σ(x·V + c); SwiGLU's gates with the first, SiLU(x·W). Here the
// gate is the matrix inside the activation, so the paper's V is Weights::gate.
TEST(Mapping, OfThePaperGluPutsVInTheGate) {
  const float x = 1, w = 3, v = -1, down = 1;
  const Result<Ffn> ffn = Ffn::pack({1, 1}, glu, {.gate = {&v}, .up = {&w}, .down = {&down}});
  ASSERT_TRUE(ffn.ok()) << ffn.status().message();
  const Workspace workspace(*ffn->workspace_size(1));
  float y = 0;
  ASSERT_TRUE(ffn->forward(&x, 1, &y, workspace).ok());
  EXPECT_NEAR(y, 3.0 / (1 + std::exp(1.0)), 1e-6);
}

}  // namespace
}  // namespace sluice::tests
