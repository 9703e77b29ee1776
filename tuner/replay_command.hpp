// Owns: `sluice tune --replay FILE`: what each strategy would have found on recorded landscapes, as a table.
#pragma once

#include <string>
#include <vector>

namespace sluice::tuner {

// The exit code. Failure 5 for a file that is no landscape.
int replay_command(const std::vector<std::string>& files, bool json);

}  // namespace sluice::tuner
