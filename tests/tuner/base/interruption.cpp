// Requests to end, each in a process of its own.
#include "tuner/base/interruption.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <thread>

namespace sluice::tuner {
namespace {

using testing::ExitedWithCode;
using testing::KilledBySignal;

TEST(InterruptionDeathTest, OneSignalOnlyAsks) {
  const auto ask = [](int signal) {
    catch_interruption();
    if (interrupted()) std::exit(1);
    std::raise(signal);
    std::exit(interrupted() ? 0 : 2);
  };
  EXPECT_EXIT(ask(SIGINT), ExitedWithCode(0), "");
  EXPECT_EXIT(ask(SIGTERM), ExitedWithCode(0), "");
}

TEST(InterruptionDeathTest, SignalsAtOnceAreOneRequest) {
  const auto ask = [](int first, int second) {
    catch_interruption();
    std::raise(first);
    std::raise(second);
    std::exit(interrupted() ? 0 : 2);
  };
  EXPECT_EXIT(ask(SIGINT, SIGINT), ExitedWithCode(0), "");
  EXPECT_EXIT(ask(SIGTERM, SIGINT), ExitedWithCode(0), "");
}

TEST(InterruptionDeathTest, ALaterOneEndsTheProgram) {
  const auto ask = [](int signal) {
    catch_interruption();
    std::raise(SIGINT);
    std::this_thread::sleep_for(std::chrono::milliseconds(1050));
    std::raise(signal);
    std::exit(0);
  };
  EXPECT_EXIT(ask(SIGINT), KilledBySignal(SIGINT), "");
  EXPECT_EXIT(ask(SIGTERM), KilledBySignal(SIGTERM), "");
}

}  // namespace
}  // namespace sluice::tuner
