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
  // x: [m, d_model]. own: Sluice's forward of it, all rows. The oracle answers the first, middle and last row.
  ExpectedAnswer(Shape shape, Kind kind, const Weights& weights, const float* x, std::size_t m,
                 std::span<const float> own);

  // What is wrong with y [m, d_model]; empty when it is right. Two bounds hold:
  //  - each element of the three rows lies within the oracle's worst-case bound, which any order of summation keeps;
  //  - each row is near enough as a whole: ‖y − expected‖ ≤ u·(8 + 4·(√d_model + √d_ff))·‖expected‖, a few times what
  //    float32 roundings, which are independent of each other, add up to. It is what finds an activation of half
  //    precision, which the worst case would let pass.
  // Against Sluice's own rows, which have such an error themselves, twice that is allowed.
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
