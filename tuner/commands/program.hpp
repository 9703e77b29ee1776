// Owns: a program of several verbs: its table, --help, --version, and how a Failure is reported, which is one line on
// stderr, `sluice VERB: message`, and the exit code. Does not own: what the verbs do.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::tuner {

struct Verb {
  std::string_view name;
  std::string_view summary;
  int (*run)(int argc, char** argv);  // argv[0] is the verb; returns an exit code or throws Failure
};

// Returns the exit code of main(). argv[1] is the verb.
int run_program(std::string_view program, std::span<const Verb> verbs, int argc, char** argv);

// Returns what the user typed, for the files that record it: "sluice", the verb, its arguments.
std::vector<std::string> command_words(int argc, char** argv);

}  // namespace sluice::tuner
