#include "tuner/measurement/clock.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>

#include "kernels/microkernels/kernel_table.hpp"
#include "kernels/threads/spin.hpp"
#include "kernels/weights/memory.hpp"
#include "tuner/base/failure.hpp"
#include "tuner/measurement/statistics.hpp"

namespace sluice::tuner {
namespace {

using SteadyClock = std::chrono::steady_clock;

double seconds(SteadyClock::duration duration) { return std::chrono::duration<double>(duration).count(); }

// Makes the compiler take the value for used.
void keep(float value) { asm volatile("" : : "g"(value) : "memory"); }

// A probe below this share of the level is contended. FMA probes of a calm machine stay within 2 %; reads scatter.
constexpr double calm_fma = 0.95;
constexpr double calm_read = 0.85;

constexpr std::size_t probe_k = 128;
constexpr std::size_t probe_tiles = 4;
constexpr double probe_flops = 2e7;  // per thread: some 200 µs, beside which a cold start is negligible
constexpr std::size_t probe_read_bytes = std::size_t{8} << 20U;  // at least, per call of all threads together
// The share of a sample's bytes that each of the two probes beside it reads. Bandwidth scatters by a tenth from one
// instant to the next. Reads of 140 and 540 MB by the probes' own loop came out at 0.935 to 0.964 of the roof beside
// probes of 8 MiB (nine runs, Zen 4), and at 0.967 to 1.002 beside 80 MiB.
constexpr double probe_share = 0.25;
constexpr std::chrono::microseconds adjacent_probe{100};  // a forward of any size worth measuring takes longer
constexpr std::size_t read_unit = 4096 * 4;               // what the widest variant reads at a time

}  // namespace

StreamBuffer::StreamBuffer(std::size_t bytes) : bytes_((bytes + 4095) / 4096 * 4096) {
  memory_.reset(static_cast<float*>(detail::allocate(bytes_)));
  if (memory_ == nullptr) throw std::bad_alloc();
  std::memset(memory_.get(), 0, bytes_);
}

void StreamBuffer::Free::operator()(float* memory) const noexcept { std::free(memory); }

Clock::Clock(Isa isa, std::uint32_t threads, Executor& executor, const StreamBuffer& buffer)
    : isa_(isa),
      threads_(threads),
      executor_(executor),
      buffer_(buffer),
      read_memory_(buffer.data()),
      footprint_(buffer.bytes()) {
  const detail::KernelTable& kernels = *detail::kernel_table(isa);
  const RegisterTile tile = detail::preferred_tile(kernels);
  for (std::uint32_t i = 0; i < threads; ++i)
    tiles_.push_back(std::make_unique<StreamBuffer>(
        sizeof(float) * (probe_k * (tile.max_mr + tile.nr) + (probe_tiles + 1) * tile.max_mr * tile.nr)));

  double flops = 0;
  std::size_t iterations = 64;
  for (double time = 0; time < 2e-4; iterations *= 2)
    time = run([&](std::uint32_t) { keep(kernels.probes.fma(iterations, &flops)); });
  // Threads that have just been woken may share a processor until the scheduler parts them.
  const auto awake = SteadyClock::now() + std::chrono::milliseconds(threads == 1 ? 10 : 100);
  while (SteadyClock::now() < awake) fma_speed(iterations);
  // The peak is the highest of many short runs, because contention only ever slows a loop of FMAs down.
  for (int i = 0; i < 100; ++i) fastest_fma_ = std::max(fastest_fma_, fma_speed(iterations));
  for (const WeightType type : all_weight_types()) {
    for (const Arithmetic arithmetic : all_arithmetics()) {
      const detail::DotKernels* dots =
          detail::dot_kernels(*detail::kernel_table(isa, arithmetic), tile.nr, type.element, arithmetic);
      if (dots == nullptr || fastest_dots_.contains(dots->probe)) continue;
      double& fastest = fastest_dots_[dots->probe];
      for (int i = 0; i < 100; ++i) fastest = std::max(fastest, dot_speed(*dots, iterations));
    }
  }

  find_read_variant();
  for (int i = 0; i < 20; ++i) {
    probe(Roof::fma);
    probe(Roof::read);
  }
}

void Clock::read_from(std::span<const float> memory) {
  const bool fits = memory.size_bytes() >= read_unit * threads_;
  const float* data = fits ? memory.data() : buffer_.data();
  const std::size_t bytes = fits ? memory.size_bytes() : buffer_.bytes();
  if (data == read_memory_ && bytes == footprint_) return;
  read_memory_ = data;
  footprint_ = bytes;
  cursor_ = 0;
  if (reads_.contains(bytes)) return;
  find_read_variant();
  for (int i = 0; i < 20; ++i) probe(Roof::read);
}

// Finds the best variant by its upper quantile: a single lucky read is no roof. Ten reads of each tell which are far
// behind. The better third is read twice as often, and so on, because the choice stays for the whole run.
void Clock::find_read_variant() {
  struct Candidate {
    ReadVariant variant;
    std::vector<double> speeds = {};
  };
  std::vector<Candidate> candidates;
  for (const std::size_t streams : {1U, 2U, 4U, 8U})
    for (const std::size_t ahead : {0U, 512U, 1024U, 2048U, 4096U}) candidates.push_back({{ahead, streams}});
  for (std::size_t rounds = 10; candidates.size() > 1; rounds *= 2) {
    for (std::size_t round = 0; round < rounds; ++round)
      for (Candidate& candidate : candidates)
        candidate.speeds.push_back(read_speed(candidate.variant, probe_read_bytes / threads_));
    std::ranges::sort(candidates, std::ranges::greater(),
                      [](const Candidate& candidate) { return quantile(candidate.speeds, fast_quantile); });
    candidates.resize((candidates.size() + 2) / 3);
  }
  reads_[footprint_].best = candidates.front().variant;
}

double Clock::run(const std::function<void(std::uint32_t)>& part) {
  struct Shared {
    const std::function<void(std::uint32_t)>& part;
    detail::Barrier start;
    std::atomic<SteadyClock::rep> first{std::numeric_limits<SteadyClock::rep>::max()};
    std::atomic<SteadyClock::rep> last{std::numeric_limits<SteadyClock::rep>::min()};
  } shared{part, detail::Barrier(threads_)};
  const bool started = executor_.run(
      threads_,
      [](void* context, std::uint32_t index) {
        auto& s = *static_cast<Shared*>(context);
        s.start.wait();
        const auto begin = SteadyClock::now().time_since_epoch().count();
        s.part(index);
        const auto end = SteadyClock::now().time_since_epoch().count();
        for (auto seen = s.first.load(); begin < seen && !s.first.compare_exchange_weak(seen, begin);) {
        }
        for (auto seen = s.last.load(); end > seen && !s.last.compare_exchange_weak(seen, end);) {
        }
      },
      &shared);
  if (!started)
    throw Failure(exit_code::unsupported,
                  fmt::format("{} threads could not be started; raise the process limit or use fewer", threads_));
  return std::max(1e-9, seconds(SteadyClock::duration(shared.last.load() - shared.first.load())));
}

double Clock::peak(const Kind& kind) const {
  const detail::KernelTable& kernels = *detail::kernel_table(isa_, kind.arithmetic);
  const detail::DotKernels* dots =
      detail::dot_kernels(kernels, detail::preferred_tile(kernels).nr, kind.weights.element, kind.arithmetic);
  return dots == nullptr ? fma_peak() : fastest_dots_.at(dots->probe);
}

double Clock::dot_speed(const detail::DotKernels& dots, std::size_t iterations) {
  double flops = 0;
  const double time = run([&](std::uint32_t thread) {
    double mine = 0;
    keep(static_cast<float>(dots.probe(iterations, &mine)));
    if (thread == 0) flops = mine;
  });
  return flops * threads_ / time;
}

double Clock::fma_speed(std::size_t iterations) {
  double flops = 0;
  const detail::Probes& probes = detail::kernel_table(isa_)->probes;
  const double time = run([&](std::uint32_t thread) {
    double mine = 0;
    keep(probes.fma(iterations, &mine));
    if (thread == 0) flops = mine;
  });
  return flops * threads_ / time;
}

// Runs the microkernel itself on operands in L1. It needs the issue slots and load ports that a neighbour takes away.
double Clock::load_speed() {
  const detail::PanelKernels& panels = detail::kernel_table(isa_)->panels[0][0];
  const std::size_t mr = panels.tile.max_mr;
  const std::size_t nr = panels.tile.nr;
  const double call_flops = 2.0 * static_cast<double>(mr * nr * probe_k * probe_tiles);
  const auto calls = static_cast<std::size_t>(probe_flops / call_flops) + 1;
  const double time = run([&](std::uint32_t thread) {
    // The operands are zeros, so there are no denormals. A product of zeros takes as long as any other.
    float* a = tiles_[thread]->data();
    detail::PanelCall call{};
    call.a = a;
    call.b = a + probe_k * mr;
    call.c = a + probe_k * (mr + nr);
    call.c_in = call.c;
    call.c_in_tile_stride = static_cast<std::ptrdiff_t>(mr * nr);
    call.c_in_row_stride = static_cast<std::ptrdiff_t>(nr);
    call.tiles = probe_tiles;
    call.k = probe_k;
    call.weight_prefetch = static_cast<const char*>(call.b);
    call.data_prefetch = call.weight_prefetch;
    for (std::size_t i = 0; i < calls; ++i) panels.packed[mr - 1](call);
  });
  return call_flops * static_cast<double>(calls) * threads_ / time;
}

double Clock::read_speed(ReadVariant variant, std::size_t bytes_per_thread) {
  const std::size_t asked = std::max(read_unit, bytes_per_thread / read_unit * read_unit);
  // A small footprint is read several times over.
  const std::size_t bytes = std::min(asked, footprint_ / threads_ / read_unit * read_unit);
  const std::size_t passes = asked / bytes;
  const std::size_t needed = bytes * threads_;
  if (cursor_ + needed > footprint_) cursor_ = 0;
  const float* data = read_memory_ + cursor_ / sizeof(float);
  cursor_ += needed;
  const detail::Probes& probes = detail::kernel_table(isa_)->probes;
  const double time = run([&](std::uint32_t thread) {
    for (std::size_t pass = 0; pass < passes; ++pass)
      keep(probes.read(data + thread * (bytes / sizeof(float)), bytes, variant.ahead, variant.streams));
  });
  return static_cast<double>(needed * passes) / time;
}

double Clock::probe(Roof roof, double bytes) {
  if (roof == Roof::fma) return fma_probes_.emplace_back(load_speed());
  ReadLevel& reads = reads_[footprint_];
  const std::size_t together = std::max(probe_read_bytes, static_cast<std::size_t>(probe_share * bytes));
  return reads.probes.emplace_back(read_speed(reads.best, together / threads_));
}

Sample Clock::measure(Roof roof, double bytes, const std::function<void()>& work) {
  return measure_reported(roof, bytes, [&] {
    const auto begin = SteadyClock::now();
    work();
    return seconds(SteadyClock::now() - begin) * 1e9;
  });
}

Sample Clock::measure_reported(Roof roof, double bytes, const std::function<double()>& work) {
  Sample sample;
  sample.roof = roof;
  sample.footprint = footprint_;
  // If nothing came in between, the probe after the last sample serves as the one before this. That saves half of all
  // probes, which take as long as the samples themselves if these are short reads.
  const bool adjacent = last_probe_.roof == roof && last_probe_.footprint == footprint_ &&
                        SteadyClock::now() - last_probe_.end < adjacent_probe;
  sample.before = adjacent ? last_probe_.speed : probe(roof, bytes);
  // A sample takes at least the clock's resolution, so it is never 0.
  sample.ns = std::max(1.0, work());
  sample.after = probe(roof, bytes);
  last_probe_ = {roof, footprint_, sample.after, SteadyClock::now()};
  return sample;
}

double Clock::fma_peak() const { return std::max(fastest_fma_, level(Roof::fma)); }

double Clock::read_bandwidth(std::size_t footprint) const {
  return quantile(reads_.at(footprint).probes, fast_quantile);
}

std::vector<std::size_t> Clock::footprints() const {
  std::vector<std::size_t> all;
  for (const auto& [footprint, reads] : reads_) all.push_back(footprint);
  return all;
}

double Clock::level(Roof roof) const {
  return roof == Roof::fma ? quantile(fma_probes_, fast_quantile) : read_bandwidth();
}

double Clock::level_of(const Sample& sample) const {
  return sample.roof == Roof::fma ? level(Roof::fma) : read_bandwidth(sample.footprint);
}

bool Clock::contended(const Sample& sample) const {
  return sample.slower_probe() < level_of(sample) * calm_bound(sample.roof);
}

double Clock::calm_bound(Roof roof) noexcept { return roof == Roof::fma ? calm_fma : calm_read; }

}  // namespace sluice::tuner
