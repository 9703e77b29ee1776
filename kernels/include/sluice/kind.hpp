// Owns: the words for what an FFN computes: activations, types of weights, kinds, shapes, and their work in FLOPs and
// bytes.
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

// How one element of a weight matrix is stored.
//   f32:  IEEE 754 binary32.
//   bf16: the upper 16 bits of a binary32: its range, 8 bits of precision.
//   f16:  IEEE 754 binary16: 11 bits of precision, largest value 65504, smallest 2⁻²⁴.
//   int8: an integer from −128 to 127, times a scale that a group of a column's elements share.
//   int4: an integer from −8 to 7, times such a scale.
//   mxfp4: E2M1 (0, ½, 1, 1½, 2, 3, 4, 6 and their negatives), times a power of two for each 32 of a column: MXFP4 of
//         the OCP Microscaling Formats (MX) Specification 1.0.
//   uint8: an integer from 0 to 255 less a zero point from 0 to 255, times a scale; a group shares both.
//   uint4: an integer from 0 to 15 less a zero point from 0 to 16, times such a scale.
enum class ElementType : std::uint8_t { f32, bf16, f16, int8, int4, mxfp4, uint8, uint4 };
inline constexpr std::size_t element_type_count = 8;

// How weights are stored: elements and, if these have scales, how many consecutive inputs (k) of a column share one.
// Scales are f16, those of mxfp4 E8M0, zero points bytes. The last group of a column may be shorter.
//
// An element, less its zero point, times its scale is a float32 value exactly.
struct WeightType {
  ElementType element = ElementType::f32;
  std::uint32_t group = 0;  // 0: elements have no scales; whole_column: one scale per column; else 32, 64 or 128

  static constexpr std::uint32_t whole_column = UINT32_MAX;
  static const WeightType f32, bf16, f16, mxfp4;
  static constexpr WeightType int8(std::uint32_t group) noexcept { return {ElementType::int8, group}; }
  static constexpr WeightType int4(std::uint32_t group) noexcept { return {ElementType::int4, group}; }
  static constexpr WeightType uint8(std::uint32_t group) noexcept { return {ElementType::uint8, group}; }
  static constexpr WeightType uint4(std::uint32_t group) noexcept { return {ElementType::uint4, group}; }

  friend constexpr bool operator==(const WeightType&, const WeightType&) = default;
  friend constexpr bool operator<(const WeightType& a, const WeightType& b) {
    return a.element != b.element ? a.element < b.element : a.group < b.group;
  }
};
inline constexpr WeightType WeightType::f32{};
inline constexpr WeightType WeightType::bf16{ElementType::bf16};
inline constexpr WeightType WeightType::f16{ElementType::f16};
inline constexpr WeightType WeightType::mxfp4{ElementType::mxfp4, 32};

// Every type the library offers: f32, bf16, f16, mxfp4, and int8, int4, uint8 and uint4 by 32, 64, 128 or column
// (int8:32, int4:column).
// No call accepts another one.
std::span<const WeightType> all_weight_types() noexcept;
std::string_view name(WeightType type) noexcept;  // "unknown" when it is not in all_weight_types()
std::optional<WeightType> parse_weight_type(std::string_view word) noexcept;
// Bytes of one weight, with its share of a group's scale and zero point; those of a whole column are left out.
double weight_bytes(WeightType type) noexcept;

// How a product is computed. It belongs to what an FFN is, since it changes the answer.
//   f32:   x and H in float32, times the float32 values of the weights: to the bit what float32 weights of these values
//          give.
//   int8:  x and H quantised to 8 bits per row and group, their dot products with the elements of the weights exact
//          integers. Needs weights with scales.
//   int16: the same with 16 bits.
//   bf16:  x and H rounded to bf16, to nearest even, their products with bf16 weights exact, and summed in float32.
//
// int8 and int16. Quantisation, per row and group of G = min(group of the weights, 128) consecutive k, with L = 127 or
// 32767: from the largest magnitude a of the group, s = a / L and q = x·(L / a) rounded to the nearest integer, of two
// the even one, all in float32. A group with a < 2⁻¹⁰⁰ counts as zero; one with Inf or NaN makes its row of the product
// NaN. Then
//   sum = fma(float(Σ q·element), s·scale, sum)
// group by group in ascending k, from the bias on, where the sum of integers is exact and scale is that of the weights.
// Elements of mxfp4 count in halves, and their scale as half of what it is; those of uint8 and uint4 less their zero
// point.
//
// bf16. Of each 32 consecutive k, the last of which are filled up with zeros,
//   even = fma(x, w, even) over the 16 even k in ascending order, from 0 on; odd likewise over the odd k; then
//   sum = sum + (even + odd)
// from the bias on. Denormals count as zeros of their sign, and results that would be denormals become such zeros. So
// AMX-BF16 computes it (TDPBF16PS; checked to the bit on 15 million random sums, Emerald Rapids); others use FMAs. Arm
// processors decide before the rounding what is a denormal, so there a result right below 2⁻¹²⁶ may be zero.
enum class Arithmetic : std::uint8_t { f32, int8, int16, bf16 };
inline constexpr std::size_t arithmetic_count = 4;
std::span<const Arithmetic> all_arithmetics() noexcept;
std::string_view name(Arithmetic arithmetic) noexcept;
std::optional<Arithmetic> parse_arithmetic(std::string_view word) noexcept;
// Whether the library computes with such weights in this way.
bool offered(WeightType weights, Arithmetic arithmetic) noexcept;

// gated: y = (act(x·gate + gate_bias) ⊗ (x·up + up_bias))·down + down_bias
// plain: y = act(x·up + up_bias)·down + down_bias
struct Kind {
  Activation activation;
  bool gated;
  WeightType weights{};  // f32
  Arithmetic arithmetic = Arithmetic::f32;
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
// The kind's name, whatever the type of its weights and the arithmetic; "unnamed" when it is not in kinds() (no call
// accepts such a kind).
std::string_view name(Kind kind) noexcept;
// Whether both compute the same function, of weights of whatever type, by whatever arithmetic.
constexpr bool same_function(Kind a, Kind b) noexcept { return a.activation == b.activation && a.gated == b.gated; }
// Whether packed weights of one serve the other: they differ in the activation at most.
constexpr bool same_packing(Kind a, Kind b) noexcept {
  return a.gated == b.gated && a.weights == b.weights && a.arithmetic == b.arithmetic;
}

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
