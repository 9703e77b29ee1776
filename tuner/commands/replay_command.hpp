// Owns: `sluice tune --replay FILE`: what each strategy would have found on recorded landscapes, as a table.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace sluice::tuner {

// The exit code. The files are landscapes, or journals of --rigor exhaustive; Failure 5 for any other. `out`: a journal
// of one cell is written there as a landscape, which is some ten times smaller.
int replay_command(const std::vector<std::string>& files, bool json, const std::optional<std::filesystem::path>& out);

}  // namespace sluice::tuner
