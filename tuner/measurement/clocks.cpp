#include "tuner/measurement/clocks.hpp"

#include <algorithm>

namespace sluice::tuner {

Clocks::Clocks(Isa isa, const Machine& machine, std::uint32_t max_threads)
    : isa_(isa), cold_bytes_(cold_bytes(machine)), pool_(max_threads), buffer_(stream_bytes(machine)) {}

std::size_t Clocks::cold_bytes(const Machine& machine) {
  return std::min<std::size_t>(3 * machine.cache_sizes().l3, std::size_t{1} << 30U);
}

std::size_t Clocks::stream_bytes(const Machine& machine) {
  return std::max<std::size_t>(cold_bytes(machine), std::size_t{128} << 20U);
}

Clock& Clocks::operator[](std::uint32_t threads) {
  std::unique_ptr<Clock>& clock = clocks_[threads];
  if (clock == nullptr) clock = std::make_unique<Clock>(isa_, threads, pool_, buffer_);
  return *clock;
}

Roofs Clocks::roofs() const {
  Roofs roofs;
  for (const auto& [threads, clock] : clocks_) {
    roofs.fma.push_back({isa_, threads, clock->fma_peak()});
    const auto append_dot = [&, threads = threads, &peaks = *clock](WeightType type, Arithmetic arithmetic) {
      roofs.dot.push_back({isa_, arithmetic, static_cast<std::uint32_t>(weight_bytes(type) * 8), threads,
                           peaks.peak({Activation::silu, true, type, arithmetic})});
    };
    for (const Arithmetic arithmetic : {Arithmetic::int8, Arithmetic::int16})
      for (const WeightType type : {WeightType::int8(32), WeightType::int4(32)}) append_dot(type, arithmetic);
    append_dot(WeightType::bf16, Arithmetic::bf16);
    for (const std::size_t footprint : clock->footprints())
      roofs.read.push_back({threads, clock->read_bandwidth(footprint), footprint});
  }
  return roofs;
}

}  // namespace sluice::tuner
