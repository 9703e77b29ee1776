#include "tuner/base/interruption.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <ctime>

namespace sluice::tuner {
namespace {

constexpr std::int64_t same_request_ns = 1'000'000'000;

// The time of the first request; 0: none yet. A signal handler may touch nothing but lock-free atomics.
std::atomic<std::int64_t> requested_ns{0};
static_assert(std::atomic<std::int64_t>::is_always_lock_free);

std::int64_t now_ns() noexcept {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

extern "C" void request(int signal) {
  const int error = errno;
  const std::int64_t now = now_ns();
  std::int64_t first = 0;
  if (!requested_ns.compare_exchange_strong(first, now) && now - first >= same_request_ns) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
  errno = error;
}

}  // namespace

void catch_interruption() {
  for (const int signal : {SIGINT, SIGTERM}) {
    struct sigaction present {};
    // What the parent ignores stays ignored, as in a shell's background job.
    if (sigaction(signal, nullptr, &present) == 0 && present.sa_handler == SIG_IGN) continue;
    std::signal(signal, request);
  }
}

bool interrupted() noexcept { return requested_ns != 0; }

}  // namespace sluice::tuner
