// "Tuning never changes results": the bits of y do not depend on tiling, schedule, thread count, M, panel width,
// packing of x, weight order or instruction set.
#include <chrono>
#include <map>
#include <thread>

#include "tests/kernels/support.hpp"

namespace sluice::tests {
namespace {

// The portable baseline is slow, so it gets fewer cases.
std::uint32_t tilings(Isa isa) { return brief ? 2 : isa == Isa::scalar ? 3 : 10; }

std::vector<tuner::Case> chain_cases(Kind kind) {
  return {{kind, {259, 131}, 33, true, Order::in_out, true, false, 101},
          {kind, {67, 389}, 29, false, Order::out_in, false, true, 102},
          {kind, {131, 97}, 1, true, Order::out_in, false, false, 103}};
}

Plan plain_plan(const Ffn& ffn, std::size_t m) {
  return analytical_plan(CacheSizes{}, ffn.isa(), ffn.kind(), ffn.shape(), m, 1, ffn.nr());
}

// A pool in which all threads but one start late, so that this one claims the first panels.
class Straggling final : public Executor {
 public:
  explicit Straggling(std::uint32_t first) : first_(first) {}
  [[nodiscard]] std::uint32_t max_threads() const noexcept override { return pool_.max_threads(); }
  bool run(std::uint32_t threads, void (*task)(void*, std::uint32_t), void* context) noexcept override {
    struct Late {
      void (*task)(void*, std::uint32_t);
      void* context;
      std::uint32_t first;
    } late{task, context, first_ % threads};
    const auto come = [](void* opaque, std::uint32_t index) {
      const auto& [run, of, early] = *static_cast<const Late*>(opaque);
      if (index != early) std::this_thread::sleep_for(std::chrono::microseconds(200) * (index + 1));
      run(of, index);
    };
    return pool_.run(threads, come, &late);
  }

