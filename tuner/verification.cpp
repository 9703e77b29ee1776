// Owns: the seeded cases and what it takes for a kernel or a plan to be called right. See the header.
#include "tuner/verification.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <iterator>
#include <limits>

#include "sluice/reference.hpp"

namespace sluice::tuner {
namespace {

constexpr std::uint32_t one_nan = 0x7fc00000U;
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

std::uint32_t canonical_bits(float value) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return (bits & 0x7fffffffU) > 0x7f800000U ? one_nan : bits;
}

// Remainders: 1, 2, each register tile's height and its multiples ± 1 (5…17, 23…27, 39), primes.
constexpr std::size_t row_remainders[] = {1,  1,  1,  1,  2,  2,  3,  4,  5,  6,  7,  8,  9,  11, 12,
                                          13, 14, 15, 16, 17, 23, 24, 25, 26, 27, 29, 31, 37, 39, 53};
// Each panel width, its half (gate and up share a panel), both ± 1; the k unroll of 4 ± 1; primes; a k slice + 1.
constexpr std::size_t width_remainders[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  11, 12, 13, 15, 16,  17,
                                            23, 24, 25, 31, 32, 33, 47, 48, 49, 63, 64, 65, 67, 127, 131};
static_assert(std::size(row_remainders) == std::size(width_remainders));
constexpr std::size_t remainder_count = std::size(row_remainders);
// Strides through width_remainders; prime to its length, so that each dimension visits every remainder.
constexpr std::size_t model_stride = 7;
constexpr std::size_t feed_forward_stride = 11;
constexpr std::size_t brief_step = 5;
// Several blocks of everything, at extents that no tile divides.
constexpr Shape deep_shape{259, 521};
constexpr std::size_t deep_rows = 33;

std::size_t kind_index(Kind kind) noexcept {
  const std::span<const NamedKind> all = kinds();
  const auto found = std::find_if(all.begin(), all.end(), [kind](const NamedKind& row) { return row.kind == kind; });
  return static_cast<std::size_t>(found - all.begin());
}

// The largest power of two ≤ 1/√terms: a sum of so many products of values around 1 stays around 1, where activations
// are curved.
float unit_scale(std::size_t terms) noexcept {
  float scale = 1.0F;
  while (static_cast<double>(scale) * static_cast<double>(scale) * static_cast<double>(terms) > 1.0) {
    scale *= 0.5F;
  }
  return scale;
}

std::vector<float> random_rows(Random& random, std::size_t rows, std::size_t columns, std::size_t ld, float scale) {
  std::vector<float> values(rows * ld, not_a_number);
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; ++j) {
      values[i * ld + j] = random.value(scale);
    }
  }
  return values;
}

// What forward must not touch: the ends of y's rows.
bool padding_untouched(const Problem& problem, std::span<const float> y) noexcept {
  const std::size_t width = problem.definition().shape.d_model;
  for (std::size_t i = 0; i < problem.definition().m; ++i) {
    const std::size_t from = i * problem.ldy + width;
    const std::size_t bytes = (problem.ldy - width) * sizeof(float);
    if (bytes != 0 && std::memcmp(problem.y.data() + from, y.data() + from, bytes) != 0) {
      return false;
    }
  }
  return true;
}

PackOptions pack_options(Isa isa, PlanTable plans) {
  PackOptions options;
  options.isa = isa;
  options.plans = plans;
  // Not this machine's: a failure found on one machine is to be found again on another.
  options.caches = CacheSizes{};
  return options;
}

// The worst of all rows, or of three rows where the oracle would take seconds for each case.
double worst_of(const Problem& problem, std::span<const float> y) {
  const Case& one = problem.definition();
  const auto rows_from = [&](std::size_t first, std::size_t rows) {
    return worst_error_over_bound(Answer(problem, first, rows), y.subspan(first * problem.ldy), one.shape, rows,
                                  problem.ldy);
  };
  constexpr double all_rows_terms = 1e8;
  if (flops(one.kind, one.shape, one.m) < all_rows_terms) {
    return rows_from(0, one.m);
  }
  return std::max({rows_from(0, 1), rows_from(one.m / 2, 1), rows_from(one.m - 1, 1)});
}

}  // namespace

Random::Random(std::uint64_t seed) noexcept : state_{} {
  for (std::uint64_t& word : state_) {
    seed += 0x9e3779b97f4a7c15U;
    std::uint64_t mixed = seed;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebU;
    word = mixed ^ (mixed >> 31);
  }
}

