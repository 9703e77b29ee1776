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

// What the tests' own parent ignores would stay ignored, as in a shell's background job.
class InterruptionDeathTest : public testing::Test {
 protected:
  void SetUp() override {
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
  }
};

TEST_F(InterruptionDeathTest, OneSignalOnlyAsks) {
  const auto ask = [](int signal) {
    catch_interruption();
    if (interrupted()) std::exit(1);
    std::raise(signal);
    std::exit(interrupted() ? 0 : 2);
  };
  EXPECT_EXIT(ask(SIGINT), ExitedWithCode(0), "");
  EXPECT_EXIT(ask(SIGTERM), ExitedWithCode(0), "");
}

TEST_F(InterruptionDeathTest, WhatTheParentIgnoresStaysIgnored) {
  const auto ask = [](int signal) {
    std::signal(signal, SIG_IGN);
    catch_interruption();
    std::raise(signal);
    std::exit(interrupted() ? 2 : 0);
  };
  EXPECT_EXIT(ask(SIGINT), ExitedWithCode(0), "");
  EXPECT_EXIT(ask(SIGTERM), ExitedWithCode(0), "");
}

TEST_F(InterruptionDeathTest, SignalsAtOnceAreOneRequest) {
  const auto ask = [](int first, int second) {
    catch_interruption();
    std::raise(first);
    std::raise(second);
    std::exit(interrupted() ? 0 : 2);
  };
  EXPECT_EXIT(ask(SIGINT, SIGINT), ExitedWithCode(0), "");
  EXPECT_EXIT(ask(SIGTERM, SIGINT), ExitedWithCode(0), "");
}

TEST_F(InterruptionDeathTest, ALaterOneEndsTheProgram) {
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
