// Owns: the words for what an FFN computes: activations, types of weights, kinds, shapes, and their work in FLOPs and
// bytes.
#pragma once

#include <compare>
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

// How one element of a weight matrix is stored.
//   f32:  IEEE 754 binary32.
//   bf16: the upper 16 bits of a binary32: its range, 8 bits of precision.
//   f16:  IEEE 754 binary16: 11 bits of precision, largest value 65504, smallest 2⁻²⁴.
//   int8: an integer from −128 to 127, times a scale that a group of a column's elements share.
enum class ElementType : std::uint8_t { f32, bf16, f16, int8 };
inline constexpr std::size_t element_type_count = 4;

// How weights are stored: elements and, if these have scales, how many consecutive inputs (k) of a column share one.
// Scales are f16. The last group of a column may be shorter.
//
// Each step of a forward takes weights as the float32 values that they stand for (an int8 element times its scale is
// one exactly), so the answer is that of float32 weights of these values, to the bit.
struct WeightType {
  ElementType element = ElementType::f32;
  std::uint32_t group = 0;  // 0: elements have no scales; whole_column: one scale per column; else 32, 64 or 128

  static constexpr std::uint32_t whole_column = UINT32_MAX;
  static const WeightType f32, bf16, f16;
  static constexpr WeightType int8(std::uint32_t group) noexcept { return {ElementType::int8, group}; }

  friend constexpr bool operator==(const WeightType&, const WeightType&) = default;
  friend constexpr auto operator<=>(const WeightType&, const WeightType&) = default;
};
inline constexpr WeightType WeightType::f32{};
inline constexpr WeightType WeightType::bf16{ElementType::bf16};
inline constexpr WeightType WeightType::f16{ElementType::f16};

// Every type the library offers: f32, bf16, f16, int8:32, int8:64, int8:128, int8:column. No call accepts another one.
std::span<const WeightType> all_weight_types() noexcept;
std::string_view name(WeightType type) noexcept;  // "unknown" when it is not in all_weight_types()
std::optional<WeightType> parse_weight_type(std::string_view word) noexcept;
// Bytes of one weight, with its share of a group's scale; that of a whole column is left out.
double weight_bytes(WeightType type) noexcept;

// gated: y = (act(x·gate + gate_bias) ⊗ (x·up + up_bias))·down + down_bias
// plain: y = act(x·up + up_bias)·down + down_bias
struct Kind {
  Activation activation;
  bool gated;
  WeightType weights = WeightType::f32;
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

// Every kind the library offers, with float32 weights, baselines first. The one table between names and kinds.
std::span<const NamedKind> kinds() noexcept;
std::optional<Kind> parse_kind(std::string_view name) noexcept;
// The kind's name, whatever the type of its weights; "unnamed" when it is not in kinds() (no call accepts such a kind).
std::string_view name(Kind kind) noexcept;
// Whether both compute the same function, of weights of whatever type.
constexpr bool same_function(Kind a, Kind b) noexcept { return a.activation == b.activation && a.gated == b.gated; }
// Whether packed weights of one serve the other: they differ in the activation at most.
constexpr bool same_packing(Kind a, Kind b) noexcept { return a.gated == b.gated && a.weights == b.weights; }

struct Shape {
  std::size_t d_model;  // width of x and y
  std::size_t d_ff;     // width of H
  friend constexpr bool operator==(const Shape&, const Shape&) = default;
};

// Floating-point operations of one forward of m rows: 6·m·d_model·d_ff gated, 4·m·d_model·d_ff plain.
// Activations and biases are not counted.
double flops(Kind kind, Shape shape, std::size_t m) noexcept;

// Logical traffic of one forward: the weights in their type, and x and y in float32, once each. Padding, H, biases and
// packing are not counted.
double bytes(Kind kind, Shape shape, std::size_t m) noexcept;

}  // namespace sluice
