// Owns: reading the JSON of profile_json.hpp, with every check of it.
#include <fmt/format.h>

#include <algorithm>

#include "tuner/base/failure.hpp"
#include "tuner/base/json_field.hpp"
#include "tuner/base/version.hpp"
#include "tuner/profile/profile_json.hpp"

namespace sluice::tuner {

Isa read_isa(const JsonField& field) {
  std::vector<std::string_view> known;
  for (const Isa isa : all_isas()) known.push_back(name(isa));
  return field.named([](std::string_view word) { return parse_isa(word); }, known);
}

CacheSizes read_caches(const JsonField& field) {
  CacheSizes caches;
  caches.l1d = field["l1d"].natural<std::size_t>();
  caches.l2 = field["l2"].natural<std::size_t>();
  caches.l3 = field["l3"].natural<std::size_t>();
  caches.prefetch_streams = field.has("prefetch_streams") && field["prefetch_streams"].boolean();
  return caches;
}

WeightType read_weights(const JsonField& field) {
  if (!field.has("weights")) return WeightType::f32;
  std::vector<std::string_view> known;
  for (const WeightType type : all_weight_types()) known.push_back(name(type));
  return field["weights"].named([](std::string_view word) { return parse_weight_type(word); }, known);
}

Arithmetic read_arithmetic(const JsonField& field) {
  if (!field.has("arithmetic")) return Arithmetic::f32;
  std::vector<std::string_view> known;
  for (const Arithmetic arithmetic : all_arithmetics()) known.push_back(name(arithmetic));
  return field["arithmetic"].named([](std::string_view word) { return parse_arithmetic(word); }, known);
}

Kind read_kind(const JsonField& field) {
  std::vector<std::string_view> known;
  for (const NamedKind& kind : kinds()) known.push_back(kind.name);
  Kind kind = field["kind"].named([](std::string_view word) { return parse_kind(word); }, known);
  kind.weights = read_weights(field);
  kind.arithmetic = read_arithmetic(field);
  if (!offered(kind.weights, kind.arithmetic)) field["arithmetic"].fail("is not offered with these weights");
  return kind;
}

namespace {

CoreClass read_core_class(const JsonField& field) {
  CoreClass one{field["name"].text(), field["cores"].natural<std::uint32_t>(), {}, {}};
  for (const JsonField& cpu : field["cpus"].elements()) one.cpus.push_back(cpu.natural<unsigned>(0));
  one.relative_speed = field["relative_speed"].nullable([](const JsonField& f) { return f.number(0, 1); });
  return one;
}

Machine read_machine(const JsonField& field) {
  const auto text = [](const JsonField& f) { return f.text(); };
  const auto count = [](const JsonField& f) { return f.natural<std::uint32_t>(0); };
  const auto size = [](const JsonField& f) { return f.natural<std::size_t>(); };
  Machine machine;
  machine.vendor = field["vendor"].nullable(text);
  machine.cpu = field["cpu"].nullable(text);
  machine.family = field["family"].nullable(count);
  machine.model = field["model"].nullable(count);
  machine.stepping = field["stepping"].nullable(count);
  for (const JsonField& isa : field["isas"].elements()) machine.isas.push_back(read_isa(isa));
  machine.l1d = field["caches"]["l1d"].nullable(size);
  machine.l2 = field["caches"]["l2"].nullable(size);
  machine.l3 = field["caches"]["l3"].nullable(size);
  machine.cores = field["cores"].nullable(count);
  machine.cpus = field["cpus"].nullable(count);
  machine.available_threads = field["available_threads"].natural<std::uint32_t>();
  machine.cgroup_quota = field["cgroup_quota"].nullable([](const JsonField& f) { return f.positive(); });
  machine.numa_nodes = field["numa_nodes"].nullable(count);
  machine.memory_bytes = field["memory_bytes"].nullable([](const JsonField& f) { return f.natural<std::uint64_t>(); });
  machine.os = field["os"].text();
  machine.compiler = field["compiler"].text();
  machine.governor = field["governor"].nullable(text);
  machine.hypervisor = field["hypervisor"].nullable([](const JsonField& f) { return f.boolean(); });
  if (!field.has("core_classes")) return machine;
  machine.core_class = field["core_class"].nullable(text);
  for (const JsonField& one : field["core_classes"].elements()) machine.core_classes.push_back(read_core_class(one));
  return machine;
}

std::string read_fingerprint(const JsonField& field) {
  std::string digits = field.text();
  if (digits.size() != 16 || digits.find_first_not_of("0123456789abcdef") != std::string::npos) {
    field.fail(fmt::format("'{:.32}' was given, expected 16 hexadecimal digits", digits));
  }
  return digits;
}

Roofs read_roofs(const JsonField& field) {
  Roofs roofs;
  for (const JsonField& roof : field["fma"].elements()) {
    roofs.fma.push_back({read_isa(roof["isa"]), roof["threads"].natural<std::uint32_t>(), roof["flops"].positive()});
  }
  if (field.has("dot"))
    for (const JsonField& roof : field["dot"].elements())
      roofs.dot.push_back({read_isa(roof["isa"]), read_arithmetic(roof),
                           roof.has("weight_bits") ? roof["weight_bits"].natural<std::uint32_t>() : 8,
                           roof["threads"].natural<std::uint32_t>(), roof["flops"].positive()});
  for (const JsonField& roof : field["read"].elements()) {
    roofs.read.push_back({roof["threads"].natural<std::uint32_t>(), roof["bytes_per_second"].positive(),
                          roof["footprint_bytes"].natural<std::uint64_t>()});
  }
  return roofs;
}

}  // namespace

Plan read_plan(const JsonField& field) {
  Plan plan;
  plan.tiling.nr = field["nr"].natural<std::uint32_t>();
  plan.tiling.mr = field["mr"].natural<std::uint32_t>();
  plan.tiling.kc = field["kc"].natural<std::uint32_t>();
  plan.tiling.mc = field["mc"].natural<std::uint32_t>();
  plan.tiling.nc = field["nc"].natural<std::uint32_t>();
  plan.tiling.fc = field["fc"].natural<std::uint32_t>();
  plan.tiling.prefetch = field["prefetch"].natural<std::uint32_t>(0);
  plan.tiling.pack_x = field["pack_x"].boolean();
  std::vector<std::string_view> schedules;
  for (const Schedule schedule : all_schedules()) schedules.push_back(name(schedule));
  plan.tiling.schedule = field["schedule"].named([](std::string_view word) { return parse_schedule(word); }, schedules);
  plan.threads = field["threads"].natural<std::uint32_t>();
  return plan;
}

namespace {

PlanRow read_row(const JsonField& field) {
  PlanRow row{read_isa(field["isa"]),
              read_kind(field),
              {field["d_model"].natural<std::size_t>(), field["d_ff"].natural<std::size_t>()},
              field["m"].natural<std::uint32_t>(),
              field["max_threads"].natural<std::uint32_t>(),
              read_plan(field["plan"])};
  if (m_bucket(row.m) != row.m) field["m"].fail(fmt::format("is {}, expected a power of two", row.m));
  if (row.plan.threads > row.max_threads) {
    field["plan"]["threads"].fail(
        fmt::format("is {}, expected at most max_threads = {}", row.plan.threads, row.max_threads));
  }
  // A build without the ISA has no microkernel to check the row against. It keeps such rows and never runs them.
  if (!register_tiles(row.isa).empty()) {
    if (const Status status = validate(row.plan, row.isa); !status.ok()) field["plan"].fail(status.message());
  }
  return row;
}

}  // namespace

Measured read_measured(const JsonField& field) {
  Measured measured{field["ratio_to_default"].positive(),
                    field["ratio_low"].positive(),
                    field["ratio_high"].positive(),
                    field["verdict"].named([](std::string_view word) { return parse_verdict(word); },
                                           {name(Verdict::faster), name(Verdict::tied), name(Verdict::slower),
                                            name(Verdict::inconclusive), name(Verdict::default_won)}),
                    field["pairs"].natural<std::uint32_t>(0),
                    field["trials"].natural<std::uint32_t>(0),
                    field["roof_fraction"].number(0),
                    field["contended_share"].number(0, 1)};
  if (measured.ratio_low > measured.ratio_high) {
    field["ratio_low"].fail(
        fmt::format("is {}, expected at most ratio_high = {}", measured.ratio_low, measured.ratio_high));
  }
  return measured;
}

namespace {

void reject_repetition(const std::vector<JsonField>& fields, const std::vector<PlanRow>& rows) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (same_cell(rows[i], rows[j]))
        fields[i].fail(fmt::format("repeats the cell of plans[{}], expected it once", j));
    }
  }
}

