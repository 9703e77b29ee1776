// Packing by ranges of columns: the bytes that whole matrices give, whatever the ranges, and what is refused.
#if defined(__linux__)
#include <malloc.h>
#endif

#include <algorithm>
#include <cstring>
#include <string>
#include <thread>

#include "kernels/call/ffn_access.hpp"
#include "kernels/element_types/bf16.hpp"
#include "kernels/element_types/f16.hpp"
#include "tests/kernels/support.hpp"

namespace sluice::tests {
namespace {

// Fresh memory is filled with other bytes from now on, so that a byte that packing leaves out differs.
void expect_other_bytes_in_fresh_memory([[maybe_unused]] int byte) {
#if defined(__GLIBC__)
  mallopt(M_PERTURB, byte);
#endif
}

// How the columns of a matrix are given.
struct Form {
  Order order = Order::out_in;
  WeightType type = WeightType::f32;
  BlockFormat blocks = BlockFormat::none;
  std::size_t depth = 1;  // elements of a block
  std::size_t bytes = 4;  // of a block, or of an element
  std::size_t gap = 0;    // blocks or elements behind each line
};

const std::vector<Form> plain_forms{{Order::in_out},
                                    {Order::out_in},
                                    {Order::in_out, WeightType::bf16, BlockFormat::none, 1, 2, 3},
                                    {Order::out_in, WeightType::f16, BlockFormat::none, 1, 2, 5}};
const std::vector<Form> block_forms{{Order::out_in, WeightType::f32, BlockFormat::q8_0, 32, 34},
                                    {Order::out_in, WeightType::f32, BlockFormat::q4_0, 32, 18, 1},
                                    {Order::out_in, WeightType::f32, BlockFormat::mxfp4, 32, 17},
                                    {Order::out_in, WeightType::f32, BlockFormat::q4_1, 32, 20, 2},
                                    {Order::out_in, WeightType::f32, BlockFormat::q4_k, 256, 144},
                                    {Order::out_in, WeightType::f32, BlockFormat::q6_k, 256, 210}};

// A matrix of [in, out] with a bias, and views of its columns in memory that holds nothing else.
class GivenMatrix {
 public:
  GivenMatrix(std::size_t in, std::size_t out, const Form& form, tuner::Random& random)
      : form_(form), in_(in / form.depth), out_(out), bias_(out) {
    const bool rows = form.order == Order::in_out;
    ld_ = (rows ? out_ : in_) + form.gap;
    stored_.resize(ld_ * (rows ? in_ : out_) * form.bytes);
    if (form.blocks != BlockFormat::none) {
      for (std::byte& byte : stored_) byte = static_cast<std::byte>(random.between(0, 255));
    } else {
      for (std::size_t at = 0; at < stored_.size(); at += form.bytes) store(&stored_[at], random.value(1));
    }
    for (float& value : bias_) value = random.value(1);
  }

  [[nodiscard]] std::size_t columns() const { return out_; }
  [[nodiscard]] Matrix whole() const {
    return {stored_.data(), form_.order, ld_ * form_.depth, form_.type, form_.blocks};
  }
  [[nodiscard]] const float* bias(std::size_t first = 0) const { return bias_.data() + first; }

  // Copies the columns into `memory` and views them there.
  [[nodiscard]] Matrix copied(std::size_t first, std::size_t count, std::vector<std::byte>& memory) const {
    const bool rows = form_.order == Order::in_out;
    const std::size_t line = (rows ? count : in_) * form_.bytes;
    const std::size_t lines = rows ? in_ : count;
    memory.resize(line * lines);
    for (std::size_t i = 0; i < lines; ++i)
      std::memcpy(&memory[i * line], &stored_[(rows ? i * ld_ + first : (first + i) * ld_) * form_.bytes], line);
    return {memory.data(), form_.order, 0, form_.type, form_.blocks};
  }

 private:
  void store(std::byte* at, float value) const {
    if (form_.type == WeightType::f32) return static_cast<void>(std::memcpy(at, &value, sizeof value));
    const std::uint16_t half = form_.type == WeightType::bf16 ? detail::Bf16::round(value) : detail::F16::round(value);
    std::memcpy(at, &half, sizeof half);
  }

  Form form_;
  std::size_t in_;  // in blocks
  std::size_t out_;
  std::size_t ld_;  // in blocks
  std::vector<std::byte> stored_;
  std::vector<float> bias_;
};

struct ColumnRange {
  Role role;
  std::size_t first;
  std::size_t count;
};

struct GivenFfn {
  Shape shape;
  GivenMatrix gate, up, down;

