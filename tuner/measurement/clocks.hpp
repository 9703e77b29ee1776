// Owns: the clocks of one ISA, one per thread count, with the threads and the memory that they share.
// Does not own: how a clock measures (clock.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>

#include "sluice/executor.hpp"
#include "tuner/machine/machine.hpp"
#include "tuner/measurement/clock.hpp"
#include "tuner/profile/profile.hpp"

namespace sluice::tuner {

// Makes each clock when it is first asked for.
class Clocks {
 public:
  Clocks(Isa isa, const Machine& machine, std::uint32_t max_threads);

  [[nodiscard]] Clock& operator[](std::uint32_t threads);
  [[nodiscard]] Executor& executor() noexcept { return pool_; }
  // Returns the bytes of cold_bytes() and of the memory for streaming reads on a machine.
  [[nodiscard]] static std::size_t cold_bytes(const Machine& machine);
  [[nodiscard]] static std::size_t stream_bytes(const Machine& machine);
  // The bytes of packed weights to take turns through, so that each copy is cold when its turn comes.
  [[nodiscard]] std::size_t cold_bytes() const noexcept { return cold_bytes_; }
  [[nodiscard]] Roofs roofs() const;

 private:
  Isa isa_;
  std::size_t cold_bytes_;
  ThreadPool pool_;
  StreamBuffer buffer_;
  std::map<std::uint32_t, std::unique_ptr<Clock>> clocks_;
};

}  // namespace sluice::tuner
