// The contract of FfnPacker: what is refused and leaves everything as it was, what is missing, what an example gives.
#include "sluice/ffn_packer.hpp"

#include <string>

#include "kernels/call/ffn_access.hpp"
#include "tests/kernels/support.hpp"

namespace sluice::tests {
namespace {

constexpr Shape packer_shape{40, 70};

// gate, up and down as dense [out, in] arrays, and packers of them.
struct DenseWeights {
  std::vector<float> gate = values(1);
  std::vector<float> up = values(2);
  std::vector<float> down = values(3);

  static std::vector<float> values(std::uint64_t seed) {
    tuner::Random random(seed);
    std::vector<float> result(packer_shape.d_model * packer_shape.d_ff);
    for (float& value : result) value = random.value(1);
    return result;
  }
  [[nodiscard]] Matrix from(Role role, std::size_t first) const {
    const std::vector<float>& array = role == Role::gate ? gate : role == Role::up ? up : down;
    const std::size_t in = role == Role::down ? packer_shape.d_ff : packer_shape.d_model;
    return {array.data() + first * in, Order::out_in};
  }
  [[nodiscard]] Weights whole() const { return {from(Role::gate, 0), from(Role::up, 0), from(Role::down, 0)}; }
  static std::size_t columns(Role role) { return role == Role::down ? packer_shape.d_model : packer_shape.d_ff; }
};

constexpr Role all_roles[] = {Role::gate, Role::up, Role::down};

bool packed_alike(const Ffn& a, const Ffn& b) {
  return tuner::equal_bits(FfnAccess::packed_memory(a), FfnAccess::packed_memory(b));
}

TEST(FfnPacker, RefusesAsPackDoesBeforeThereAreMatrices) {
  const auto refusal = [](Shape shape, Kind kind, const PackOptions& options = {}) {
    const Result<FfnPacker> packer = FfnPacker::create(shape, kind, options);
    EXPECT_FALSE(packer.ok());
    EXPECT_NE(std::string(packer.status().message()), "");
    return packer.status().code();
  };
  EXPECT_EQ(refusal({0, 4}, swiglu), Code::invalid_argument);
  EXPECT_EQ(refusal({4, 0}, swiglu), Code::invalid_argument);
  EXPECT_EQ(refusal({4, 4}, {Activation::sigmoid, false}), Code::invalid_argument);
  EXPECT_EQ(refusal({4, 4}, {Activation::silu, true, {ElementType::int8, 33}}), Code::invalid_argument);
  EXPECT_EQ(refusal({4, 4}, {Activation::silu, true, WeightType::f32, Arithmetic::int8}), Code::invalid_argument);
  EXPECT_EQ(refusal({4, 4}, swiglu, {.scales = static_cast<ScaleChoice>(9)}), Code::invalid_argument);
  EXPECT_EQ(refusal({4, 4}, swiglu, pack_options(Isa::scalar, 7)), Code::invalid_argument);
  EXPECT_EQ(refusal({SIZE_MAX, SIZE_MAX}, swiglu), Code::too_large);
  EXPECT_EQ(refusal({SIZE_MAX / 64, 8}, relu), Code::too_large);
  for (const Isa isa : all_isas())
    if (!runnable(isa)) {
      EXPECT_EQ(refusal({4, 4}, swiglu, pack_options(isa)), Code::unsupported);
    }
}

TEST(FfnPacker, WhatIsRefusedChangesNothing) {
  const DenseWeights weights;
  const std::vector<float> other(packer_shape.d_model * packer_shape.d_ff, 7.0F);
  Result<FfnPacker> packer = FfnPacker::create(packer_shape, swiglu);
  ASSERT_TRUE(packer.ok()) << packer.status().message();
  for (const Role role : all_roles)
    ASSERT_TRUE(packer->pack(role, 0, DenseWeights::columns(role), weights.from(role, 0)).ok());
  const Matrix good{other.data()};
  const auto refusal = [&](Role role, std::size_t first, std::size_t count, const Matrix& matrix) {
    const Status status = packer->pack(role, first, count, matrix);
    EXPECT_NE(status.code(), Code::ok);
    return std::string(status.message());
  };
  const auto says = [](const std::string& message, const char* what) {
    EXPECT_NE(message.find(what), std::string::npos) << message;
  };
  says(refusal(Role::gate, 16, 16, {}), "gate[16, 32) is null; expected a [40, 16] matrix");
  says(refusal(Role::gate, 70, 1, good), "first = 70 and count = 1; gate has 70 columns");
  says(refusal(Role::up, 69, 2, good), "first = 69 and count = 2; up has 70 columns");
  says(refusal(Role::down, 0, 41, good), "down has 40 columns");
  says(refusal(Role::down, 41, 0, good), "down has 40 columns");
  says(refusal(Role::up, 2, SIZE_MAX, good), "up has 70 columns");
  says(refusal(Role::up, SIZE_MAX, 2, good), "up has 70 columns");
  says(refusal(static_cast<Role>(3), 0, 1, good), "role = 3; expected Role::gate, up or down");
  says(refusal(Role::up, 0, 8, {other.data(), Order::in_out, 7}), "up[0, 8).ld = 7");
  says(refusal(Role::down, 0, 8, {other.data(), Order::out_in, 69}), "down[0, 8).ld = 69");
  says(refusal(Role::up, 0, 8, {other.data(), Order::in_out, SIZE_MAX / 8}), "overflows");
  says(refusal(Role::up, 0, 8, {other.data(), static_cast<Order>(5)}), "up[0, 8).order = 5");
  says(refusal(Role::up, 0, 8, {other.data(), Order::in_out, 0, WeightType::int8(32)}), "up[0, 8).type");
  says(refusal(Role::up, 0, 8, {other.data(), Order::out_in, 0, WeightType::f32, BlockFormat::q8_0}), "40 inputs");
  says(packer->pack_bias(Role::up, 0, 8, nullptr).message(), "biases of up[0, 8) are null");
  says(packer->pack_bias(Role::down, 40, 1, other.data()).message(), "first = 40 and count = 1");
  EXPECT_TRUE(packer->pack(Role::up, 70, 0, {}).ok()) << "no columns";
  EXPECT_TRUE(packer->pack_bias(Role::up, 3, 0, nullptr).ok()) << "no columns";

  const Result<Ffn> ffn = packer->finish();
  const Result<Ffn> whole = Ffn::pack(packer_shape, swiglu, weights.whole());
  ASSERT_TRUE(ffn.ok() && whole.ok()) << ffn.status().message() << whole.status().message();
  EXPECT_TRUE(packed_alike(*ffn, *whole));

  says(refusal(Role::gate, 0, 1, good), "the packer is empty");
  says(packer->pack_bias(Role::gate, 0, 1, other.data()).message(), "the packer is empty");
  says(packer->finish().status().message(), "the packer is empty");
  EXPECT_TRUE(packed_alike(*ffn, *whole));
}

TEST(FfnPacker, PlainKindsHaveNoGate) {
  const DenseWeights weights;
  Result<FfnPacker> packer = FfnPacker::create(packer_shape, relu);
  ASSERT_TRUE(packer.ok()) << packer.status().message();
  const Status status = packer->pack(Role::gate, 0, 1, weights.from(Role::gate, 0));
  EXPECT_EQ(std::string(status.message()), "pack: role = gate, but relu is plain; its matrices are up and down");
  ASSERT_TRUE(packer->pack(Role::up, 0, 70, weights.from(Role::up, 0)).ok());
  ASSERT_TRUE(packer->pack(Role::down, 0, 40, weights.from(Role::down, 0)).ok());
  EXPECT_TRUE(packer->finish().ok());
}

TEST(FfnPacker, AMissingColumnIsFoundAndCanBePackedThen) {
  const DenseWeights weights;
  const Result<Ffn> whole = Ffn::pack(packer_shape, swiglu, weights.whole());
  ASSERT_TRUE(whole.ok()) << whole.status().message();
  for (const Role missing : all_roles) {
    const std::size_t columns = DenseWeights::columns(missing);
    for (const std::size_t column : {std::size_t{0}, std::size_t{1}, std::size_t{31}, columns - 1}) {
      Result<FfnPacker> packer = FfnPacker::create(packer_shape, swiglu);
      ASSERT_TRUE(packer.ok()) << packer.status().message();
      for (const Role role : all_roles)
        for (std::size_t i = 0; i < DenseWeights::columns(role); ++i)
          if (role != missing || i != column) {
            ASSERT_TRUE(packer->pack(role, i, 1, weights.from(role, i)).ok());
          }
      const Result<Ffn> early = packer->finish();
      EXPECT_EQ(early.status().code(), Code::invalid_argument);
      std::string expected = missing == Role::gate ? "gate[" : missing == Role::up ? "up[" : "down[";
      expected += std::to_string(column) + ", " + std::to_string(column + 1) + ") is not packed yet";
      EXPECT_EQ(std::string(early.status().message()).substr(0, expected.size()), expected);
      ASSERT_TRUE(packer->pack(missing, column, 1, weights.from(missing, column)).ok());
      const Result<Ffn> ffn = packer->finish();
      ASSERT_TRUE(ffn.ok()) << ffn.status().message();
      EXPECT_TRUE(packed_alike(*ffn, *whole));
    }
  }
  Result<FfnPacker> packer = FfnPacker::create({40, 200}, relu);
  ASSERT_TRUE(packer.ok()) << packer.status().message();
  ASSERT_TRUE(packer->pack(Role::up, 0, 63, weights.from(Role::up, 0)).ok());
  ASSERT_TRUE(packer->pack(Role::up, 130, 3, weights.from(Role::up, 0)).ok());
  EXPECT_EQ(std::string(packer->finish().status().message()),
            "up[63, 130) is not packed yet; missing columns of up: 134 of 200; pack them, then finish");
}

TEST(FfnPacker, ColumnsAndBiasesThatAreGivenAgainReplaceTheFirst) {
  const DenseWeights weights;
  const std::vector<float> bias = DenseWeights::values(4);
  for (const WeightType type : all_weight_types()) {
    const Kind kind{Activation::silu, true, type};
    Result<FfnPacker> made = FfnPacker::create(packer_shape, kind);
    ASSERT_TRUE(made.ok()) << made.status().message();
    FfnPacker packer = *std::move(made);
    EXPECT_FALSE(made->finish().ok()) << "moved from";  // NOLINT(bugprone-use-after-move)
    for (const Role role : all_roles) {
      // Columns of `bias` first, in whose place others come.
      ASSERT_TRUE(packer.pack(role, 0, DenseWeights::columns(role), {bias.data()}).ok());
      ASSERT_TRUE(packer.pack_bias(role, 0, DenseWeights::columns(role), weights.up.data()).ok());
      ASSERT_TRUE(packer.pack(role, 0, 13, weights.from(role, 0)).ok());
      ASSERT_TRUE(packer.pack(role, 11, DenseWeights::columns(role) - 11, weights.from(role, 11)).ok());
      ASSERT_TRUE(packer.pack_bias(role, 0, DenseWeights::columns(role), bias.data()).ok());
    }
    Weights whole = weights.whole();
    whole.gate_bias = whole.up_bias = whole.down_bias = bias.data();
    const Result<Ffn> expected = Ffn::pack(packer_shape, kind, whole);
    const Result<Ffn> ffn = packer.finish();
    ASSERT_TRUE(ffn.ok() && expected.ok()) << ffn.status().message() << expected.status().message();
    EXPECT_TRUE(packed_alike(*ffn, *expected)) << kind_name(kind);
  }
}

// The example of kernels/README.md, to the letter. A file of [out, in] bf16 matrices, one behind the other.
struct ModelFile {
  std::vector<std::uint16_t> values;
  std::size_t at = 0;
  std::size_t largest_read = 0;

