// Owns: the present time as the files give it. Not by fmt, whose functions for it differ between its versions.
#pragma once

#include <array>
#include <ctime>
#include <string>

namespace sluice::tuner {

inline std::string formatted(const std::tm& time, const char* format) {
  std::array<char, 64> text{};
  return {text.data(), std::strftime(text.data(), text.size(), format, &time)};
}

// "2026-01-31T12:00:00Z"
inline std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm time{};
  ::gmtime_r(&now, &time);
  return formatted(time, "%Y-%m-%dT%H:%M:%SZ");
}

// "2026-01-31T13:00:00+0100", as Google Benchmark writes it.
inline std::string local_now() {
  const std::time_t now = std::time(nullptr);
  std::tm time{};
  ::localtime_r(&now, &time);
  return formatted(time, "%Y-%m-%dT%H:%M:%S%z");
}

}  // namespace sluice::tuner
