// Owns: the JSON of profiles, machines, roofs and plans (schema_version 1), both ways, and every check of it.
// Does not own: files. Unknown additional fields are ignored, so that later versions may add some.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tuner/base/json_field.hpp"
#include "tuner/profile/profile.hpp"

namespace sluice::tuner {

using Json = nlohmann::ordered_json;

inline constexpr std::string_view profile_schema = "sluice-profile";
inline constexpr std::string_view plans_schema = "sluice-plans";
inline constexpr std::uint32_t schema_version = 1;

// Returns JSON's null where there is no value.
template <class T>
Json nullable(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

// The fingerprint is included.
Json to_json(const Machine& machine);
Json to_json(const Roofs& roofs);
// hold_weights is left out: the tuner measures with weights from memory.
Json to_json(const CacheSizes& caches);
Json to_json(const Plan& plan);
Json to_json(const PlanRow& row);
Json to_json(const Measured& measured);
Json to_json(const ProfilePlan& plan);

// Returns indented text with a final newline. Bytes that are not UTF-8 (in file names) are replaced. Throws Failure 4
// for a number that is not finite: no measurement may produce one, and JSON cannot hold it.
std::string dump(const Json& json);

std::string profile_text(const Profile& profile);

// Throws Failure 5, which begins with `file` and names the field. Plans must be valid for their ISA, if the build has
// it.
Profile parse_profile(std::string_view text, const std::string& file);

// These read the parts, for other files that hold them.
Isa read_isa(const JsonField& field);
// The object's "kind" with its "weights", which files of before these types lack: then they are f32.
Kind read_kind(const JsonField& field);
WeightType read_weights(const JsonField& field);
Arithmetic read_arithmetic(const JsonField& field);
CacheSizes read_caches(const JsonField& field);
Plan read_plan(const JsonField& field);  // does not check it for an ISA
Measured read_measured(const JsonField& field);

// The exported form: {schema: sluice-plans, schema_version, sluice_version, machine, plans}.
std::string plans_text(const Profile& profile);
std::vector<PlanRow> parse_plans(std::string_view text, const std::string& file);

}  // namespace sluice::tuner
