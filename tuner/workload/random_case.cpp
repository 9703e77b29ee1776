#include "tuner/workload/random_case.hpp"

#include <algorithm>
#include <iterator>

#include "tuner/base/fnv1a.hpp"
#include "tuner/workload/verification.hpp"

namespace sluice::tuner {
namespace {

constexpr std::size_t primes[] = {2,  3,  5,  7,  11, 13, 17, 19, 23,  29,  31,  37,
                                  41, 43, 47, 53, 61, 67, 71, 97, 113, 131, 151, 211};
// The oracle takes a few nanoseconds for each of M·d_model·d_ff.
constexpr std::size_t most_products = std::size_t{1} << 20U;

class Draw {
 public:
  explicit Draw(std::uint64_t seed) noexcept : random_(seed) {}

  std::size_t number(std::size_t low, std::size_t high) noexcept {
    return static_cast<std::size_t>(random_.between(low, high));
  }
  bool one_in(std::size_t count) noexcept { return number(1, count) == 1; }
  template <class List>
  auto one_of(const List& list) noexcept {
    return std::begin(list)[static_cast<std::ptrdiff_t>(number(0, std::size(list) - 1))];
  }
  // Just below, at or above a multiple of `unit`.
  std::size_t near_multiple(std::size_t unit, std::size_t most) noexcept {
    return unit * number(1, most) + number(0, 2) - 1;
  }
  // A d_model or a d_ff: panels are 8 to 64 wide, or half of that for gate and up, groups are 32 to 128 long.
  std::size_t width() noexcept {
    switch (number(0, 9)) {
      case 0:
        return 1;
      case 1:
      case 2:
        return number(2, 40);
      case 3:
      case 4:
        return near_multiple(8, 17);
      case 5:
        return one_of(primes);
      case 6:
      case 7:
        return 32 * number(1, 6);  // whole groups and blocks
      case 8:
        return near_multiple(128, 3);
      default:
        return number(1, 300);
    }
  }
  // Register tiles are up to 14 rows tall, those of AMX 16 or 32.
  std::size_t rows() noexcept {
    switch (number(0, 5)) {
      case 0:
        return 1;
      case 1:
        return number(2, 5);
      case 2:
        return near_multiple(one_of(std::initializer_list<std::size_t>{4, 6, 12, 13, 14, 16}), 4);
      case 3:
        return one_of(primes);
      default:
        return number(1, 70);
    }
  }
  std::size_t padding() noexcept { return one_in(2) ? 0 : number(1, 19); }

  MatrixForm matrix(WeightType packed, std::size_t in, std::size_t out) noexcept {
    MatrixForm form;
    form.order = one_in(2) ? Order::in_out : Order::out_in;
    if (packed.element == ElementType::uint4 && in % 8 == 0 && out % 8 == 0 && one_in(2)) {
      form.blocks =
          one_of(std::initializer_list<BlockFormat>{BlockFormat::gptq, BlockFormat::gptq_v2, BlockFormat::awq});
      form.order = Order::in_out;
      form.ld = out + 8 * number(0, 2);
      return form;
    }
    const bool has_blocks =
        packed == WeightType::int8(32) || packed == WeightType::int4(32) || packed == WeightType::mxfp4;
    if (has_blocks && in % 32 == 0 && one_in(2)) {  // of the same elements and scales, so nothing is lost
      form.blocks = packed == WeightType::mxfp4           ? BlockFormat::mxfp4
                    : packed.element == ElementType::int8 ? BlockFormat::q8_0
                                                          : BlockFormat::q4_0;
      form.order = Order::out_in;
      form.ld = in + 32 * number(0, 2);
      return form;
    }
    form.type =
        one_of(std::initializer_list<WeightType>{WeightType::f32, WeightType::f32, WeightType::bf16, WeightType::f16});
    form.ld = (form.order == Order::in_out ? out : in) + padding();
    return form;
  }

  Random& random() noexcept { return random_; }

 private:
  Random random_;
};

void add_number(Fnv1a& hash, std::uint64_t value) noexcept {
  for (int shift = 0; shift < 64; shift += 8) hash.add(static_cast<unsigned char>(value >> shift));
}

}  // namespace

Problem problem_of(const RandomCase& one) {
  return Problem({one.kind, one.shape, one.m, false, Order::in_out, false, one.accumulate, one.seed}, one.forms);
}

RandomCase draw_problem(std::uint64_t seed, std::size_t index, std::span<const Kind> functions, WeightType weights,
                        Arithmetic arithmetic) {
  Fnv1a hash;
  add_number(hash, seed);
  add_number(hash, index);
  hash.add(name(weights));
  hash.add(name(arithmetic));
  Draw draw(hash.value());
  RandomCase one;
  const Kind function = draw.one_of(functions);
  one.kind = {function.activation, function.gated, weights, arithmetic};
  const std::size_t d_model = draw.width();
  const std::size_t d_ff = draw.width();
  one.shape = {d_model, d_ff};
  one.m = std::clamp<std::size_t>(draw.rows(), 1, std::max<std::size_t>(1, most_products / (d_model * d_ff)));
  Forms& forms = one.forms;
  if (function.gated) forms.gate = draw.matrix(weights, d_model, d_ff);
  forms.up = draw.matrix(weights, d_model, d_ff);
  forms.down = draw.matrix(weights, d_ff, d_model);
  forms.gate_bias = function.gated && draw.one_in(2);
  forms.up_bias = draw.one_in(2);
  forms.down_bias = draw.one_in(2);
  forms.ldx = draw.one_in(5) ? draw.number(1, d_model) : d_model + draw.padding();
  forms.ldy = d_model + draw.padding();
  one.accumulate = draw.one_in(3);
  one.seed = draw.random().next();
  if (weights.group != 0 && draw.one_in(4)) forms.scales = ScaleChoice::least_squares;
  return one;
}

void draw_plan(RandomCase& one, Isa isa, std::uint32_t max_threads) {
  one.isa = isa;
  Draw draw(one.seed + 1 + static_cast<std::uint64_t>(isa));
  const RegisterTile tile = draw.one_of(register_tiles(isa));
  const auto number = [&draw](std::size_t low, std::size_t high) {
    return static_cast<std::uint32_t>(draw.number(low, high));
  };
  if (draw.one_in(4)) {
    one.plan = analytical_plan(CacheSizes{}, isa, one.kind, one.shape, one.m, max_threads, tile.nr);
    return;
  }
  one.plan = random_plan(draw.random(), isa, one.kind, tile.nr, max_threads);
  Tiling& tiling = one.plan.tiling;
  // random_plan() has many blocks in a small problem. Some should be of whole tiles and of several groups, with many
  // panels side by side.
  if (draw.one_in(3)) tiling.mr = tile.max_mr;
  if (draw.one_in(3)) tiling.kc = number(1, 600);
  if (draw.one_in(3)) tiling.nc = tile.nr * number(1, 9);
  if (draw.one_in(3)) tiling.fc = tile.nr * number(1, 9);
}

}  // namespace sluice::tuner
