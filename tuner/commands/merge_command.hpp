// Owns: `sluice tune --merge`, which puts profiles of one machine together without measuring.
#pragma once

#include <string_view>

namespace sluice::tuner {

// A line for the foot of `sluice tune --help`.
inline constexpr std::string_view merge_help =
    "`sluice tune --merge A.json B.json --out C.json` puts profiles of one machine together without measuring.";

// Whether --merge is among the words. Then the other options of tune have no meaning.
bool asks_for_merge(int argc, char** argv);

// argv[0] is the verb. Throws Failure; returns an exit code.
int merge_command(int argc, char** argv);

}  // namespace sluice::tuner
