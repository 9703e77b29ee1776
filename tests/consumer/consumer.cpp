// A user's program: one forward with the tuned plans of an exported header, checked against a plain loop, and the same
// of weights that were packed in halves.
// Prints a digest of the answer's bits, which must not depend on how the library was found or built.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

#include "sluice/sluice.hpp"
#include "sluice_profile.hpp"

namespace {

constexpr std::size_t d_model = 96;
constexpr std::size_t d_ff = 160;
constexpr std::size_t m = 13;

// Multiples of 2⁻⁸ in [−1, 1): exact under any floating-point flags.
std::vector<float> numbers(std::size_t count, std::uint32_t seed) {
  std::vector<float> values(count);
  for (float& value : values) {
    seed = seed * 1664525U + 1013904223U;
    value = static_cast<float>(static_cast<int>(seed >> 23U) - 256) / 256.0F;
  }
  return values;
}

}  // namespace

int main() {
  const std::vector<float> x = numbers(m * d_model, 1);
  const std::vector<float> gate = numbers(d_model * d_ff, 2);
  const std::vector<float> up = numbers(d_model * d_ff, 3);
  const std::vector<float> down = numbers(d_ff * d_model, 4);

  const auto ffn = sluice::Ffn::pack({d_model, d_ff}, sluice::swiglu,
                                     {.gate = {gate.data()}, .up = {up.data()}, .down = {down.data()}},
                                     {.plans = sluice_profile::plans});
  if (!ffn) {
    std::fprintf(stderr, "pack: %s\n", ffn.status().message());
    return 1;
  }
  if (ffn->plan(m, 1).origin != sluice::PlanOrigin::exact) {
    std::fprintf(stderr, "the plan of the exported header was not chosen\n");
    return 1;
  }
  const auto bytes = ffn->workspace_size(m, 1);
  if (!bytes) {
    std::fprintf(stderr, "workspace_size: %s\n", bytes.status().message());
    return 1;
  }
  const sluice::Workspace workspace(*bytes);
  std::vector<float> y(m * d_model);
  if (const auto status = ffn->forward(x.data(), m, y.data(), workspace, {.max_threads = 1}); !status.ok()) {
    std::fprintf(stderr, "forward: %s\n", status.message());
    return 1;
  }

  auto packer = sluice::FfnPacker::create({d_model, d_ff}, sluice::swiglu, {.plans = sluice_profile::plans});
  const auto pack_halves = [&](sluice::Role role, const std::vector<float>& matrix, std::size_t columns) {
    const std::size_t half = columns / 2;
    return packer->pack(role, half, half, {.data = matrix.data() + half, .ld = columns}).ok() &&
           packer->pack(role, 0, half, {.data = matrix.data(), .ld = columns}).ok();
  };
  if (!packer || !pack_halves(sluice::Role::gate, gate, d_ff) || !pack_halves(sluice::Role::up, up, d_ff) ||
      !pack_halves(sluice::Role::down, down, d_model)) {
    std::fprintf(stderr, "halves of the matrices are not packed\n");
    return 1;
  }
  const auto of_halves = packer->finish();
  std::vector<float> again(m * d_model);
  if (!of_halves || !of_halves->forward(x.data(), m, again.data(), workspace, {.max_threads = 1}).ok() || again != y) {
    std::fprintf(stderr, "weights that were packed in halves give another answer\n");
    return 1;
  }

  double worst = 0;
  double scale = 0;
  std::vector<double> h(d_ff);
  for (std::size_t row = 0; row < m; ++row) {
    for (std::size_t column = 0; column < d_ff; ++column) {
      double g = 0;
      double u = 0;
      for (std::size_t k = 0; k < d_model; ++k) {
        g += static_cast<double>(x[row * d_model + k]) * static_cast<double>(gate[k * d_ff + column]);
        u += static_cast<double>(x[row * d_model + k]) * static_cast<double>(up[k * d_ff + column]);
      }
      h[column] = g / (1 + std::exp(-g)) * u;
    }
    for (std::size_t column = 0; column < d_model; ++column) {
      double sum = 0;
      for (std::size_t k = 0; k < d_ff; ++k) sum += h[k] * static_cast<double>(down[k * d_model + column]);
      worst = std::fmax(worst, std::fabs(sum - static_cast<double>(y[row * d_model + column])));
      scale = std::fmax(scale, std::fabs(sum));
    }
  }
  // Written so that NaN fails. It allows 96 + 160 roundings of 2⁻²⁴.
  if (!(worst <= 256 * 0x1p-24 * scale) || !(scale > 1)) {
    std::fprintf(stderr, "the library and the plain loop differ by %g of %g\n", worst, scale);
    return 1;
  }

  std::uint64_t digest = 0xcbf29ce484222325U;
  for (const float value : y) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    digest = (digest ^ bits) * 0x100000001b3U;
  }
  std::printf("%016llx\n", static_cast<unsigned long long>(digest));
  return 0;
}
