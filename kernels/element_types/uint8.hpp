// Owns: weights of 8 bits with a scale and a zero point per group of a column.
#pragma once

#include "kernels/element_types/named_group.hpp"
#include "kernels/element_types/zero_point_integer.hpp"
#include "sluice/kind.hpp"

namespace sluice::detail {
namespace {

struct UInt8 : ZeroPointInteger<8> {
  static constexpr ElementType type = ElementType::uint8;
  static constexpr NamedGroup groups[] = {
      {"uint8:32", 32}, {"uint8:64", 64}, {"uint8:128", 128}, {"uint8:column", WeightType::whole_column}};
};

}  // namespace
}  // namespace sluice::detail
