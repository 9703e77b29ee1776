// Owns: the verb `info`: what Sluice knows of this machine, whether a profile fits it, which plan a call would use.
// Does not own: any measurement.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tuner/commands/command_line.hpp"
#include "tuner/profile/borrowing.hpp"
#include "tuner/profile/profile.hpp"

namespace sluice::tuner {

// The plan one call would use.
struct PlannedCell {
  std::string_view model;  // empty for sizes given as numbers
  Call call;
  PlanChoice choice;
  PlanOrigin origin;
  std::string reason;                  // one sentence
  std::optional<Borrowing> borrowing;  // of a borrowed plan
};

struct Information {
  Machine machine;
  std::filesystem::path profile_path;
  std::optional<Profile> profile;
  UsableRows usable;                 // of the profile
  std::vector<PlannedCell> planned;  // refers to usable
};

// Fills in `planned` for every cell of the selection.
void plan_cells(Information& information, const Selection& selection);

std::string information_text(const Information& information);
std::string information_json(const Information& information);

// argv[0] is the verb. Throws Failure; returns an exit code.
int info_command(int argc, char** argv);

}  // namespace sluice::tuner
