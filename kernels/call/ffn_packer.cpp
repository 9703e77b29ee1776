// Owns: FfnPacker: checking ranges of columns, which of them are packed, and the finished FFN.
// Does not own: the memory (unpacked_ffn.hpp), filling it (packed_weights.hpp).
#include "sluice/ffn_packer.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <new>
#include <utility>

#include "kernels/call/ffn_access.hpp"
#include "kernels/call/unpacked_ffn.hpp"
#include "kernels/weights/matrix_check.hpp"

namespace sluice {
namespace {

constexpr std::array roles{Role::gate, Role::up, Role::down};
constexpr std::array<const char*, 3> role_names{"gate", "up", "down"};

constexpr std::size_t index_of(Role role) noexcept { return static_cast<std::size_t>(role); }

// Which columns of a matrix are packed, a bit for each. Threads mark different columns of a word at the same time.
class PackedColumns {
 public:
  // False when there is no memory.
  bool allocate(std::size_t columns) noexcept {
    columns_ = columns;
    words_.reset(new (std::nothrow) std::atomic<std::uint64_t>[(columns - 1) / word_bits + 1]());
    return words_ != nullptr;
  }
  void mark(std::size_t first, std::size_t end) noexcept {
    while (first < end) {
      const std::size_t shift = first % word_bits;
      const std::size_t count = end - first < word_bits - shift ? end - first : word_bits - shift;
      const std::uint64_t bits = ~std::uint64_t{0} >> (word_bits - count) << shift;
      words_[first / word_bits].fetch_or(bits, std::memory_order_relaxed);
      first += count;
    }
  }
  // The first column from `first` on that is packed or is not; the number of columns if there is none.
  [[nodiscard]] std::size_t next(std::size_t first, bool packed) const noexcept {
    while (first < columns_ && at(first) != packed) ++first;
    return first;
  }
  [[nodiscard]] std::size_t count() const noexcept { return columns_; }
  [[nodiscard]] std::size_t missing() const noexcept {
    std::size_t count = 0;
    for (std::size_t column = 0; column < columns_; ++column) count += at(column) ? 0 : 1;
    return count;
  }

 private:
  static constexpr std::size_t word_bits = 64;
  [[nodiscard]] bool at(std::size_t column) const noexcept {
    return (words_[column / word_bits].load(std::memory_order_relaxed) >> column % word_bits & 1U) != 0;
  }

  std::unique_ptr<std::atomic<std::uint64_t>[]> words_;
  std::size_t columns_ = 0;
};

// Where a matrix goes: which side of which stage.
struct Place {
  const detail::PackedStage& stage;
  detail::Side side;
};

Place place_of(const Ffn::Packed& packed, Kind kind, Role role) noexcept {
  if (role == Role::down) return {packed.down, detail::Side::left};
  return {packed.up, kind.gated && role == Role::up ? detail::Side::right : detail::Side::left};
}

}  // namespace

struct FfnPacker::State {
  std::shared_ptr<Ffn::Packed> packed;
  Kind kind;
  detail::PanelFormat format;
  std::array<PackedColumns, roles.size()> columns{};

  [[nodiscard]] bool has(Role role) const noexcept { return kind.gated || role != Role::gate; }

