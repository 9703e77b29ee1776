// Owns: the words for what an FFN computes: activations, kinds, shapes, and their work in FLOPs and bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace sluice {

// sigmoid(z) = 1 / (1 + exp(-z)); silu(z) = z·sigmoid(z);
// gelu(z) = z·(1 + erf(z/√2))/2; gelu_tanh(z) = z·(1 + tanh(√(2/π)·(z + 0.044715·z³)))/2.
enum class Activation : std::uint8_t { identity, sigmoid, relu, gelu, gelu_tanh, silu };
inline constexpr std::size_t activation_count = 6;

// gated: y = (act(x·gate + gate_bias) ⊗ (x·up + up_bias))·down + down_bias
// plain: y = act(x·up + up_bias)·down + down_bias
struct Kind {
  Activation activation;
  bool gated;
  friend constexpr bool operator==(const Kind&, const Kind&) = default;
};

inline constexpr Kind relu{Activation::relu, false};
inline constexpr Kind gelu{Activation::gelu, false};
inline constexpr Kind gelu_tanh{Activation::gelu_tanh, false};
inline constexpr Kind silu{Activation::silu, false};
inline constexpr Kind glu{Activation::sigmoid, true};
inline constexpr Kind bilinear{Activation::identity, true};
inline constexpr Kind reglu{Activation::relu, true};
inline constexpr Kind geglu{Activation::gelu, true};
inline constexpr Kind geglu_tanh{Activation::gelu_tanh, true};
inline constexpr Kind swiglu{Activation::silu, true};

struct NamedKind {
  std::string_view name;
  Kind kind;
};

// Every kind the library offers, baselines first. The one table between names and kinds.
std::span<const NamedKind> kinds() noexcept;
std::optional<Kind> parse_kind(std::string_view name) noexcept;
// The kind's name; "unnamed" when it is not in kinds() (no call accepts such a kind).
std::string_view name(Kind kind) noexcept;

struct Shape {
  std::size_t d_model;  // width of x and y
  std::size_t d_ff;     // width of H
  friend constexpr bool operator==(const Shape&, const Shape&) = default;
};

// Floating-point operations of one forward of m rows: 6·m·d_model·d_ff gated, 4·m·d_model·d_ff plain.
// Activations and biases are not counted.
double flops(Kind kind, Shape shape, std::size_t m) noexcept;

// Logical float32 traffic of one forward: weights, x and y once each. Padding, H, biases and packing are not counted.
double bytes(Kind kind, Shape shape, std::size_t m) noexcept;

}  // namespace sluice
