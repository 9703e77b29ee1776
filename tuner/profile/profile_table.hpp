// Owns: a profile as a table: one record per plan, for spreadsheets (CSV) and for the tools of the FAIR auto-tuning
// project (T4). Both hold every field of a plan and its measurement, in the order of sorted_plans().
#pragma once

#include <string>

#include "tuner/profile/profile.hpp"

namespace sluice::tuner {

// Returns CSV by RFC 4180: a header line, CRLF, quotes where a field needs them. Columns are only ever added, at the
// end. An empty field was not measured or is unknown. Numbers have enough digits to read back the same.
std::string csv_text(const Profile& profile);

// Returns Kernel Tuner's T4 results, version 1.0.0, one per plan. A profile holds ratios and fractions of roofs, not
// times, so `runtimes` is empty and the objective is ratio_to_default. `configuration` holds the cell and the plan.
std::string t4_text(const Profile& profile);

}  // namespace sluice::tuner
