// Owns: telling a waiting person on stderr how far a long job is: on a terminal by a bar that redraws itself, elsewhere
// by one plain line per tenth of the work.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace sluice::tuner {

class Progress {
 public:
  explicit Progress(std::string_view verb);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `done` is in [0, 1]. A negative seconds_left is estimated from the time so far.
  void show(double done, std::string_view what, double seconds_left = -1);

 private:
  std::string verb_;
  bool terminal_;
  std::chrono::steady_clock::time_point begin_;
  std::chrono::steady_clock::time_point last_{};
  int last_tenth_ = -1;
};

}  // namespace sluice::tuner
