// Owns: whether the kernels are right on this machine: seeded cases, the comparison with the oracle and of tilings with
// each other, the digest by which two machines or instruction sets are compared to the bit.
// Does not own: the oracle and its bound (sluice/reference.hpp), printing (bench), what to do about a failure.
// Uses kernels and the standard library alone, so that it builds wherever the kernels do.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "sluice/sluice.hpp"

namespace sluice::tuner {

// xoshiro256** (Blackman, Vigna: Scrambled linear pseudorandom number generators, 2021), its state filled by
// splitmix64. The standard library's distributions differ between implementations; these numbers do not.
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept;

  std::uint64_t next() noexcept;
  // Uniform in [low, high].
  std::uint64_t between(std::uint64_t low, std::uint64_t high) noexcept;
  // An integer of 24 bits times a power of two, in [−scale, scale): exact on every platform. scale: a power of two.
  float value(float scale) noexcept;

 private:
  std::array<std::uint64_t, 4> state_;
};

// One problem to solve; everything in it follows from these fields.
struct Case {
  Kind kind;
  Shape shape;
  std::size_t m;
  bool biases;
  Order order;      // of all three matrices
  bool padded;      // leading dimensions wider than the rows
  bool accumulate;  // y += …
  std::uint64_t seed;
};
// "swiglu 33x65 M=7 in_out biases padded seed=12": enough to repeat the case.
std::string describe(const Case& one);
std::string describe(const Plan& plan);

// full: every remainder (1, 2, tile − 1, tile, tile + 1, primes) of M, d_model and d_ff for each combination of biases
// and order. brief: a fifth of them, for emulators; over all kinds together still every remainder.
enum class Coverage : std::uint8_t { brief, full };
std::vector<Case> standard_cases(Kind kind, Coverage coverage);

// The data of a case. Padding holds NaN, so that reading it shows.
class Problem {
 public:
  explicit Problem(const Case& one);

  // Views of this object's memory.
  [[nodiscard]] Weights weights() const noexcept;
  [[nodiscard]] const Case& definition() const noexcept { return case_; }

  std::vector<float> gate, up, down;                 // gate is empty for a plain kind
  std::vector<float> gate_bias, up_bias, down_bias;  // empty without biases
  std::vector<float> x;                              // [m, d_model], ldx
  std::vector<float> y;                              // [m, d_model], ldy: what an accumulating call starts from
  std::size_t up_ld = 0, down_ld = 0, ldx = 0, ldy = 0;

 private:
  Case case_;
};

// The oracle's answer to some rows of a problem: dense [rows, d_model].
struct Answer {
  Answer() = default;
  explicit Answer(const Problem& problem) : Answer(problem, 0, problem.definition().m) {}
  Answer(const Problem& problem, std::size_t first_row, std::size_t rows);

  std::vector<double> y, bound;
};

// The largest |y − answer| / bound over the elements of y (row stride ldy); infinite where y is not finite but the
// answer is. At most 1 when the kernel is right.
double worst_error_over_bound(const Answer& answer, std::span<const float> y, Shape shape, std::size_t m,
                              std::size_t ldy);

// Two results are equal when their bits are, all NaNs taken as one.
bool equal_bits(std::span<const float> a, std::span<const float> b) noexcept;

// FNV-1a, 64 bits, over the little-endian bytes of the floats, all NaNs taken as one.
class Digest {
 public:
  void add(std::span<const float> values) noexcept;
  [[nodiscard]] std::uint64_t value() const noexcept { return state_; }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325U;
};

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

// One plan, with seeded rows. The same as a PlanVerification used once.
bool verify_plan(const Ffn& ffn, const Weights& weights, const Plan& plan, std::size_t m, Executor* executor = nullptr);

}  // namespace sluice::tuner
