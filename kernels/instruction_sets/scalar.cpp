// Owns: the portable baseline: the same templates on a batch of four plain floats. Exports scalar_kernels, nothing
// else. It is correct anywhere and gives the same bits as the vector ISAs, since std::fma rounds once; it is not fast.
#include <bit>
#include <cstdint>

#include "kernels/instruction_sets/kernel_family.hpp"

namespace sluice::detail {
namespace {

struct Batch4 {
  static constexpr std::size_t size = 4;
  float lane[size];

  Batch4() = default;
  explicit Batch4(float value) : lane{value, value, value, value} {}

  static Batch4 load_unaligned(const float* source) {
    Batch4 value;
    for (std::size_t i = 0; i < size; ++i) value.lane[i] = source[i];
    return value;
  }
  void store_unaligned(float* target) const {
    for (std::size_t i = 0; i < size; ++i) target[i] = lane[i];
  }
};

struct Mask4 {
  bool lane[Batch4::size];
};

template <class Operation>
[[gnu::always_inline]] inline Batch4 map(Operation operation) {
  Batch4 value;
  for (std::size_t i = 0; i < Batch4::size; ++i) value.lane[i] = operation(i);
  return value;
}
template <class Operation>
[[gnu::always_inline]] inline Mask4 map_mask(Operation operation) {
  Mask4 value;
  for (std::size_t i = 0; i < Batch4::size; ++i) value.lane[i] = operation(i);
  return value;
}

inline Batch4 operator+(const Batch4& a, const Batch4& b) {
  return map([&](std::size_t i) { return a.lane[i] + b.lane[i]; });
}
inline Batch4 operator-(const Batch4& a, const Batch4& b) {
  return map([&](std::size_t i) { return a.lane[i] - b.lane[i]; });
}
inline Batch4 operator*(const Batch4& a, const Batch4& b) {
  return map([&](std::size_t i) { return a.lane[i] * b.lane[i]; });
}
inline Batch4 operator/(const Batch4& a, const Batch4& b) {
  return map([&](std::size_t i) { return a.lane[i] / b.lane[i]; });
}
inline Mask4 operator<(const Batch4& a, const Batch4& b) {
  return map_mask([&](std::size_t i) { return a.lane[i] < b.lane[i]; });
}
inline Mask4 operator>(const Batch4& a, const Batch4& b) { return b < a; }
inline Batch4 abs(const Batch4& a) {
  return map(
      [&](std::size_t i) { return std::bit_cast<float>(std::bit_cast<std::uint32_t>(a.lane[i]) & 0x7fffffffU); });
}
inline Batch4 select(const Mask4& mask, const Batch4& yes, const Batch4& no) {
  return map([&](std::size_t i) { return mask.lane[i] ? yes.lane[i] : no.lane[i]; });
}

struct Scalar {
  using Batch = Batch4;

  static Batch fma(const Batch& a, const Batch& b, const Batch& c) {
    return map([&](std::size_t i) { return __builtin_fmaf(a.lane[i], b.lane[i], c.lane[i]); });
  }
  static void accumulate(Batch& c, const Batch& a, const Batch& b) { c = fma(a, b, c); }
  static Batch divide(const Batch& a, const Batch& b) { return a / b; }

  template <int accumulators>
  static void widen_pair(const std::uint16_t* words, Batch& even, Batch& odd) {
    even = map([&](std::size_t i) { return Bf16::widen(words[2 * i]); });
    odd = map([&](std::size_t i) { return Bf16::widen(words[2 * i + 1]); });
  }
  static Batch widen_half(const std::uint16_t* halves) {
    return map([&](std::size_t i) { return F16::widen(halves[i]); });
  }

  // Four words of four bytes, and one byte of each as a float.
  struct Words {
    std::uint8_t byte[16];
  };
  static Words load_words(const std::byte* words) {
    Words loaded;
    for (std::size_t i = 0; i < sizeof loaded.byte; ++i) loaded.byte[i] = static_cast<std::uint8_t>(words[i]);
    return loaded;
  }
  template <int byte>
  static Batch byte_of(const Words& words) {
    return map([&](std::size_t i) { return static_cast<float>(words.byte[4 * i + byte]); });
  }

  static Batch low_bits_to_exponent(const Batch& value) {
    return map([&](std::size_t i) { return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value.lane[i]) << 23U); });
  }

  // Column j of the four rows becomes four floats at target + j·stride.
  static void store_columns(const Batch (&rows)[4], float* target, std::ptrdiff_t stride) {
    for (std::ptrdiff_t j = 0; j < 4; ++j)
      for (std::ptrdiff_t row = 0; row < 4; ++row) target[j * stride + row] = rows[row].lane[j];
  }
};

template <class Element>
struct Panels {
  static constexpr PanelKernels value[] = {PanelFamily<Scalar, Element, 2, 4, 4>::value()};
};

}  // namespace

constinit const KernelTable scalar_kernels = make_table<Scalar, Panels>(Isa::scalar);

}  // namespace sluice::detail
