// Peers as processes: right and wrong answers, crashes, silence. Each is stopped between its turns, and none outlives
// its parent. The peer is fake_peer.py.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "bench/peer_runner/prepared_peer.hpp"
#include "tests/bench/peer_runner/peer_cell.hpp"

namespace sluice::bench {
namespace {

// The state of a process as /proc has it ('R', 'S', 'T', …); 'Z' when it is gone, reaped or not.
char state_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(file, text);
  const std::size_t name_end = text.rfind(')');
  return name_end == std::string::npos ? 'Z' : text[name_end + 2];
}

bool exists(pid_t pid) { return kill(pid, 0) == 0; }

class Peers : public testing::Test {
 protected:
  PeerProgram program(const std::string& mode) { return cell_.peers.program(mode); }
  std::unique_ptr<PreparedPeer> prepared(const std::string& mode, const PeerLimits& limits = {}) {
    return cell_.prepared(mode, limits);
  }
  std::string failure(const std::string& mode, const PeerLimits& limits = {}) { return cell_.failure(mode, limits); }

  PeerCell cell_{swiglu};
};

TEST_F(Peers, ARightOneTakesItsTurns) {
  const auto peer = prepared("right");
  EXPECT_EQ(peer->version(), "1.0");
  EXPECT_EQ(peer->form(), "the only one");
  EXPECT_EQ(describe(peer->rounding()), "f32");
  EXPECT_TRUE(peer->left_out().empty());
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(peer->run(), 5e4);
    EXPECT_NO_THROW(peer->check());
  }
}

TEST_F(Peers, StandsStillBetweenItsTurnsAndIsGoneAtTheEnd) {
  auto peer = prepared("right");
  const pid_t pid = peer->pid();
  EXPECT_EQ(state_of(pid), 'T');
  peer->run();
  EXPECT_EQ(state_of(pid), 'T');
  peer.reset();
  EXPECT_FALSE(exists(pid));
}

TEST_F(Peers, WrongAnswersAreFound) {
  EXPECT_NE(failure("wrong").find("its result is wrong"), std::string::npos) << failure("wrong");
  EXPECT_NE(failure("half"), "");
  const auto late = prepared("late");
  late->run();
  EXPECT_NO_THROW(late->check());
  late->run();
  EXPECT_THROW(late->check(), PeerError);
}

// With deep layers the worst-case bound is so wide that half precision stays within it, so the test needs a tighter
// one.
TEST(ExpectedAnswer, HalfPrecisionIsNotFloat32) {
  const Shape shape{512, 1024};
  constexpr std::size_t m = 2;
  ThreadPool pool(1);
  tuner::Layer layer(shape, swiglu, Isa::scalar, 0, m, 0);
  const Plan plan = analytical_plan(CacheSizes{}, Isa::scalar, swiglu, shape, m, 1, layer.nr());
  layer.prepare(m, plan);
  layer.forward(swiglu.activation, m, plan, pool);
  const ExpectedAnswer expected(shape, swiglu, layer.weights(), layer.x().data(), m, layer.y());
  std::vector<float> y = layer.y();
  const Tolerance tolerance = expected.tolerance({});
  EXPECT_EQ(expected.complaint(y, tolerance), "");
  for (std::size_t i = 0; i < y.size(); ++i) y[i] *= i % 2 == 0 ? 1 + 0x1p-13f : 1 - 0x1p-13f;
  const std::string complaint = expected.complaint(y, tolerance);
  EXPECT_NE(complaint.find("less precise than its arithmetic"), std::string::npos) << complaint;
  EXPECT_EQ(expected.complaint(y, expected.tolerance({.inputs = Precision::f16})), "");
}

TEST_F(Peers, AnAnswerThatWasNotWrittenIsWrong) {
  const auto peer = prepared("right");
  peer->run();
  cell_.shared.y(cell_.cell.m)[5] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW(peer->check(), PeerError);
}

TEST_F(Peers, FailuresSayWhatHappened) {
  const std::string crash = failure("crashing");
  EXPECT_NE(crash.find("signal 6"), std::string::npos) << crash;
  EXPECT_NE(crash.find("about to crash"), std::string::npos) << crash;
  EXPECT_NE(failure("leaving").find("exit code 3"), std::string::npos);
  EXPECT_EQ(failure("refusing"), "no such kind here");
  EXPECT_NE(failure("hanging", {.start = 60, .prepare = 0.3, .run = 1}).find("no answer after"), std::string::npos);
  const auto babbling = prepared("babbling");
  EXPECT_THROW(babbling->run(), PeerError);
}

TEST_F(Peers, TheirEndIsKnownWhereTheParentIgnoredIt) {
  const std::string usual = failure("crashing");
  ASSERT_NE(std::signal(SIGCHLD, SIG_IGN), SIG_ERR);
  const std::string ignored = failure("crashing");
  std::signal(SIGCHLD, SIG_DFL);
  EXPECT_EQ(ignored, usual);
}

TEST_F(Peers, TakeNoSettingsOfTheirLibraries) {
  constexpr const char* settings[] = {"ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY", "TORCH_LOGS", "ORT_LOG_LEVEL",
                                      "OV_CPU_BLOB_DUMP"};
  for (const char* name : settings) setenv(name, "set by the user", 1);
  const std::string message = failure("revealing");
  for (const char* name : settings) {
    unsetenv(name);
    EXPECT_EQ(message.find(name), std::string::npos) << message;
  }
  EXPECT_NE(message.find("OMP_NUM_THREADS"), std::string::npos) << message;
}

TEST_F(Peers, AProgramThatIsNoneFails) {
  std::ofstream(cell_.peers.directory / "text") << "no program\n";
  EXPECT_NE(failure("right"), "no such kind here");
  EXPECT_THROW(
      PeerProcess({"text", cell_.peers.directory / "text"}, 1).ask({{"command", "describe"}}, PeerProcess::Seconds(10)),
      PeerError);
}

TEST_F(Peers, NoneOutlivesUs) {
  const PeerProgram right = program("right");
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    PeerProcess peer(right, 1);
    peer.ask({{"command", "describe"}}, PeerProcess::Seconds(60));
    const pid_t pid = peer.pid();
    if (write(ends[1], &pid, sizeof pid) != sizeof pid) _exit(1);
    _exit(0);  // without a destructor, as by SIGKILL
  }
  pid_t pid = 0;
  ASSERT_EQ(read(ends[0], &pid, sizeof pid), static_cast<ssize_t>(sizeof pid));
  waitpid(child, nullptr, 0);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (state_of(pid) != 'Z' && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(state_of(pid), 'Z');
  close(ends[0]);
  close(ends[1]);
}

TEST_F(Peers, AreTheExecutableFilesOfAFolder) {
  program("right");
  program("another");
  std::ofstream(cell_.peers.directory / "worker.py") << "a module\n";
  const std::vector<PeerProgram> found = find_peers(cell_.peers.directory);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].name, "another");
  EXPECT_EQ(found[1].name, "right");
  EXPECT_TRUE(find_peers(cell_.peers.directory / "none").empty());
}

}  // namespace
}  // namespace sluice::bench
