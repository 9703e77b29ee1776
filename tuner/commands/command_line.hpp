// Owns: the selectors that the verbs share, every check of them, and how CLI11's complaints become a Failure.
// Does not own: the verbs (program.hpp), or options that one verb has alone.
//
// A verb:   CLI::App app("What it does.", "sluice bench");
//           RawSelection raw{.default_kinds = {swiglu, relu}};
//           add_selectors(app, raw);           // or the parts, for a verb that needs less
//           app.add_flag("--hot", …);          // its own
//           app.footer(selector_help("sluice bench --model tinyllama --m 1,256"));
//           if (const auto code = parse(app, argc, argv)) return *code;
//           const Machine machine = bind_and_probe(raw.cores);
//           const Selection selection = resolve(raw, machine);
#pragma once

#include <CLI/CLI.hpp>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/isa.hpp"
#include "sluice/kind.hpp"
#include "tuner/machine/machine.hpp"
#include "tuner/workload/cell.hpp"

namespace sluice::tuner {

// The words of the command line. Every list may be given with commas, by repeating the option, or both.
struct RawSelection {
  std::vector<Kind> default_kinds{swiglu};  // of the verb

  std::vector<std::string> models, kinds, m, threads;
  std::optional<std::string> d_model, d_ff, isa, profile, out;
  std::optional<std::string> cores;  // for bind_and_probe() of binding.hpp
  bool json = false;

  // Whether the user selected anything: what a machine-wide verb shows more for.
  [[nodiscard]] bool selects() const {
    return !models.empty() || !kinds.empty() || !m.empty() || !threads.empty() || d_model || d_ff || isa;
  }
};

// Checked values, in the order given, without repetitions; no list is empty.
struct Selection : CellAxes {
  std::optional<Isa> isa;  // forced by --isa or SLUICE_ISA; else the verb's choice
  std::filesystem::path profile;
  bool profile_given = false;  // by name: then it must be there
  bool json = false;
  std::optional<std::filesystem::path> out;
};

void add_profile_option(CLI::App& app, RawSelection& raw);
void add_out_option(CLI::App& app, RawSelection& raw);
void add_json_option(CLI::App& app, RawSelection& raw);
void add_cores_option(CLI::App& app, RawSelection& raw);
// Its words are for parse_plain_sizes() of cell.hpp.
void add_equal_option(CLI::App& app, std::vector<std::string>& words);
// --model, --d-model, --d-ff, --kind, --m, --threads, --cores, --isa, whose help lists the names.
void add_shape_options(CLI::App& app, RawSelection& raw);
// All of the above.
void add_selectors(CLI::App& app, RawSelection& raw);
// For the foot of --help: the known models, kinds and ISAs, and an example of the verb.
std::string selector_help(std::string_view example);

// Runs CLI11. Nothing: go on. A code: the verb is done (--help was printed). Throws Failure 2.
// argv[0] is the verb.
std::optional<int> parse(CLI::App& app, int argc, char** argv);

// Failure 2 for a value that cannot be, Failure 4 for an ISA that cannot run here.
Selection resolve(const RawSelection& raw, const Machine& machine);

// Only the files; for a verb without shapes.
struct FileSelection {
  std::filesystem::path profile;
  bool profile_given;
  std::optional<std::filesystem::path> out;
};
FileSelection resolve_files(const RawSelection& raw);

}  // namespace sluice::tuner
