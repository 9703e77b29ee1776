// Owns: `sluice verify --random` and `--case`: which random cases, and how their outcome is printed.
// Does not own: the cases and the checks (tuner/workload/random_verification.hpp).
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "tuner/commands/command_line.hpp"
#include "tuner/workload/verification.hpp"

namespace sluice::bench {

// The words of the options.
struct RandomWords {
  std::optional<std::string> random, seed, one;

  // Whether `sluice verify` is asked for random cases.
  [[nodiscard]] bool asked() const { return random || seed || one; }
};
void add_random_options(CLI::App& app, RandomWords& words);

// Returns 0, or throws Failure 1 after the outcome was printed, 2 for what makes no sense, 4 for a case whose ISA
// cannot run here.
int verify_random_cases(const RandomWords& words, tuner::RawSelection raw, const tuner::PackFunction& pack);

}  // namespace sluice::bench
