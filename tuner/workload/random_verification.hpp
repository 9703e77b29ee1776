// Owns: whether random cases are solved rightly: within the bound of the oracle, to the bit the same by another plan
// and another instruction set, without a touch beyond y. Does not own: what is drawn (random_case.hpp), printing
// (bench).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "sluice/sluice.hpp"
#include "tuner/workload/random_case.hpp"
#include "tuner/workload/verification.hpp"

namespace sluice::tuner {

struct CaseVerdict {
  double error_over_bound = 0;
  std::uint64_t digest = 0;  // of y
  std::string failure;       // what was wrong; empty when the case passed
};

// Solves the case with kernels that `pack` provides, by its plan and by the library's own, and compares both with the
// oracle and with what the shipped scalar kernels answer.
CaseVerdict verify(const RandomCase& one, const PackFunction& pack = &Ffn::pack);

// "the error is 2.5 times the bound: sluice verify --case isa=avx2,…": what was wrong, and what repeats it.
std::string failure_line(const std::string& failure, const RandomCase& one);

// What became of the cases of one ISA, type of weights and arithmetic.
struct RandomVerdict {
  Isa isa;
  WeightType weights;
  Arithmetic arithmetic;
  std::size_t cases = 0;
  double worst_error_over_bound = 0;
  std::uint64_t digest = 0;             // of the results in the order of the cases; the same for all ISAs
  std::vector<std::string> failures{};  // the line of each case that failed
};

struct RandomOptions {
  std::size_t cases = 100;
  std::uint64_t seed = 1;
  std::uint32_t threads = 3;  // the most that a plan uses
  PackFunction pack = &Ffn::pack;
};

// Solves so many problems of a type and an arithmetic, whose functions are drawn from `functions`, on each of the ISAs
// by a plan that is drawn for it.
std::vector<RandomVerdict> verify_random(std::span<const Isa> isas, std::span<const Kind> functions, WeightType weights,
                                         Arithmetic arithmetic, const RandomOptions& options = {});

}  // namespace sluice::tuner
