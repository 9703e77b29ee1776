// The activations, seen through forward: a 1 → 1 → 1 FFN computes its activation. Accuracy over the whole range of
// float32, special values as defined, and no influence of the caller's floating-point mode.
#include <bit>
#include <cfenv>
#include <cmath>
#include <limits>

#include "sluice/reference.hpp"
#include "tests/kernels/support.hpp"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace sluice::tests {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
constexpr float huge = std::numeric_limits<float>::max();
constexpr float denormal = std::numeric_limits<float>::denorm_min();
constexpr float weight_one = 1;
constexpr float weight_zero = 0;

// Computes act(z) for many z at once, through the FFN 1 → 1 → 1. In gated kinds up is 1 for every finite x; for an
// infinite one 0·∞ makes it NaN.
Result<Ffn> activation_ffn(Isa isa, Activation activation) {
  const bool gated = activation == Activation::sigmoid || activation == Activation::identity;
  Weights weights;
  weights.down = {&weight_one};
  if (gated) {
    weights.gate = {&weight_one};
    weights.up = {&weight_zero};
    weights.up_bias = &weight_one;
  } else {
    weights.up = {&weight_one};
  }
  return Ffn::pack({1, 1}, {activation, gated}, weights, pack_options(isa));
}

std::vector<float> apply(const Ffn& ffn, const std::vector<float>& z, std::uint32_t threads = 1) {
  const Result<std::size_t> size = ffn.workspace_size(z.size(), threads);
  EXPECT_TRUE(size.ok()) << size.status().message();
  const Workspace workspace(*size);
  std::vector<float> y(z.size(), not_a_number);
  const Status status = ffn.forward(z.data(), z.size(), y.data(), workspace, {.max_threads = threads});
  EXPECT_TRUE(status.ok()) << status.message();
  return y;
}

// Applies a gate to one value that may be infinite or NaN. The value is a bias, so nothing is multiplied with it before
// the activation.
float apply_to_bias(Isa isa, Activation activation, float z) {
  const Weights weights{{&weight_one}, {&weight_one}, {&weight_one}, &z, &weight_one, nullptr};
  const Result<Ffn> ffn = Ffn::pack({1, 1}, {activation, true}, weights, pack_options(isa));
  EXPECT_TRUE(ffn.ok()) << ffn.status().message();
  return apply(*ffn, {0.0F}).front();
}

constexpr Activation all_activations[] = {Activation::identity, Activation::sigmoid,   Activation::relu,
                                          Activation::gelu,     Activation::gelu_tanh, Activation::silu};

// Every 4099th float, positive and negative. The step is prime, so every exponent is met with changing mantissas.
std::vector<float> finite_floats() {
  const std::uint32_t step = brief ? 262147 : 4099;
  std::vector<float> values;
  for (std::uint32_t bits = 0; bits < 0x7f800000U; bits += step) {
    values.push_back(std::bit_cast<float>(bits));
    values.push_back(-values.back());
  }
  return values;
}

class Activations : public PerIsa {};

TEST_P(Activations, ErrAtMostEightRoundingsOverAllFiniteFloats) {
  const std::vector<float> z = finite_floats();
  for (const Activation activation : all_activations) {
    const Result<Ffn> ffn = activation_ffn(GetParam(), activation);
    if (!ffn.ok()) {
      ADD_FAILURE() << ffn.status().message();
      continue;
    }
    const std::vector<float> y = apply(*ffn, z);
    double worst = 0;
    float worst_at = 0;
    for (std::size_t i = 0; i < z.size(); ++i) {
      const double scale = activation == Activation::sigmoid ? 1.0 : std::abs(static_cast<double>(z[i]));
      const double allowed = 0x1p-24 * scale;
      const double error = std::abs(static_cast<double>(y[i]) - reference_activation(activation, z[i])) - 0x1p-126;
      const double roundings = error > 0 ? error / allowed : 0;
      if (!(roundings <= worst)) {
        worst = roundings;
        worst_at = z[i];
      }
    }
    EXPECT_LE(worst, 8.0) << "activation " << static_cast<int>(activation) << " at " << worst_at;
    if (activation == Activation::relu || activation == Activation::identity) {
      EXPECT_EQ(worst, 0.0);
    }
    RecordProperty("worst_roundings_" + std::to_string(static_cast<int>(activation)), std::to_string(worst));
  }
}

TEST_P(Activations, SpecialValuesAreThoseOfTheDefinitions) {
  const auto act = [](Activation activation, float z) { return apply_to_bias(GetParam(), activation, z); };
  for (const Activation activation : all_activations) {
    SCOPED_TRACE(static_cast<int>(activation));
    EXPECT_TRUE(std::isnan(act(activation, not_a_number)));
    EXPECT_TRUE(std::isnan(act(activation, -not_a_number)));
    EXPECT_EQ(act(activation, infinity), activation == Activation::sigmoid ? 1.0F : infinity);
    EXPECT_EQ(act(activation, huge), activation == Activation::sigmoid ? 1.0F : huge);
    EXPECT_EQ(act(activation, 0.0F), activation == Activation::sigmoid ? 0.5F : 0.0F);
    EXPECT_EQ(act(activation, -0.0F), activation == Activation::sigmoid ? 0.5F : 0.0F);
  }
  EXPECT_EQ(act(Activation::identity, -infinity), -infinity);
  EXPECT_EQ(act(Activation::relu, -infinity), 0.0F);
  EXPECT_EQ(act(Activation::sigmoid, -infinity), 0.0F);
  // z·sigmoid(z) and z·Φ(z) at −∞ are −∞·0.
  for (const Activation activation : {Activation::gelu, Activation::gelu_tanh, Activation::silu}) {
    EXPECT_TRUE(std::isnan(act(activation, -infinity)));
    EXPECT_TRUE(std::isnan(reference_activation(activation, -HUGE_VAL)));
    EXPECT_EQ(act(activation, -huge), 0.0F);
  }
}

