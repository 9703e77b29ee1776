#include "bench/session/baseline_plans.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>

#include "tuner/base/failure.hpp"
#include "tuner/base/standard_streams.hpp"

namespace sluice::bench {

using tuner::Failure;
namespace exit_code = tuner::exit_code;

std::optional<BaselinePlans> choose_baseline(const std::optional<std::string>& word, const tuner::Machine& machine) {
  if (!word) return std::nullopt;
  if (*word == default_baseline) return BaselinePlans{*word, {}};
  if (word->empty()) throw Failure(exit_code::usage, "--against '': expected 'default' or the file of a profile");
  BaselinePlans baseline{*word, tuner::usable_rows(*tuner::find_profile(*word, true), machine)};
  if (!baseline.rows.exact)
    throw Failure(exit_code::file,
                  fmt::format("--against {}: the profile of another machine ({}), whose plans would be "
                              "no fair baseline; give one that was tuned here",
                              *word, fmt::join(baseline.rows.differences, ", ")));
  for (const std::string& warning : baseline.rows.warnings)
    tuner::write_stderr("sluice bench: warning: {}: {}\n", *word, warning);
  return baseline;
}

}  // namespace sluice::bench
