// Owns: the portable baseline: the same templates on a batch of four plain floats. Exports scalar_kernels, nothing
// else. It is correct anywhere and gives the same bits as the vector ISAs, since std::fma rounds once; it is not fast.
#include <bit>
#include <cstdint>

#include "kernels/instruction_sets/dot_family.hpp"
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

struct Words4 {
  std::uint32_t word[Batch4::size];
};
template <class Operation>
[[gnu::always_inline]] inline Words4 map_words(Operation operation) {
  Words4 words;
  for (std::size_t i = 0; i < Batch4::size; ++i) words.word[i] = operation(i);
  return words;
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
  // Of each word the lower half as a bf16, or the upper one.
  template <bool upper>
  static Batch half_of(const Words4& words) {
    return map([&](std::size_t i) {
      return std::bit_cast<float>(upper ? words.word[i] & 0xffff0000U : words.word[i] << 16U);
    });
  }
  static Batch widen_half(const std::uint16_t* halves) {
    return map([&](std::size_t i) { return F16::widen(halves[i]); });
  }

  // Four words of four bytes, and one byte of each as a float.
  using Words = Words4;
  static Words load_words(const std::byte* words) {
    const auto byte = [&](std::size_t at) { return static_cast<std::uint32_t>(words[at]); };
    return map_words([&](std::size_t i) {
      return byte(4 * i) | byte(4 * i + 1) << 8U | byte(4 * i + 2) << 16U | byte(4 * i + 3) << 24U;
    });
  }
  template <int byte>
  static Batch byte_of(const Words& words) {
    return map([&](std::size_t i) { return static_cast<float>(words.word[i] >> (8U * byte) & 0xffU); });
  }

  // Of each byte the lower half, or the upper one.
  template <int upper>
  static Words nibbles(const Words& words) {
    return map_words([&](std::size_t i) { return words.word[i] >> (4U * upper) & 0x0f0f0f0fU; });
  }
  // The bytes of a table of sixteen that the bytes, all below 16, stand for.
  static Words look_up(const std::uint8_t* table, const Words& bytes) {
    const auto found = [&](std::uint32_t word, unsigned shift) {
      return static_cast<std::uint32_t>(table[word >> shift & 0xfU]) << shift;
    };
    return map_words([&](std::size_t i) {
      const std::uint32_t word = bytes.word[i];
      return found(word, 0) | found(word, 8) | found(word, 16) | found(word, 24);
    });
  }
  // 2^(byte − 127); that of 0 is a denormal, that of 255 infinite.
  static Batch powers_of_two(const std::uint8_t* bytes) {
    return map([&](std::size_t i) {
      return std::bit_cast<float>(bytes[i] == 0 ? 0x00400000U : static_cast<std::uint32_t>(bytes[i]) << 23U);
    });
  }

  static Words broadcast_word(const std::int32_t* word) {
    return map_words([&](std::size_t) { return static_cast<std::uint32_t>(*word); });
  }
  // Four bytes without a sign as words.
  static Words widen_bytes(const std::byte* bytes) {
    return map_words([&](std::size_t i) { return static_cast<std::uint32_t>(bytes[i]); });
  }
  template <int bits>
  static Words shift_left(const Words& words) {
    return map_words([&](std::size_t i) { return words.word[i] << bits; });
  }
  // Of each word the sum of the products of the halves, integers of 16 bits.
  static Words dot_halves(const Words& a, const Words& b) {
    const auto half = [](std::uint32_t word, unsigned shift) {
      return static_cast<std::int32_t>(static_cast<std::int16_t>(word >> shift));
    };
    return map_words([&](std::size_t i) {
      return static_cast<std::uint32_t>(half(a.word[i], 0) * half(b.word[i], 0) +
                                        half(a.word[i], 16) * half(b.word[i], 16));
    });
  }
  static Words zero_words() {
    return map_words([](std::size_t) { return 0U; });
  }
  static Words add_words(const Words& a, const Words& b) {
    return map_words([&](std::size_t i) { return a.word[i] + b.word[i]; });
  }
  static Words larger(const Words& a, const Words& b) {
    return map_words([&](std::size_t i) { return a.word[i] > b.word[i] ? a.word[i] : b.word[i]; });
  }
  static Words magnitude(const Batch& value) {
    return map_words([&](std::size_t i) { return std::bit_cast<std::uint32_t>(value.lane[i]) & 0x7fffffffU; });
  }
  // Adding 1.5·2²³ rounds to nearest even and leaves the integer, of less than 2²² in magnitude, in the low bits.
  static Words nearest(const Batch& value) {
    return map_words([&](std::size_t i) {
      return std::bit_cast<std::uint32_t>(value.lane[i] + 12582912.0F) - std::bit_cast<std::uint32_t>(12582912.0F);
    });
  }
  static Batch to_float(const Words& words) {
    return map([&](std::size_t i) { return static_cast<float>(static_cast<std::int32_t>(words.word[i])); });
  }
  static std::uint32_t largest_word(const Words& words) {
    std::uint32_t most = 0;
    for (const std::uint32_t word : words.word) most = word > most ? word : most;
    return most;
  }
  static std::int32_t sum_of_words(const Words& words) {
    std::uint32_t sum = 0;
    for (const std::uint32_t word : words.word) sum += word;
    return static_cast<std::int32_t>(sum);
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

// Quantised elements in words of two of 16 bits, (0, 2), (1, 3).
struct ScalarDot {
  static constexpr int parts = 2;
  template <int index>
  static Words4 part(const Words4& words) {
    return map_words([&](std::size_t i) { return words.word[i] >> (8U * index) & 0x00ff00ffU; });
  }
  static void accumulate(Words4& sum, const Words4& codes, const Words4& factor) {
    sum = Scalar::add_words(sum, Scalar::dot_halves(codes, factor));
  }
  static void store_codes(const Words4& codes, std::byte* target, std::ptrdiff_t, std::size_t) {
    const std::uint32_t pairs[] = {(codes.word[0] & 0xffffU) | codes.word[2] << 16U,
                                   (codes.word[1] & 0xffffU) | codes.word[3] << 16U};
    __builtin_memcpy(target, pairs, sizeof pairs);
  }
};

template <class Element, int largest>
struct Dots {
  static constexpr DotKernels value[] = {DotFamily<IntegerDots<Scalar, ScalarDot, Element, largest, 2>, 2, 4>::value()};
};

constexpr DotKernels bf16[] = {DotFamily<Bf16Dots<Scalar, 2>, 4, 4>::value()};

}  // namespace

constinit const KernelTable scalar_kernels =
    make_table<Scalar, Panels>(Isa::scalar, with_bf16(make_dot_table<Dots>(), bf16));

}  // namespace sluice::detail
