// Owns: how a type of elements names the types of weights that it makes. Internal.
#pragma once

#include <cstdint>
#include <string_view>

namespace sluice::detail {

struct NamedGroup {
  std::string_view name;
  std::uint32_t group;  // as WeightType has it
};

}  // namespace sluice::detail
