#include "tuner/tuning/budget.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>

#include "tuner/base/failure.hpp"

namespace sluice::tuner {
namespace {

constexpr double unlimited = std::numeric_limits<double>::infinity();
constexpr double longest = 1e7;  // seconds: some months

// The units and their seconds.
constexpr std::array<std::pair<std::string_view, double>, 5> units{
    {{"min", 60}, {"s", 1}, {"m", 60}, {"h", 3600}, {"", 1}}};

// Every cell needs time for its search, and a large one needs more for the same number of samples.
double weight(const Cell& cell) { return 1 + 8 * assumed_seconds(cell, cell.shape); }

// Verification solves the problem two or three times, and three pairs solve it six times.
constexpr double least_calls = 9;

}  // namespace

double parse_duration(std::string_view option, std::string_view word) {
  double value = 0;
  const char* const last = word.data() + word.size();
  const auto [end, error] = std::from_chars(word.data(), last, value);
  if (error == std::errc()) {
    const std::string_view unit(end, static_cast<std::size_t>(last - end));
    for (const auto& [name, seconds] : units)
      if (unit == name && value * seconds >= 1 && value * seconds <= longest) return value * seconds;
  }
  throw Failure(exit_code::usage,
                fmt::format("{} {}: expected a time from 1 second on, such as 40, 40s, 2min or 1h", option, word));
}

std::string duration_name(double seconds) {
  if (seconds < 120) return fmt::format("{:.3g} s", seconds);
  return seconds < 7200 ? fmt::format("{:.3g} min", seconds / 60) : fmt::format("{:.3g} h", seconds / 3600);
}

double assumed_seconds(const Cell& cell, Shape shape) {
  const double flops_each = 50e9 * cell.threads;
  return std::max(flops(cell.kind, shape, cell.m) / flops_each, bytes(cell.kind, shape, cell.m) / 10e9);
}

Budget::Budget(std::optional<double> seconds, const std::vector<Cell>& cells) : seconds_(seconds) {
  for (const Cell& cell : cells) weights_ += weight(cell);
  weights_left_ = weights_;
}

double Budget::left(double spent) const { return seconds_ ? std::max(0.0, *seconds_ - spent) : unlimited; }

double Budget::share(const Cell& cell, double spent) const {
  return left(spent) * std::min(1.0, weight(cell) / weights_left_);
}

double Budget::least(const Cell& cell) const {
  const double pace = assumed_ > 0 ? observed_ / assumed_ : 1;
  return least_calls * assumed_seconds(cell, cell.shape) * pace;
}

double Budget::least(const std::vector<Cell>& cells) const {
  double sum = 0;
  for (const Cell& cell : cells) sum += least(cell);
  return sum;
}

bool Budget::affords(const Cell& cell, double spent) const {
  return !seconds_ || least(cell) <= std::max(left(spent), 0.01 * *seconds_);
}

double Budget::share_done(double spent) const {
  if (seconds_) return std::min(1.0, spent / *seconds_);
  return weights_ > 0 ? 1 - weights_left_ / weights_ : 1;
}

void Budget::learn(const Cell& cell, Shape shape, double seconds) {
  observed_ += seconds;
  assumed_ += assumed_seconds(cell, shape);
}

void Budget::finish(const Cell& cell) { weights_left_ = std::max(0.0, weights_left_ - weight(cell)); }

}  // namespace sluice::tuner
