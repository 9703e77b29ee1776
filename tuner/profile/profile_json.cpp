#include "tuner/profile/profile_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "tuner/base/failure.hpp"

namespace sluice::tuner {
namespace {

Json names(const std::vector<Isa>& isas) {
  Json list = Json::array();
  for (const Isa isa : isas) list.push_back(name(isa));
  return list;
}

void require_finite(const Json& json, const std::string& field) {
  if (json.is_number_float() && !std::isfinite(json.get<double>())) {
    throw Failure(exit_code::unsupported, fmt::format("{}: {} was measured, expected a finite number; measure again",
                                                      field, json.get<double>()));
  }
  if (!json.is_structured()) return;
  for (const auto& [key, value] : json.items()) {
    require_finite(value, field.empty() ? key : fmt::format("{}.{}", field, key));
  }
}

Json head(std::string_view schema, std::string_view sluice_version) {
  return {{"schema", schema}, {"schema_version", schema_version}, {"sluice_version", sluice_version}};
}

}  // namespace

Json to_json(const Machine& machine) {
  Json json{{"fingerprint", machine.fingerprint()},
            {"vendor", nullable(machine.vendor)},
            {"cpu", nullable(machine.cpu)},
            {"family", nullable(machine.family)},
            {"model", nullable(machine.model)},
            {"stepping", nullable(machine.stepping)},
            {"isas", names(machine.isas)},
            {"caches", {{"l1d", nullable(machine.l1d)}, {"l2", nullable(machine.l2)}, {"l3", nullable(machine.l3)}}},
            {"cores", nullable(machine.cores)},
            {"cpus", nullable(machine.cpus)},
            {"available_threads", machine.available_threads},
            {"cgroup_quota", nullable(machine.cgroup_quota)},
            {"numa_nodes", nullable(machine.numa_nodes)},
            {"memory_bytes", nullable(machine.memory_bytes)},
            {"os", machine.os},
            {"compiler", machine.compiler},
            {"governor", nullable(machine.governor)},
            {"hypervisor", nullable(machine.hypervisor)}};
  if (machine.core_classes.empty()) return json;
  // Only hybrid machines have these fields.
  json["core_class"] = nullable(machine.core_class);
  json["core_classes"] = Json::array();
  for (const CoreClass& one : machine.core_classes) {
    json["core_classes"].push_back(Json{{"name", one.name},
                                        {"cores", one.cores},
                                        {"cpus", one.cpus},
                                        {"relative_speed", nullable(one.relative_speed)}});
  }
  return json;
}

Json to_json(const Roofs& roofs) {
  // Roofs are sorted, because the order of measuring depends on what happened to be needed first.
  Roofs sorted = roofs;
  std::ranges::sort(sorted.fma, {}, [](const FmaRoof& roof) { return std::pair(roof.isa, roof.threads); });
  std::ranges::sort(sorted.read, {},
                    [](const ReadRoof& roof) { return std::pair(roof.threads, roof.footprint_bytes); });
  Json fma = Json::array();
  for (const FmaRoof& roof : sorted.fma) {
    fma.push_back(Json{{"isa", name(roof.isa)}, {"threads", roof.threads}, {"flops", roof.flops}});
  }
  std::ranges::sort(sorted.dot, {}, [](const DotRoof& roof) {
    return std::tuple(roof.isa, roof.arithmetic, roof.weight_bits, roof.threads);
  });
  Json dot = Json::array();
  for (const DotRoof& roof : sorted.dot) {
    dot.push_back(Json{{"isa", name(roof.isa)},
                       {"arithmetic", name(roof.arithmetic)},
                       {"weight_bits", roof.weight_bits},
                       {"threads", roof.threads},
                       {"flops", roof.flops}});
  }
  Json read = Json::array();
  for (const ReadRoof& roof : sorted.read) {
    read.push_back(Json{{"threads", roof.threads},
                        {"bytes_per_second", roof.bytes_per_second},
                        {"footprint_bytes", roof.footprint_bytes}});
  }
  return {{"fma", fma}, {"dot", dot}, {"read", read}};
}

Json to_json(const CacheSizes& caches) {
  Json json{{"l1d", caches.l1d}, {"l2", caches.l2}, {"l3", caches.l3}};
  if (caches.prefetch_streams) json["prefetch_streams"] = true;
  return json;
}

Json to_json(const Plan& plan) {
  const Tiling& tiling = plan.tiling;
  return {{"nr", tiling.nr},
          {"mr", tiling.mr},
          {"kc", tiling.kc},
          {"mc", tiling.mc},
          {"nc", tiling.nc},
          {"fc", tiling.fc},
          {"prefetch", tiling.prefetch},
          {"pack_x", tiling.pack_x},
          {"schedule", name(tiling.schedule)},
          {"threads", plan.threads}};
}

Json to_json(const PlanRow& row) {
  return {{"isa", name(row.isa)},
          {"kind", name(row.kind)},
          {"weights", name(row.kind.weights)},
          {"arithmetic", name(row.kind.arithmetic)},
          {"d_model", row.shape.d_model},
          {"d_ff", row.shape.d_ff},
          {"m", row.m},
          {"max_threads", row.max_threads},
          {"plan", to_json(row.plan)}};
}

Json to_json(const Measured& measured) {
  return {{"ratio_to_default", measured.ratio_to_default},
          {"ratio_low", measured.ratio_low},
          {"ratio_high", measured.ratio_high},
          {"verdict", name(measured.verdict)},
          {"pairs", measured.pairs},
          {"trials", measured.trials},
          {"roof_fraction", measured.roof_fraction},
          {"contended_share", measured.contended_share}};
}

Json to_json(const ProfilePlan& plan) {
  Json json = to_json(plan.row);
  json["measured"] = plan.measured ? to_json(*plan.measured) : Json(nullptr);
  return json;
}

std::string dump(const Json& json) {
  require_finite(json, "");
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string profile_text(const Profile& profile) {
  Json json = head(profile_schema, profile.sluice_version);
  json["created"] = profile.created;
  json["command"] = profile.command;
  json["machine"] = to_json(profile.machine);
  json["machine"]["fingerprint"] = profile.fingerprint;
  json["roofs"] = to_json(profile.roofs);
  json["plans"] = Json::array();
  for (const ProfilePlan& plan : sorted_plans(profile)) json["plans"].push_back(to_json(plan));
  return dump(json);
}

std::string plans_text(const Profile& profile) {
  Json json = head(plans_schema, profile.sluice_version);
  json["machine"] = to_json(profile.machine);
  json["machine"]["fingerprint"] = profile.fingerprint;
  json["plans"] = Json::array();
  for (const PlanRow& row : sorted_rows(profile)) json["plans"].push_back(to_json(row));
  return dump(json);
}

}  // namespace sluice::tuner
