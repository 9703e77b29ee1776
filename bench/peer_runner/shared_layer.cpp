#include "bench/peer_runner/shared_layer.hpp"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "bench/peer_runner/anonymous_file.hpp"
#include "tuner/base/failure.hpp"

namespace sluice::bench {

SharedLayer::SharedLayer(const tuner::Layer& layer) : shape_(layer.shape()), gated_(layer.kind().gated) {
  constexpr std::size_t page = 4096;
  const auto reserve = [this](std::size_t floats) {
    const std::size_t offset = bytes_;
    bytes_ += (floats * sizeof(float) + page - 1) / page * page;
    return offset;
  };
  const std::size_t count = shape_.d_model * shape_.d_ff;
  if (gated_) gate_ = reserve(count);
  up_ = reserve(count);
  down_ = reserve(count);
  x_ = reserve(layer.x().size());
  y_ = reserve(layer.x().size());

  file_ = anonymous_file("sluice-layer");
  if (file_ >= 0 && ftruncate(file_, static_cast<off_t>(bytes_)) == 0)
    data_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0);
  if (data_ == nullptr || data_ == MAP_FAILED) {
    if (file_ >= 0) close(file_);
    throw tuner::Failure(tuner::exit_code::unsupported,
                         fmt::format("no {} MiB of memory to share with peers; choose a smaller shape", bytes_ >> 20U));
  }
  const Weights weights = layer.weights();
  if (gated_) std::memcpy(at(gate_), weights.gate.data, count * sizeof(float));
  std::memcpy(at(up_), weights.up.data, count * sizeof(float));
  std::memcpy(at(down_), weights.down.data, count * sizeof(float));
  std::memcpy(at(x_), layer.x().data(), layer.x().size() * sizeof(float));
}

SharedLayer::~SharedLayer() {
  munmap(data_, bytes_);
  close(file_);
}

float* SharedLayer::at(std::size_t offset) const {
  return reinterpret_cast<float*>(static_cast<char*>(data_) + offset);
}

Weights SharedLayer::weights() const {
  Weights weights;
  if (gated_) weights.gate.data = at(gate_);
  weights.up.data = at(up_);
  weights.down.data = at(down_);
  return weights;
}

nlohmann::json SharedLayer::description() const {
  nlohmann::json json{{"path", fmt::format("/proc/{}/fd/{}", getpid(), file_)},
                      {"bytes", bytes_},
                      {"gate", nullptr},
                      {"up", up_},
                      {"down", down_},
                      {"x", x_},
                      {"y", y_}};
  if (gated_) json["gate"] = gate_;
  return json;
}

}  // namespace sluice::bench
