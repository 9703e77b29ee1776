// Owns: what a peer tells the worker: its name and version, and the ways it can compute an FFN with weights of a type,
// one of which is best. Does not own: choosing among them, the clock, the conversation with `sluice bench`
// (worker.cpp).
//
// A peer is one file that ends in one definition of `sluice::peers::library`, linked with worker.cpp and its library:
// each peer is a program of its own, so that no two libraries, or their thread runtimes, meet in one process.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sluice/kind.hpp"

namespace sluice::peers {

// A matrix in a type with scales: the same values as its float32 ones, exactly. Null for other types.
struct Codes {
  const std::int8_t* elements = nullptr;  // [out, in]: the integers; of mxfp4 the codes of E2M1, 0 … 15; of uint8 and
                                          // uint4 std::uint8_t
  const void* scales = nullptr;           // [out, groups of k]: f16, of mxfp4 E8M0
  const std::uint8_t* zeros = nullptr;    // [out, groups of k]: zero points; null for types without them
};

// The FFN to compute. Matrices are dense [in, out] and without biases; gate is null for a plain kind.
struct Problem {
  Kind kind;  // with the type of the weights
  Shape shape;
  std::size_t m = 0;
  int threads = 1;
  std::size_t copies = 1;  // of the weights: forward takes turns through them, so that each is cold when its turn comes
  const float* gate = nullptr;
  const float* up = nullptr;
  const float* down = nullptr;
  const float* x = nullptr;  // [m, d_model]
  float* y = nullptr;        // [m, d_model]
  Codes gate_codes = {}, up_codes = {}, down_codes = {};

  // Products of the up stage.
  [[nodiscard]] std::size_t branches() const noexcept { return kind.gated ? 2 : 1; }
  // The group of k whose elements share a scale, where `depth` is the whole of k; 0 for a type without scales.
  [[nodiscard]] std::size_t group(std::size_t depth) const noexcept {
    return std::min<std::size_t>(kind.weights.group, depth);
  }
};

// An FFN whose weights are packed, in all copies. The data of the problem is read in the constructor alone, x and y
// stay.
class Composition {
 public:
  Composition() = default;
  virtual ~Composition() = default;
  Composition(const Composition&) = delete;
  Composition& operator=(const Composition&) = delete;

  virtual void forward(std::size_t copy) = 0;
};

// What a variant rounds besides its sums, which are float32. Its answers are checked with what this lets expect, so it
// must say everything, and nothing more. Each is "f32" (nothing), "bf16" or "f16".
struct Rounding {
  const char* inputs = "f32";  // x and H as they enter a product; "int8": quantised by `group`, 0 by row
  std::size_t group = 0;
  const char* scales = "f32";      // of x and H when they are quantised
  const char* weights = "f32";     // the values of the weights when they are multiplied
  const char* results = "f32";     // what products and the gate hand on
  const char* activation = "f32";  // the argument and the result of the activation
};

// One way of composing the FFN. make throws std::exception when the library cannot.
struct Variant {
  std::string name;  // "merged gate and up, weights [out, in], sgemm"
  std::function<std::unique_ptr<Composition>(const Problem&)> make;
  Rounding rounds = {};
};

struct Library {
  const char* name;
  std::string (*version)();
  std::string (*note)();  // the kernels it chose for this processor, or the thread runtime; may be empty
  std::vector<Variant> (*variants)(const Problem&);                       // with float32 weights
  std::vector<Variant> (*variants_of_smaller)(const Problem&) = nullptr;  // with smaller ones; null: none
};

extern const Library library;

}  // namespace sluice::peers
