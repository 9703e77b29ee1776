// Owns: a small cell with a layer that peers are prepared for, and the folder of fake peers that the tests make.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "bench/peer_runner/prepared_peer.hpp"

namespace sluice::bench {

// A folder of copies of fake_peer.py, which behave as their names say.
struct FakePeers {
  FakePeers() { std::filesystem::create_directory(directory); }
  ~FakePeers() { std::filesystem::remove_all(directory); }
  FakePeers(const FakePeers&) = delete;
  FakePeers& operator=(const FakePeers&) = delete;

  [[nodiscard]] PeerProgram program(const std::string& mode) const {
    namespace fs = std::filesystem;
    const fs::path path = directory / mode;
    fs::copy_file(SLUICE_FAKE_PEER, path, fs::copy_options::overwrite_existing);
    fs::permissions(path, fs::perms::owner_all);
    return {mode, path};
  }

  std::filesystem::path directory = std::filesystem::path(testing::TempDir()) / ("peers-" + std::to_string(getpid()));
};

struct PeerCell {
  explicit PeerCell(Kind kind, Shape shape = {24, 40}) : cell{kind, shape, 3, 1, {}} {
    const Plan plan = analytical_plan(CacheSizes{}, Isa::scalar, kind, shape, cell.m, 1, layer.nr());
    layer.prepare(cell.m, plan);
    layer.forward(kind.activation, cell.m, plan, pool);
    expected = std::make_unique<ExpectedAnswer>(shape, kind, shared.weights(), shared.x(), cell.m,
                                                std::span(layer.y()).first(cell.m * shape.d_model));
  }

  std::unique_ptr<PreparedPeer> prepared(const std::string& mode, const PeerLimits& limits = {}) const {
    return std::make_unique<PreparedPeer>(peers.program(mode), cell, shared, 2, *expected, limits);
  }
  // The error of a peer; empty when it has none.
  [[nodiscard]] std::string failure(const std::string& mode, const PeerLimits& limits = {}) const {
    try {
      prepared(mode, limits);
    } catch (const PeerError& error) {
      return error.message;
    }
    return "";
  }

  FakePeers peers;
  tuner::Cell cell;
  ThreadPool pool{1};
  tuner::Layer layer{cell.shape, cell.kind, Isa::scalar, 0, cell.m, 0};
  SharedLayer shared{layer};
  std::unique_ptr<ExpectedAnswer> expected;
};

}  // namespace sluice::bench
