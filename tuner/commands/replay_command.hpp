// Owns: `sluice tune --replay FILE`, which shows what each strategy finds on recorded landscapes.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace sluice::tuner {

// Returns the exit code. The files are landscapes or journals of --rigor exhaustive, and any other file is a Failure 5.
// A journal of one cell is written to `out` as a landscape, which is some ten times smaller.
int replay_command(const std::vector<std::string>& files, bool json, const std::optional<std::filesystem::path>& out);

}  // namespace sluice::tuner
