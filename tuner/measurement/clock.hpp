// Owns: all timing: the roofs of one ISA and thread count, and samples, which are work timed between two probes that
// load the machine as the work does. Does not own: what is measured, how often, what follows from it.
//
// On a shared machine a neighbour halves a core's speed for tens of milliseconds at a time. Probes right before and
// right after a sample tell whether that happened: the sample is contended if a probe fell clearly behind the run's
// level.
//
// A share of a roof is the speed of the fast samples over that of the fast probes. No other estimate that was compared
// repeats as well. In ten runs of nine seconds beside a neighbour that took a processor in turns (Zen 3, M = 8 and 64)
// it scattered by 1.2 and 0.7 points, while the median of samples over their adjacent probes scattered by 5 and 15. On
// the calm machine the two scattered by 1.4 and 0.5, and by 1.5 and 0.4.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "kernels/microkernels/kernel_table.hpp"
#include "sluice/executor.hpp"
#include "sluice/isa.hpp"
#include "sluice/kind.hpp"

namespace sluice::tuner {

// The quantile of speeds that stands for the fast ones, of samples and of probes alike. In ten runs of twelve seconds
// each, calm and beside a busy neighbour (Zen 3, one thread, blocks of twenty samples), shares of the roof scattered by
// 0.9 and 0.5 points at M = 64 and by 1.2 and 0.5 at M = 256; with the 0.9-quantile, by 1.2 and 0.7, and 2.0 and 0.9.
inline constexpr double fast_quantile = 0.95;

// The limit that binds a piece of work, and so the kind of probe around it.
enum class Roof : std::uint8_t { fma, read };

struct Sample {
  double ns = 0;
  Roof roof = Roof::fma;
  double before = 0;  // speed of the probe: FLOP/s or B/s
  double after = 0;
  std::size_t footprint = 0;  // bytes that the streaming probes went through
  std::uint32_t round = 0;    // set by the caller that interleaves samples

  [[nodiscard]] double probe() const noexcept { return (before + after) / 2; }
  [[nodiscard]] double slower_probe() const noexcept { return before < after ? before : after; }
};

// Memory for streaming reads: larger than the last-level cache, touched, and on huge pages if there are any.
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

// The clock of one ISA and thread count. Not thread-safe: it measures one thing at a time.
class Clock {
 public:
  // Measures both roofs (some 0.3 s). Throws Failure 4 when the executor cannot run that many threads.
  Clock(Isa isa, std::uint32_t threads, Executor& executor, const StreamBuffer& buffer);

  [[nodiscard]] Isa isa() const noexcept { return isa_; }
  [[nodiscard]] std::uint32_t threads() const noexcept { return threads_; }
  // FLOP/s of all threads together: the fastest run of FMAs on registers, but never less than the level of the probes.
  // Probes do the same FMAs and loads besides, so if they are faster, the first runs were disturbed.
  [[nodiscard]] double fma_peak() const;
  // The same of what a kind computes with: of its dot products, two FLOPs for a product, or of FMAs.
  [[nodiscard]] double peak(const Kind& kind) const;
  // B/s of all threads together: the level of the streaming probes, which use the fastest variant that was found. It is
  // not fixed at the start: a run that begins beside a busy neighbour would have too low a roof.
  [[nodiscard]] double read_bandwidth() const { return read_bandwidth(footprint_); }
  [[nodiscard]] double read_bandwidth(std::size_t footprint) const;
  [[nodiscard]] std::size_t footprint() const noexcept { return footprint_; }
  // The footprints that were read so far, the smallest first.
  [[nodiscard]] std::vector<std::size_t> footprints() const;

  // From now on streaming probes, and so the read roof, read this memory. The roof of weights that stay in a cache is
  // the bandwidth of that cache, and reading anything else would drive them out of it. The memory must be 64-byte
  // aligned and outlive its use. If it is empty, or too small for the threads to share, the buffer is read again. A new
  // footprint costs some 0.2 s.
  void read_from(std::span<const float> memory);

  // Returns the roof whose time for this work is longer; Roof::fma stands for the peak of any arithmetic, since the
  // probes around computing are FMAs and loads.
  [[nodiscard]] Roof binding_roof(double flops, double bytes, const Kind& kind) const {
    return flops / peak(kind) >= bytes / read_bandwidth() ? Roof::fma : Roof::read;
  }

  // Times the work between two probes; samples taken right after each other share a probe. `bytes` is what the work
  // reads. A streaming probe reads a quarter as much, and 8 MiB at least, because a short probe says little about the
  // milliseconds of a long sample (probe_share in clock.cpp).
  Sample measure(Roof roof, double bytes, const std::function<void()>& work);
  // The same for work that returns its own time in ns, such as another process.
  Sample measure_reported(Roof roof, double bytes, const std::function<double()>& work);

  // Takes one probe, as long as one beside work that reads so many bytes. Returns its speed in FLOP/s or B/s.
  double probe(Roof roof, double bytes = 0);
  // The fraction of the level below which a probe is contended.
  [[nodiscard]] static double calm_bound(Roof roof) noexcept;

  // What a probe reaches on a calm machine: the fast_quantile of all probes so far, of reads at the present footprint.
  [[nodiscard]] double level(Roof roof) const;
  // Whether one of the sample's two probes fell below calm_bound() of their level.
  [[nodiscard]] bool contended(const Sample& sample) const;
  // The fraction of the roof that some work reached. `ns` is the time of a fast sample of it (fast_quantile).
  [[nodiscard]] double fma_fraction(double ns, double flops) const { return flops / (ns * 1e-9) / fma_peak(); }
  [[nodiscard]] double peak_fraction(double ns, double flops, const Kind& kind) const {
    return flops / (ns * 1e-9) / peak(kind);
  }
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

  // The level of the probes around a sample.
  [[nodiscard]] double level_of(const Sample& sample) const;
  void find_read_variant();
  double fma_speed(std::size_t iterations);
  double dot_speed(const detail::DotKernels& dots, std::size_t iterations);
  double load_speed();
  double read_speed(ReadVariant variant, std::size_t bytes_per_thread);
  // Runs part(thread) on all threads at once. Returns the seconds from the first start to the last end.
  double run(const std::function<void(std::uint32_t)>& part);

  Isa isa_;
  std::uint32_t threads_;
  Executor& executor_;
  const StreamBuffer& buffer_;
  double fastest_fma_ = 0;
  std::map<detail::DotProbe, double> fastest_dots_;   // types may share their instructions
  std::vector<std::unique_ptr<StreamBuffer>> tiles_;  // operands of the FMA-and-load probe, per thread
  const float* read_memory_;
  std::size_t footprint_;
  std::size_t cursor_ = 0;  // where the next streaming read begins
  LastProbe last_probe_;    // after the last sample
  std::vector<double> fma_probes_;
  std::map<std::size_t, ReadLevel> reads_;  // by footprint
};

}  // namespace sluice::tuner
