// Owns: the program sluice-tuner and its table of verbs.
#include <array>

#include "tuner/commands/doctor_command.hpp"
#include "tuner/commands/info.hpp"
#include "tuner/commands/profile_export.hpp"
#include "tuner/commands/program.hpp"
#include "tuner/commands/tune_command.hpp"

int main(int argc, char** argv) {
  using namespace sluice::tuner;
  constexpr std::array verbs{
      Verb{"info", "show what Sluice knows of this machine and which plans it would use", info_command},
      Verb{"doctor", "tell whether this machine is fit for measuring, and what to do about it", doctor_command},
      Verb{"tune", "find the fastest plans for this machine and write a profile", tune_command},
      Verb{"export", "write the plans of a profile as JSON, a C++ header, CSV or T4", export_command},
  };
  return run_program("sluice-tuner", verbs, argc, argv);
}