TEST_P(Activations, DenormalsAreHonoured) {
  const std::vector<float> z{denormal, -denormal, 1e-40F, -1e-40F, 0x1p-126F, -0x1p-126F};
  for (const Activation activation : {Activation::identity, Activation::relu}) {
    const Result<Ffn> ffn = activation_ffn(GetParam(), activation);
    ASSERT_TRUE(ffn.ok()) << ffn.status().message();
    const std::vector<float> y = apply(*ffn, z);
    for (std::size_t i = 0; i < z.size(); ++i) {
      EXPECT_EQ(y[i], activation == Activation::relu ? std::max(z[i], 0.0F) : z[i]);
    }
  }
  const Result<Ffn> ffn = activation_ffn(GetParam(), Activation::silu);
  ASSERT_TRUE(ffn.ok()) << ffn.status().message();
  EXPECT_EQ(apply(*ffn, {0x1p-130F}).front(), 0x1p-131F);
}

// NaN and infinity in x stay in their row.
TEST_P(Activations, NanAndInfinityStayInTheirRow) {
  for (const Kind kind : all_kinds()) {
    tuner::Problem problem({kind, {17, 35}, 15, true, Order::in_out, false, false, 3});
    const Result<Ffn> ffn = Ffn::pack({17, 35}, kind, problem.weights(), pack_options(GetParam()));
    ASSERT_TRUE(ffn.ok()) << ffn.status().message();
    const Result<std::vector<float>> clean = tuner::solve(*ffn, problem);
    ASSERT_TRUE(clean.ok()) << clean.status().message();
    problem.x[7 * 17 + 4] = not_a_number;
    problem.x[9 * 17 + 16] = infinity;
    const Result<std::vector<float>> y = tuner::solve(*ffn, problem);
    ASSERT_TRUE(y.ok()) << y.status().message();
    for (std::size_t i = 0; i < 15; ++i) {
      for (std::size_t j = 0; j < 17; ++j) {
        const float value = (*y)[i * 17 + j];
        if (i == 7) {
          EXPECT_TRUE(std::isnan(value)) << name(kind);
        } else if (i == 9) {
          EXPECT_FALSE(std::isfinite(value)) << name(kind);
        } else {
          EXPECT_EQ(std::bit_cast<std::uint32_t>(value), std::bit_cast<std::uint32_t>((*clean)[i * 17 + j]));
        }
      }
    }
  }
}

// Flush-to-zero as a host with -ffast-math sets it.
#if defined(__x86_64__)
using FloatMode = unsigned;
FloatMode float_mode() { return _mm_getcsr(); }
void set_float_mode(FloatMode mode) { _mm_setcsr(mode); }
constexpr FloatMode flush_bits = 0x8040;
constexpr FloatMode exception_flags = 0x3f;
constexpr FloatMode trap_masks = 0x1f80;  // without them every inexact result traps
#elif defined(__aarch64__)
using FloatMode = std::uint64_t;
FloatMode float_mode() {
  FloatMode mode = 0;
  asm volatile("mrs %0, fpcr" : "=r"(mode));
  return mode;
}
void set_float_mode(FloatMode mode) { asm volatile("msr fpcr, %0" : : "r"(mode)); }
constexpr FloatMode flush_bits = 1U << 24;
constexpr FloatMode exception_flags = 0;
constexpr FloatMode trap_masks = 0;  // most of these processors cannot trap
#endif

#if defined(__x86_64__) || defined(__aarch64__)
TEST_P(Activations, TheCallersFloatingPointModeChangesNothingAndIsRestored) {
  const std::vector<float> z{denormal, -1e-40F, 0.3F, -0.7F, 1.1F, 3.0F, -5.5F, 1e-38F, 0.1F, 87.0F, -87.3F, 10.0F};
  for (const Activation activation : all_activations) {
    const Result<Ffn> ffn = activation_ffn(GetParam(), activation);
    ASSERT_TRUE(ffn.ok()) << ffn.status().message();
    for (const std::uint32_t threads : {1U, 2U}) {
      const std::vector<float> expected = apply(*ffn, z, threads);
      const FloatMode before = float_mode();
      std::vector<FloatMode> modes{before | flush_bits, before & ~trap_masks};
      for (const int rounding : {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO}) {
        std::fesetround(rounding);
        modes.push_back(float_mode());
        std::fesetround(FE_TONEAREST);
      }
      for (const FloatMode mode : modes) {
        set_float_mode(mode);
        const std::vector<float> actual = apply(*ffn, z, threads);
        const FloatMode after = float_mode();
        set_float_mode(before);
        EXPECT_EQ(after & ~exception_flags, mode & ~exception_flags);
        EXPECT_TRUE(tuner::equal_bits(expected, actual)) << std::hex << mode;
      }
    }
  }
}
#endif

INSTANTIATE_TEST_SUITE_P(Isas, Activations, every_isa(), isa_name);

}  // namespace
}  // namespace sluice::tests
