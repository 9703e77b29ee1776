#include "bench/peer_runner/prepared_peer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <thread>

#include "tuner/machine/limits.hpp"

namespace sluice::bench {
namespace {

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

std::string text_of(const nlohmann::json& answer, const char* field) {
  const auto found = answer.find(field);
  return found != answer.end() && found->is_string() ? found->get<std::string>() : "";
}

// Returns the program if there is memory for it: two variants are in memory at once while the better one is sought.
// Without this check the kernel might end any process for want of memory.
const PeerProgram& affordable(const PeerProgram& program, const tuner::Cell& cell, std::size_t copies) {
  const auto available = tuner::available_memory();
  const double needed = 2.2 * static_cast<double>(copies) * bytes(cell.kind, cell.shape, cell.m);
  if (available && needed > static_cast<double>(*available))
    throw PeerError(
        fmt::format("it would need {:.1f} GiB for its weights and {:.1f} are free; measure fewer kinds or "
                    "peers at once",
                    needed / 0x1p30, static_cast<double>(*available) / 0x1p30));
  return program;
}

}  // namespace

PreparedPeer::PreparedPeer(const PeerProgram& program, const tuner::Cell& cell, const SharedLayer& layer,
                           std::size_t copies, const ExpectedAnswer& expected, const PeerLimits& limits)
    : limits_(limits),
      layer_(layer),
      expected_(expected),
      m_(cell.m),
      process_(affordable(program, cell, copies), cell.threads) {
  const nlohmann::json self = process_.ask({{"command", "describe"}}, PeerProcess::Seconds(limits.start));
  version_ = text_of(self, "version");
  note_ = text_of(self, "note");
  std::ranges::fill(layer.y(m_), not_a_number);
  const nlohmann::json prepared = process_.ask({{"command", "prepare"},
                                                {"kind", name(cell.kind)},
                                                {"d_model", cell.shape.d_model},
                                                {"d_ff", cell.shape.d_ff},
                                                {"m", cell.m},
                                                {"threads", cell.threads},
                                                {"copies", copies},
                                                {"memory", layer.description()}},
                                               PeerProcess::Seconds(limits.prepare));
  variant_ = text_of(prepared, "variant");
  check();
}

double PreparedPeer::run() {
  std::ranges::fill(layer_.y(m_), not_a_number);
  // Sluice's own threads spin for some 50 µs after their last call and must not disturb the peer's.
  std::this_thread::sleep_for(std::chrono::microseconds(200));
  const nlohmann::json answer = process_.ask({{"command", "run"}}, PeerProcess::Seconds(limits_.run));
  const auto ns = answer.find("ns");
  if (ns == answer.end() || !ns->is_number() || !std::isfinite(ns->get<double>()) || ns->get<double>() <= 0)
    throw PeerError(fmt::format("it answered {:.60} instead of a time", answer.dump()));
  return ns->get<double>();
}

void PreparedPeer::check() const {
  if (const std::string complaint = expected_.complaint(layer_.y(m_)); !complaint.empty()) throw PeerError(complaint);
}

}  // namespace sluice::bench
