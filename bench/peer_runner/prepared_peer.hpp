// Owns: a peer prepared for one cell: the requests to it, their order, and the check of its answers.
// Does not own: its process (peer_process.hpp), the turns (session.hpp), its side (peers/worker.cpp, peers/worker.py).
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bench/peer_runner/form_rounding.hpp"
#include "bench/peer_runner/peer_process.hpp"
#include "bench/peer_runner/peer_verification.hpp"
#include "bench/peer_runner/shared_layer.hpp"
#include "tuner/workload/cell.hpp"

namespace sluice::bench {

// The longest a peer may take, in seconds.
struct PeerLimits {
  double start = 120;
  double prepare = 900;  // in which it packs one of its forms, or tries it
  double run = 120;
};

// A form of a peer that takes no turns, and why: the library refused it, or else its answer was wrong or the process
// ended in it.
struct LeftOut {
  std::string form, reason;
  bool refused = false;
};

class PreparedPeer {
 public:
  // Starts the peer. It packs `copies` copies of the weights in each of the forms it has for their type; one whose
  // answer is right is tried, and the fastest takes the turns. After a form that ends its process it is started anew.
  // layer and expected must outlive it. Throws PeerError.
  PreparedPeer(PeerProgram program, const tuner::Cell& cell, const SharedLayer& layer, std::size_t copies,
               const ExpectedAnswer& expected, const PeerLimits& limits = {});

  // Runs its turn, two forwards of which it times the second. Returns that time in ns. Throws PeerError.
  double run();
  // Throws PeerError if the answer of the last turn was wrong. It is not part of run(), which is between two probes.
  void check() const;

  [[nodiscard]] const std::vector<LeftOut>& left_out() const { return left_out_; }

  [[nodiscard]] const std::string& version() const { return version_; }
  [[nodiscard]] const std::string& note() const { return note_; }
  // The form that takes the turns, what it rounds, how far from the oracle it was when it was tried, relative to the
  // length of a row, and how far it may be.
  [[nodiscard]] const std::string& form() const { return form_; }
  [[nodiscard]] const FormRounding& rounding() const { return rounding_; }
  [[nodiscard]] double error() const { return error_; }
  [[nodiscard]] double tolerance() const { return std::ranges::max(tolerance_->rows); }
  [[nodiscard]] pid_t pid() const { return process_->pid(); }

 private:
  // A process that knows the cell. Returns its forms.
  nlohmann::json start();
  void try_forms(const nlohmann::json& forms);
  // Lets it pack a form, checks its answer and lets it take the time. Returns that, in ns. Throws PeerError.
  double try_form(std::size_t index, const Tolerance& tolerance);
  // Brings a process that has ended back to where it was, with the best form so far.
  void restart();
  [[nodiscard]] std::shared_ptr<const Tolerance> tolerance_of(const FormRounding& rounding);

  PeerLimits limits_;
  PeerProgram program_;
  tuner::Cell cell_;
  std::size_t copies_;
  const SharedLayer& layer_;
  const ExpectedAnswer& expected_;
  std::size_t m_;
  std::unique_ptr<PeerProcess> process_;
  std::string version_, note_, form_;
  std::optional<std::size_t> chosen_;  // the place of form_ among the forms
  FormRounding rounding_;
  std::shared_ptr<const Tolerance> tolerance_;
  double error_ = 0;
  std::vector<std::pair<FormRounding, std::shared_ptr<const Tolerance>>> tolerances_;
  std::vector<LeftOut> left_out_;
};

}  // namespace sluice::bench