  GivenFfn(Shape extents, const Form& of_gate, const Form& of_up, const Form& of_down, tuner::Random& random)
      : shape(extents),
        gate(extents.d_model, extents.d_ff, of_gate, random),
        up(extents.d_model, extents.d_ff, of_up, random),
        down(extents.d_ff, extents.d_model, of_down, random) {}
  GivenFfn(Shape extents, const Form& form, tuner::Random& random) : GivenFfn(extents, form, form, form, random) {}

  [[nodiscard]] const GivenMatrix& of(Role role) const {
    return role == Role::gate ? gate : role == Role::up ? up : down;
  }
  [[nodiscard]] Weights whole(bool gated, bool biases) const {
    Weights weights{{}, up.whole(), down.whole()};
    if (gated) weights.gate = gate.whole();
    if (biases && gated) weights.gate_bias = gate.bias();
    if (biases) weights.up_bias = up.bias();
    if (biases) weights.down_bias = down.bias();
    return weights;
  }
  Status pack(FfnPacker& packer, const ColumnRange& range) const {
    std::vector<std::byte> memory;
    const Matrix view = of(range.role).copied(range.first, range.count, memory);
    return packer.pack(range.role, range.first, range.count, view);
  }
  // Ranges of at most `most` columns that together are all, in any order.
  [[nodiscard]] std::vector<ColumnRange> ranges(bool gated, std::size_t most, tuner::Random& random) const {
    std::vector<ColumnRange> result;
    for (const Role role : {Role::gate, Role::up, Role::down}) {
      if (role == Role::gate && !gated) continue;
      for (std::size_t first = 0; first < of(role).columns();) {
        const std::size_t count = std::min<std::size_t>(random.between(1, most), of(role).columns() - first);
        result.push_back({role, first, count});
        first += count;
      }
    }
    for (std::size_t i = result.size(); i > 1; --i) std::swap(result[i - 1], result[random.between(0, i - 1)]);
    return result;
  }
};

bool same_bytes(const Ffn& a, const Ffn& b) {
  const auto one = std::as_bytes(FfnAccess::packed_memory(a));
  const auto other = std::as_bytes(FfnAccess::packed_memory(b));
  return std::ranges::equal(one, other);
}

// Packs the whole matrices and the ranges, and compares all bytes.
void expect_the_bytes_of_the_whole(const GivenFfn& given, Kind kind, const PackOptions& options, std::size_t most,
                                   bool biases, tuner::Random& random) {
  expect_other_bytes_in_fresh_memory(0x5a);
  const Result<Ffn> whole = Ffn::pack(given.shape, kind, given.whole(kind.gated, biases), options);
  ASSERT_TRUE(whole.ok()) << whole.status().message();
  expect_other_bytes_in_fresh_memory(0xa6);
  Result<FfnPacker> packer = FfnPacker::create(given.shape, kind, options);
  ASSERT_TRUE(packer.ok()) << packer.status().message();
  for (const ColumnRange& range : given.ranges(kind.gated, most, random)) {
    if (biases && range.first % 2 == 0) {
      const Status status =
          packer->pack_bias(range.role, range.first, range.count, given.of(range.role).bias(range.first));
      ASSERT_TRUE(status.ok()) << status.message();
    }
    const Status status = given.pack(*packer, range);
    ASSERT_TRUE(status.ok()) << status.message();
    if (biases && range.first % 2 == 1) {
      ASSERT_TRUE(packer->pack_bias(range.role, range.first, range.count, given.of(range.role).bias(range.first)).ok());
    }
  }
  const Result<Ffn> ffn = packer->finish();
  ASSERT_TRUE(ffn.ok()) << ffn.status().message();
  EXPECT_EQ(ffn->kind(), kind);
  EXPECT_EQ(ffn->shape(), given.shape);
  EXPECT_TRUE(same_bytes(*ffn, *whole)) << kind_name(kind) << " nr " << ffn->nr() << " ranges of " << most
                                        << (biases ? " with biases" : "");
}

// Each type of weights, and each arithmetic that has panels of its own.
std::vector<Kind> packed_kinds() {
  std::vector<Kind> result;
  for (const WeightType type : all_weight_types())
    for (const Arithmetic arithmetic : {Arithmetic::f32, Arithmetic::bf16})
      for (const bool gated : {true, false})
        if (offered(type, arithmetic))
          result.push_back({gated ? Activation::silu : Activation::relu, gated, type, arithmetic});
  return result;
}

class ColumnRanges : public PerIsa {};

TEST_P(ColumnRanges, GiveTheBytesOfWholeMatrices) {
  tuner::Random random(11);
  std::vector<GivenFfn> all_given;
  for (const Shape shape : {Shape{131, 75}, Shape{1, 1}, Shape{33, 200}})
    for (std::size_t i = 0; i < plain_forms.size(); ++i)
      all_given.emplace_back(shape, plain_forms[i], plain_forms[(i + 1) % plain_forms.size()],
                             plain_forms[(i + 2) % plain_forms.size()], random);
  std::size_t turn = 0;
  for (const Kind kind : packed_kinds()) {
    if (brief && spared(kind.weights, kind.arithmetic)) continue;
    std::vector<std::uint32_t> widths;
    for (const RegisterTile& tile : register_tiles(GetParam())) widths.push_back(tile.nr);
    std::ranges::sort(widths);
    widths.erase(std::unique(widths.begin(), widths.end()), widths.end());
    for (const std::uint32_t nr : widths)
      for (const GivenFfn& given : all_given) {
        PackOptions options = pack_options(GetParam(), nr);
        options.scales = ++turn % 3 == 0 ? ScaleChoice::least_squares : ScaleChoice::absmax;
        if (brief && turn % 4 != 0) continue;
        expect_the_bytes_of_the_whole(given, kind, options, turn % 2 == 0 ? 7 : 90, turn % 5 < 3, random);
        if (HasFatalFailure()) return;
      }
  }
}

TEST_P(ColumnRanges, OfBlocksGiveTheBytesOfWholeMatrices) {
  tuner::Random random(12);
  for (const Form& form : block_forms) {
    const GivenFfn given({256, brief ? std::size_t{256} : std::size_t{512}}, form, random);
    for (const WeightType type : all_weight_types()) {
      const Arithmetic arithmetic = type == WeightType::bf16 ? Arithmetic::bf16 : Arithmetic::f32;
      if ((brief && spared(type, arithmetic)) || type.group == 64 || type.group == 128) continue;
      PackOptions options = pack_options(GetParam());
      expect_the_bytes_of_the_whole(given, {Activation::silu, true, type, arithmetic}, options, 50, false, random);
      if (HasFatalFailure()) return;
    }
  }
}

// Columns of one panel at the same time: each thread has every third range.
TEST_P(ColumnRanges, AreIndependentOfEachOther) {
  tuner::Random random(13);
  const GivenFfn given({70, 90}, plain_forms[1], random);
  for (const Kind kind : packed_kinds()) {
    if (brief && (!kind.gated || spared(kind.weights, kind.arithmetic))) continue;
    const Result<Ffn> whole = Ffn::pack(given.shape, kind, given.whole(kind.gated, true), pack_options(GetParam()));
    ASSERT_TRUE(whole.ok()) << whole.status().message();
    Result<FfnPacker> packer = FfnPacker::create(given.shape, kind, pack_options(GetParam()));
    ASSERT_TRUE(packer.ok()) << packer.status().message();
    const std::vector<ColumnRange> ranges = given.ranges(kind.gated, 3, random);
    std::vector<std::thread> threads;
    for (std::size_t thread = 0; thread < 3; ++thread)
      threads.emplace_back([&, thread] {
        for (std::size_t i = thread; i < ranges.size(); i += 3) {
          const ColumnRange& range = ranges[i];
          EXPECT_TRUE(given.pack(*packer, range).ok());
          EXPECT_TRUE(
              packer->pack_bias(range.role, range.first, range.count, given.of(range.role).bias(range.first)).ok());
        }
      });
    for (std::thread& thread : threads) thread.join();
    const Result<Ffn> ffn = packer->finish();
    ASSERT_TRUE(ffn.ok()) << ffn.status().message();
    EXPECT_TRUE(same_bytes(*ffn, *whole)) << kind_name(kind);
  }
}

// The second shape is copied by several threads.
TEST_P(ColumnRanges, ACopyHasTheSameBytesInMemoryOfItsOwn) {
  tuner::Random random(14);
  for (const Shape shape : {Shape{70, 90}, Shape{brief ? std::size_t{70} : std::size_t{1200}, 1300}}) {
    const GivenFfn given(shape, plain_forms[0], random);
    for (const Kind kind : {relu, swiglu, Kind{Activation::silu, true, WeightType::uint4(32), Arithmetic::int8},
                            Kind{Activation::silu, true, WeightType::bf16, Arithmetic::bf16}}) {
      const Result<Ffn> ffn = Ffn::pack(shape, kind, given.whole(kind.gated, true), pack_options(GetParam()));
      ASSERT_TRUE(ffn.ok()) << ffn.status().message();
      const Result<Ffn> copy = FfnAccess::copied(*ffn);
      ASSERT_TRUE(copy.ok()) << copy.status().message();
      EXPECT_TRUE(same_bytes(*copy, *ffn)) << kind_name(kind);
      EXPECT_NE(FfnAccess::packed_memory(*copy).data(), FfnAccess::packed_memory(*ffn).data());
      EXPECT_EQ(copy->kind(), kind);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isas, ColumnRanges, every_isa(), isa_name);

}  // namespace
}  // namespace sluice::tests
