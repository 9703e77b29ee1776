// Owns: weights of 8 bits with a scale per group of a column.
#pragma once

#include "kernels/element_types/named_group.hpp"
#include "kernels/element_types/scaled_integer.hpp"
#include "sluice/kind.hpp"

namespace sluice::detail {
namespace {

struct Int8 : ScaledInteger<8> {
  static constexpr ElementType type = ElementType::int8;
  static constexpr NamedGroup groups[] = {
      {"int8:32", 32}, {"int8:64", 64}, {"int8:128", 128}, {"int8:column", WeightType::whole_column}};
};

}  // namespace
}  // namespace sluice::detail
