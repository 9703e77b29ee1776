// Owns: the only timing there is: the roofs of one ISA and thread count, and the sandwich: work timed between two
// probes that load the machine like the work does. Does not own: what is measured, how often, what follows from it.
//
// On a shared machine a neighbour halves a core for tens of milliseconds at a time. A probe right before and right
// after a sample tells whether that happened: the sample is contended when a probe fell clearly behind the run's level.
//
// A share of a roof is the speed of the fast samples over that of the fast probes of the run. Of ways to estimate it
// this one repeats: in ten runs of nine seconds beside a neighbour who took a processor in turns (Zen 3, M = 8 and 64)
// it scattered by 1.2 and 0.7 points, the median of samples over their adjacent probes by 5 and 15; calm by 1.4 and 0.5
// against 1.5 and 0.4.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "sluice/executor.hpp"
#include "sluice/isa.hpp"

namespace sluice::tuner {

// The limit that binds a piece of work, and so the kind of probe around it.
// Of speeds: the fast ones, as the level of the probes has them.
inline constexpr double fast_quantile = 0.9;

enum class Roof : std::uint8_t { fma, read };

struct Sample {
  double ns = 0;
  Roof roof = Roof::fma;
  double before = 0;  // speed of the probe: FLOP/s or B/s
  double after = 0;
  std::size_t footprint = 0;  // bytes that the streaming probes went through
  std::uint32_t round = 0;    // set by who interleaves

  [[nodiscard]] double probe() const noexcept { return (before + after) / 2; }
  [[nodiscard]] double slower_probe() const noexcept { return before < after ? before : after; }
};

// Memory for streaming reads, larger than the last-level cache, touched, on huge pages where there are any.
class StreamBuffer {
 public:
  // About `bytes`; throws std::bad_alloc.
  explicit StreamBuffer(std::size_t bytes);

  [[nodiscard]] float* data() const noexcept { return memory_.get(); }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

 private:
  struct Free {
    void operator()(float* memory) const noexcept;
  };
  std::unique_ptr<float, Free> memory_;
  std::size_t bytes_ = 0;
};

// For one ISA and thread count. Not thread-safe: one measurement at a time.
class Clock {
 public:
  // Measures both roofs (some 0.3 s). Throws Failure 4 when the executor cannot run that many threads.
  Clock(Isa isa, std::uint32_t threads, Executor& executor, const StreamBuffer& buffer);

  [[nodiscard]] Isa isa() const noexcept { return isa_; }
  [[nodiscard]] std::uint32_t threads() const noexcept { return threads_; }
  // FLOP/s, all threads: the fastest run of FMAs on registers. Never below the level of the probes, which do the same
  // and loads besides: where they are faster, the first runs were disturbed.
  [[nodiscard]] double fma_peak() const;
  // B/s, all threads: the level of the streaming probes, which are of the fastest variant found. Not fixed at the
  // start: memory is what neighbours take most of, and a run that begins beside a busy one would have too low a roof.
  [[nodiscard]] double read_bandwidth() const { return read_bandwidth(footprint_); }
  [[nodiscard]] double read_bandwidth(std::size_t footprint) const;
  [[nodiscard]] std::size_t footprint() const noexcept { return footprint_; }
  // Those that were read, the smallest first.
  [[nodiscard]] std::vector<std::size_t> footprints() const;

  // Streaming reads, and so the read roof, go through this memory from now on: weights that stay in a cache have the
  // bandwidth of that cache for a roof, and reading anything else would drive them out. 64-byte aligned, and to outlive
  // its use. Too small for the threads to share, or empty: the buffer again. A new footprint costs some 0.1 s.
  void read_from(std::span<const float> memory);

  // The roof whose time for this work is longer.
  [[nodiscard]] Roof binding_roof(double flops, double bytes) const { return binding_roof(flops, bytes, footprint_); }
  [[nodiscard]] Roof binding_roof(double flops, double bytes, std::size_t footprint) const {
    return flops / fma_peak() >= bytes / read_bandwidth(footprint) ? Roof::fma : Roof::read;
  }

  // Probe, work, probe, of which samples taken right after each other share one. `bytes`: what the work reads. A
  // streaming probe reads a quarter as much, and 8 MiB at least: one of an instant says little about the milliseconds
  // of a long sample (probe_share in clock.cpp).
  Sample measure(Roof roof, double bytes, const std::function<void()>& work);
  // The same for work that times itself, in ns: a part of it, or another process.
  Sample measure_reported(Roof roof, double bytes, const std::function<double()>& work);

  // One probe alone: FLOP/s or B/s; beside work that reads so many bytes.
  double probe(Roof roof, double bytes = 0);
  // The fraction of the level below which a probe counts as contended.
  [[nodiscard]] static double calm_bound(Roof roof) noexcept;

  // What a probe reaches on a calm machine: the 0.9-quantile of all probes so far, of reads at the present footprint.
  [[nodiscard]] double level(Roof roof) const;
  [[nodiscard]] bool contended(const Sample& sample) const;
  // Of the roof, for work that took so many ns: that of fast samples (fast_quantile).
  [[nodiscard]] double fma_fraction(double ns, double flops) const { return flops / (ns * 1e-9) / fma_peak(); }
  [[nodiscard]] double read_fraction(double ns, double bytes, std::size_t footprint) const {
    return bytes / (ns * 1e-9) / read_bandwidth(footprint);
  }

 private:
  struct ReadVariant {
    std::size_t ahead = 0;
    std::size_t streams = 1;
  };
  struct LastProbe {
    Roof roof = Roof::fma;
    std::size_t footprint = 0;  // 0: none yet
    double speed = 0;
    std::chrono::steady_clock::time_point end = {};
  };
  struct ReadLevel {
    ReadVariant best;
    std::vector<double> probes;
  };

  // What the probes around a sample would reach on a calm machine.
  [[nodiscard]] double level_of(const Sample& sample) const;
  void find_read_variant();
  double fma_speed(std::size_t iterations);
  double load_speed();
  double read_speed(ReadVariant variant, std::size_t bytes_per_thread);
  // Runs part(thread) on all threads at once; seconds from the first start to the last end.
  double run(const std::function<void(std::uint32_t)>& part);

  Isa isa_;
  std::uint32_t threads_;
  Executor& executor_;
  const StreamBuffer& buffer_;
  double fastest_fma_ = 0;
  std::vector<std::unique_ptr<StreamBuffer>> tiles_;  // operands of the FMA-and-load probe, per thread
  const float* read_memory_;
  std::size_t footprint_;
  std::size_t cursor_ = 0;  // where the next streaming read begins
  LastProbe last_probe_;    // of a sample
  std::vector<double> fma_probes_;
  std::map<std::size_t, ReadLevel> reads_;  // by footprint
};

}  // namespace sluice::tuner
