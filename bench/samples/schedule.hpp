// Owns: how the time of a run is dealt to its groups of cells: in passes over all of them, to each as its cells need
// it, so that a run may end at any moment with a balanced result, and drift meets all alike.
// Does not own: what a stretch of rounds does (session.hpp), what its samples say.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace sluice::bench {

class Schedule {
 public:
  // weights: how many cells' worth of time each group is to have, relative to the others; positive.
  Schedule(const std::vector<double>& weights, std::uint64_t seed);

  [[nodiscard]] bool over() const;
  // The group furthest behind its share, among those that are not finished; at random where several are. The share of
  // a group with a wide interval is larger, of one with a narrow interval smaller: by most_favour at most to each side.
  std::size_t next();
  // How long the samples of the group's stretch were together, and how wide the interval of its comparison is now;
  // infinite when not known.
  void spent(std::size_t group, double seconds, double half_width);
  // It takes no more stretches.
  void finish(std::size_t group);

  // So that no cell has more than three times the time of another: its square, and some for the length of a stretch.
  static constexpr double most_favour = 1.6;

 private:
  struct Group {
    double weight;
    double seconds = 0;
    double half_width = 0;  // 0: not known
    bool finished = false;
  };
  // The variance that a second of a cell leaves, relative; 0: not known.
  static double noise(const Group& group);

  std::vector<Group> groups_;
  std::mt19937_64 random_;
};

}  // namespace sluice::bench