std::uint64_t Random::next() noexcept {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

std::uint64_t Random::between(std::uint64_t low, std::uint64_t high) noexcept {
  // The upper 32 bits scaled to the range; its bias, at most range/2³², does not matter to a test.
  return low + (((next() >> 32) * (high - low + 1)) >> 32);
}

float Random::value(float scale) noexcept {
  const auto integer = static_cast<std::int32_t>(next() >> 40) - (1 << 23);
  return static_cast<float>(integer) * 0x1p-23F * scale;
}

std::string describe(const Case& one) {
  return std::string(name(one.kind)) + " " + std::to_string(one.shape.d_model) + "x" + std::to_string(one.shape.d_ff) +
         " M=" + std::to_string(one.m) + (one.order == Order::in_out ? " in_out" : " out_in") +
         (one.biases ? " biases" : "") + (one.padded ? " padded" : "") + (one.accumulate ? " accumulate" : "") +
         " seed=" + std::to_string(one.seed);
}

std::string describe(const Plan& plan) {
  const Tiling& tiling = plan.tiling;
  return "nr=" + std::to_string(tiling.nr) + " mr=" + std::to_string(tiling.mr) + " kc=" + std::to_string(tiling.kc) +
         " mc=" + std::to_string(tiling.mc) + " nc=" + std::to_string(tiling.nc) + " fc=" + std::to_string(tiling.fc) +
         " prefetch=" + std::to_string(tiling.prefetch) + (tiling.pack_x ? " pack_x " : " in-place ") +
         std::string(name(tiling.schedule)) + " threads=" + std::to_string(plan.threads);
}

std::vector<Case> standard_cases(Kind kind, Coverage coverage) {
  std::vector<Case> cases;
  const std::size_t kind_number = kind_index(kind);
  std::uint64_t seed = 1000 * (kind_number + 1);
  for (const bool biases : {false, true}) {
    for (const Order order : {Order::in_out, Order::out_in}) {
      // Another pairing of remainders for each combination.
      const std::size_t rotation = 4 * kind_number + (biases ? 2 : 0) + (order == Order::out_in ? 1 : 0);
      const std::size_t first = coverage == Coverage::brief ? rotation % brief_step : 0;
      for (std::size_t i = first; i < remainder_count; i += coverage == Coverage::brief ? brief_step : 1) {
        const Shape shape{width_remainders[(model_stride * i + rotation) % remainder_count],
                          width_remainders[(feed_forward_stride * i + 3 * rotation + 5) % remainder_count]};
        const bool padded = (i + rotation) % 2 == 1;
        const bool accumulate = (i + rotation) % 3 == 1;
        cases.push_back({kind, shape, row_remainders[i], biases, order, padded, accumulate, ++seed});
      }
    }
  }
  cases.push_back({kind, deep_shape, deep_rows, true, Order::in_out, true, false, ++seed});
  return cases;
}

Problem::Problem(const Case& one) : case_(one) {
  Random random(one.seed);
  const auto [d_model, d_ff] = one.shape;
  const std::size_t padding = one.padded ? 3 : 0;
  const bool in_out = one.order == Order::in_out;
  const std::size_t up_rows = in_out ? d_model : d_ff;
  const std::size_t up_columns = in_out ? d_ff : d_model;
  up_ld = up_columns + padding;
  down_ld = up_rows + padding;
  ldx = d_model + padding;
  ldy = d_model + 2 * padding;
  const float up_scale = unit_scale(d_model);
  const float down_scale = unit_scale(d_ff);
  if (one.kind.gated) {
    gate = random_rows(random, up_rows, up_columns, up_ld, 2 * up_scale);
  }
  up = random_rows(random, up_rows, up_columns, up_ld, 2 * up_scale);
  down = random_rows(random, up_columns, up_rows, down_ld, down_scale);
  if (one.biases) {
    gate_bias = random_rows(random, 1, one.kind.gated ? d_ff : 0, one.kind.gated ? d_ff : 0, 1.0F);
    up_bias = random_rows(random, 1, d_ff, d_ff, 1.0F);
    down_bias = random_rows(random, 1, d_model, d_model, 1.0F);
  }
  x = random_rows(random, one.m, d_model, ldx, 2.0F);
  y = random_rows(random, one.m, d_model, ldy, 1.0F);
}

Weights Problem::weights() const noexcept {
  const auto bias = [](const std::vector<float>& values) { return values.empty() ? nullptr : values.data(); };
  Weights result;
  if (case_.kind.gated) {
    result.gate = {gate.data(), case_.order, up_ld};
  }
  result.up = {up.data(), case_.order, up_ld};
  result.down = {down.data(), case_.order, down_ld};
  result.gate_bias = bias(gate_bias);
  result.up_bias = bias(up_bias);
  result.down_bias = bias(down_bias);
  return result;
}

Answer::Answer(const Problem& problem, std::size_t first_row, std::size_t rows) {
  const Case& one = problem.definition();
  const std::size_t width = one.shape.d_model;
  y.resize(rows * width);
  bound.resize(rows * width);
  std::vector<float> start;
  if (one.accumulate) {
    for (std::size_t i = first_row; i < first_row + rows; ++i) {
      const float* row = problem.y.data() + i * problem.ldy;
      start.insert(start.end(), row, row + width);
    }
  }
  reference_forward(one.shape, one.kind, problem.weights(), problem.x.data() + first_row * problem.ldx, rows,
                    problem.ldx, y, bound, one.accumulate ? start.data() : nullptr);
}

double worst_error_over_bound(const Answer& answer, std::span<const float> y, Shape shape, std::size_t m,
                              std::size_t ldy) {
  double worst = 0;
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = 0; j < shape.d_model; ++j) {
      const std::size_t at = i * shape.d_model + j;
      const double error = std::abs(static_cast<double>(y[i * ldy + j]) - answer.y[at]);
      if (error == 0) {
        continue;
      }
      const double ratio = error / answer.bound[at];
      worst = std::isnan(ratio) ? infinity : std::max(worst, ratio);
    }
  }
  return worst;
}

