// Owns: weights of 4 bits with a scale and a zero point per group of a column.
#pragma once

#include "kernels/element_types/named_group.hpp"
#include "kernels/element_types/zero_point_integer.hpp"
#include "sluice/kind.hpp"

namespace sluice::detail {
namespace {

struct UInt4 : ZeroPointInteger<4> {
  static constexpr ElementType type = ElementType::uint4;
  static constexpr NamedGroup groups[] = {
      {"uint4:32", 32}, {"uint4:64", 64}, {"uint4:128", 128}, {"uint4:column", WeightType::whole_column}};
};

}  // namespace
}  // namespace sluice::detail
