// Owns: the tables of kinds and types of weights, and their arithmetic.
#include "sluice/kind.hpp"

#include <algorithm>
#include <iterator>

#include "kernels/element_types/element_types.hpp"

namespace sluice {
namespace {

constexpr NamedKind table[] = {
    {"relu", relu},     {"gelu", gelu},   {"gelu_tanh", gelu_tanh},
    {"silu", silu},     {"glu", glu},     {"bilinear", bilinear},
    {"reglu", reglu},   {"geglu", geglu}, {"geglu_tanh", geglu_tanh},
    {"swiglu", swiglu},
};

}  // namespace

std::span<const NamedKind> kinds() noexcept { return table; }

std::optional<Kind> parse_kind(std::string_view name) noexcept {
  const auto* row =
      std::find_if(std::begin(table), std::end(table), [&](const NamedKind& k) { return k.name == name; });
  return row == std::end(table) ? std::nullopt : std::optional(row->kind);
}

std::string_view name(Kind kind) noexcept {
  const auto* row =
      std::find_if(std::begin(table), std::end(table), [&](const NamedKind& k) { return same_function(k.kind, kind); });
  return row == std::end(table) ? std::string_view("unnamed") : row->name;
}

std::span<const WeightType> all_weight_types() noexcept { return detail::ElementTypes::types; }

std::string_view name(WeightType type) noexcept {
  const auto all = all_weight_types();
  const auto found = std::find(all.begin(), all.end(), type);
  return found == all.end() ? std::string_view("unknown")
                            : detail::ElementTypes::names[static_cast<std::size_t>(found - all.begin())];
}

std::optional<WeightType> parse_weight_type(std::string_view word) noexcept {
  const auto all = all_weight_types();
  const auto found = std::find_if(all.begin(), all.end(), [&](WeightType type) { return name(type) == word; });
  return found == all.end() ? std::nullopt : std::optional(*found);
}

double weight_bytes(WeightType type) noexcept {
  double found = 0;
  detail::with_element_type(type.element, [&](auto element) {
    using Element = decltype(element);
    if constexpr (Element::grouped) {
      found = Element::bits / 8.0;
      if (type.group != WeightType::whole_column)
        found += static_cast<double>(detail::group_bytes<Element>) / static_cast<double>(type.group);
    } else {
      found = sizeof(typename Element::Stored);
    }
  });
  return found;
}

std::span<const Arithmetic> all_arithmetics() noexcept {
  static constexpr Arithmetic all[] = {Arithmetic::f32, Arithmetic::int8, Arithmetic::int16, Arithmetic::bf16};
  static_assert(std::size(all) == arithmetic_count);
  return all;
}

std::string_view name(Arithmetic arithmetic) noexcept {
  switch (arithmetic) {
    case Arithmetic::f32:
      return "f32";
    case Arithmetic::int8:
      return "int8";
    case Arithmetic::int16:
      return "int16";
    case Arithmetic::bf16:
      return "bf16";
  }
  return "unknown";
}

std::optional<Arithmetic> parse_arithmetic(std::string_view word) noexcept {
  const auto all = all_arithmetics();
  const auto found = std::find_if(all.begin(), all.end(), [&](Arithmetic one) { return name(one) == word; });
  return found == all.end() ? std::nullopt : std::optional(*found);
}

bool offered(WeightType weights, Arithmetic arithmetic) noexcept {
  if (!parse_weight_type(name(weights)) || static_cast<std::size_t>(arithmetic) >= arithmetic_count) return false;
  switch (arithmetic) {
    case Arithmetic::f32:
      return true;
    case Arithmetic::int8:
    case Arithmetic::int16:
      return weights.group != 0;
    case Arithmetic::bf16:
      return weights == WeightType::bf16;
  }
  return false;
}

double flops(Kind kind, Shape shape, std::size_t m) noexcept {
  return (kind.gated ? 6.0 : 4.0) * static_cast<double>(m) * static_cast<double>(shape.d_model) *
         static_cast<double>(shape.d_ff);
}

double bytes(Kind kind, Shape shape, std::size_t m) noexcept {
  const double d_model = static_cast<double>(shape.d_model);
  const double weights = (kind.gated ? 3.0 : 2.0) * d_model * static_cast<double>(shape.d_ff);
  return weight_bytes(kind.weights) * weights + 8.0 * static_cast<double>(m) * d_model;
}

}  // namespace sluice