bool equal_bits(std::span<const float> a, std::span<const float> b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](float left, float right) { return canonical_bits(left) == canonical_bits(right); });
}

void Digest::add(std::span<const float> values) noexcept {
  for (const float value : values) {
    const std::uint32_t bits = canonical_bits(value);
    for (int shift = 0; shift < 32; shift += 8) {
      state_ = (state_ ^ ((bits >> shift) & 0xffU)) * 0x100000001b3U;
    }
  }
}

Result<std::vector<float>> solve(const Ffn& ffn, const Problem& problem, const Plan* plan, Executor* executor) {
  const Case& one = problem.definition();
  const std::uint32_t threads = executor != nullptr ? executor->max_threads() : 0;
  const Result<std::size_t> size =
      plan != nullptr ? ffn.workspace_size(one.m, *plan) : ffn.workspace_size(one.m, threads);
  if (!size) {
    return size.status();
  }
  // Floats, so that it can be filled with NaN.
  std::vector<float> memory(*size / sizeof(float) + 1, not_a_number);
  const Workspace workspace(memory.data(), *size);
  std::vector<float> y = problem.y;
  ForwardOptions options;
  options.ldx = problem.ldx;
  options.ldy = problem.ldy;
  options.executor = executor;
  options.plan = plan;
  options.accumulate = one.accumulate;
  const Status status = ffn.forward(problem.x.data(), one.m, y.data(), workspace, options);
  if (!status.ok()) {
    return status;
  }
  return y;
}

Plan random_plan(Random& random, Isa isa, Kind kind, std::uint32_t nr, std::uint32_t max_threads) {
  const std::span<const RegisterTile> tiles = register_tiles(isa);
  const auto tile = std::find_if(tiles.begin(), tiles.end(), [nr](const RegisterTile& one) { return one.nr == nr; });
  if (tile == tiles.end()) {
    return analytical_plan(CacheSizes{}, isa, kind, {1, 1}, 1, max_threads, nr);
  }
  const auto draw = [&random](std::uint64_t low, std::uint64_t high) {
    return static_cast<std::uint32_t>(random.between(low, high));
  };
  Plan plan;
  Tiling& tiling = plan.tiling;
  tiling.nr = nr;
  tiling.mr = draw(1, tile->max_mr);
  tiling.kc = draw(1, 70);
  tiling.mc = draw(1, 40);
  tiling.nc = nr * draw(1, 4);
  tiling.fc = nr * draw(1, 4);
  tiling.prefetch = 512 * draw(0, 4);
  tiling.pack_x = draw(0, 1) == 1;
  tiling.schedule = draw(0, 1) == 1 ? Schedule::split_columns : Schedule::split_rows;
  plan.threads = draw(1, max_threads);
  return plan;
}

Result<KernelVerdict> verify(Isa isa, Kind kind, const VerifyOptions& options) {
  return verify(isa, kind, standard_cases(kind, options.coverage), options);
}

