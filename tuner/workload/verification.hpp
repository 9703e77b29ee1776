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

// Solves the problem with packed weights. Returns y, which starts as a copy of problem.y, padding included. The
// workspace is filled with NaN first, so that a read of unwritten memory shows. A null plan lets the Ffn choose.
Result<std::vector<float>> solve(const Ffn& ffn, const Problem& problem, const Plan* plan = nullptr,
                                 Executor* executor = nullptr);

// Whether the ends of y's rows, which forward must not touch, are as they were in problem.y.
bool padding_untouched(const Problem& problem, std::span<const float> y) noexcept;

// Returns a valid plan with extents so small that even a small problem has many blocks and remainders.
Plan random_plan(Random& random, Isa isa, Kind kind, std::uint32_t nr, std::uint32_t max_threads);

// The outcome of one kernel's cases.
struct KernelVerdict {
  std::string kernel;  // "avx512/swiglu", "avx512/swiglu/bf16"
  Isa isa;
  Kind kind;
  std::size_t cases = 0;
  double worst_error_over_bound = 0;
  std::uint64_t digest = 0;  // of the results in the order of the cases; equal for all FMA-capable ISAs
  std::string failure;       // the first one: the case and what was wrong; empty when there is none
  bool passed = false;
};

// How the kernels to be verified are packed. A test gives damaged ones.
using PackFunction = std::function<Result<Ffn>(Shape, Kind, const Weights&, const PackOptions&)>;

struct VerifyOptions {
  Coverage coverage = Coverage::full;  // of the standard cases
  std::uint32_t threads = 3;           // the most that a tried plan uses
  PlanTable plans{};                   // tuned plans to use where they fit
  PackFunction pack = &Ffn::pack;
  bool to_the_end = true;  // false: the first failure is enough
};

// Solves every standard case with the plan that the library chooses and with a seeded random plan. It passes if all
// errors are within the bound, both results are equal to the bit and the padding of y is untouched. Returns an error
// status when the kernel cannot be run.
Result<KernelVerdict> verify(Isa isa, Kind kind, const VerifyOptions& options = {});
// Does the same with the caller's cases, all of this kind. Of large ones, three rows are compared with the oracle.
Result<KernelVerdict> verify(Isa isa, Kind kind, std::span<const Case> cases, const VerifyOptions& options = {});

// Tells the tuner whether a plan's results are right. It solves M rows once by the analytical plan on one thread and
// compares some of them with the oracle. Every candidate's whole output must then equal that result to the bit.
class PlanVerification {
 public:
  // ffn must outlive this object. `weights`, from which it was packed, are only used here. x is dense, [m, d_model].
  PlanVerification(const Ffn& ffn, const Weights& weights, std::vector<float> x, std::size_t m);

  // Says why no plan can be accepted, if the analytical plan failed or was out of bound. Otherwise it is ok.
  [[nodiscard]] const Status& status() const noexcept { return status_; }
  [[nodiscard]] double worst_error_over_bound() const noexcept { return worst_; }

  // Returns ok when the plan gives the same bits. A null executor stands for the process-wide pool.
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