  void read(std::vector<std::uint16_t>& into) {
    std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(at), into.size(), into.begin());
    at += into.size();
    largest_read = std::max(largest_read, into.size());
  }
};

Result<Ffn> load(ModelFile& file, Shape shape) {
  const Kind kind{Activation::silu, true, WeightType::int4(32)};
  auto packer = FfnPacker::create(shape, kind, {.scales = ScaleChoice::least_squares});
  if (!packer) return packer.status();
  for (const Role role : {Role::gate, Role::up, Role::down}) {  // in the file: bf16, [out, in]
    const std::size_t in = role == Role::down ? shape.d_ff : shape.d_model;
    const std::size_t out = role == Role::down ? shape.d_model : shape.d_ff;
    std::vector<std::uint16_t> piece;
    for (std::size_t first = 0; first < out; first += 64) {
      const std::size_t count = std::min<std::size_t>(64, out - first);
      piece.resize(count * in);
      file.read(piece);
      const Matrix columns{.data = piece.data(), .order = Order::out_in, .type = WeightType::bf16};
      if (Status status = packer->pack(role, first, count, columns); !status.ok()) return status;
    }
  }
  return packer->finish();
}

TEST(FfnPacker, TheExampleLoadsAModelPieceByPiece) {
  constexpr Shape shape{96, 200};
  constexpr std::size_t size = shape.d_model * shape.d_ff;
  ModelFile file;
  tuner::Random random(5);
  for (std::size_t i = 0; i < 3 * size; ++i)
    file.values.push_back(static_cast<std::uint16_t>(random.between(0x3a00, 0x3f00) | random.between(0, 1) << 15U));
  const auto matrix = [&](std::size_t number) {
    return Matrix{file.values.data() + number * size, Order::out_in, 0, WeightType::bf16};
  };
  const Result<Ffn> ffn = load(file, shape);
  ASSERT_TRUE(ffn.ok()) << ffn.status().message();
  EXPECT_EQ(file.at, file.values.size());
  EXPECT_LE(file.largest_read, 64 * shape.d_ff);
  const Result<Ffn> whole = Ffn::pack(shape, {Activation::silu, true, WeightType::int4(32)},
                                      {matrix(0), matrix(1), matrix(2)}, {.scales = ScaleChoice::least_squares});
  ASSERT_TRUE(whole.ok()) << whole.status().message();
  EXPECT_TRUE(packed_alike(*ffn, *whole));
}

}  // namespace
}  // namespace sluice::tests
