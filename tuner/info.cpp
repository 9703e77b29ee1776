#include "tuner/info.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "sluice/plan.hpp"
#include "tuner/failure.hpp"
#include "tuner/file.hpp"
#include "tuner/profile_json.hpp"
#include "tuner/version.hpp"

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

// How the profile stands to this machine.
std::string_view profile_state(const Information& information) {
  if (!information.profile) return "none";
  return information.usable.exact ? "exact" : "borrowed";
}

std::string reason_of(const PlannedCell& cell, const Information& information) {
  if (!information.profile) return "there is no profile: made from the cache sizes";
  if (cell.choice.row == nullptr) {
    return "no plan of the profile serves this shape, instruction set and thread limit: made from the cache sizes";
  }
  const PlanRow& row = *cell.choice.row;
  const std::string tuned = fmt::format("tuned for {} M {} with at most {} thread{}", name(row.kind), row.m,
                                        row.max_threads, row.max_threads == 1 ? "" : "s");
  return information.usable.exact ? tuned : tuned + " on another machine";
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
          const Shape size = shape(workload, kind);
          const PlanChoice choice =
              choose_plan(information.usable.table(), machine.cache_sizes(), isa, kind, size, m, threads);
          PlannedCell cell{workload.name, isa, kind, size, m, threads, choice, information.usable.origin(choice), ""};
          cell.reason = reason_of(cell, information);
          information.planned.push_back(std::move(cell));
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
  text += fmt::format("threads   {} usable (cgroup quota: {})\n", m.available_threads,
                      m.cgroup_quota ? fmt::format("{:g} CPUs", *m.cgroup_quota) : "none");
  text += fmt::format("memory    {}, {} available\n", bytes_text(m.memory_bytes), bytes_text(m.available_memory));
  text += fmt::format("caches    L1d {}, L2 {}, L3 {}\n", bytes_text(m.l1d), bytes_text(m.l2), bytes_text(m.l3));
  text += isas_text(m) + features_text(m) + profile_text_of(information);
  for (const PlannedCell& cell : information.planned) {
    text += fmt::format("\n{}{} {}x{}, M {}, at most {} thread{}\n",
                        cell.model.empty() ? "" : fmt::format("{} ", cell.model), name(cell.kind), cell.shape.d_model,
                        cell.shape.d_ff, cell.m, cell.max_threads, cell.max_threads == 1 ? "" : "s");
    text +=
        fmt::format("  {} {}\n  {}: {}\n", name(cell.isa), plan_text(cell.choice.plan), name(cell.origin), cell.reason);
  }
  return text;
}

std::string information_json(const Information& information) {
  const Machine& machine = information.machine;
  Json json{{"schema", "sluice-info"}, {"schema_version", schema_version}, {"sluice_version", version}};
  json["machine"] = to_json(machine);
  json["available_memory_bytes"] = machine.available_memory ? Json(*machine.available_memory) : Json(nullptr);
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
    json["plans"].push_back(Json{{"model", cell.model.empty() ? Json(nullptr) : Json(cell.model)},
                                 {"isa", name(cell.isa)},
                                 {"kind", name(cell.kind)},
                                 {"d_model", cell.shape.d_model},
                                 {"d_ff", cell.shape.d_ff},
                                 {"m", cell.m},
                                 {"max_threads", cell.max_threads},
                                 {"plan", to_json(cell.choice.plan)},
                                 {"origin", name(cell.origin)},
                                 {"reason", cell.reason}});
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

  Information information{probe_machine(), {}, {}, {}, {}};
  const Selection selection = resolve(raw, information.machine);
  information.profile_path = selection.profile;
  information.profile = find_profile(selection.profile, selection.profile_given);
  if (information.profile) information.usable = usable_rows(*information.profile, information.machine);
  if (raw.selects()) plan_cells(information, selection);
  write_output(selection.out.value_or(""), raw.json ? information_json(information) : information_text(information));
  return exit_code::ok;
}

}  // namespace sluice::tuner
