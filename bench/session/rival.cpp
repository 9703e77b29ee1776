#include "bench/session/rival.hpp"

#include <fmt/format.h>

#include <cstdio>

#include "tuner/base/failure.hpp"

namespace sluice::bench {

using tuner::Failure;
namespace exit_code = tuner::exit_code;

std::optional<Rival> choose_rival(const std::optional<std::string>& word, const tuner::Machine& machine) {
  if (!word) return std::nullopt;
  if (*word == default_rival) return Rival{*word, {}};
  if (word->empty()) throw Failure(exit_code::usage, "--against '': expected 'default' or the file of a profile");
  Rival rival{*word, tuner::usable_rows(*tuner::find_profile(*word, true), machine)};
  if (!rival.rows.exact)
    throw Failure(exit_code::file,
                  fmt::format("--against {}: the profile of another machine ({}), whose plans would be "
                              "no fair rival; give one that was tuned here",
                              *word, fmt::join(rival.rows.differences, ", ")));
  for (const std::string& warning : rival.rows.warnings)
    fmt::print(stderr, "sluice bench: warning: {}: {}\n", *word, warning);
  return rival;
}

}  // namespace sluice::bench
