#include "bench/peer_runner/shared_layer.hpp"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "bench/peer_runner/anonymous_file.hpp"
#include "bench/peer_runner/quantised_matrix.hpp"
#include "tuner/base/failure.hpp"

namespace sluice::bench {

SharedLayer::SharedLayer(const tuner::Layer& layer)
    : shape_(layer.shape()), gated_(layer.kind().gated), type_(layer.kind().weights) {
  const auto [d_model, d_ff] = shape_;
  if (gated_) gate_ = reserve_matrix(d_model, d_ff);
  up_ = reserve_matrix(d_model, d_ff);
  down_ = reserve_matrix(d_ff, d_model);
  x_ = reserve(layer.x().size() * sizeof(float));
  y_ = reserve(layer.x().size() * sizeof(float));

  file_ = anonymous_file("sluice-layer");
  if (file_ >= 0 && ftruncate(file_, static_cast<off_t>(bytes_)) == 0)
    data_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0);
  if (data_ == nullptr || data_ == MAP_FAILED) {
    if (file_ >= 0) close(file_);
    throw tuner::Failure(tuner::exit_code::unsupported,
                         fmt::format("no {} MiB of memory to share with peers; choose a smaller shape", bytes_ >> 20U));
  }
  const Weights weights = layer.weights();
  if (gated_) fill(gate_, weights.gate, d_model, d_ff);
  fill(up_, weights.up, d_model, d_ff);
  fill(down_, weights.down, d_ff, d_model);
  std::memcpy(at(x_), layer.x().data(), layer.x().size() * sizeof(float));
}

SharedLayer::~SharedLayer() {
  munmap(data_, bytes_);
  close(file_);
}

std::size_t SharedLayer::reserve(std::size_t bytes) {
  constexpr std::size_t page = 4096;
  const std::size_t offset = bytes_;
  bytes_ += (bytes + page - 1) / page * page;
  return offset;
}

SharedLayer::Place SharedLayer::reserve_matrix(std::size_t in, std::size_t out) {
  Place place;
  place.values = reserve(in * out * sizeof(float));
  if (type_.group != 0) {
    place.elements = reserve(in * out);
    place.scales = reserve(out * scale_count(type_, in) * scale_bytes(type_));
    if (has_zeros(type_)) place.zeros = reserve(out * scale_count(type_, in));
  }
  return place;
}

void SharedLayer::fill(const Place& place, const Matrix& from, std::size_t in, std::size_t out) const {
  QuantisedMatrix to{floats(place.values), nullptr, nullptr, nullptr};
  if (place.elements != nowhere) {
    to.elements = reinterpret_cast<std::int8_t*>(at(place.elements));
    to.scales = at(place.scales);
    if (place.zeros != nowhere) to.zeros = at(place.zeros);
  }
  quantise(static_cast<const float*>(from.data), in, out, type_, to);
}

std::byte* SharedLayer::at(std::size_t offset) const { return static_cast<std::byte*>(data_) + offset; }

Weights SharedLayer::weights() const {
  Weights weights;
  if (gated_) weights.gate.data = floats(gate_.values);
  weights.up.data = floats(up_.values);
  weights.down.data = floats(down_.values);
  return weights;
}

nlohmann::json SharedLayer::description() const {
  nlohmann::json json{
      {"path", fmt::format("/proc/{}/fd/{}", getpid(), file_)}, {"bytes", bytes_}, {"x", x_}, {"y", y_}};
  const auto offset = [](std::size_t place) { return place == nowhere ? nlohmann::json() : nlohmann::json(place); };
  for (const auto& [name, place] : {std::pair("gate", gate_), std::pair("up", up_), std::pair("down", down_)}) {
    json[name] = offset(place.values);
    json[fmt::format("{}_elements", name)] = offset(place.elements);
    json[fmt::format("{}_scales", name)] = offset(place.scales);
    json[fmt::format("{}_zeros", name)] = offset(place.zeros);
  }
  return json;
}

}  // namespace sluice::bench
