// Owns: seeded problems for the kernels: the generator, the standard cases, their data, the oracle's answer, the
// comparisons. Does not own: solving them, and what becomes of a kernel (verification.hpp).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "sluice/sluice.hpp"
#include "tuner/base/fnv1a.hpp"
#include "tuner/workload/kind_name.hpp"

namespace sluice::tuner {

// xoshiro256** (Blackman, Vigna: Scrambled linear pseudorandom number generators, 2021), its state filled by
// splitmix64. The standard library's distributions differ between implementations, while these numbers do not.
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept;

  std::uint64_t next() noexcept;
  // Returns an integer, uniform in [low, high].
  std::uint64_t between(std::uint64_t low, std::uint64_t high) noexcept;
  // Returns an integer of 24 bits times `scale`/2²³, in [−scale, scale). It is exact if scale is a power of two.
  float value(float scale) noexcept;

 private:
  std::array<std::uint64_t, 4> state_{};
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
// Tells enough to repeat the case: "swiglu 33x65 M=7 in_out biases padded seed=12".
std::string describe(const Case& one);

// `full` visits every remainder (1, 2, tile − 1, tile, tile + 1, primes) of M, d_model and d_ff for each combination of
// biases and order. `brief`, for emulators, visits a fifth of them, but over all kinds together still every remainder.
enum class Coverage : std::uint8_t { brief, full };
std::vector<Case> standard_cases(Kind kind, Coverage coverage);

// How a matrix is given.
struct MatrixForm {
  WeightType type = WeightType::f32;  // f32, bf16 or f16
  // Or q8_0, q4_0, mxfp4, with type f32 and order out_in; or gptq, gptq_v2, awq, with type f32 and order in_out, whose
  // groups are those of the packed weights (of 128 where these have none).
  BlockFormat blocks = BlockFormat::none;
  Order order = Order::in_out;
  std::size_t ld = 0;  // elements between its lines
  friend bool operator==(const MatrixForm&, const MatrixForm&) = default;
};
// How the operands of a problem are given and packed. A plain kind has no gate.
struct Forms {
  MatrixForm gate, up, down;
  bool gate_bias = false, up_bias = false, down_bias = false;
  std::size_t ldx = 0, ldy = 0;
  ScaleChoice scales = ScaleChoice::absmax;
  friend bool operator==(const Forms&, const Forms&) = default;
};
// What a case says of its operands: float32 matrices of one order, all biases or none.
Forms forms_of(const Case& one) noexcept;

// The data of a case. Padding holds NaN, so that reading it shows.
class Problem {
 public:
  explicit Problem(const Case& one) : Problem(one, forms_of(one)) {}
  // With operands of these forms, whatever the case says of order, biases and padding.
  Problem(const Case& one, const Forms& forms);

  // Views of this object's memory.
  [[nodiscard]] Weights weights() const noexcept;
  [[nodiscard]] const Case& definition() const noexcept { return case_; }
  [[nodiscard]] ScaleChoice scales() const noexcept { return forms_.scales; }

  std::vector<float> gate, up, down;                 // the values, but not of blocks; gate is empty for a plain kind
  std::vector<float> gate_bias, up_bias, down_bias;  // empty without biases
  std::vector<float> x;                              // [m, d_model], ldx
  std::vector<float> y;                              // [m, d_model], ldy: what an accumulating call starts from
  std::size_t up_ld = 0, down_ld = 0, ldx = 0, ldy = 0;

 private:
  Case case_;
  Forms forms_;
  std::vector<std::byte> stored_gate_, stored_up_, stored_down_;  // what is not given as float32
};

// The oracle's answer to some rows of a problem: dense [rows, d_model].
struct Answer {
  Answer() = default;
  explicit Answer(const Problem& problem) : Answer(problem, 0, problem.definition().m) {}
  Answer(const Problem& problem, std::size_t first_row, std::size_t rows);

  std::vector<double> y, bound;
};

// Returns the largest |y − answer| / bound over the elements of y (row stride ldy). It is at most 1 when the kernel is
// right, and infinite where y is not finite but the answer is.
double worst_error_over_bound(const Answer& answer, std::span<const float> y, Shape shape, std::size_t m,
                              std::size_t ldy);

// Whether two results have the same bits. All NaNs count as one.
bool equal_bits(std::span<const float> a, std::span<const float> b) noexcept;

// FNV-1a over the little-endian bytes of the floats. All NaNs count as one.
class Digest {
 public:
  void add(std::span<const float> values) noexcept;
  [[nodiscard]] std::uint64_t value() const noexcept { return hash_.value(); }

 private:
  Fnv1a hash_;
};

}  // namespace sluice::tuner
