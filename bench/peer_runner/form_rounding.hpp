// Owns: what one form of a peer rounds besides the sums of its products, which are float32: as the peer says it, as the
// numbers that an error budget needs, in words. Does not own: the budget (error_budget.hpp).
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace sluice::bench {

// A precision in which values are stored: f32 adds nothing to the sums' own rounding.
enum class Precision : std::uint8_t { f32, bf16, f16 };

// 2⁻ᵖ of p bits: the largest relative error of one rounding to nearest; 0 of f32.
double unit_roundoff(Precision precision) noexcept;

struct FormRounding {
  // x and H as they enter a product: in this precision, or, if steps is not 0, as integers of at most ±steps, times a
  // scale, the largest magnitude over steps, that `group` consecutive values of a row share (0: the whole row).
  Precision inputs = Precision::f32;
  std::uint32_t steps = 0;
  std::uint32_t group = 0;
  Precision scales = Precision::f32;      // of those scales
  Precision weights = Precision::f32;     // the values of the weights when they are multiplied
  Precision results = Precision::f32;     // what the products and the gate hand on
  Precision activation = Precision::f32;  // the argument and the result of the activation, as in a table of it

  friend bool operator==(const FormRounding&, const FormRounding&) = default;
};

// Of a peer's {"inputs": "f32", "bf16", "f16" or "int8", "group": 32, "scales", "weights", "results", "activation"},
// each f32 where it is missing. Throws PeerError if it says something else.
FormRounding parse_rounding(const nlohmann::json& json);

// "f32", or what is not: "x int8:32, scales f16".
std::string describe(const FormRounding& rounding);

}  // namespace sluice::bench
