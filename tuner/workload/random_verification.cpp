#include "tuner/workload/random_verification.hpp"

#include <algorithm>
#include <optional>

namespace sluice::tuner {
namespace {

// What every right kernel answers to a problem.
struct Expected {
  Answer answer;
  Result<std::vector<float>> scalar;  // of the shipped kernels
};

PackOptions options_of(const Problem& problem, Isa isa, std::uint32_t nr = 0) {
  PackOptions options;
  options.isa = isa;
  options.nr = nr;
  options.scales = problem.scales();
  options.caches = CacheSizes{};  // not this machine's, so that what failed elsewhere fails here
  return options;
}

Result<std::vector<float>> solve_scalar(const Problem& problem) {
  const Case& one = problem.definition();
  const Result<Ffn> ffn = Ffn::pack(one.shape, one.kind, problem.weights(), options_of(problem, Isa::scalar));
  if (!ffn) return ffn.status();
  const Plan plan = ffn->plan(one.m, 1).plan;
  return solve(*ffn, problem, &plan);
}

Expected expect(const Problem& problem) { return {Answer(problem), solve_scalar(problem)}; }

Digest digest_of(const Problem& problem, std::span<const float> y) {
  Digest digest;
  const Case& one = problem.definition();
  for (std::size_t i = 0; i < one.m; ++i) digest.add(y.subspan(i * problem.ldy, one.shape.d_model));
  return digest;
}

CaseVerdict judge(const RandomCase& one, const Problem& problem, const Expected& expected, Executor& executor,
                  const PackFunction& pack) {
  CaseVerdict verdict;
  const auto failed = [&verdict](const std::string& what) {
    verdict.failure = what;
    return verdict;
  };
  const Result<Ffn> ffn =
      pack(one.shape, one.kind, problem.weights(), options_of(problem, one.isa, one.plan.tiling.nr));
  if (!ffn) return failed(ffn.status().message());
  const Result<std::vector<float>> y = solve(*ffn, problem, &one.plan, &executor);
  if (!y) return failed(y.status().message());
  const Plan chosen = ffn->plan(one.m, executor.max_threads()).plan;
  const Result<std::vector<float>> again = solve(*ffn, problem, &chosen, &executor);
  if (!again) return failed(again.status().message());
  if (!expected.scalar) return failed(expected.scalar.status().message());

  verdict.digest = digest_of(problem, *y).value();
  verdict.error_over_bound = worst_error_over_bound(expected.answer, *y, one.shape, one.m, problem.ldy);
  if (!(verdict.error_over_bound <= 1.0))
    return failed("the error is " + std::to_string(verdict.error_over_bound) + " times the bound");
  if (!padding_untouched(problem, *y) || !padding_untouched(problem, *again))
    return failed("the padding of y was written");
  if (!equal_bits(*y, *again)) return failed("the plan " + describe(chosen) + " gives other bits");
  if (digest_of(problem, *expected.scalar).value() != verdict.digest)
    return failed("the scalar kernels give other bits");
  return verdict;
}

}  // namespace

CaseVerdict verify(const RandomCase& one, const PackFunction& pack) {
  const Problem problem = problem_of(one);
  ThreadPool pool(one.plan.threads);
  return judge(one, problem, expect(problem), pool, pack);
}

std::string failure_line(const std::string& failure, const RandomCase& one) {
  return failure + ": sluice verify --case " + describe(one);
}

std::vector<RandomVerdict> verify_random(std::span<const Isa> isas, std::span<const Kind> functions, WeightType weights,
                                         Arithmetic arithmetic, const RandomOptions& options) {
  std::vector<RandomVerdict> verdicts;
  for (const Isa isa : isas) verdicts.push_back({.isa = isa, .weights = weights, .arithmetic = arithmetic});
  std::vector<Fnv1a> digests(isas.size());
  ThreadPool pool(options.threads);
  for (std::size_t index = 0; index < options.cases; ++index) {
    RandomCase one = draw_problem(options.seed, index, functions, weights, arithmetic);
    const Problem problem = problem_of(one);
    const Expected expected = expect(problem);
    for (std::size_t at = 0; at < isas.size(); ++at) {
      draw_plan(one, isas[at], options.threads);
      const CaseVerdict found = judge(one, problem, expected, pool, options.pack);
      RandomVerdict& verdict = verdicts[at];
      ++verdict.cases;
      verdict.worst_error_over_bound = std::max(verdict.worst_error_over_bound, found.error_over_bound);
      digests[at].add(std::to_string(found.digest));
      if (!found.failure.empty()) verdict.failures.push_back(failure_line(found.failure, one));
    }
  }
  for (std::size_t at = 0; at < isas.size(); ++at) verdicts[at].digest = digests[at].value();
  return verdicts;
}

}  // namespace sluice::tuner
