// Owns: the program sluice-bench and its table of verbs.
#include <array>

#include "bench/commands/bench_command.hpp"
#include "bench/commands/verify_command.hpp"
#include "tuner/commands/program.hpp"

int main(int argc, char** argv) {
  using namespace sluice;
  constexpr std::array verbs{
      tuner::Verb{"bench", "measure FFNs with tuned plans against the machine's roofs", bench::bench_command},
      tuner::Verb{"verify", "check every kernel against the double-precision oracle", bench::verify_command},
  };
  return tuner::run_program("sluice-bench", verbs, argc, argv);
}
