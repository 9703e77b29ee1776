// Owns: cases that are drawn at random from everything a call may be, and their text, which repeats them.
// Does not own: the data of a case (verification_case.hpp), solving it and judging the answer
// (random_verification.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "sluice/sluice.hpp"
#include "tuner/workload/verification_case.hpp"

namespace sluice::tuner {

// A problem, and the kernel and the plan that solve it. Everything follows from these fields.
struct RandomCase {
  Isa isa = Isa::scalar;
  Kind kind = swiglu;
  Shape shape{1, 1};
  std::size_t m = 1;
  Forms forms;
  bool accumulate = false;
  Plan plan;               // its nr is that of the packed weights
  std::uint64_t seed = 0;  // of the data
  friend bool operator==(const RandomCase&, const RandomCase&) = default;
};

// The data of the case, which do not depend on its ISA and plan.
Problem problem_of(const RandomCase& one);

// Draws the problem of number `index` for a type of weights and an arithmetic: its function is one of `functions`. The
// ISA and the plan are left as they are. The same arguments give the same problem, whatever else is drawn.
RandomCase draw_problem(std::uint64_t seed, std::size_t index, std::span<const Kind> functions, WeightType weights,
                        Arithmetic arithmetic);
// Gives the case this ISA and a plan of at most that many threads, which follows from the case's seed and the ISA.
void draw_plan(RandomCase& one, Isa isa, std::uint32_t max_threads);

// "isa=avx2,kind=swiglu,weights=int8:32,…": all fields, in one word for a shell.
std::string describe(const RandomCase& one);
// Reads what describe() writes. Fails on what is unknown, missing or given twice, on values that pack() or forward()
// would refuse and on sizes beyond those of random cases. Whether the ISA runs here is left open.
Result<RandomCase> parse_random_case(std::string_view text);

}  // namespace sluice::tuner
