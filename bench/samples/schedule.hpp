// Owns: how the time of a run is divided among its groups of cells. Passes go over all groups, and a group has as much
// time as its cells need, so that a run may end at any moment with a balanced result and drift meets all cells alike.
// Does not own: what a stretch of rounds does (session.hpp), what its samples say.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace sluice::bench {

class Schedule {
 public:
  // weights: the time of each group relative to the others, in cells; positive.
  Schedule(const std::vector<double>& weights, std::uint64_t seed);

  [[nodiscard]] bool over() const;
  // Returns the unfinished group that is furthest behind its share, a random one of several that are. A group with a
  // wide interval has a larger share, one with a narrow interval a smaller one, by a factor of at most most_favour.
  std::size_t next();
  // Reports a stretch of rounds: the sum of the sample times, and the half-width of the group's interval now, infinite
  // if it is not known yet.
  void spent(std::size_t group, double seconds, double half_width);
  // Reports that the group takes no more stretches.
  void finish(std::size_t group);

  // The square of this factor, with a margin for the length of a stretch, keeps the time of each cell within three
  // times that of another.
  static constexpr double most_favour = 1.6;

 private:
  struct Group {
    double weight;
    double seconds = 0;
    double half_width = 0;  // 0: not known
    bool finished = false;
  };
  // The relative variance that one second of a cell's samples leaves; 0 if it is not known.
  static double noise(const Group& group);

  std::vector<Group> groups_;
  std::mt19937_64 random_;
};

}  // namespace sluice::bench
