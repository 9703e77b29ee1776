// Owns: the selectors that the verbs share, every check of them, and how CLI11's errors become a Failure.
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

  std::vector<std::string> models, kinds, weights, arithmetics, m, threads;
  std::optional<std::string> d_model, d_ff, isa, profile, out;
  std::optional<std::string> cores;  // for bind_and_probe() of binding.hpp
  bool json = false;
  bool layers = true;  // false: the verb measures none, so that no memory is asked for them

  // Whether the user selected any cells. `info` shows their plans only then.
  [[nodiscard]] bool selects() const {
    return !models.empty() || !kinds.empty() || !weights.empty() || !arithmetics.empty() || !m.empty() ||
           !threads.empty() || d_model || d_ff || isa;
  }
};

// Checked values, in the order given, without repetitions; no list is empty.
struct Selection : CellAxes {
  std::optional<Isa> isa;  // forced by --isa or SLUICE_ISA; empty: the verb chooses
  std::filesystem::path profile;
  bool profile_given = false;  // then the file must exist
  bool json = false;
  std::optional<std::filesystem::path> out;
};

void add_profile_option(CLI::App& app, RawSelection& raw);
void add_out_option(CLI::App& app, RawSelection& raw);
void add_json_option(CLI::App& app, RawSelection& raw);
void add_cores_option(CLI::App& app, RawSelection& raw);
// parse_plain_sizes() of cell.hpp reads its words.
void add_equal_option(CLI::App& app, std::vector<std::string>& words);
// Adds --model, --d-model, --d-ff, --kind, --weights, --arithmetic, --m, --threads, --cores and --isa.
void add_shape_options(CLI::App& app, RawSelection& raw);
// Adds the shape options, --profile, --json and --out.
void add_selectors(CLI::App& app, RawSelection& raw);
// Returns the foot of --help: the known models, kinds, types of weights and ISAs, and an example of the verb.
std::string selector_help(std::string_view example);

// The value of an option, least to most. Throws Failure 2 if the word is no such number; or_else ends the message.
std::uint64_t whole_number(std::string_view option, std::string_view word, std::uint64_t least, std::uint64_t most,
                           std::string_view or_else = "");

// Runs CLI11. Returns an exit code if --help was printed, which ends the verb. Throws Failure 2. argv[0] is the verb.
std::optional<int> parse(CLI::App& app, int argc, char** argv);

// Throws Failure 2 for an impossible value and Failure 4 for an ISA that cannot run here.
Selection resolve(const RawSelection& raw, const Machine& machine);

// The files alone, for a verb without shapes.
struct FileSelection {
  std::filesystem::path profile;
  bool profile_given;
  std::optional<std::filesystem::path> out;
};
FileSelection resolve_files(const RawSelection& raw);

}  // namespace sluice::tuner
