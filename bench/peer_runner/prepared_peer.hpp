// Owns: a peer prepared for one cell: the requests to it, their order, and the check of its answers.
// Does not own: its process (peer_process.hpp), the turns (session.hpp), its side (peers/worker.cpp, peers/worker.py).
#pragma once

#include <cstddef>
#include <string>

#include "bench/peer_runner/peer_process.hpp"
#include "bench/peer_runner/peer_verification.hpp"
#include "bench/peer_runner/shared_layer.hpp"
#include "tuner/workload/cell.hpp"

namespace sluice::bench {

// The longest a peer may take, in seconds.
struct PeerLimits {
  double start = 120;
  double prepare = 900;  // in which it packs and tries each of its variants
  double run = 120;
};

class PreparedPeer {
 public:
  // Starts the peer, which packs `copies` copies of the weights and chooses its best variant, and checks its answer.
  // layer and expected must outlive it. Throws PeerError.
  PreparedPeer(const PeerProgram& program, const tuner::Cell& cell, const SharedLayer& layer, std::size_t copies,
               const ExpectedAnswer& expected, const PeerLimits& limits = {});

  // Runs its turn, two forwards of which it times the second. Returns that time in ns. Throws PeerError.
  double run();
  // Throws PeerError if the answer of the last turn was wrong. It is not part of run(), which is between two probes.
  void check() const;

  [[nodiscard]] const std::string& version() const { return version_; }
  [[nodiscard]] const std::string& note() const { return note_; }
  [[nodiscard]] const std::string& variant() const { return variant_; }
  [[nodiscard]] pid_t pid() const { return process_.pid(); }

 private:
  PeerLimits limits_;
  const SharedLayer& layer_;
  const ExpectedAnswer& expected_;
  std::size_t m_;
  PeerProcess process_;
  std::string version_, note_, variant_;
};

}  // namespace sluice::bench
