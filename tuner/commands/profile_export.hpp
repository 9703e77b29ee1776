// Owns: the verb `export`, which writes plans for other programs; the C++ header. Does not own: JSON
// (profile_json.hpp), tables (profile_table.hpp).
#pragma once

#include <string>

#include "tuner/profile/profile.hpp"

namespace sluice::tuner {

// Returns a C++20 header that defines sluice_profile::rows and sluice_profile::plans (a sluice::PlanTable). It includes
// only "sluice/plan.hpp". The same profile gives the same text.
std::string header_text(const Profile& profile);

// argv[0] is the verb. Throws Failure; returns an exit code.
int export_command(int argc, char** argv);

}  // namespace sluice::tuner
