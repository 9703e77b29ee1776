#include "bench/peer_runner/prepared_peer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <string_view>
#include <thread>
#include <utility>

#include "tuner/base/interruption.hpp"
#include "tuner/machine/limits.hpp"

namespace sluice::bench {
namespace {

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

std::string text_of(const nlohmann::json& answer, const char* field) {
  const auto found = answer.find(field);
  return found != answer.end() && found->is_string() ? found->get<std::string>() : "";
}

// Throws PeerError if there is no memory for it: two forms are in memory at once while the better one is sought, and
// float32 weights while one is made. Without this check the kernel might end any process for want of memory.
void require_memory(const tuner::Cell& cell, std::size_t copies) {
  const auto available = tuner::available_memory();
  const double needed = 2.2 * static_cast<double>(copies) * bytes(cell.kind, cell.shape, cell.m) +
                        bytes({cell.kind.activation, cell.kind.gated}, cell.shape, cell.m);
  if (available && needed > static_cast<double>(*available))
    throw PeerError(
        fmt::format("it would need {:.1f} GiB for its weights and {:.1f} are free; measure fewer kinds or "
                    "peers at once",
                    needed / 0x1p30, static_cast<double>(*available) / 0x1p30));
}

// The library's own word that it cannot do a form.
struct Refusal : PeerError {
  using PeerError::PeerError;
};

// "int8:32" as {"name": "int8:32", "element": "int8", "group": 32}.
nlohmann::json describe(WeightType type) {
  const std::string_view word = name(type);
  return {{"name", word}, {"element", word.substr(0, word.find(':'))}, {"group", type.group}};
}

double time_of(const nlohmann::json& answer) {
  const auto ns = answer.find("ns");
  if (ns == answer.end() || !ns->is_number() || !std::isfinite(ns->get<double>()) || ns->get<double>() <= 0)
    throw PeerError(fmt::format("it answered {:.60} instead of a time", answer.dump()));
  return ns->get<double>();
}

}  // namespace

PreparedPeer::PreparedPeer(PeerProgram program, const tuner::Cell& cell, const SharedLayer& layer, std::size_t copies,
                           const ExpectedAnswer& expected, const PeerLimits& limits)
    : limits_(limits),
      program_(std::move(program)),
      cell_(cell),
      copies_(copies),
      layer_(layer),
      expected_(expected),
      m_(cell.m) {
  require_memory(cell, copies);
  const nlohmann::json forms = start();
  if (forms.empty()) throw PeerError(fmt::format("it has no form for {} weights", name(cell.kind.weights)));
  try_forms(forms);
}

nlohmann::json PreparedPeer::start() {
  process_.reset();
  process_ = std::make_unique<PeerProcess>(program_, cell_.threads);
  const nlohmann::json self = process_->ask({{"command", "describe"}}, PeerProcess::Seconds(limits_.start));
  version_ = text_of(self, "version");
  note_ = text_of(self, "note");
  nlohmann::json prepared = process_->ask({{"command", "prepare"},
                                           {"kind", name(cell_.kind)},
                                           {"weights", describe(cell_.kind.weights)},
                                           {"d_model", cell_.shape.d_model},
                                           {"d_ff", cell_.shape.d_ff},
                                           {"m", m_},
                                           {"threads", cell_.threads},
                                           {"copies", copies_},
                                           {"memory", layer_.description()}},
                                          PeerProcess::Seconds(limits_.prepare));
  const auto forms = prepared.find("forms");
  if (forms == prepared.end() || !forms->is_array())
    throw PeerError(fmt::format("it answered {:.60} instead of its forms", prepared.dump()));
  return *forms;
}

void PreparedPeer::restart() {
  start();
  if (chosen_) try_form(*chosen_, *tolerance_);
}

void PreparedPeer::try_forms(const nlohmann::json& forms) {
  double best = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < forms.size(); ++i) {
    const std::string form = text_of(forms[i], "name");
    try {
      const FormRounding rounding = parse_rounding(forms[i].value("rounds", nlohmann::json::object()));
      const std::shared_ptr<const Tolerance> tolerance = tolerance_of(rounding);
      const double ns = try_form(i, *tolerance);
      if (ns >= best) continue;
      best = ns;
      chosen_ = i;
      form_ = form;
      rounding_ = rounding;
      tolerance_ = tolerance;
      error_ = expected_.error(layer_.y(m_));
    } catch (const Refusal& refusal) {
      left_out_.push_back({form, refusal.message, true});
    } catch (const PeerError& error) {
      left_out_.push_back({form, error.message});
      if (tuner::interrupted()) throw;
      if (!process_->alive()) restart();
    }
  }
  if (!chosen_) throw PeerError(fmt::format("{}: {}", left_out_.back().form, left_out_.back().reason));
}

double PreparedPeer::try_form(std::size_t index, const Tolerance& tolerance) {
  std::ranges::fill(layer_.y(m_), not_a_number);
  const PeerProcess::Seconds limit(limits_.prepare);
  try {
    process_->ask({{"command", "pack"}, {"form", index}}, limit);
  } catch (const PeerError& error) {
    if (!process_->alive()) throw;
    throw Refusal(error.message);
  }
  if (const std::string complaint = expected_.complaint(layer_.y(m_), tolerance); !complaint.empty())
    throw PeerError(complaint);
  return time_of(process_->ask({{"command", "try"}}, limit));
}

std::shared_ptr<const Tolerance> PreparedPeer::tolerance_of(const FormRounding& rounding) {
  const auto known = std::ranges::find(tolerances_, rounding, [](const auto& one) { return one.first; });
  if (known != tolerances_.end()) return known->second;
  return tolerances_.emplace_back(rounding, std::make_shared<Tolerance>(expected_.tolerance(rounding))).second;
}

double PreparedPeer::run() {
  std::ranges::fill(layer_.y(m_), not_a_number);
  // Sluice's own threads spin for some 50 µs after their last call and must not disturb the peer's.
  std::this_thread::sleep_for(std::chrono::microseconds(200));
  return time_of(process_->ask({{"command", "run"}}, PeerProcess::Seconds(limits_.run)));
}

void PreparedPeer::check() const {
  if (const std::string complaint = expected_.complaint(layer_.y(m_), *tolerance_); !complaint.empty())
    throw PeerError(complaint);
}

}  // namespace sluice::bench
