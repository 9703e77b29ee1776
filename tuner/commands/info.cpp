#include "tuner/commands/info.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string_view>

#include "sluice/plan.hpp"
#include "tuner/base/failure.hpp"
#include "tuner/base/file.hpp"
#include "tuner/base/version.hpp"
#include "tuner/machine/binding.hpp"
#include "tuner/profile/profile_json.hpp"

namespace sluice::tuner {
namespace {

std::string bytes_text(const std::optional<std::uint64_t>& bytes) {
  if (!bytes) return "unknown";
  if (*bytes >= std::uint64_t{1} << 30U) return fmt::format("{:.1f} GiB", static_cast<double>(*bytes) / (1U << 30U));
  if (*bytes >= std::uint64_t{1} << 20U) return fmt::format("{:g} MiB", static_cast<double>(*bytes) / (1U << 20U));
  return fmt::format("{:g} KiB", static_cast<double>(*bytes) / (1U << 10U));
}

template <class T>
std::string known(const std::optional<T>& value) {
  return value ? fmt::format("{}", *value) : "unknown";
}

// Whether the profile is of this machine.
std::string_view profile_state(const Information& information) {
  if (!information.profile) return "none";
  return information.usable.exact ? "exact" : "borrowed";
}

// " --weights bf16"; nothing for f32, which is what the option is if it is not given.
std::string weights_option(Kind kind) {
  std::string words = kind.weights == WeightType::f32 ? "" : fmt::format(" --weights {}", name(kind.weights));
  if (kind.arithmetic != Arithmetic::f32) words += fmt::format(" --arithmetic {}", name(kind.arithmetic));
  return words;
}

std::string reason_of(const PlanChoice& choice, const Information& information) {
  if (!information.profile) return "there is no profile: made from the cache sizes";
  if (choice.row == nullptr) {
    return "no plan of the profile serves this M, instruction set and thread limit: made from the cache sizes";
  }
  const PlanRow& row = *choice.row;
  const std::string shape =
      choice.origin == PlanOrigin::transferred ? fmt::format(" {}x{}", row.shape.d_model, row.shape.d_ff) : "";
  const std::string tuned = fmt::format("tuned for {}{} M {} with at most {} thread{}", kind_name(row.kind), shape,
                                        row.m, row.max_threads, row.max_threads == 1 ? "" : "s");
  return information.usable.exact ? tuned : tuned + " on another machine";
}

PlannedCell plan_call(const Information& information, std::string_view model, const Call& call) {
  const PlanTable table = information.usable.table();
  const CacheSizes caches = information.machine.cache_sizes();
  // As in Ffn::pack() and Ffn::plan(), weights are packed in the width of the tuned plans, which limits the choice.
  const std::uint32_t nr = tuned_nr(table, call.isa, call.kind, call.shape);
  const PlanChoice choice = choose_plan(table, caches, call.isa, call.kind, call.shape, call.m, call.max_threads, nr);
  PlannedCell cell{model, call, choice, information.usable.origin(choice), reason_of(choice, information), {}};
  if (cell.origin == PlanOrigin::borrowed || cell.origin == PlanOrigin::transferred) {
    const Plan analytical = analytical_plan(caches, call.isa, call.kind, call.shape, call.m, call.max_threads);
    cell.borrowing = explain_borrowing(*information.profile, information.usable.exact, *choice.row, call, analytical);
  }
  return cell;
}

// Returns the measurement behind a plan of the profile.
std::optional<Measured> measured_of(const PlannedCell& cell, const Information& information) {
  if (cell.choice.row == nullptr) return std::nullopt;
  const std::vector<ProfilePlan>& plans = information.profile->plans;
  const auto found = std::find_if(plans.begin(), plans.end(),
                                  [&](const ProfilePlan& plan) { return same_cell(plan.row, *cell.choice.row); });
  return found == plans.end() ? std::nullopt : found->measured;
}

std::string evidence_text(const std::optional<Measured>& measured) {
  if (!measured) return "nothing";
  if (measured->verdict == Verdict::default_won) return "no plan was proven to beat the analytical one";
  return fmt::format("{:.3f} ({:.3f} to {:.3f}) of the analytical plan's time", measured->ratio_to_default,
                     measured->ratio_low, measured->ratio_high);
}

// Tells what was measured where the plan was tuned, and what borrowing it may cost.
std::string evidence_lines(const PlannedCell& cell, const Information& information) {
  if (cell.choice.row == nullptr) return "";
  std::string text = fmt::format("  measured there: {}\n", evidence_text(measured_of(cell, information)));
  if (!cell.borrowing) return text;
  const Borrowing& borrowing = *cell.borrowing;
  if (!borrowing.steps.empty()) text += fmt::format("  this call differs: {}\n", fmt::join(borrowing.steps, ", "));
  if (borrowing.other_machine) {
    text += fmt::format("  this machine differs: {}\n", fmt::join(information.usable.differences, ", "));
  }
  text +=
      fmt::format("  without the profile: {}\n",
                  borrowing.changes.empty() ? "the same plan" : fmt::format("{}", fmt::join(borrowing.changes, "; ")));
  const Call& call = cell.call;
  return text + fmt::format(
                    "  expected cost: {}\n"
                    "  to measure it: sluice tune --d-model {} --d-ff {} --kind {}{} --m {} --threads {} --isa {} "
                    "--profile {}\n",
                    borrowing.expected_cost(), call.shape.d_model, call.shape.d_ff, name(call.kind),
                    weights_option(call.kind), call.m, call.max_threads, name(call.isa),
                    borrowing.other_machine ? "FILE (another)" : information.profile_path.string());
}

Json borrowing_json(const Borrowing& borrowing) {
  Json likes = Json::array();
  for (const LikeStep& like : borrowing.like_steps) {
    likes.push_back(Json{{"from", to_json(like.from)}, {"to", to_json(like.to)}, {"same_plan", like.same_plan}});
  }
  return {{"expected_cost", borrowing.none_expected() ? "none" : "unknown"},
          {"reason", borrowing.expected_cost()},
          {"steps", borrowing.steps},
          {"other_machine", borrowing.other_machine},
          {"differs_from_analytical", borrowing.changes},
          {"like_steps", likes}};
}

std::string plan_text(const Plan& plan) {
  const Tiling& t = plan.tiling;
  return fmt::format("{}x{} kc {} mc {} nc {} fc {} prefetch {} {} {} threads {}", t.mr, t.nr, t.kc, t.mc, t.nc, t.fc,
                     t.prefetch, t.pack_x ? "x packed" : "x in place", name(t.schedule), plan.threads);
}

std::string isas_text(const Machine& machine) {
  std::string text;
  for (const Isa isa : all_isas()) {
    const std::string reason = obstacle(isa, machine);
    const bool best = !machine.isas.empty() && machine.isas.back() == isa;
    text += fmt::format("{:<10}{:<8} {}\n", text.empty() ? "isas" : "", name(isa),
                        !reason.empty() ? "cannot run: " + reason
                        : best          ? "runs, the default"
                                        : "runs");
  }
  return text;
}

// Empty if all cores are alike.
std::string classes_text(const Machine& machine) {
  std::string text;
  for (const CoreClass& one : machine.core_classes) {
    text += fmt::format("          {}: {} core{}, {} hardware thread{}{}{}\n", one.name, one.cores,
                        one.cores == 1 ? "" : "s", one.cpus.size(), one.cpus.size() == 1 ? "" : "s",
                        one.relative_speed ? fmt::format(", relative speed {:.2f}", *one.relative_speed) : "",
                        machine.core_class == one.name ? ", in use" : "");
  }
  if (machine.core_class == "all") text += "          cores of all these classes are in use\n";
  return text;
}

std::string features_text(const Machine& machine) {
  std::string names;
  for (const std::string_view feature : machine.features)
    names += fmt::format("{}{}", names.empty() ? "" : " ", feature);
  return fmt::format("features  {}\n", names.empty() ? "none of those that narrower weights would use" : names);
}

std::string profile_text_of(const Information& information) {
  const std::string path = information.profile_path.string();
  if (!information.profile) {
    return fmt::format("profile   none at {}: plans are made from the cache sizes; `sluice tune` finds better ones\n",
                       path);
  }
  const Profile& profile = *information.profile;
  std::string text = fmt::format("profile   {}: {}, {} of {} plans usable here, made {} by sluice {}\n", path,
                                 profile_state(information), information.usable.rows.size(), profile.plans.size(),
                                 profile.created, profile.sluice_version);
  for (const std::string& warning : information.usable.warnings) text += fmt::format("          {}\n", warning);
  return text;
}

}  // namespace

void plan_cells(Information& information, const Selection& selection) {
  const Machine& machine = information.machine;
  const Isa isa = selection.isa.value_or(machine.isas.back());
  for (const Workload& workload : selection.workloads) {
    for (const Kind kind : selection.kinds) {
      for (const std::size_t m : selection.m) {
        for (const std::uint32_t threads : selection.threads) {
          information.planned.push_back(
              plan_call(information, workload.name, {isa, kind, shape(workload, kind), m, threads}));
        }
      }
    }
  }
}

std::string information_text(const Information& information) {
  const Machine& m = information.machine;
  std::string text = fmt::format("sluice    {}, built with {}\n", version, m.compiler);
  text += fmt::format("machine   {} ({}, family {}, model {}, stepping {}){}\n", m.cpu.value_or("unknown CPU"),
                      m.vendor.value_or("unknown vendor"), known(m.family), known(m.model), known(m.stepping),
                      m.hypervisor.value_or(false) ? ", a virtual machine" : "");
  text += fmt::format("          fingerprint {}\n", m.fingerprint());
  text += fmt::format("          {}, frequency governor {}\n", m.os, m.governor.value_or("unknown"));
  text += fmt::format("cores     {}, hardware threads {}, NUMA nodes {}\n", known(m.cores), known(m.cpus),
                      known(m.numa_nodes));
  text += classes_text(m);
  text += fmt::format("threads   {} usable (cgroup quota: {}), {} by default\n", m.available_threads,
                      m.cgroup_quota ? fmt::format("{:g} CPUs", *m.cgroup_quota) : "none", m.default_threads());
  text += fmt::format("memory    {}, {} available\n", bytes_text(m.memory_bytes), bytes_text(m.available_memory));
  text += fmt::format("caches    L1d {}, L2 {}, L3 {}\n", bytes_text(m.l1d), bytes_text(m.l2), bytes_text(m.l3));
  text += isas_text(m) + features_text(m) + profile_text_of(information);
  for (const PlannedCell& cell : information.planned) {
    const Call& call = cell.call;
    text +=
        fmt::format("\n{}{} {}x{}, M {}, at most {} thread{}\n",
                    cell.model.empty() ? "" : fmt::format("{} ", cell.model), kind_name(call.kind), call.shape.d_model,
                    call.shape.d_ff, call.m, call.max_threads, call.max_threads == 1 ? "" : "s");
    text +=
        fmt::format("  {} {}\n  {}: {}\n", name(call.isa), plan_text(cell.choice.plan), name(cell.origin), cell.reason);
    text += evidence_lines(cell, information);
  }
  return text;
}

std::string information_json(const Information& information) {
  const Machine& machine = information.machine;
  Json json{{"schema", "sluice-info"}, {"schema_version", schema_version}, {"sluice_version", version}};
  json["machine"] = to_json(machine);
  json["available_memory_bytes"] = machine.available_memory ? Json(*machine.available_memory) : Json(nullptr);
  json["default_threads"] = machine.default_threads();
  json["features"] = machine.features;
  json["isas"] = Json::array();
  for (const Isa isa : all_isas()) {
    const std::string reason = obstacle(isa, machine);
    json["isas"].push_back(Json{{"name", name(isa)},
                                {"built", !register_tiles(isa).empty()},
                                {"runnable", reason.empty()},
                                {"reason", reason.empty() ? Json(nullptr) : Json(reason)}});
  }
  json["profile"] = {{"path", information.profile_path.string()},
                     {"state", profile_state(information)},
                     {"fingerprint", information.profile ? Json(information.profile->fingerprint) : Json(nullptr)},
                     {"differences", information.usable.differences},
                     {"plans", information.profile ? information.profile->plans.size() : 0},
                     {"usable_plans", information.usable.rows.size()},
                     {"warnings", information.usable.warnings}};
  json["plans"] = Json::array();
  for (const PlannedCell& cell : information.planned) {
    const std::optional<Measured> measured = measured_of(cell, information);
    json["plans"].push_back(Json{{"model", cell.model.empty() ? Json(nullptr) : Json(cell.model)},
                                 {"isa", name(cell.call.isa)},
                                 {"kind", name(cell.call.kind)},
                                 {"weights", name(cell.call.kind.weights)},
                                 {"arithmetic", name(cell.call.kind.arithmetic)},
                                 {"d_model", cell.call.shape.d_model},
                                 {"d_ff", cell.call.shape.d_ff},
                                 {"m", cell.call.m},
                                 {"max_threads", cell.call.max_threads},
                                 {"plan", to_json(cell.choice.plan)},
                                 {"origin", name(cell.origin)},
                                 {"reason", cell.reason},
                                 {"row", cell.choice.row == nullptr ? Json(nullptr) : to_json(*cell.choice.row)},
                                 {"measured", measured ? to_json(*measured) : Json(nullptr)},
                                 {"borrowing", cell.borrowing ? borrowing_json(*cell.borrowing) : Json(nullptr)}});
  }
  return dump(json);
}

int info_command(int argc, char** argv) {
  CLI::App app("Shows what Sluice knows of this machine. With selectors: which plan each call would use, and why.",
               "sluice info");
  RawSelection raw;
  add_selectors(app, raw);
  app.footer(selector_help("sluice info --model tinyllama --kind swiglu --m 1,256"));
  if (const auto code = parse(app, argc, argv)) return *code;

  Information information{bind_and_probe(raw.cores), {}, {}, {}, {}};
  const Selection selection = resolve(raw, information.machine);
  information.profile_path = selection.profile;
  information.profile = find_profile(selection.profile, selection.profile_given);
  if (information.profile) information.usable = usable_rows(*information.profile, information.machine);
  if (raw.selects()) plan_cells(information, selection);
  write_output(selection.out.value_or(""), raw.json ? information_json(information) : information_text(information));
  return exit_code::ok;
}

}  // namespace sluice::tuner