 private:
  ThreadPool pool_{3};
  std::uint32_t first_;
};

class OneChain : public PerKernel {};

TEST_P(OneChain, TilingScheduleAndThreadsDoNotChangeABit) {
  ThreadPool pool(8);
  for (const tuner::Case& one : chain_cases(kind())) {
    SCOPED_TRACE(tuner::describe(one));
    const tuner::Problem problem(one);
    const Result<Ffn> ffn = Ffn::pack(one.shape, kind(), problem.weights(), pack_options(isa()));
    ASSERT_TRUE(ffn.ok()) << ffn.status().message();
    const Plan plain = plain_plan(*ffn, one.m);
    const Result<std::vector<float>> expected = tuner::solve(*ffn, problem, &plain);
    ASSERT_TRUE(expected.ok()) << expected.status().message();
    tuner::Random random(one.seed);
    for (std::uint32_t trial = 0; trial < tilings(isa()); ++trial) {
      Plan plan = tuner::random_plan(random, isa(), kind(), ffn->nr(), 1);
      for (const std::uint32_t threads : {1U, 2U, 3U, 8U}) {
        plan.threads = threads;
        plan.tiling.schedule = all_schedules()[(trial + threads) % all_schedules().size()];
        const Result<std::vector<float>> actual = tuner::solve(*ffn, problem, &plan, &pool);
        ASSERT_TRUE(actual.ok()) << actual.status().message();
        ASSERT_TRUE(tuner::equal_bits(*expected, *actual)) << tuner::describe(plan);
      }
    }
  }
}

TEST_P(OneChain, WhoClaimsAPanelDoesNotChangeABit) {
  for (const tuner::Case& one : chain_cases(kind())) {
    SCOPED_TRACE(tuner::describe(one));
    const tuner::Problem problem(one);
    const Result<Ffn> ffn = Ffn::pack(one.shape, kind(), problem.weights(), pack_options(isa()));
    ASSERT_TRUE(ffn.ok()) << ffn.status().message();
    Plan plan = plain_plan(*ffn, one.m);
    const Result<std::vector<float>> expected = tuner::solve(*ffn, problem, &plan);
    ASSERT_TRUE(expected.ok()) << expected.status().message();
    plan.threads = 3;
    for (const bool blocked : {false, true}) {
      plan.tiling.pack_x = blocked;
      if (blocked) plan.tiling.fc = 2 * ffn->nr();
      if (blocked) plan.tiling.mc = 7;
      for (const Schedule schedule : {Schedule::claim_columns, Schedule::claim_rows}) {
        plan.tiling.schedule = schedule;
        for (const std::uint32_t first : {0U, 2U}) {
          Straggling threads(first);
          const Result<std::vector<float>> actual = tuner::solve(*ffn, problem, &plan, &threads);
          ASSERT_TRUE(actual.ok()) << actual.status().message();
          ASSERT_TRUE(tuner::equal_bits(*expected, *actual)) << tuner::describe(plan);
        }
      }
    }
  }
}

TEST_P(OneChain, EachExtentOfTheTilingAlone) {
  const tuner::Case one = chain_cases(kind()).front();
  const tuner::Problem problem(one);
  const Result<Ffn> ffn = Ffn::pack(one.shape, kind(), problem.weights(), pack_options(isa()));
  ASSERT_TRUE(ffn.ok()) << ffn.status().message();
  const Plan plain = plain_plan(*ffn, one.m);
  const Result<std::vector<float>> expected = tuner::solve(*ffn, problem, &plain);
  ASSERT_TRUE(expected.ok()) << expected.status().message();
  std::vector<Plan> plans;
  const auto vary = [&](auto&& change) {
    plans.push_back(plain);
    change(plans.back().tiling);
  };
  const std::uint32_t nr = ffn->nr();
  vary([](Tiling& t) { t.pack_x = !t.pack_x; });
  const std::vector<std::uint32_t> extents =
      brief ? std::vector<std::uint32_t>{1, 7, 260}
            : std::vector<std::uint32_t>{1, 2, 3, 7, 64, 127, 128, 258, 259, 260, 100000};
  for (const std::uint32_t extent : extents) {
    vary([&](Tiling& t) { t.kc = extent; });
    vary([&](Tiling& t) { t.mc = extent; });
    vary([&](Tiling& t) { t.nc = std::min(extent, 1000U) * nr; });
    vary([&](Tiling& t) { t.fc = std::min(extent, 1000U) * nr; });
    vary([&](Tiling& t) { t.prefetch = extent; });
  }
  for (std::uint32_t mr = 1; mr < plain.tiling.mr; mr += brief ? 2 : 1) {
    vary([&](Tiling& t) { t.mr = mr; });
  }
  std::size_t tried = 0;
  for (const Plan& plan : plans) {
    if (!validate(plan, isa()).ok()) {
      continue;
    }
    ++tried;
    const Result<std::vector<float>> actual = tuner::solve(*ffn, problem, &plan);
    ASSERT_TRUE(actual.ok()) << actual.status().message() << ' ' << tuner::describe(plan);
    EXPECT_TRUE(tuner::equal_bits(*expected, *actual)) << tuner::describe(plan);
  }
  EXPECT_GT(tried, plans.size() / 2);
}

TEST_P(OneChain, ARowDoesNotDependOnTheRowsAroundIt) {
  for (tuner::Case one : chain_cases(kind())) {
    const tuner::Problem problem(one);
    const Result<Ffn> ffn = Ffn::pack(one.shape, kind(), problem.weights(), pack_options(isa()));
    ASSERT_TRUE(ffn.ok()) << ffn.status().message();
    const Result<std::vector<float>> all = tuner::solve(*ffn, problem);
    ASSERT_TRUE(all.ok()) << all.status().message();
    const std::size_t ldx = problem.ldx, ldy = problem.ldy;
    for (const std::size_t rows : {std::size_t{1}, std::size_t{2}, std::size_t{5}, std::size_t{13}}) {
      for (std::size_t first = 0; first + rows <= one.m; first += rows) {
        const Result<std::size_t> size = ffn->workspace_size(rows);
        ASSERT_TRUE(size.ok()) << size.status().message();
        const Workspace workspace(*size);
        std::vector<float> y(problem.y.begin() + static_cast<std::ptrdiff_t>(first * ldy),
                             problem.y.begin() + static_cast<std::ptrdiff_t>((first + rows) * ldy));
        const Status status = ffn->forward(problem.x.data() + first * ldx, rows, y.data(), workspace,
                                           {.ldx = ldx, .ldy = ldy, .accumulate = one.accumulate});
        ASSERT_TRUE(status.ok()) << status.message();
        EXPECT_TRUE(tuner::equal_bits(std::span(*all).subspan(first * ldy, rows * ldy), y))
            << rows << " rows from row " << first;
      }
    }
  }
}

TEST_P(OneChain, AnyNumberOfRowsAndInterleavedPanelsGivesTheSameBits) {
  // The most rows for which an instruction set has such kernels, and one more, which goes through the others.
  constexpr std::size_t most_rows = 25;
  const tuner::Case one{kind(), {67, 150}, most_rows, true, Order::in_out, true, false, 104};
  const tuner::Problem problem(one);
  const Result<Ffn> ffn = Ffn::pack(one.shape, kind(), problem.weights(), pack_options(isa()));
  ASSERT_TRUE(ffn.ok()) << ffn.status().message();
  const Plan plain = plain_plan(*ffn, most_rows);
  const Result<std::vector<float>> all = tuner::solve(*ffn, problem, &plain);
  ASSERT_TRUE(all.ok()) << all.status().message();
  for (std::size_t rows = 1; rows <= most_rows; rows += brief ? 3 : 1) {
    for (const std::uint32_t panels : {1U, 3U}) {
      for (const std::uint32_t prefetch : {0U, 1024U}) {
        Plan plan = plain;
        plan.tiling.kc = 16;
        plan.tiling.mc = most_rows;
        plan.tiling.nc = panels * ffn->nr();
        plan.tiling.prefetch = prefetch;
        plan.tiling.pack_x = panels == 1;
        const Result<std::size_t> size = ffn->workspace_size(rows, plan);
        ASSERT_TRUE(size.ok()) << size.status().message();
        const Workspace workspace(*size);
        std::vector<float> y(rows * problem.ldy);
        const Status status = ffn->forward(problem.x.data(), rows, y.data(), workspace,
                                           {.ldx = problem.ldx, .ldy = problem.ldy, .plan = &plan});
        ASSERT_TRUE(status.ok()) << status.message();
        for (std::size_t row = 0; row < rows; ++row) {
          ASSERT_TRUE(tuner::equal_bits(std::span(*all).subspan(row * problem.ldy, one.shape.d_model),
                                        std::span(y).subspan(row * problem.ldy, one.shape.d_model)))
              << "row " << row << " of " << rows << ", " << tuner::describe(plan);
        }
      }
    }
  }
}

TEST_P(OneChain, PanelWidthAndWeightOrderDoNotChangeABit) {
  const tuner::Case one = chain_cases(kind()).front();
  const tuner::Problem problem(one);
  // The same matrices, transposed.
  const auto transposed = [](const std::vector<float>& source, std::size_t rows, std::size_t columns, std::size_t ld) {
    std::vector<float> target(source.empty() ? 0 : rows * columns);
    for (std::size_t i = 0; i < (source.empty() ? 0 : rows); ++i) {
      for (std::size_t j = 0; j < columns; ++j) {
        target[j * rows + i] = source[i * ld + j];
      }
    }
    return target;
  };
  const auto [d_model, d_ff] = one.shape;
  const std::vector<float> gate = transposed(problem.gate, d_model, d_ff, problem.up_ld);
  const std::vector<float> up = transposed(problem.up, d_model, d_ff, problem.up_ld);
  const std::vector<float> down = transposed(problem.down, d_ff, d_model, problem.down_ld);
  Weights turned = problem.weights();
  turned.gate = {gate.empty() ? nullptr : gate.data(), Order::out_in};
  turned.up = {up.data(), Order::out_in};
  turned.down = {down.data(), Order::out_in};

  std::vector<float> expected;
  for (const RegisterTile& tile : register_tiles(isa())) {
    for (const Weights& weights : {problem.weights(), turned}) {
      const Result<Ffn> ffn = Ffn::pack(one.shape, kind(), weights, pack_options(isa(), tile.nr));
      ASSERT_TRUE(ffn.ok()) << ffn.status().message();
      EXPECT_EQ(ffn->nr(), tile.nr);
      const Result<std::vector<float>> y = tuner::solve(*ffn, problem);
      ASSERT_TRUE(y.ok()) << y.status().message();
      if (expected.empty()) {
        expected = *y;
      }
      EXPECT_TRUE(tuner::equal_bits(expected, *y)) << "nr " << tile.nr;
    }
  }
  EXPECT_FALSE(expected.empty());
}

INSTANTIATE_TEST_SUITE_P(Kernels, OneChain, every_kernel(), kernel_name);

// The digests of the brief cases. They were computed once, and every ISA on every machine must arrive at them: that is
// how an aarch64 build is compared with an x86 one. A change of the cases or of an activation's coefficients changes
// them on purpose; a change of a kernel must not.
const std::map<std::string, std::uint64_t> golden_digests{
    {"relu", 0xca6750395f301d18U},
    {"gelu", 0x9229220aabd97e48U},
    {"gelu_tanh", 0xf90e65fbd65398d9U},
    {"silu", 0xb4813f82a08bc437U},
    {"glu", 0x1e12eced788b0eb3U},
    {"bilinear", 0xdeb702bfbeb5f254U},
    {"reglu", 0x2a2b10fd39d3d809U},
    {"geglu", 0x0354fec8b692819cU},
    {"geglu_tanh", 0xff004a643a78d864U},
    {"swiglu", 0x222ed6d6ad38fef0U},
    {"swiglu_bf16", 0x25487427f7a83badU},
    {"relu_bf16", 0x750d956d226d2f38U},
    {"swiglu_bf16_by_bf16", 0x1f1d604f87d49336U},
    {"relu_bf16_by_bf16", 0x90d9136214dd814dU},
    {"swiglu_f16", 0xf926899e6a86077aU},
    {"relu_f16", 0x59dbc89f1a785ff5U},
    {"swiglu_int8_32", 0xf15efe9e49fba214U},
    {"relu_int8_32", 0x54019e34891afc64U},
    {"swiglu_int8_64", 0xb7c05bc3ccfd595aU},
    {"swiglu_int8_128", 0xac1734e023eb43c2U},
    {"swiglu_int8_column", 0xc16cabd9899b76fbU},
    {"swiglu_int8_32_by_int8", 0x4d9c17011453b916U},
    {"relu_int8_32_by_int8", 0xef85d26502fee57fU},
    {"swiglu_int8_32_by_int16", 0xa8c5e29b3eaf68e5U},
    {"relu_int8_32_by_int16", 0xd55781f1b1f2b386U},
    {"swiglu_int8_64_by_int8", 0xba1478a1afbefcd7U},
    {"swiglu_int8_64_by_int16", 0xd89901b5485f206bU},
    {"swiglu_int8_128_by_int8", 0x3e9ea63f6a593513U},
    {"swiglu_int8_128_by_int16", 0x148fd22d0e6fc87dU},
    {"swiglu_int8_column_by_int8", 0xdfe074a3ea2dbf5bU},
    {"swiglu_int8_column_by_int16", 0x64fd38628048e0c4U},
    {"swiglu_int4_32", 0x63b515ccf818dd75U},
    {"swiglu_int4_32_by_int8", 0x3aec9cd64e57940fU},
    {"swiglu_int4_32_by_int16", 0x7bdfcab82f699bc8U},
    {"swiglu_int4_64", 0xb11475ed093fa19eU},
    {"swiglu_int4_64_by_int8", 0x9a56644c65b230deU},
    {"swiglu_int4_64_by_int16", 0xb228a6db3cca753bU},
    {"swiglu_int4_128", 0x0ed301fb7765f4a9U},
    {"swiglu_int4_128_by_int8", 0x606b2eda7b0c5205U},
    {"swiglu_int4_128_by_int16", 0xfd7c375b69bb21f2U},
    {"swiglu_int4_column", 0xcbee892315408c67U},
    {"swiglu_int4_column_by_int8", 0x1fe412d1111537d6U},
    {"swiglu_int4_column_by_int16", 0x01c5881e84051d94U},
    {"swiglu_mxfp4", 0x56f020387ecc99ceU},
    {"swiglu_mxfp4_by_int8", 0x9be7f067bbd983e4U},
    {"swiglu_mxfp4_by_int16", 0xaabc573ce64c9d93U},
    {"swiglu_uint8_128_by_int8", 0x1e4908e122051744U},
    {"swiglu_uint8_column_by_int16", 0x1ece9582d6b14e81U},
    {"swiglu_uint4_32", 0x4219d3e0b8a53af0U},
    {"swiglu_uint4_32_by_int8", 0x59a997d7ad88b357U},
    {"swiglu_uint4_128_by_int8", 0x1c92203bf9a5b262U},
    {"swiglu_uint4_32_by_int16", 0x45246a797050f37bU},
    {"swiglu_uint4_column_by_int16", 0x08f10c6c6535a547U},
};

class Digests : public PerKernel {};

TEST_P(Digests, AreTheSameOnEveryIsa) {
  const Result<tuner::KernelVerdict> verdict = tuner::verify(isa(), kind(), {.coverage = tuner::Coverage::brief});
  ASSERT_TRUE(verdict.ok()) << verdict.status().message();
  EXPECT_TRUE(verdict->passed) << verdict->failure;
  // Float32 rounds somewhere. An error of zero would mean that nothing was compared.
  EXPECT_GT(verdict->worst_error_over_bound, 0.0);
  ASSERT_TRUE(golden_digests.contains(kind_name(kind()))) << std::hex << "0x" << verdict->digest;
  EXPECT_EQ(verdict->digest, golden_digests.at(kind_name(kind()))) << std::hex << "0x" << verdict->digest;
}

INSTANTIATE_TEST_SUITE_P(Kernels, Digests, every_kernel(), kernel_name);

}  // namespace
}  // namespace sluice::tests
