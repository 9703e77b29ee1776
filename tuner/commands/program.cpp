#include "tuner/commands/program.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <new>

#include "tuner/base/failure.hpp"
#include "tuner/base/file.hpp"
#include "tuner/base/spelling.hpp"
#include "tuner/base/standard_streams.hpp"
#include "tuner/base/version.hpp"

namespace sluice::tuner {
namespace {

// Line breaks are replaced, because the message may name a file that has one, and a Failure is reported in one line.
int complain(std::string_view who, std::string_view message, int code) {
  std::string line = fmt::format("{}: {}", who, message);
  std::replace_if(
      line.begin(), line.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  write_stderr("{}\n", line);
  return code;
}

std::string overview(std::string_view program, std::span<const Verb> verbs) {
  std::string text = fmt::format("Usage: {} VERB [OPTION]...\n\n", program);
  for (const Verb& verb : verbs) text += fmt::format("  {:<8} {}\n", verb.name, verb.summary);
  return text + fmt::format("\n`{} VERB --help` teaches the options of a verb.\n", program);
}

int run_verb(std::string_view program, std::span<const Verb> verbs, int argc, char** argv) {
  std::vector<std::string_view> names;
  for (const Verb& verb : verbs) names.push_back(verb.name);
  if (argc < 2) throw Failure(exit_code::usage, "no verb was given; " + known_names("", names));
  const std::string_view word = argv[1];
  if (word == "--help" || word == "-h") {
    write_stdout(overview(program, verbs));
    return exit_code::ok;
  }
  if (word == "--version" || word == "-V") {
    write_stdout(fmt::format("sluice {}\n", version));
    return exit_code::ok;
  }
  const auto verb = std::find_if(verbs.begin(), verbs.end(), [&](const Verb& v) { return v.name == word; });
  if (verb == verbs.end())
    throw Failure(exit_code::usage, fmt::format("{}: not a verb; {}", word, known_names(word, names)));
  return verb->run(argc - 1, argv + 1);
}

}  // namespace

int run_program(std::string_view program, std::span<const Verb> verbs, int argc, char** argv) {
  open_standard_streams();
  const bool known =
      argc > 1 && std::any_of(verbs.begin(), verbs.end(), [&](const Verb& v) { return v.name == argv[1]; });
  const std::string who = known ? fmt::format("sluice {}", argv[1]) : "sluice";
  try {
    return run_verb(program, verbs, argc, argv);
  } catch (const Failure& failure) {
    return complain(who, failure.message, failure.exit_code);
  } catch (const std::bad_alloc&) {
    return complain(who, "out of memory; choose a smaller shape or fewer rows", exit_code::unsupported);
  } catch (const std::exception& error) {
    return complain(who, fmt::format("unexpected error: {}; please report it", error.what()), exit_code::unsupported);
  }
}

std::vector<std::string> command_words(int argc, char** argv) {
  std::vector<std::string> words{"sluice"};
  words.insert(words.end(), argv, argv + argc);
  return words;
}

}  // namespace sluice::tuner
