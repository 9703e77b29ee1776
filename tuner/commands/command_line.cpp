#include "tuner/commands/command_line.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <limits>
#include <span>
#include <string_view>
#include <utility>

#include "tuner/base/failure.hpp"
#include "tuner/base/file.hpp"
#include "tuner/base/spelling.hpp"
#include "tuner/base/standard_streams.hpp"
#include "tuner/profile/profile.hpp"

namespace sluice::tuner {
namespace {

const std::vector<std::string> default_models{"tinyllama", "t5-base"};
const std::vector<std::string> default_weights{"f32"};
const std::vector<std::string> default_arithmetics{"f32"};
const std::vector<std::string> default_m{"1", "8", "64", "256"};
const std::vector<std::string> default_threads{"1", "all"};

// The m of a PlanRow, a power of two, has 32 bits.
constexpr std::size_t largest_m = std::size_t{1} << 31U;

[[noreturn]] void refuse(std::string message) { throw Failure(exit_code::usage, std::move(message)); }

std::vector<std::string_view> workload_names() {
  std::vector<std::string_view> names;
  for (const Workload& workload : workloads()) names.push_back(workload.name);
  return names;
}

std::vector<std::string_view> kind_names() {
  std::vector<std::string_view> names;
  for (const NamedKind& kind : kinds()) names.push_back(kind.name);
  return names;
}

std::vector<std::string_view> weight_type_names() {
  std::vector<std::string_view> names;
  for (const WeightType type : all_weight_types()) names.push_back(name(type));
  return names;
}

std::vector<std::string_view> arithmetic_names() {
  std::vector<std::string_view> names;
  for (const Arithmetic arithmetic : all_arithmetics()) names.push_back(name(arithmetic));
  return names;
}

std::vector<std::string_view> isa_names(std::span<const Isa> isas) {
  std::vector<std::string_view> names;
  for (const Isa isa : isas) names.push_back(name(isa));
  return names;
}

// Returns the entries of an option that was given with commas, repeatedly, or both.
std::vector<std::string> entries(std::string_view option, const std::vector<std::string>& words) {
  std::vector<std::string> found;
  for (const std::string& word : words) {
    for (std::size_t begin = 0; begin <= word.size();) {
      const std::size_t end = std::min(word.find(',', begin), word.size());
      if (end == begin)
        refuse(fmt::format("{} '{}': an empty entry, expected values with one comma between", option, word));
      found.push_back(word.substr(begin, end - begin));
      begin = end + 1;
    }
  }
  return found;
}

template <class T>
void append_new(std::vector<T>& list, const T& value) {
  if (std::find(list.begin(), list.end(), value) == list.end()) list.push_back(value);
}

std::vector<Workload> resolve_workloads(const RawSelection& raw) {
  if (raw.d_model || raw.d_ff) {
    if (!raw.models.empty()) {
      refuse(fmt::format("--model {} together with {}: expected a model or sizes; leave one out", raw.models.front(),
                         raw.d_model ? "--d-model" : "--d-ff"));
    }
    if (!raw.d_ff) refuse(fmt::format("--d-model {} without --d-ff: expected both; add --d-ff", *raw.d_model));
    if (!raw.d_model) refuse(fmt::format("--d-ff {} without --d-model: expected both; add --d-model", *raw.d_ff));
    constexpr std::uint64_t most = std::numeric_limits<std::size_t>::max();
    const auto d_model = static_cast<std::size_t>(whole_number("--d-model", *raw.d_model, 1, most));
    const auto d_ff = static_cast<std::size_t>(whole_number("--d-ff", *raw.d_ff, 1, most));
    return {Workload{"", d_model, d_ff, d_ff}};
  }
  std::vector<Workload> found;
  for (const std::string& word : entries("--model", raw.models.empty() ? default_models : raw.models)) {
    const Workload* workload = find_workload(word);
    if (workload == nullptr)
      refuse(fmt::format("--model {}: unknown model; {}", word, known_names(word, workload_names())));
    append_new(found, *workload);
  }
  return found;
}

std::vector<WeightType> resolve_weights(const RawSelection& raw) {
  std::vector<WeightType> found;
  for (const std::string& word : entries("--weights", raw.weights.empty() ? default_weights : raw.weights)) {
    const auto type = parse_weight_type(word);
    if (!type) refuse(fmt::format("--weights {}: unknown type; {}", word, known_names(word, weight_type_names())));
    append_new(found, *type);
  }
  return found;
}

std::vector<Kind> resolve_named_kinds(const RawSelection& raw) {
  if (raw.kinds.empty()) return raw.default_kinds;
  std::vector<Kind> found;
  for (const std::string& word : entries("--kind", raw.kinds)) {
    const auto kind = parse_kind(word);
    if (!kind) refuse(fmt::format("--kind {}: unknown kind; {}", word, known_names(word, kind_names())));
    append_new(found, *kind);
  }
  return found;
}

std::vector<Arithmetic> resolve_arithmetics(const RawSelection& raw) {
  std::vector<Arithmetic> found;
  for (const std::string& word :
       entries("--arithmetic", raw.arithmetics.empty() ? default_arithmetics : raw.arithmetics)) {
    const auto arithmetic = parse_arithmetic(word);
    if (!arithmetic) refuse(fmt::format("--arithmetic {}: unknown; {}", word, known_names(word, arithmetic_names())));
    append_new(found, *arithmetic);
  }
  return found;
}

// Each kind with each type of weights by each arithmetic that there is for it.
std::vector<Kind> resolve_kinds(const RawSelection& raw) {
  std::vector<Kind> all;
  const std::vector<Kind> named = resolve_named_kinds(raw);
  const std::vector<Arithmetic> arithmetics = resolve_arithmetics(raw);
  for (const WeightType type : resolve_weights(raw))
    for (const Arithmetic arithmetic : arithmetics)
      if (offered(type, arithmetic))
        for (const Kind kind : named) all.push_back({kind.activation, kind.gated, type, arithmetic});
  if (all.empty()) {
    // Of all types the first that each has.
    std::vector<std::string_view> types;
    for (const Arithmetic arithmetic : arithmetics) {
      const auto has = [&](WeightType type) { return offered(type, arithmetic); };
      const auto found = std::ranges::find_if(all_weight_types(), has);
      if (found != all_weight_types().end()) append_new(types, name(*found));
    }
    refuse(
        fmt::format("--arithmetic {}: is not for such weights; expected --weights {} or the like, or "
                    "--arithmetic f32",
                    fmt::join(raw.arithmetics, ","), fmt::join(types, ",")));
  }
  return all;
}

std::vector<std::size_t> resolve_m(const RawSelection& raw) {
  std::vector<std::size_t> found;
  for (const std::string& word : entries("--m", raw.m.empty() ? default_m : raw.m)) {
    append_new(found, static_cast<std::size_t>(whole_number("--m", word, 1, largest_m)));
  }
  return found;
}

std::vector<std::uint32_t> resolve_threads(const RawSelection& raw, const Machine& machine) {
  std::vector<std::uint32_t> found;
  for (const std::string& word : entries("--threads", raw.threads.empty() ? default_threads : raw.threads)) {
    if (word == "all") {
      append_new(found, machine.default_threads());
      continue;
    }
    const std::uint64_t threads =
        whole_number("--threads", word, 1, std::numeric_limits<std::uint32_t>::max(), " or all");
    if (threads > machine.available_threads) {
      refuse(fmt::format("--threads {}: affinity and quota leave {} here; use at most {}, or all", word,
                         machine.available_threads, machine.available_threads));
    }
    append_new(found, static_cast<std::uint32_t>(threads));
  }
  return found;
}

std::optional<Isa> resolve_isa(const RawSelection& raw, const Machine& machine) {
  const char* const environment = std::getenv("SLUICE_ISA");
  const bool from_environment = !raw.isa && environment != nullptr && *environment != '\0';
  if (!raw.isa && !from_environment) return std::nullopt;
  const std::string word = raw.isa ? *raw.isa : environment;
  const std::string option = from_environment ? "SLUICE_ISA=" + word : "--isa " + word;
  const auto isa = parse_isa(word);
  if (!isa) refuse(fmt::format("{}: unknown ISA; {}", option, known_names(word, isa_names(all_isas()))));
  if (const std::string reason = obstacle(*isa, machine); !reason.empty()) {
    throw Failure(exit_code::unsupported, fmt::format("{}: cannot run here: {}; use {}", option, reason,
                                                      fmt::join(isa_names(machine.isas), " or ")));
  }
  return isa;
}

// Returns the bytes of weights, x, y and H of one FFN; nothing if the number overflows.
std::optional<std::size_t> bytes_needed(Kind kind, Shape shape, std::size_t m) {
  const double all = bytes(kind, shape, m) + 4.0 * static_cast<double>(m) * static_cast<double>(shape.d_ff);
  constexpr double too_many = 0x1p64;
  return all < too_many ? std::optional(static_cast<std::size_t>(all)) : std::nullopt;
}

// The verbs that measure need more, and ask for it themselves (limits.hpp).
void require_possible_sizes(const Selection& selection, const Machine& machine) {
  const std::optional<std::uint64_t> available =
      machine.available_memory ? machine.available_memory : machine.memory_bytes;
  const std::size_t m = *std::max_element(selection.m.begin(), selection.m.end());
  for (const Workload& workload : selection.workloads) {
    for (const Kind kind : selection.kinds) {
      const Shape size = shape(workload, kind);
      const std::string cell = fmt::format("{} d_model {}, d_ff {}, M {}", kind_name(kind), size.d_model, size.d_ff, m);
      const auto needed = bytes_needed(kind, size, m);
      if (!needed) refuse(fmt::format("{}: its size in bytes overflows; choose smaller sizes", cell));
      if (available && *needed > *available) {
        constexpr double gib = 1024.0 * 1024.0 * 1024.0;
        refuse(fmt::format("{}: needs {:.1f} GiB, {:.1f} GiB are available; choose smaller sizes or free memory", cell,
                           static_cast<double>(*needed) / gib, static_cast<double>(*available) / gib));
      }
    }
  }
}

std::string extras_message(const CLI::App& app) {
  const std::vector<std::string> extras = app.remaining();
  const std::string_view word = extras.empty() ? "an argument" : std::string_view(extras.front());
  const std::string bare(word.substr(0, word.find('=')));
  if (!bare.starts_with("-"))
    return fmt::format("{}: unexpected, expected options (--…) alone; lists are joined by commas, as in 1,8,64", word);
  std::vector<std::string> options;
  for (const CLI::Option* option : app.get_options()) options.push_back(option->get_name());
  return fmt::format("{}: unknown option; {}", bare,
                     known_names(bare, std::vector<std::string_view>(options.begin(), options.end())));
}

CLI::Option* add_list(CLI::App& app, const std::string& option, std::vector<std::string>& words,
                      const std::string& text) {
  return app.add_option(option, words, text)->allow_extra_args(false)->type_name("LIST");
}

std::filesystem::path file_name(std::string_view option, const std::string& word) {
  if (word.empty()) refuse(fmt::format("{} '': expected a file name", option));
  return word;
}

}  // namespace

std::uint64_t whole_number(std::string_view option, std::string_view word, std::uint64_t least, std::uint64_t most,
                           std::string_view or_else) {
  std::uint64_t value = 0;
  const char* const last = word.data() + word.size();
  const auto [end, error] = std::from_chars(word.data(), last, value);
  if (error != std::errc() || end != last || value < least || value > most)
    refuse(fmt::format("{} {}: expected a whole number of {} to {}{}", option, word, least, most, or_else));
  return value;
}

void add_profile_option(CLI::App& app, RawSelection& raw) {
  app.add_option("--profile", raw.profile, fmt::format("the profile of tuned plans [{}]", default_profile_path))
      ->type_name("FILE");
}

void add_out_option(CLI::App& app, RawSelection& raw) {
  app.add_option("--out", raw.out, "write to this file, whole or not at all [standard output]")->type_name("FILE");
}

void add_json_option(CLI::App& app, RawSelection& raw) {
  app.add_flag("--json", raw.json, "answer in JSON")->disable_flag_override();
}

void add_cores_option(CLI::App& app, RawSelection& raw) {
  app.add_option("--cores", raw.cores, "on a hybrid CPU: performance, efficiency or all [performance]")
      ->type_name("CLASS");
}

void add_equal_option(CLI::App& app, std::vector<std::string>& words) {
  add_list(app, "--equal", words,
           "size the plain kinds for comparison with gated ones: width (same d_ff), budget (1.5 times d_ff: equal "
           "parameters and FLOPs), or both")
      ->delimiter(',');
}

void add_shape_options(CLI::App& app, RawSelection& raw) {
  add_list(app, "--model", raw.models, fmt::format("sizes of models, by name [{}]", fmt::join(default_models, ",")));
  app.add_option("--d-model", raw.d_model, "width of x and y, instead of --model")->type_name("NUMBER");
  app.add_option("--d-ff", raw.d_ff, "width of the hidden layer, with --d-model")->type_name("NUMBER");
  std::vector<std::string_view> names;
  for (const Kind kind : raw.default_kinds) names.push_back(name(kind));
  add_list(app, "--kind", raw.kinds, fmt::format("FFN kinds [{}]", fmt::join(names, ",")));
  add_list(app, "--weights", raw.weights, fmt::format("types of weights [{}]", fmt::join(default_weights, ",")));
  add_list(app, "--arithmetic", raw.arithmetics,
           fmt::format("what computes with them: f32, or x in int8, int16 or bf16 [{}]",
                       fmt::join(default_arithmetics, ",")));
  add_list(app, "--m", raw.m, fmt::format("rows (tokens) in one call [{}]", fmt::join(default_m, ",")));
  add_list(app, "--threads", raw.threads,
           fmt::format("numbers, or all: one per core [{}]", fmt::join(default_threads, ",")));
  add_cores_option(app, raw);
  app.add_option("--isa", raw.isa, "force an instruction set [SLUICE_ISA, else the best]")->type_name("NAME");
}

void add_selectors(CLI::App& app, RawSelection& raw) {
  add_shape_options(app, raw);
  add_profile_option(app, raw);
  add_json_option(app, raw);
  add_out_option(app, raw);
}

std::string selector_help(std::string_view example) {
  return fmt::format("Models:  {}\nKinds:   {}\nWeights: {}\nISAs:    {} (here: {})\n\nExample: {}",
                     fmt::join(workload_names(), ", "), fmt::join(kind_names(), ", "),
                     fmt::join(weight_type_names(), ", "), fmt::join(isa_names(all_isas()), ", "),
                     fmt::join(isa_names(runnable_isas()), ", "), example);
}

std::optional<int> parse(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
    return std::nullopt;
  } catch (const CLI::CallForHelp&) {
    write_stdout(app.help());
    return exit_code::ok;
  } catch (const CLI::ExtrasError&) {
    refuse(extras_message(app));
  } catch (const CLI::ParseError& error) {
    refuse(fmt::format("{}; see `{} --help`", error.what(), app.get_name()));
  }
}

FileSelection resolve_files(const RawSelection& raw) {
  FileSelection files{default_profile_path, raw.profile.has_value(), std::nullopt};
  if (raw.profile) files.profile = file_name("--profile", *raw.profile);
  if (raw.out) files.out = file_name("--out", *raw.out);
  return files;
}

Selection resolve(const RawSelection& raw, const Machine& machine) {
  FileSelection files = resolve_files(raw);
  Selection selection{{resolve_workloads(raw), resolve_kinds(raw), resolve_m(raw), resolve_threads(raw, machine)},
                      resolve_isa(raw, machine),
                      std::move(files.profile),
                      files.profile_given,
                      raw.json,
                      std::move(files.out)};
  if (raw.layers) require_possible_sizes(selection, machine);
  return selection;
}

}  // namespace sluice::tuner
