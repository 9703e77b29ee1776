// Owns: weights of 4 bits with a scale per group of a column.
#pragma once

#include "kernels/element_types/named_group.hpp"
#include "kernels/element_types/scaled_integer.hpp"
#include "sluice/kind.hpp"

namespace sluice::detail {
namespace {

struct Int4 : ScaledInteger<4> {
  static constexpr ElementType type = ElementType::int4;
  static constexpr NamedGroup groups[] = {
      {"int4:32", 32}, {"int4:64", 64}, {"int4:128", 128}, {"int4:column", WeightType::whole_column}};
};

}  // namespace
}  // namespace sluice::detail