Result<KernelVerdict> verify(Isa isa, Kind kind, std::span<const Case> cases, const VerifyOptions& options) {
  KernelVerdict verdict;
  verdict.isa = isa;
  verdict.kind = kind;
  verdict.kernel = std::string(name(isa)) + "/" + std::string(name(kind));
  const auto fail = [&verdict](const Case& one, const std::string& what) {
    if (verdict.failure.empty()) {
      verdict.failure = describe(one) + ": " + what;
    }
  };
  ThreadPool pool(options.threads);
  Digest digest;
  for (const Case& one : cases) {
    const Problem problem(one);
    const Result<Ffn> ffn = options.pack(one.shape, kind, problem.weights(), pack_options(isa, options.plans));
    if (!ffn) {
      return ffn.status();
    }
    const Plan chosen = ffn->plan(one.m, pool.max_threads()).plan;
    const Result<std::vector<float>> y = solve(*ffn, problem, &chosen, &pool);
    if (!y) {
      return y.status();
    }
    Random random(one.seed);
    const Plan other = random_plan(random, isa, kind, ffn->nr(), pool.max_threads());
    const Result<std::vector<float>> again = solve(*ffn, problem, &other, &pool);
    if (!again) {
      return again.status();
    }
    ++verdict.cases;

    const double worst = worst_of(problem, *y);
    verdict.worst_error_over_bound = std::max(verdict.worst_error_over_bound, worst);
    if (!(worst <= 1.0)) {
      fail(one, "the error is " + std::to_string(worst) + " times the bound");
    }
    if (!equal_bits(*y, *again)) {
      fail(one, "the plan " + describe(other) + " changes the bits of the result");
    }
    if (!padding_untouched(problem, *y) || !padding_untouched(problem, *again)) {
      fail(one, "the padding of y was written");
    }
    for (std::size_t i = 0; i < one.m; ++i) {
      digest.add(std::span(*y).subspan(i * problem.ldy, one.shape.d_model));
    }
  }
  verdict.digest = digest.value();
  verdict.passed = verdict.cases > 0 && verdict.failure.empty();
  return verdict;
}

PlanVerification::PlanVerification(const Ffn& ffn, const Weights& weights, std::vector<float> x, std::size_t m)
    : ffn_(ffn), m_(m), x_(std::move(x)), expected_(m * ffn.shape().d_model), actual_(expected_.size()) {
  const Shape shape = ffn.shape();
  status_ = run(analytical_plan(CacheSizes{}, ffn.isa(), ffn.kind(), shape, m, 1, ffn.nr()), nullptr, expected_);
  if (!status_.ok() || m == 0) {
    return;
  }
  // The first and the last row stand in different tiles. An oracle of all rows would cost more than the tuning.
  for (const std::size_t row : {std::size_t{0}, m - 1}) {
    Answer answer;
    answer.y.resize(shape.d_model);
    answer.bound.resize(shape.d_model);
    reference_forward(shape, ffn.kind(), weights, x_.data() + row * shape.d_model, 1, 0, answer.y, answer.bound);
    const std::span<const float> y = std::span(expected_).subspan(row * shape.d_model, shape.d_model);
    worst_ = std::max(worst_, sluice::tuner::worst_error_over_bound(answer, y, shape, 1, shape.d_model));
  }
  if (!(worst_ <= 1.0)) {
    status_ = Status::error(Code::unsupported,
                            "%s/%s at M = %zu errs by %.3g times the bound on this machine; expected at most 1; "
                            "choose another --isa and report it",
                            name(ffn.isa()).data(), name(ffn.kind()).data(), m, worst_);
  }
}

Status PlanVerification::run(const Plan& plan, Executor* executor, std::vector<float>& y) const {
  const Result<std::size_t> size = ffn_.workspace_size(m_, plan);
  if (!size) {
    return size.status();
  }
  const Workspace workspace(*size);
  if (workspace.data() != nullptr) {
    std::memset(workspace.data(), 0xff, workspace.size());  // NaN in every float
  }
  ForwardOptions options;
  options.executor = executor;
  options.plan = &plan;
  return ffn_.forward(x_.data(), m_, y.data(), workspace, options);
}

Status PlanVerification::verify(const Plan& plan, Executor* executor) {
  if (!status_.ok()) {
    return status_;
  }
  std::fill(actual_.begin(), actual_.end(), not_a_number);
  const Status status = run(plan, executor, actual_);
  if (!status.ok()) {
    return status;
  }
  if (!equal_bits(expected_, actual_)) {
    return Status::error(Code::unsupported,
                         "the plan %s changes the bits of the result; expected equality with the "
                         "analytical plan; discard it and report it",
                         describe(plan).c_str());
  }
  return {};
}

bool verify_plan(const Ffn& ffn, const Weights& weights, const Plan& plan, std::size_t m, Executor* executor) {
  Random random(m);
  PlanVerification verification(ffn, weights, random_rows(random, m, ffn.shape().d_model, ffn.shape().d_model, 1.0F),
                                m);
  return verification.verify(plan, executor).ok();
}

}  // namespace sluice::tuner
