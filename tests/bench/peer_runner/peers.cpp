// Peers as processes: right and wrong answers, crashes, silence. Each is stopped between its turns, and none outlives
// its parent. What samples say of the best peer. The peer is fake_peer.py.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "bench/peer_runner/prepared_peer.hpp"
#include "bench/results/peer_comparison.hpp"

namespace sluice::bench {
namespace {

namespace fs = std::filesystem;

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
  void SetUp() override {
    directory_ = fs::path(testing::TempDir()) / ("peers-" + std::to_string(getpid()));
    fs::create_directory(directory_);
    plan_ = analytical_plan(CacheSizes{}, Isa::scalar, swiglu, cell_.shape, cell_.m, 1, layer_.nr());
    layer_.prepare(cell_.m, plan_);
    layer_.forward(cell_.kind.activation, cell_.m, plan_, pool_);
  }
  void TearDown() override { fs::remove_all(directory_); }

  PeerProgram program(const std::string& mode) {
    const fs::path path = directory_ / mode;
    fs::copy_file(SLUICE_FAKE_PEER, path, fs::copy_options::overwrite_existing);
    fs::permissions(path, fs::perms::owner_all);
    return {mode, path};
  }

  std::unique_ptr<PreparedPeer> prepared(const std::string& mode, const PeerLimits& limits = {}) {
    return std::make_unique<PreparedPeer>(program(mode), cell_, shared_, 2, expected(), limits);
  }

  // The error of a peer; empty when it has none.
  std::string failure(const std::string& mode, const PeerLimits& limits = {}) {
    try {
      prepared(mode, limits);
    } catch (const PeerError& error) {
      return error.message;
    }
    return "";
  }

  const ExpectedAnswer& expected() {
    if (expected_ == nullptr)
      expected_ = std::make_unique<ExpectedAnswer>(cell_.shape, cell_.kind, shared_.weights(), shared_.x(), cell_.m,
                                                   std::span(layer_.y()).first(cell_.m * cell_.shape.d_model));
    return *expected_;
  }

  fs::path directory_;
  tuner::Cell cell_{swiglu, {24, 40}, 3, 1, {}};
  ThreadPool pool_{1};
  tuner::Layer layer_{cell_.shape, swiglu, Isa::scalar, 0, cell_.m, 0};
  SharedLayer shared_{layer_};
  Plan plan_;
  std::unique_ptr<ExpectedAnswer> expected_;
};

TEST_F(Peers, ARightOneTakesItsTurns) {
  const auto peer = prepared("right");
  EXPECT_EQ(peer->version(), "1.0");
  EXPECT_EQ(peer->variant(), "the only one");
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
  EXPECT_EQ(expected.complaint(y), "");
  for (std::size_t i = 0; i < y.size(); ++i) y[i] *= i % 2 == 0 ? 1 + 0x1p-13f : 1 - 0x1p-13f;
  EXPECT_NE(expected.complaint(y).find("less precise than float32"), std::string::npos) << expected.complaint(y);
}

TEST_F(Peers, AnAnswerThatWasNotWrittenIsWrong) {
  const auto peer = prepared("right");
  peer->run();
  shared_.y(cell_.m)[5] = std::numeric_limits<float>::quiet_NaN();
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
  std::ofstream(directory_ / "text") << "no program\n";
  EXPECT_NE(failure("right"), "no such kind here");
  EXPECT_THROW(PeerProcess({"text", directory_ / "text"}, 1).ask({{"command", "describe"}}, PeerProcess::Seconds(10)),
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
  std::ofstream(directory_ / "worker.py") << "a module\n";
  const std::vector<PeerProgram> found = find_peers(directory_);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].name, "another");
  EXPECT_EQ(found[1].name, "right");
  EXPECT_TRUE(find_peers(directory_ / "none").empty());
}

std::vector<tuner::Sample> samples(const std::vector<double>& times, std::uint32_t first_round = 0) {
  std::vector<tuner::Sample> all;
  for (const double ns : times) {
    tuner::Sample& sample = all.emplace_back();
    sample.ns = ns;
    sample.round = first_round++;
  }
  return all;
}

Measurement measurement() {
  Measurement made;
  made.name = "ffn/swiglu/avx512/2048x5632/M256/t1";
  made.samples = samples({100, 102, 98, 101, 99, 100, 103, 97});
  return made;
}

PeerMeasurement peer(const std::string& name, double scale, std::uint32_t first_round = 0) {
  PeerMeasurement made;
  made.peer = name;
  for (const tuner::Sample& sample : measurement().samples) {
    made.samples.push_back(sample);
    made.samples.back().ns *= scale;
    made.samples.back().round += first_round;
  }
  return made;
}

TEST(PeerComparison, TheBestPeerHasTheSmallestMedian) {
  Measurement cell = measurement();
  EXPECT_FALSE(best_peer(cell).has_value());
  cell.peers = {peer("slow", 2.0), peer("quick", 1.3), peer("broken", 0.1)};
  cell.peers[2].error = "its result is wrong";
  const std::optional<BestPeer> best = best_peer(cell);
  ASSERT_TRUE(best.has_value());
  EXPECT_EQ(best->peer->peer, "quick");
  EXPECT_NEAR(best->ratio.value, 1.3, 1e-9);
  EXPECT_EQ(best->ratio.pairs, 8U);
  EXPECT_EQ(best->verdict, "ahead");
}

TEST(PeerComparison, Verdicts) {
  const auto verdict = [](const PeerMeasurement& met) {
    Measurement cell = measurement();
    cell.peers = {met};
    return best_peer(cell)->verdict;
  };
  EXPECT_EQ(verdict(peer("a", 0.9)), "behind");
  EXPECT_EQ(verdict(peer("a", 1.0)), "tied");
  PeerMeasurement scattered = peer("a", 1.0);
  for (std::size_t i = 0; i < scattered.samples.size(); ++i) scattered.samples[i].ns *= i % 2 == 0 ? 1.2 : 0.85;
  EXPECT_EQ(verdict(scattered), "inconclusive");
}

TEST(PeerComparison, OnlyRoundsOfBothArePairs) {
  const Measurement cell = measurement();
  EXPECT_EQ(ratio_by_round(peer("a", 1.0, 5).samples, cell.samples).pairs, 3U);
  Measurement apart = measurement();
  apart.peers = {peer("a", 1.0, 7)};
  EXPECT_FALSE(best_peer(apart).has_value());
}

TEST(PeerComparison, TheTableHasALineForEachCell) {
  Measurement first = measurement();
  Measurement second = measurement();
  EXPECT_EQ(comparison_table({first}), "");
  first.peers = {peer("openblas", 1.21)};
  second.name = "ffn/relu/avx512/2048x5632/M256/t1";
  second.peers = {peer("openblas", 1.0, 100)};
  const std::string table = comparison_table({first, second});
  EXPECT_NE(table.find(first.name + "          openblas          1.210"), std::string::npos) << table;
  EXPECT_NE(table.find("ahead"), std::string::npos);
  EXPECT_NE(table.find(second.name + "            no peer had two rounds with it"), std::string::npos) << table;
  second.peers = {peer("openblas", 1.0)};
  EXPECT_NE(comparison_table({first, second}).find("geometric mean of 2 cells: 1.100"), std::string::npos);
}

}  // namespace
}  // namespace sluice::bench
