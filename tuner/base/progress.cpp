#include "tuner/base/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "tuner/base/standard_streams.hpp"

namespace sluice::tuner {
namespace {

std::string duration(double seconds) {
  const auto whole = std::lround(seconds);
  return whole < 60 ? fmt::format("{} s", whole) : fmt::format("{}:{:02} min", whole / 60, whole % 60);
}

}  // namespace

Progress::Progress(std::string_view verb)
    : verb_(verb), terminal_(isatty(STDERR_FILENO) != 0), begin_(std::chrono::steady_clock::now()) {}

Progress::~Progress() {
  if (terminal_) write_stderr("\r\x1b[K");
}

void Progress::show(double done, std::string_view what, double seconds_left) {
  const auto now = std::chrono::steady_clock::now();
  const double spent = std::chrono::duration<double>(now - begin_).count();
  done = std::clamp(done, 0.0, 1.0);
  if (seconds_left < 0) seconds_left = done > 0.01 ? spent / done * (1 - done) : -1;
  const std::string left = seconds_left < 0 ? "" : fmt::format(", {} left", duration(seconds_left));
  if (terminal_) {
    if (now - last_ < std::chrono::milliseconds(100)) return;
    last_ = now;
    constexpr int width = 24;
    const int filled = static_cast<int>(done * width);
    write_stderr("\r{} [{}{}] {:3.0f} %{}  {}\x1b[K", verb_, std::string(static_cast<std::size_t>(filled), '#'),
                 std::string(static_cast<std::size_t>(width - filled), '.'), done * 100, left, what);
    return;
  }
  const int tenth = static_cast<int>(done * 10);
  if (tenth == last_tenth_) return;
  last_tenth_ = tenth;
  write_stderr("{}: {:.0f} %{}\n", verb_, done * 100, left);
}

}  // namespace sluice::tuner
