// Owns: FNV-1a 64 (Fowler, Noll, Vo; RFC draft-eastlake-fnv), the one hash of fingerprints, records and digests.
// Needs the standard library alone, since the verification of the kernels hashes with it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::tuner {

class Fnv1a {
 public:
  void add(unsigned char byte) noexcept { state_ = (state_ ^ byte) * 0x100000001b3U; }
  void add(std::string_view bytes) noexcept {
    for (const char byte : bytes) add(static_cast<unsigned char>(byte));
  }
  [[nodiscard]] std::uint64_t value() const noexcept { return state_; }
  // Returns the value as 16 hex digits.
  [[nodiscard]] std::string digits() const {
    std::string text(16, '0');
    std::uint64_t rest = state_;
    for (auto digit = text.rbegin(); digit != text.rend(); ++digit, rest >>= 4U)
      *digit = "0123456789abcdef"[rest & 15U];
    return text;
  }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325U;
};

}  // namespace sluice::tuner
