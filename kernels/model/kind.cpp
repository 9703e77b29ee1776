// Owns: the table of kinds and their arithmetic.
#include "sluice/kind.hpp"

#include <algorithm>
#include <iterator>

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
      std::find_if(std::begin(table), std::end(table), [&](const NamedKind& k) { return k.kind == kind; });
  return row == std::end(table) ? std::string_view("unnamed") : row->name;
}

double flops(Kind kind, Shape shape, std::size_t m) noexcept {
  return (kind.gated ? 6.0 : 4.0) * static_cast<double>(m) * static_cast<double>(shape.d_model) *
         static_cast<double>(shape.d_ff);
}

double bytes(Kind kind, Shape shape, std::size_t m) noexcept {
  const double d_model = static_cast<double>(shape.d_model);
  const double weights = (kind.gated ? 3.0 : 2.0) * d_model * static_cast<double>(shape.d_ff);
  return 4.0 * (weights + 2.0 * static_cast<double>(m) * d_model);
}

}  // namespace sluice
