// What samples say of the best peer of a cell, and the table of all cells.
#include "bench/results/peer_comparison.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sluice::bench {
namespace {

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
  EXPECT_NE(comparison_table({first, second}).find("geometric mean of 2 cells with f32 weights: 1.100"),
            std::string::npos);
}

TEST(PeerComparison, TypesOfWeightsAreInNoMeanTogether) {
  std::vector<Measurement> cells(4, measurement());
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (i >= 2) cells[i].cell.kind.weights = WeightType::int8(32);
    cells[i].peers = {peer("a", i < 2 ? 1.2 : 2.0)};
  }
  const std::string table = comparison_table(cells);
  EXPECT_NE(table.find("2 cells with f32 weights: 1.200"), std::string::npos) << table;
  EXPECT_NE(table.find("2 cells with int8:32 weights: 2.000"), std::string::npos) << table;
}

}  // namespace
}  // namespace sluice::bench
