#include "tuner/profile/profile_table.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string_view>
#include <vector>

#include "tuner/profile/profile_json.hpp"

namespace sluice::tuner {
namespace {

// RFC 4180, section 2.
std::string quoted_if_needed(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + '"';
}

// Numbers are printed as in JSON, which reads back as the same number. Text has no quotes, and null is an empty field.
std::string csv_field(const Json& value) {
  if (value.is_null()) return "";
  return value.is_string() ? quoted_if_needed(value.get<std::string>()) : value.dump();
}

// Returns the cell and the plan as one flat object.
Json configuration(const PlanRow& row) {
  Json flat = to_json(row);
  const Json plan = flat["plan"];
  flat.erase("plan");
  for (const auto& [field, value] : plan.items()) flat[field] = value;
  return flat;
}

// Returns the fields in the order of the columns. All are null where nothing was measured.
Json measurements(const std::optional<Measured>& measured) {
  Json fields = to_json(measured.value_or(Measured{}));
  if (!measured) {
    for (auto& item : fields.items()) item.value() = nullptr;
  }
  return fields;
}

// Returns everything about a plan, under the names of the columns.
Json record(const Profile& profile, const ProfilePlan& plan) {
  Json fields = configuration(plan.row);
  fields.update(measurements(plan.measured));
  fields["fingerprint"] = profile.fingerprint;
  fields["cpu"] = profile.machine.cpu ? Json(*profile.machine.cpu) : Json(nullptr);
  fields["created"] = profile.created;
  fields["sluice_version"] = profile.sluice_version;
  return fields;
}

std::string csv_line(const std::vector<std::string>& fields) { return fmt::format("{}\r\n", fmt::join(fields, ",")); }

}  // namespace

std::string csv_text(const Profile& profile) {
  std::vector<std::string> columns;
  const Json any = record(profile, ProfilePlan{});
  for (const auto& item : any.items()) columns.push_back(item.key());
  std::string text = csv_line(columns);
  for (const ProfilePlan& plan : sorted_plans(profile)) {
    std::vector<std::string> fields;
    for (const Json& value : record(profile, plan)) fields.push_back(csv_field(value));
    text += csv_line(fields);
  }
  return text;
}

std::string t4_text(const Profile& profile) {
  Json results = Json::array();
  for (const ProfilePlan& plan : sorted_plans(profile)) {
    Json values = Json::array();
    if (plan.measured) {
      const Json measured = to_json(*plan.measured);
      for (const auto& item : measured.items())
        values.push_back(Json{{"name", item.key()}, {"value", item.value()}, {"unit", ""}});
    }
    // Only plans that compute the right answer are ever put into a profile.
    results.push_back(Json{{"timestamp", profile.created},
                           {"configuration", configuration(plan.row)},
                           {"times", Json{{"runtimes", Json::array()}}},
                           {"invalidity", "correct"},
                           {"correctness", 1},
                           {"measurements", std::move(values)},
                           {"objectives", plan.measured ? Json::array({"ratio_to_default"}) : Json::array()}});
  }
  return dump(Json{{"schema_version", "1.0.0"}, {"results", std::move(results)}});
}

}  // namespace sluice::tuner
