// Owns: the version the programs report. The build defines SLUICE_VERSION from the project's one version number.
#pragma once

#include <string_view>

namespace sluice::tuner {

inline constexpr std::string_view version = SLUICE_VERSION;

}  // namespace sluice::tuner
