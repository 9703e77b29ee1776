// Owns: the published JSON Schema of profiles, as the program carries it. Its text is schema/profile.schema.json.
#pragma once

#include <string_view>

namespace sluice::tuner {

extern const std::string_view profile_json_schema;

}  // namespace sluice::tuner
