// Owns: the text of a landscape's file, written and read.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "tuner/base/failure.hpp"
#include "tuner/base/file.hpp"
#include "tuner/base/json_field.hpp"
#include "tuner/profile/profile_json.hpp"
#include "tuner/tuning/landscape.hpp"

namespace sluice::tuner {
namespace {

constexpr std::uint32_t schema = 1;

Setting read_setting(const JsonField& field) {
  std::vector<std::string_view> isas;
  for (const Isa isa : all_isas()) isas.push_back(name(isa));
  return {read_caches(field["caches"]),
          field["isa"].named([](std::string_view word) { return parse_isa(word); }, isas),
          read_kind(field),
          {field["d_model"].natural<std::size_t>(), field["d_ff"].natural<std::size_t>()},
          field["m"].natural<std::size_t>(),
          field["max_threads"].natural<std::uint32_t>(),
          field["nr"].natural<std::uint32_t>(2)};
}

// The parameters in the order of the file.
std::vector<const Parameter*> read_parameters(const JsonField& field) {
  std::vector<std::string_view> known;
  for (const Parameter& parameter : parameters()) known.push_back(parameter.name);
  std::vector<const Parameter*> columns;
  for (const JsonField& word : field.elements()) {
    columns.push_back(word.named(
        [](std::string_view text) -> std::optional<const Parameter*> {
          const auto found = std::find_if(parameters().begin(), parameters().end(),
                                          [&](const Parameter& parameter) { return parameter.name == text; });
          return found == parameters().end() ? std::nullopt : std::optional<const Parameter*>(found);
        },
        known));
  }
  for (const Parameter& parameter : parameters())
    if (std::find(columns.begin(), columns.end(), &parameter) == columns.end())
      field.fail(fmt::format("lacks {}", parameter.name));
  return columns;
}

Plan read_plan(const JsonField& field, const std::vector<const Parameter*>& columns, std::uint32_t nr) {
  const std::vector<JsonField> values = field.elements();
  if (values.size() != columns.size())
    field.fail(fmt::format("has {} values, expected {}", values.size(), columns.size()));
  Plan plan;
  plan.tiling.nr = nr;
  for (std::size_t i = 0; i < columns.size(); ++i) columns[i]->set(plan, values[i].natural<std::uint32_t>(0));
  // Clipping divides by these extents.
  const Tiling& tiling = plan.tiling;
  if (tiling.mr == 0 || tiling.kc == 0 || tiling.mc == 0 || tiling.nc < nr || tiling.fc < nr || plan.threads == 0)
    field.fail("is no plan: an extent is 0, or nc or fc below nr");
  return plan;
}

std::vector<double> read_times(const JsonField& field) {
  std::vector<double> times;
  for (const JsonField& time : field.elements()) times.push_back(time.positive());
  return times;
}

std::vector<std::int64_t> whole_ns(const std::vector<double>& times) {
  std::vector<std::int64_t> whole;
  whole.reserve(times.size());
  for (const double time : times) whole.push_back(std::llround(time));
  return whole;
}

}  // namespace

Landscape load_landscape(const std::filesystem::path& path) {
  const std::string file = path.string();
  const nlohmann::ordered_json document = nlohmann::ordered_json::parse(read_file(path), nullptr, false);
  if (document.is_discarded())
    throw Failure(exit_code::file, fmt::format("{}: is not JSON; expected a landscape", file));
  const JsonField field(document, file);
  if (field["sluice_landscape"].natural<std::uint32_t>() != schema)
    field["sluice_landscape"].fail(fmt::format("is of another version, expected {}", schema));
  const Setting setting = read_setting(field);
  const std::vector<const Parameter*> columns = read_parameters(field["parameters"]);
  std::vector<Plan> plans;
  std::vector<std::vector<double>> costs;
  for (const JsonField& entry : field["plans"].elements()) {
    plans.push_back(read_plan(entry["plan"], columns, setting.nr));
    costs.push_back(read_times(entry["ns"]));
    const std::size_t rounds = costs.front().size();
    if (costs.back().size() != rounds || rounds < Landscape::least_rounds)
      entry["ns"].fail(fmt::format("has {} times, expected as many as the first plan, {} at least", costs.back().size(),
                                   Landscape::least_rounds));
  }
  if (plans.empty()) field["plans"].fail("is empty");
  return {setting, plans, costs, read_times(field["series"])};
}

std::string landscape_text(const Landscape& landscape) {
  const Setting& setting = landscape.setting();
  std::vector<std::string_view> names;
  for (const Parameter& parameter : parameters()) names.push_back(parameter.name);
  nlohmann::ordered_json head = {{"sluice_landscape", schema},
                                 {"isa", name(setting.isa)},
                                 {"kind", name(setting.kind)},
                                 {"weights", name(setting.kind.weights)},
                                 {"arithmetic", name(setting.kind.arithmetic)},
                                 {"d_model", setting.shape.d_model},
                                 {"d_ff", setting.shape.d_ff},
                                 {"m", setting.m},
                                 {"max_threads", setting.max_threads},
                                 {"nr", setting.nr},
                                 {"caches", to_json(setting.caches)},
                                 {"parameters", names},
                                 {"series", whole_ns(landscape.series())}};
  // Each plan has a line, so that files can be read and compared by line.
  std::string text = head.dump();
  text.back() = ',';
  text += "\n\"plans\":[";
  for (std::size_t i = 0; i < landscape.costs().size(); ++i) {
    const Plan& plan = landscape.space()->plans()[i];
    std::vector<std::uint32_t> values;
    for (const Parameter& parameter : parameters()) values.push_back(parameter.get(plan));
    const nlohmann::ordered_json entry = {{"plan", values}, {"ns", whole_ns(landscape.costs()[i])}};
    text += fmt::format("{}\n{}", i == 0 ? "" : ",", entry.dump());
  }
  return text + "\n]}\n";
}

}  // namespace sluice::tuner
