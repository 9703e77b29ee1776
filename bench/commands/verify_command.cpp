// Owns: which kernels `sluice verify` checks and how it prints the outcome.
// Does not own: the cases and the checks (tuner/workload/verification.hpp).
#include "bench/commands/verify_command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "bench/commands/random_verification_command.hpp"
#include "tuner/base/failure.hpp"
#include "tuner/base/file.hpp"
#include "tuner/base/standard_streams.hpp"
#include "tuner/commands/command_line.hpp"
#include "tuner/commands/program.hpp"
#include "tuner/machine/binding.hpp"
#include "tuner/profile/profile.hpp"
#include "tuner/workload/accuracy.hpp"
#include "tuner/workload/verification.hpp"

namespace sluice::bench {
namespace {

using tuner::Failure;
using tuner::KernelVerdict;
namespace exit_code = tuner::exit_code;

// Returns the cases of the shapes and M that were asked for, with and without biases, in both orders; if none were
// asked for, the standard cases.
std::vector<tuner::Case> cases_of(const tuner::Selection& selection, bool selects_shapes, Kind kind) {
  if (!selects_shapes) return tuner::standard_cases(kind, tuner::Coverage::full);
  std::vector<tuner::Case> cases;
  for (const tuner::Workload& workload : selection.workloads) {
    for (const std::size_t m : selection.m) {
      for (const bool biases : {false, true}) {
        const Order order = biases ? Order::out_in : Order::in_out;
        cases.push_back({kind, tuner::shape(workload, kind), m, biases, order, false, false, cases.size() + 1});
      }
    }
  }
  return cases;
}

std::string row_text(const KernelVerdict& verdict) {
  std::string text = fmt::format("{:<25} {:>4} case{}  worst error / bound {:<8.3g}  digest {:016x}  {}\n",
                                 verdict.kernel, verdict.cases, verdict.cases == 1 ? " " : "s",
                                 verdict.worst_error_over_bound, verdict.digest, verdict.passed ? "ok" : "FAILED");
  if (!verdict.passed) text += fmt::format("  {}\n", verdict.failure);
  return text;
}

// Root mean squares of the error over that of the answer, for each sort of operands.
nlohmann::ordered_json accuracy_json(const KernelVerdict& verdict) {
  nlohmann::ordered_json json;
  for (const tuner::Operands operands : tuner::all_operands) {
    const Result<tuner::Accuracy> found = tuner::accuracy(verdict.isa, verdict.kind, operands);
    if (!found) throw Failure(exit_code::unsupported, found.status().message());
    nlohmann::ordered_json& errors = json[std::string(name(operands))];
    errors = {{"arithmetic", found->arithmetic}, {"rounded_weights", found->weights}};
    if (verdict.kind.weights.group != 0) errors["least_squares_weights"] = found->least_squares_weights;
    errors["quantised_activations"] = found->activations;
  }
  return json;
}

nlohmann::ordered_json row_json(const KernelVerdict& verdict, const nlohmann::ordered_json& accuracy) {
  nlohmann::ordered_json row{{"name", verdict.kernel},
                             {"isa", name(verdict.isa)},
                             {"kind", name(verdict.kind)},
                             {"weights", name(verdict.kind.weights)},
                             {"arithmetic", name(verdict.kind.arithmetic)},
                             {"cases", verdict.cases},
                             {"worst_error_over_bound", nullptr},
                             {"digest", fmt::format("{:016x}", verdict.digest)},
                             {"passed", verdict.passed}};
  // JSON has no infinity: null says that a result was not finite where the oracle's is.
  if (std::isfinite(verdict.worst_error_over_bound)) row["worst_error_over_bound"] = verdict.worst_error_over_bound;
  if (!verdict.passed) row["failure"] = verdict.failure;
  row["accuracy"] = accuracy;
  return row;
}

}  // namespace

int verify_command(int argc, char** argv) { return verify_with(argc, argv, &Ffn::pack); }

int verify_with(int argc, char** argv, const tuner::PackFunction& pack) {
  CLI::App app(
      "Checks kernels on this machine: every result within the error bound around a double-precision oracle, and the "
      "same to the bit for every plan and instruction set. Without --model, --d-model, --d-ff or --m over remainders "
      "of all tiles; without --isa on every instruction set that runs here.",
      "sluice verify");
  tuner::RawSelection raw;
  raw.default_kinds.clear();
  for (const NamedKind& row : kinds()) raw.default_kinds.push_back(row.kind);
  tuner::add_selectors(app, raw);
  RandomWords random;
  add_random_options(app, random);
  app.footer(tuner::selector_help("sluice verify --kind swiglu,geglu --isa avx2"));
  if (const auto code = tuner::parse(app, argc, argv)) return *code;
  if (random.asked()) return verify_random_cases(random, raw, pack);

  const tuner::Machine machine = tuner::bind_and_probe(raw.cores);
  const tuner::Selection selection = tuner::resolve(raw, machine);
  const std::vector<Isa> isas = selection.isa ? std::vector<Isa>{*selection.isa} : machine.isas;
  const bool selects_shapes = !raw.models.empty() || raw.d_model || raw.d_ff || !raw.m.empty();
  tuner::VerifyOptions options;
  options.pack = pack;
  if (!raw.threads.empty()) {
    options.threads = *std::max_element(selection.threads.begin(), selection.threads.end());
  }
  tuner::UsableRows rows;
  std::optional<tuner::Profile> profile;
  if (selection.profile_given || selects_shapes) {
    profile = tuner::find_profile(selection.profile, selection.profile_given);
  }
  if (profile) {
    rows = tuner::usable_rows(*profile, machine);
    for (const std::string& warning : rows.warnings) tuner::write_stderr("sluice verify: warning: {}\n", warning);
    options.plans = rows.table();
  }

  const bool table = !selection.json && !selection.out;
  std::string text;
  nlohmann::ordered_json json{{"kernels", nlohmann::ordered_json::array()}};
  std::size_t failed = 0;
  std::size_t kernels = 0;
  for (const Kind kind : selection.kinds) {
    const std::vector<tuner::Case> cases = cases_of(selection, selects_shapes, kind);
    std::optional<KernelVerdict> first;
    std::optional<nlohmann::ordered_json> accuracy_of_first;
    for (const Isa isa : isas) {
      const Result<KernelVerdict> result = tuner::verify(isa, kind, cases, options);
      if (!result) throw Failure(exit_code::unsupported, result.status().message());
      KernelVerdict verdict = *result;
      if (!first) first = verdict;
      if (verdict.passed && verdict.digest != first->digest) {
        verdict.passed = false;
        verdict.failure = fmt::format("the bits are not those of {}", first->kernel);
      }
      ++kernels;
      failed += verdict.passed ? 0 : 1;
      if (selection.json) {
        if (!accuracy_of_first) accuracy_of_first = accuracy_json(*first);
        // The same bits err by the same.
        const bool same = verdict.digest == first->digest;
        json["kernels"].push_back(row_json(verdict, same ? *accuracy_of_first : accuracy_json(verdict)));
      }
      text += row_text(verdict);
      if (table) tuner::write_stdout(row_text(verdict));
    }
  }
  if (selection.json) text = json.dump(2) + "\n";
  if (!table) tuner::write_output(selection.out.value_or(""), text);
  if (failed != 0) {
    throw Failure(exit_code::verification_failed,
                  fmt::format("{} of {} kernels failed; expected every one to pass; do not use them with --isa, and "
                              "report the lines above with the output of `sluice info`",
                              failed, kernels));
  }
  return exit_code::ok;
}

}  // namespace sluice::bench
