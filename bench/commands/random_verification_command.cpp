#include "bench/commands/random_verification_command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <vector>

#include "tuner/base/failure.hpp"
#include "tuner/base/file.hpp"
#include "tuner/base/standard_streams.hpp"
#include "tuner/machine/binding.hpp"
#include "tuner/machine/features.hpp"
#include "tuner/workload/random_verification.hpp"

namespace sluice::bench {
namespace {

using tuner::Failure;
using tuner::RandomVerdict;
namespace exit_code = tuner::exit_code;

constexpr std::uint64_t default_seed = 1;

[[noreturn]] void refuse(std::string message) { throw Failure(exit_code::usage, std::move(message)); }

// Throws if a selector was given that random cases, or a single one, do not have.
void require_alone(const RandomWords& words, const tuner::RawSelection& raw) {
  if (words.random && words.one)
    refuse(fmt::format("--case together with --random {}: expected one of them; leave one out", *words.random));
  if (words.seed && !words.random)
    refuse(fmt::format("--seed {} without --random: expected both; add --random N", *words.seed));
  struct Selector {
    const char* option;
    bool given;
    bool of_random;
  };
  const Selector selectors[] = {
      {"--model", !raw.models.empty(), false},       {"--d-model", raw.d_model.has_value(), false},
      {"--d-ff", raw.d_ff.has_value(), false},       {"--m", !raw.m.empty(), false},
      {"--profile", raw.profile.has_value(), false}, {"--kind", !raw.kinds.empty(), true},
      {"--weights", !raw.weights.empty(), true},     {"--arithmetic", !raw.arithmetics.empty(), true},
      {"--threads", !raw.threads.empty(), true},     {"--isa", raw.isa.has_value(), true}};
  for (const Selector& selector : selectors) {
    if (!selector.given || (words.random && selector.of_random)) continue;
    if (words.random)
      refuse(fmt::format("--random together with {}: random cases choose sizes and plans themselves; leave one out",
                         selector.option));
    refuse(fmt::format("--case together with {}: the case says it already; leave {} out", selector.option,
                       selector.option));
  }
}

std::string title(const RandomVerdict& verdict) {
  return fmt::format("{}/{}/{}", name(verdict.isa), name(verdict.weights), name(verdict.arithmetic));
}

std::string row_text(const RandomVerdict& verdict) {
  std::string text =
      fmt::format("{:<25} {:>4} random case{}  worst error / bound {:<8.3g}  digest {:016x}  {}\n", title(verdict),
                  verdict.cases, verdict.cases == 1 ? " " : "s", verdict.worst_error_over_bound, verdict.digest,
                  verdict.failures.empty() ? "ok" : fmt::format("{} FAILED", verdict.failures.size()));
  for (const std::string& failure : verdict.failures) text += fmt::format("  {}\n", failure);
  return text;
}

nlohmann::ordered_json row_json(const RandomVerdict& verdict) {
  nlohmann::ordered_json row{{"name", title(verdict)},
                             {"isa", name(verdict.isa)},
                             {"weights", name(verdict.weights)},
                             {"arithmetic", name(verdict.arithmetic)},
                             {"cases", verdict.cases},
                             {"worst_error_over_bound", nullptr},
                             {"digest", fmt::format("{:016x}", verdict.digest)},
                             {"passed", verdict.failures.empty()},
                             {"failures", verdict.failures}};
  // JSON has no infinity: null says that a result was not finite where the oracle's is.
  if (std::isfinite(verdict.worst_error_over_bound)) row["worst_error_over_bound"] = verdict.worst_error_over_bound;
  return row;
}

// A single case as the verdict on one.
RandomVerdict verdict_on(const std::string& text, const tuner::Machine& machine, const tuner::PackFunction& pack) {
  const Result<tuner::RandomCase> read = tuner::parse_random_case(text);
  if (!read) refuse(fmt::format("--case: {}; give what `sluice verify --random` printed", read.status().message()));
  if (const std::string reason = tuner::obstacle(read->isa, machine); !reason.empty())
    throw Failure(exit_code::unsupported,
                  fmt::format("--case isa={}: cannot run here: {}; run it where it can, or change isa, nr and mr",
                              name(read->isa), reason));
  const tuner::CaseVerdict found = tuner::verify(*read, pack);
  RandomVerdict verdict{.isa = read->isa,
                        .weights = read->kind.weights,
                        .arithmetic = read->kind.arithmetic,
                        .cases = 1,
                        .worst_error_over_bound = found.error_over_bound,
                        .digest = found.digest};
  if (!found.failure.empty()) verdict.failures.push_back(tuner::failure_line(found.failure, *read));
  return verdict;
}

// Each type of weights with each arithmetic that was selected, of all kinds; without a selection all of them.
struct TypedKinds {
  WeightType weights;
  Arithmetic arithmetic;
  std::vector<Kind> functions;
};
std::vector<TypedKinds> typed_kinds(const std::vector<Kind>& kinds) {
  std::vector<TypedKinds> typed;
  for (const Kind kind : kinds) {
    const auto same = std::find_if(typed.begin(), typed.end(), [kind](const TypedKinds& one) {
      return one.weights == kind.weights && one.arithmetic == kind.arithmetic;
    });
    if (same != typed.end())
      same->functions.push_back(kind);
    else
      typed.push_back({kind.weights, kind.arithmetic, {kind}});
  }
  return typed;
}

}  // namespace

void add_random_options(CLI::App& app, RandomWords& words) {
  app.add_option("--random", words.random,
                 "instead of the standard cases, so many random ones of each type, arithmetic and instruction set "
                 "(without --weights and --arithmetic of all): kinds, sizes, strides, orders, biases, types of the "
                 "matrices given, plans")
      ->type_name("NUMBER");
  app.add_option("--seed", words.seed, fmt::format("of the random cases [{}]", default_seed))->type_name("NUMBER");
  app.add_option("--case", words.one, "the one random case that a line of a failure names")->type_name("CASE");
}

int verify_random_cases(const RandomWords& words, tuner::RawSelection raw, const tuner::PackFunction& pack) {
  require_alone(words, raw);
  tuner::RandomOptions options;
  options.pack = pack;
  if (words.random) options.cases = tuner::whole_number("--random", *words.random, 1, 1'000'000'000);
  options.seed = default_seed;
  if (words.seed)
    options.seed = tuner::whole_number("--seed", *words.seed, 0, std::numeric_limits<std::uint64_t>::max());
  raw.layers = false;  // the sizes that are default are of no case
  if (raw.weights.empty())
    for (const WeightType type : all_weight_types()) raw.weights.emplace_back(name(type));
  if (raw.arithmetics.empty())
    for (const Arithmetic arithmetic : all_arithmetics()) raw.arithmetics.emplace_back(name(arithmetic));
  const tuner::Machine machine = tuner::bind_and_probe(raw.cores);
  const tuner::Selection selection = tuner::resolve(raw, machine);
  if (!raw.threads.empty()) options.threads = *std::max_element(selection.threads.begin(), selection.threads.end());

  const bool table = !selection.json && !selection.out;
  std::string text;
  nlohmann::ordered_json json{{"kernels", nlohmann::ordered_json::array()}};
  if (words.random) json["seed"] = options.seed;
  std::size_t cases = 0;
  std::size_t failed = 0;
  const auto report = [&](const RandomVerdict& verdict) {
    cases += verdict.cases;
    failed += verdict.failures.size();
    if (selection.json) json["kernels"].push_back(row_json(verdict));
    text += row_text(verdict);
    if (table) tuner::write_stdout(row_text(verdict));
  };
  if (words.one) {
    report(verdict_on(*words.one, machine, pack));
  } else {
    const std::vector<Isa> isas = selection.isa ? std::vector<Isa>{*selection.isa} : machine.isas;
    for (const TypedKinds& typed : typed_kinds(selection.kinds))
      for (const RandomVerdict& verdict :
           tuner::verify_random(isas, typed.functions, typed.weights, typed.arithmetic, options))
        report(verdict);
  }
  if (selection.json) text = json.dump(2) + "\n";
  if (!table) tuner::write_output(selection.out.value_or(""), text);
  if (failed != 0) {
    throw Failure(exit_code::verification_failed,
                  fmt::format("{} of {} random cases failed; expected every one to pass; do not use these kernels, and "
                              "report the lines above with the output of `sluice info`",
                              failed, cases));
  }
  return exit_code::ok;
}

}  // namespace sluice::bench
