// Owns: `sluice tune --merge`: profiles of one machine put together into one. Measures nothing.
#pragma once

#include <string_view>

namespace sluice::tuner {

// One line for the foot of `sluice tune --help`.
inline constexpr std::string_view merge_help =
    "`sluice tune --merge A.json B.json --out C.json` puts profiles of one machine together without measuring.";

// Whether the words ask for it: then no other option of tune means anything.
bool asks_for_merge(int argc, char** argv);

// argv[0] is the verb. Throws Failure; returns an exit code.
int merge_command(int argc, char** argv);

}  // namespace sluice::tuner
