#include "tuner/interruption.hpp"

#include <csignal>

namespace sluice::tuner {
namespace {

volatile std::sig_atomic_t requested = 0;

extern "C" void request(int signal) {
  requested = 1;
  std::signal(signal, SIG_DFL);
}

}  // namespace

void catch_interruption() {
  std::signal(SIGINT, request);
  std::signal(SIGTERM, request);
}

bool interrupted() noexcept { return requested != 0; }

}  // namespace sluice::tuner
