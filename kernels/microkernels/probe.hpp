// Owns: the loops whose speed is a roof: FMAs on registers alone, and streaming reads. Included by the ISA files only.
#pragma once

#include <cstddef>

#include "kernels/microkernels/kernel_table.hpp"

namespace sluice::detail {
namespace {

// Twelve independent chains hide a latency of up to six cycles at two FMAs per cycle.
template <class Simd>
float fma_probe(std::size_t iterations, double* flops) {
  using V = typename Simd::Batch;
  constexpr int chains = 12;
  constexpr int unroll = 4;
  V acc[chains];
#pragma GCC unroll 16
  for (int i = 0; i < chains; ++i) acc[i] = V(static_cast<float>(i));
  const V scale(0.999f);
  const V shift(0.5f);
  for (std::size_t iteration = 0; iteration < iterations; ++iteration) {
#pragma GCC unroll 4
    for (int u = 0; u < unroll; ++u)
#pragma GCC unroll 16
      for (int i = 0; i < chains; ++i) Simd::accumulate(acc[i], scale, shift);
  }
  V sum = acc[0];
#pragma GCC unroll 16
  for (int i = 1; i < chains; ++i) sum = sum + acc[i];
  *flops = 2.0 * static_cast<double>(V::size) * chains * unroll * static_cast<double>(iterations);
  float lanes[V::size];
  sum.store_unaligned(lanes);
  return lanes[0];
}

template <class Simd, std::size_t streams>
float read_streams(const float* data, std::size_t bytes, std::size_t ahead) {
  using V = typename Simd::Batch;
  constexpr std::size_t lanes = V::size;
  constexpr std::size_t line = 64 / sizeof(float);
  constexpr std::size_t block = 4 * line;
  V acc[4] = {V(0.0f), V(0.0f), V(0.0f), V(0.0f)};
  const std::size_t stream_floats = bytes / sizeof(float) / streams;
  for (std::size_t done = 0; done < stream_floats; done += block) {
#pragma GCC unroll 8
    for (std::size_t stream = 0; stream < streams; ++stream) {
      const float* source = data + stream * stream_floats + done;
      if (ahead != 0) {
#pragma GCC unroll 4
        for (std::size_t i = 0; i < block; i += line)
          __builtin_prefetch(reinterpret_cast<const char*>(source + i) + ahead, 0, 2);
      }
#pragma GCC unroll 16
      for (std::size_t i = 0; i < block / lanes; ++i) acc[i % 4] = acc[i % 4] + V::load_unaligned(source + i * lanes);
    }
  }
  const V sum = (acc[0] + acc[1]) + (acc[2] + acc[3]);
  float out[lanes];
  sum.store_unaligned(out);
  return out[0];
}

template <class Simd>
float read_probe(const float* data, std::size_t bytes, std::size_t ahead, std::size_t streams) {
  if (streams == 8) return read_streams<Simd, 8>(data, bytes, ahead);
  if (streams == 4) return read_streams<Simd, 4>(data, bytes, ahead);
  if (streams == 2) return read_streams<Simd, 2>(data, bytes, ahead);
  return read_streams<Simd, 1>(data, bytes, ahead);
}

}  // namespace
}  // namespace sluice::detail
