// Owns: whether a peer's answer is right: against the oracle in double precision and against Sluice's own answer.
// Does not own: the oracle (sluice/reference.hpp).
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "sluice/ffn.hpp"
#include "tuner/workload/verification_case.hpp"

namespace sluice::bench {

// The right answer to one cell.
class ExpectedAnswer {
 public:
  // x is [m, d_model], own is Sluice's forward of all its rows. The oracle computes the first, middle and last row.
  ExpectedAnswer(Shape shape, Kind kind, const Weights& weights, const float* x, std::size_t m,
                 std::span<const float> own);

  // Returns what is wrong with y [m, d_model], or an empty text if nothing is. There are two bounds:
  //  - each element of the three rows lies within the oracle's worst-case bound, which any order of summation keeps;
  //  - each row as a whole satisfies ‖y − expected‖ ≤ u·(8 + 4·(√d_model + √d_ff))·‖expected‖, a few times the sum of
  //    independent float32 roundings. This bound finds an activation of half precision, which the worst case lets pass.
  // Sluice's own rows have such an error too, so a comparison with them allows twice as much.
  [[nodiscard]] std::string complaint(std::span<const float> y) const;

 private:
  struct OracleRow {
    std::size_t row;
    tuner::Answer answer;
  };

  Shape shape_;
  std::size_t m_;
  double tolerance_;
  std::vector<float> own_;
  std::vector<OracleRow> oracle_;
};

}  // namespace sluice::bench
