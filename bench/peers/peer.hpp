// Owns: what a peer tells the worker: its name and version, and the ways it can compute an FFN, one of which is best.
// Does not own: choosing among them, the clock, the conversation with `sluice bench` (worker.cpp).
//
// A peer is one file that ends in one definition of `sluice::peers::library`, linked with worker.cpp and its library:
// each peer is a program of its own, so that no two libraries, or their thread runtimes, meet in one process.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sluice/kind.hpp"

namespace sluice::peers {

// The FFN to compute. Matrices are dense [in, out] and without biases; gate is null for a plain kind.
struct Problem {
  Kind kind;
  Shape shape;
  std::size_t m = 0;
  int threads = 1;
  std::size_t copies = 1;  // of the weights: forward takes turns through them, so that each is cold when its turn comes
  const float* gate = nullptr;
  const float* up = nullptr;
  const float* down = nullptr;
  const float* x = nullptr;  // [m, d_model]
  float* y = nullptr;        // [m, d_model]

  // Products of the up stage.
  [[nodiscard]] std::size_t branches() const noexcept { return kind.gated ? 2 : 1; }
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

// One way of composing the FFN. make throws std::exception when the library cannot.
struct Variant {
  std::string name;  // "merged gate and up, weights [out, in], sgemm"
  std::function<std::unique_ptr<Composition>(const Problem&)> make;
};

struct Library {
  const char* name;
  std::string (*version)();
  std::string (*note)();  // the kernels it chose for this processor, or the thread runtime; may be empty
  std::vector<Variant> (*variants)(const Problem&);
};

extern const Library library;

}  // namespace sluice::peers
