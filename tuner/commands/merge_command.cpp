#include "tuner/commands/merge_command.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tuner/base/failure.hpp"
#include "tuner/base/file.hpp"
#include "tuner/base/standard_streams.hpp"
#include "tuner/commands/command_line.hpp"
#include "tuner/profile/profile.hpp"
#include "tuner/profile/profile_merge.hpp"

namespace sluice::tuner {
namespace {

// Returns the profile at `path` put together with `whole`. Throws Failure 5 if they are of different machines.
Profile join_file(const std::optional<Profile>& whole, const std::string& whole_name, const std::string& path) {
  Profile next = *find_profile(path, true);
  if (!whole) return merged(next, next);
  if (next.fingerprint != whole->fingerprint) {
    throw Failure(
        exit_code::file,
        fmt::format("{}: the profile of another machine than {} ({}), expected profiles of one machine; "
                    "leave one of them out",
                    path, whole_name,
                    fmt::join(fingerprint_differences(next, whole->machine, whole->fingerprint, whole_name), ", ")));
  }
  return merged(*whole, next);
}

}  // namespace

bool asks_for_merge(int argc, char** argv) {
  const std::span<char*> words(argv, static_cast<std::size_t>(argc));
  return std::any_of(words.begin(), words.end(),
                     [](std::string_view word) { return word == "--merge" || word.starts_with("--merge="); });
}

int merge_command(int argc, char** argv) {
  CLI::App app(
      "Puts profiles of one machine together. Of a cell that several hold, the plan that is proven the faster against\n"
      "the analytical one is kept, then the one of more pairs: the order of the files does not matter.",
      "sluice tune --merge");
  std::vector<std::string> files;
  // A missing file name is refused below, because CLI11 would take --help for it if one were required here.
  app.add_option("--merge", files, "the profiles")->type_name("FILE...")->expected(0, -1);
  std::optional<std::string> out;
  app.add_option("--out", out, "the profile to write; what is there already is put together with the others")
      ->type_name("FILE");
  app.footer("Example: sluice tune --merge monday.json tuesday.json --out out/profile.json");
  if (const auto code = parse(app, argc, argv)) return *code;
  if (files.empty() || std::any_of(files.begin(), files.end(), [](const std::string& file) { return file.empty(); }))
    throw Failure(exit_code::usage, "--merge without a file name: expected profiles; name one or more");
  if (!out || out->empty())
    throw Failure(exit_code::usage,
                  fmt::format("--merge {} without --out: expected a file to write; add --out FILE", files.front()));

  std::optional<Profile> whole;
  for (const std::string& file : files) whole = join_file(whole, files.front(), file);
  std::vector<std::string> warnings;
  {
    const FileLock lock(*out);
    if (find_profile(*out, false)) whole = join_file(whole, files.front(), *out);
    write_profile(*out, *whole);
    warnings = width_conflicts(sorted_rows(*whole));
  }
  for (const std::string& warning : warnings) write_stderr("sluice tune: {}\n", warning);
  write_stdout(fmt::format("{}: {} plans of {} profile{}\n", *out, whole->plans.size(), files.size(),
                           files.size() == 1 ? "" : "s"));
  return exit_code::ok;
}

}  // namespace sluice::tuner
