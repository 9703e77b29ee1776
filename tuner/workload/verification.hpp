// Owns: whether the kernels are right on this machine: seeded cases, the comparison with the oracle and of tilings with
// each other, the digest by which two machines or instruction sets are compared to the bit.
// Does not own: the oracle and its bound (sluice/reference.hpp), printing (bench), what to do about a failure.
// Uses kernels and the standard library alone, so that it builds wherever the kernels do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "sluice/sluice.hpp"
#include "tuner/workload/verification_case.hpp"

namespace sluice::tuner {

std::string describe(const Plan& plan);

// Solves the problem with packed weights: y as a copy of problem.y, padding included. The workspace is filled with NaN
// first, so that a read of memory not yet written shows. plan: null: what the Ffn chooses.
Result<std::vector<float>> solve(const Ffn& ffn, const Problem& problem, const Plan* plan = nullptr,
                                 Executor* executor = nullptr);

// A valid plan with extents small enough that a small problem has many blocks, remainders in each of them.
Plan random_plan(Random& random, Isa isa, Kind kind, std::uint32_t nr, std::uint32_t max_threads);

// What became of one kernel's cases.
struct KernelVerdict {
  std::string kernel;  // "avx512/swiglu"
  Isa isa;
  Kind kind;
  std::size_t cases = 0;
  double worst_error_over_bound = 0;
  std::uint64_t digest = 0;  // of the results in the order of the cases; equal for all FMA-capable ISAs
  std::string failure;       // the first one: the case and what was wrong; empty when there is none
  bool passed = false;
};

struct VerifyOptions {
  Coverage coverage = Coverage::full;  // of the standard cases
  std::uint32_t threads = 3;           // the most that a tried plan uses
  PlanTable plans{};                   // tuned plans to use where they fit
  // Whose kernels are verified; a test puts damaged ones here.
  std::function<Result<Ffn>(Shape, Kind, const Weights&, const PackOptions&)> pack = &Ffn::pack;
};

// Solves every standard case under the plan the library chooses and under a seeded random plan. Passed: all errors
// within the bound, both results equal to the bit, padding of y untouched. A status when the kernel cannot be run.
Result<KernelVerdict> verify(Isa isa, Kind kind, const VerifyOptions& options = {});
// The same with cases of the caller's, all of this kind; of large ones three rows are compared with the oracle.
Result<KernelVerdict> verify(Isa isa, Kind kind, std::span<const Case> cases, const VerifyOptions& options = {});

// For the tuner: may a plan be crowned? Solves M rows once by the analytical plan on one thread, compares some rows of
// that with the oracle, and then every candidate's whole output with it, to the bit.
class PlanVerification {
 public:
  // Uses ffn during its life, and `weights` (those that ffn was packed from) only here. x: [m, d_model], dense.
  PlanVerification(const Ffn& ffn, const Weights& weights, std::vector<float> x, std::size_t m);

  // Why no plan can be accepted: the analytical plan failed or was out of bound. Ok otherwise.
  [[nodiscard]] const Status& status() const noexcept { return status_; }
  [[nodiscard]] double worst_error_over_bound() const noexcept { return worst_; }

  // Ok when the plan gives the same bits. executor: null: the process-wide pool.
  [[nodiscard]] Status verify(const Plan& plan, Executor* executor = nullptr);

 private:
  [[nodiscard]] Status run(const Plan& plan, Executor* executor, std::vector<float>& y) const;

  const Ffn& ffn_;
  std::size_t m_;
  std::vector<float> x_, expected_, actual_;
  Status status_;
  double worst_ = 0;
};

}  // namespace sluice::tuner