std::vector<PlanRow> read_rows(const JsonField& field) {
  const std::vector<JsonField> fields = field.elements();
  std::vector<PlanRow> rows;
  rows.reserve(fields.size());
  for (const JsonField& element : fields) rows.push_back(read_row(element));
  reject_repetition(fields, rows);
  return rows;
}

Json parse_document(std::string_view text, const std::string& file, std::string_view schema) {
  Json json;
  try {
    json = Json::parse(text);
  } catch (const Json::parse_error& error) {
    const std::string_view sound = text.substr(0, error.byte == 0 ? 0 : error.byte - 1);
    const auto line = 1 + std::count(sound.begin(), sound.end(), '\n');
    const std::size_t column = sound.size() - (sound.rfind('\n') + 1) + 1;  // npos + 1 is 0
    throw Failure(
        exit_code::file,
        fmt::format("{}: damaged or cut off in line {}, column {} (byte {} of {}), expected JSON; restore it, "
                    "or move it away and make a new one",
                    file, line, column, error.byte, text.size()));
  } catch (const Json::exception&) {
    throw Failure(exit_code::file, fmt::format("{}: a number too large for JSON; restore the file, or move it away and "
                                               "make a new one",
                                               file));
  }
  const JsonField document(json, file);
  if (const std::string given = document["schema"].text(); given != schema) {
    document["schema"].fail(fmt::format("is '{:.32}', expected '{}'", given, schema));
  }
  if (const auto given = document["schema_version"].natural<std::uint32_t>(); given > schema_version) {
    throw Failure(exit_code::file,
                  fmt::format("{}: schema_version: is {}, newer than {} of sluice {}; use a newer sluice", file, given,
                              schema_version, version));
  }
  return json;
}

}  // namespace

Profile parse_profile(std::string_view text, const std::string& file) {
  const Json json = parse_document(text, file, profile_schema);
  const JsonField document(json, file);
  Profile profile;
  profile.sluice_version = document["sluice_version"].text();
  profile.created = document["created"].text();
  for (const JsonField& word : document["command"].elements()) profile.command.push_back(word.text());
  profile.machine = read_machine(document["machine"]);
  profile.fingerprint = read_fingerprint(document["machine"]["fingerprint"]);
  profile.roofs = read_roofs(document["roofs"]);
  const std::vector<PlanRow> rows = read_rows(document["plans"]);
  const std::vector<JsonField> plans = document["plans"].elements();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    profile.plans.push_back({rows[i], plans[i]["measured"].nullable(read_measured)});
  }
  return profile;
}

std::vector<PlanRow> parse_plans(std::string_view text, const std::string& file) {
  const Json json = parse_document(text, file, plans_schema);
  return read_rows(JsonField(json, file)["plans"]);
}

}  // namespace sluice::tuner