  // Ok when there is such a range; so is one of no columns.
  static Status check(const State* state, const char* call, Role role, std::size_t first, std::size_t count) noexcept {
    if (state == nullptr)
      return Status::error(Code::invalid_argument,
                           "%s: the packer is empty, since it has finished or was moved from; create another one",
                           call);
    if (index_of(role) >= roles.size())
      return Status::error(Code::invalid_argument, "%s: role = %u; expected Role::gate, up or down", call,
                           static_cast<unsigned>(role));
    if (!state->has(role))
      return Status::error(Code::invalid_argument, "%s: role = gate, but %s is plain; its matrices are up and down",
                           call, name(state->kind).data());
    const std::size_t columns = place_of(*state->packed, state->kind, role).stage.columns;
    if (first > columns || count > columns - first)
      return Status::error(Code::invalid_argument,
                           "%s: first = %zu and count = %zu; %s has %zu columns, expected first + count at most that",
                           call, first, count, role_names[index_of(role)], columns);
    return {};
  }
};

FfnPacker::FfnPacker(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
FfnPacker::FfnPacker(FfnPacker&& other) noexcept = default;
FfnPacker& FfnPacker::operator=(FfnPacker&& other) noexcept = default;
FfnPacker::~FfnPacker() = default;

Result<FfnPacker> FfnPacker::create(Shape shape, Kind kind, const PackOptions& options) {
  const Result<Isa> isa = select_isa(options.isa);
  if (!isa) return isa.status();
  if (const Status status = detail::check_asked(shape, kind, options); !status.ok()) return status;
  Result<std::shared_ptr<Ffn::Packed>> packed =
      detail::allocate_unpacked(*detail::kernel_table(*isa, kind.arithmetic), shape, kind, options);
  if (!packed) return packed.status();
  const detail::PanelFormat format = detail::panel_format(**packed, kind, options.scales);
  std::unique_ptr<State> state(new (std::nothrow) State{*std::move(packed), kind, format});
  for (const Role role : roles) {
    if (state != nullptr && !state->has(role)) continue;
    if (state == nullptr ||
        !state->columns[index_of(role)].allocate(place_of(*state->packed, kind, role).stage.columns))
      return Status::error(Code::out_of_memory, "no memory to note which columns are packed; free some");
    const auto [stage, side] = place_of(*state->packed, kind, role);
    detail::pack_biases(stage, format.nr, {side, 0, stage.columns}, nullptr);
  }
  return FfnPacker(std::move(state));
}

Status FfnPacker::pack(Role role, std::size_t first, std::size_t count, const Matrix& columns) noexcept {
  if (Status status = State::check(state_.get(), "pack", role, first, count); !status.ok() || count == 0) return status;
  const auto [stage, side] = place_of(*state_->packed, state_->kind, role);
  std::array<char, 64> view{};
  std::snprintf(view.data(), view.size(), "%s[%zu, %zu)", role_names[index_of(role)], first, first + count);
  Matrix given = columns;
  if (Status status = detail::check_matrix(view.data(), stage.depth, count, given); !status.ok()) return status;
  detail::pack_range(stage, state_->format, {side, first, count}, given, 0);
  state_->columns[index_of(role)].mark(first, first + count);
  return {};
}

Status FfnPacker::pack_bias(Role role, std::size_t first, std::size_t count, const float* biases) noexcept {
  if (Status status = State::check(state_.get(), "pack_bias", role, first, count); !status.ok() || count == 0)
    return status;
  if (biases == nullptr)
    return Status::error(Code::invalid_argument,
                         "the biases of %s[%zu, %zu) are null; expected %zu floats, or no call for zeros",
                         role_names[index_of(role)], first, first + count, count);
  const auto [stage, side] = place_of(*state_->packed, state_->kind, role);
  detail::pack_biases(stage, state_->format.nr, {side, first, count}, biases);
  return {};
}

Result<Ffn> FfnPacker::finish() noexcept {
  if (Status status = State::check(state_.get(), "finish", Role::up, 0, 0); !status.ok()) return status;
  for (const Role role : roles) {
    if (!state_->has(role)) continue;
    const PackedColumns& columns = state_->columns[index_of(role)];
    const std::size_t missing = columns.missing();
    if (missing == 0) continue;
    const std::size_t first = columns.next(0, false);
    const std::size_t end = columns.next(first, true);
    const char* const name = role_names[index_of(role)];
    return Status::error(Code::invalid_argument,
                         "%s[%zu, %zu) is not packed yet; missing columns of %s: %zu of %zu; pack them, then finish",
                         name, first, end, name, missing, columns.count());
  }
  const std::unique_ptr<State> state = std::move(state_);
  return FfnAccess::made_of(std::move(state->packed), state->kind);
}

}  // namespace sluice
