// Owns: how far answers are from the exact ones, and for what reason: the arithmetic, weights that were rounded to a
// smaller type, or x and H that were quantised. Does not own: the bound that a right kernel keeps (verification.hpp).
// Needs the kernels alone.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "sluice/sluice.hpp"

namespace sluice::tuner {

// Made-up operands, in ascending order of difficulty for a type with few bits.
//   normal:           weights and x of normal distributions
//   heavy_tailed:     weights of Student's t with four degrees of freedom, as trained weights have
//   outlier_channels: one of 64 elements of x is 20 times as large, as behind a model's normalisation
enum class Operands : std::uint8_t { normal, heavy_tailed, outlier_channels };
inline constexpr std::array all_operands = {Operands::normal, Operands::heavy_tailed, Operands::outlier_channels};
std::string_view name(Operands operands) noexcept;

// Root mean squares of the error over that of the answer.
struct Accuracy {
  double arithmetic = 0;  // the kernel's answer against double precision on the same, rounded weights and quantised x
  double weights = 0;     // double precision on the rounded weights against that on the float32 ones
  double least_squares_weights = 0;  // the same if packing chooses least-squares scales; 0 if the type has no scales
  double activations = 0;  // double precision on quantised x and H against that on x and H, both on the rounded weights
};

// Solves one seeded problem of 256 × 704 and eight rows. Returns an error status if the kernel cannot be run. Throws
// std::bad_alloc.
Result<Accuracy> accuracy(Isa isa, Kind kind, Operands operands);

}  // namespace sluice::tuner
