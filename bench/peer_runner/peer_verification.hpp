// Owns: whether a peer's answer is right: against the oracle in double precision and against Sluice's own answer.
// Does not own: the oracle (sluice/reference.hpp), what a form of a peer rounds besides (error_budget.hpp).
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "bench/peer_runner/form_rounding.hpp"
#include "sluice/ffn.hpp"
#include "tuner/workload/verification_case.hpp"

namespace sluice::bench {

// How far answers of one form may be from the oracle's.
struct Tolerance {
  std::vector<tuner::Answer> oracle;  // each of its rows, with the bound of each element
  std::vector<double> rows;           // of the same rows as a whole: ‖y − expected‖ / ‖expected‖
  double any_row = 0;                 // the same of any other row
};

// The right answer to one cell.
class ExpectedAnswer {
 public:
  // The weights are the float32 values that every peer computes with, dense [in, out]; x is [m, d_model]; both must
  // outlive it. own is Sluice's forward of all rows, with the kind's arithmetic. The oracle computes the first, middle
  // and last row, in double precision and with float32's bounds, whatever the kind's arithmetic.
  ExpectedAnswer(Shape shape, Kind kind, const Weights& weights, const float* x, std::size_t m,
                 std::span<const float> own);

  // What a form that rounds this may be away from the oracle, at most. σ² is the variance that its roundings give an
  // element of y (error_budget.hpp), 0 of a form in float32. There are two bounds:
  //  - each element of the three rows lies within the oracle's worst-case bound, which any order of summation keeps,
  //    and 8σ: a normal error is beyond that once in 10¹⁵;
  //  - each row as a whole satisfies ‖y − expected‖ ≤ u·(8 + 4·(√d_model + √d_ff))·‖expected‖ + 3·√(Σ σ²). The first
  //    term is a few times the sum of independent float32 roundings and finds an activation of half precision, which
  //    the worst case lets pass. In the second the sum of many squares is within a few percent of what is expected, and
  //    3 leaves room for roundings of one direction, by truncation, and for slopes that are less than the largest.
  // Other rows are made up as these are, so their second term is taken as at most 1.5 times the largest of the three.
  [[nodiscard]] Tolerance tolerance(const FormRounding& rounding) const;

  // Returns what is wrong with y [m, d_model], or an empty text if nothing is. Beside the bounds of the tolerance, all
  // rows are compared with Sluice's, which have an error of their own.
  [[nodiscard]] std::string complaint(std::span<const float> y, const Tolerance& tolerance) const;

  // The largest ‖y − expected‖ / ‖expected‖ of the oracle's rows.
  [[nodiscard]] double error(std::span<const float> y) const;

 private:
  struct OracleRow {
    std::size_t row;
    tuner::Answer answer;
  };

  Shape shape_;
  Kind kind_;
  Weights weights_;
  const float* x_;
  std::size_t m_;
  double float32_;  // the first term of a row's bound
  double own_tolerance_ = 0;
  std::vector<float> own_;
  std::vector<OracleRow> oracle_;
};

}  // namespace sluice::bench
