#include "tuner/workload/verification.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#include "sluice/reference.hpp"

namespace sluice::tuner {
namespace {

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

PackOptions pack_options(Isa isa, PlanTable plans) {
  PackOptions options;
  options.isa = isa;
  options.plans = plans;
  // These are not this machine's caches, so that a failure found on one machine is found again on another.
  options.caches = CacheSizes{};
  return options;
}

// Returns the worst of all rows, or of three rows where the oracle would take seconds for each case.
double worst_of(const Problem& problem, std::span<const float> y) {
  const Case& one = problem.definition();
  const auto rows_from = [&](std::size_t first, std::size_t rows) {
    return worst_error_over_bound(Answer(problem, first, rows), y.subspan(first * problem.ldy), one.shape, rows,
                                  problem.ldy);
  };
  constexpr double all_rows_terms = 1e8;
  if (flops(one.kind, one.shape, one.m) < all_rows_terms) {
    return rows_from(0, one.m);
  }
  return std::max({rows_from(0, 1), rows_from(one.m / 2, 1), rows_from(one.m - 1, 1)});
}

}  // namespace

std::string describe(const Plan& plan) {
  const Tiling& tiling = plan.tiling;
  return "nr=" + std::to_string(tiling.nr) + " mr=" + std::to_string(tiling.mr) + " kc=" + std::to_string(tiling.kc) +
         " mc=" + std::to_string(tiling.mc) + " nc=" + std::to_string(tiling.nc) + " fc=" + std::to_string(tiling.fc) +
         " prefetch=" + std::to_string(tiling.prefetch) + (tiling.pack_x ? " pack_x " : " in-place ") +
         std::string(name(tiling.schedule)) + " threads=" + std::to_string(plan.threads);
}

Result<std::vector<float>> solve(const Ffn& ffn, const Problem& problem, const Plan* plan, Executor* executor) {
  const Case& one = problem.definition();
  const std::uint32_t threads = executor != nullptr ? executor->max_threads() : 0;
  const Result<std::size_t> size =
      plan != nullptr ? ffn.workspace_size(one.m, *plan) : ffn.workspace_size(one.m, threads);
  if (!size) {
    return size.status();
  }
  // The memory consists of floats, so that it can be filled with NaN.
  std::vector<float> memory(*size / sizeof(float) + 1, not_a_number);
  const Workspace workspace(memory.data(), *size);
  std::vector<float> y = problem.y;
  ForwardOptions options;
  options.ldx = problem.ldx;
  options.ldy = problem.ldy;
  options.executor = executor;
  options.plan = plan;
  options.accumulate = one.accumulate;
  const Status status = ffn.forward(problem.x.data(), one.m, y.data(), workspace, options);
  if (!status.ok()) {
    return status;
  }
  return y;
}

bool padding_untouched(const Problem& problem, std::span<const float> y) noexcept {
  const std::size_t width = problem.definition().shape.d_model;
  for (std::size_t i = 0; i < problem.definition().m; ++i) {
    const std::size_t from = i * problem.ldy + width;
    const std::size_t bytes = (problem.ldy - width) * sizeof(float);
    if (bytes != 0 && std::memcmp(problem.y.data() + from, y.data() + from, bytes) != 0) {
      return false;
    }
  }
  return true;
}

Plan random_plan(Random& random, Isa isa, Kind kind, std::uint32_t nr, std::uint32_t max_threads) {
  const std::span<const RegisterTile> tiles = register_tiles(isa);
  const auto tile = std::find_if(tiles.begin(), tiles.end(), [nr](const RegisterTile& one) { return one.nr == nr; });
  if (tile == tiles.end()) {
    return analytical_plan(CacheSizes{}, isa, kind, {1, 1}, 1, max_threads, nr);
  }
  const auto draw = [&random](std::uint64_t low, std::uint64_t high) {
    return static_cast<std::uint32_t>(random.between(low, high));
  };
  Plan plan;
  Tiling& tiling = plan.tiling;
  tiling.nr = nr;
  tiling.mr = draw(1, tile->max_mr);
  tiling.kc = draw(1, 70);
  tiling.mc = draw(1, 40);
  tiling.nc = nr * draw(1, 4);
  tiling.fc = nr * draw(1, 4);
  tiling.prefetch = 128 * draw(0, 8);
  tiling.pack_x = draw(0, 1) == 1;
  tiling.schedule = all_schedules()[draw(0, all_schedules().size() - 1)];
  plan.threads = draw(1, max_threads);
  return plan;
}

Result<KernelVerdict> verify(Isa isa, Kind kind, const VerifyOptions& options) {
  return verify(isa, kind, standard_cases(kind, options.coverage), options);
}

Result<KernelVerdict> verify(Isa isa, Kind kind, std::span<const Case> cases, const VerifyOptions& options) {
  KernelVerdict verdict;
  verdict.isa = isa;
  verdict.kind = kind;
  verdict.kernel = std::string(name(isa)) + "/" + kind_name(kind);
  const auto fail = [&verdict](const Case& one, const std::string& what) {
    if (verdict.failure.empty()) {
      verdict.failure = describe(one) + ": " + what;
    }
  };
  ThreadPool pool(options.threads);
  Digest digest;
  for (const Case& one : cases) {
    const Problem problem(one);
    const Result<Ffn> ffn = options.pack(one.shape, kind, problem.weights(), pack_options(isa, options.plans));
    if (!ffn) {
      return ffn.status();
    }
    const Plan chosen = ffn->plan(one.m, pool.max_threads()).plan;
    const Result<std::vector<float>> y = solve(*ffn, problem, &chosen, &pool);
    if (!y) {
      return y.status();
    }
    Random random(one.seed);
    const Plan other = random_plan(random, isa, kind, ffn->nr(), pool.max_threads());
    const Result<std::vector<float>> again = solve(*ffn, problem, &other, &pool);
    if (!again) {
      return again.status();
    }
    ++verdict.cases;

    const double worst = worst_of(problem, *y);
    verdict.worst_error_over_bound = std::max(verdict.worst_error_over_bound, worst);
    if (!(worst <= 1.0)) {
      fail(one, "the error is " + std::to_string(worst) + " times the bound");
    }
    if (!equal_bits(*y, *again)) {
      fail(one, "the plan " + describe(other) + " changes the bits of the result");
    }
    if (!padding_untouched(problem, *y) || !padding_untouched(problem, *again)) {
      fail(one, "the padding of y was written");
    }
    if (!options.to_the_end && !verdict.failure.empty()) break;
    for (std::size_t i = 0; i < one.m; ++i) {
      digest.add(std::span(*y).subspan(i * problem.ldy, one.shape.d_model));
    }
  }
  verdict.digest = digest.value();
  verdict.passed = verdict.cases > 0 && verdict.failure.empty();
  return verdict;
}

PlanVerification::PlanVerification(const Ffn& ffn, const Weights& weights, std::vector<float> x, std::size_t m)
    : ffn_(ffn), m_(m), x_(std::move(x)), expected_(m * ffn.shape().d_model), actual_(expected_.size()) {
  const Shape shape = ffn.shape();
  status_ = run(analytical_plan(CacheSizes{}, ffn.isa(), ffn.kind(), shape, m, 1, ffn.nr()), nullptr, expected_);
  if (!status_.ok() || m == 0) {
    return;
  }
  // The first and the last row mostly lie in different tiles. Checking all rows would cost more than the tuning.
  for (const std::size_t row : {std::size_t{0}, m - 1}) {
    Answer answer;
    answer.y.resize(shape.d_model);
    answer.bound.resize(shape.d_model);
    reference_forward(shape, ffn.kind(), weights, x_.data() + row * shape.d_model, 1, 0, answer.y, answer.bound);
    const std::span<const float> y = std::span(expected_).subspan(row * shape.d_model, shape.d_model);
    worst_ = std::max(worst_, sluice::tuner::worst_error_over_bound(answer, y, shape, 1, shape.d_model));
  }
  if (!(worst_ <= 1.0)) {
    status_ = Status::error(Code::unsupported,
                            "%s/%s at M = %zu errs by %.3g times the bound on this machine; expected at most 1; "
                            "choose another --isa and report it",
                            name(ffn.isa()).data(), kind_name(ffn.kind()).c_str(), m, worst_);
  }
}

Status PlanVerification::run(const Plan& plan, Executor* executor, std::vector<float>& y) const {
  const Result<std::size_t> size = ffn_.workspace_size(m_, plan);
  if (!size) {
    return size.status();
  }
  const Workspace workspace(*size);
  if (workspace.data() != nullptr) {
    std::memset(workspace.data(), 0xff, workspace.size());  // NaN in every float
  }
  ForwardOptions options;
  options.executor = executor;
  options.plan = &plan;
  return ffn_.forward(x_.data(), m_, y.data(), workspace, options);
}

Status PlanVerification::verify(const Plan& plan, Executor* executor) {
  if (!status_.ok()) {
    return status_;
  }
  std::fill(actual_.begin(), actual_.end(), not_a_number);
  const Status status = run(plan, executor, actual_);
  if (!status.ok()) {
    return status;
  }
  if (!equal_bits(expected_, actual_)) {
    return Status::error(Code::unsupported,
                         "the plan %s changes the bits of the result; expected equality with the "
                         "analytical plan; discard it and report it",
                         describe(plan).c_str());
  }
  return {};
}

}  // namespace sluice::tuner
