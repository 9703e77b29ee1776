// Owns: tilings as data: what one is, when it is valid, the analytical default, tables of tuned plans and the choice
// from them. Does not own: finding good ones (the tuner's work), or running them (ffn.hpp).
//
// No plan changes a bit of the answer; it only changes how long the answer takes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "sluice/isa.hpp"
#include "sluice/kind.hpp"
#include "sluice/status.hpp"

namespace sluice {

// What plans are made from: sizes in bytes, l1d and l2 of one core, l3 of what one core's cluster shares, and two facts
// about how weights arrive.
struct CacheSizes {
  std::size_t l1d = 32 * 1024;
  std::size_t l2 = 1024 * 1024;
  std::size_t l3 = 32 * 1024 * 1024;

  // What the operating system and the processor say; the values here where they say nothing.
  static CacheSizes of_this_machine() noexcept;

  // Whether the weights stay in the l3 from one call to the next, as those of one small FFN do that is called again and
  // again. In a model, where layer follows layer, they come from memory each time.
  bool hold_weights = false;

  // Whether few rows are faster when their weights are prefetched far ahead by instructions, because the processor's
  // own prefetcher does not keep up with a loop that also multiplies. of_this_machine() says so for Intel's processors.
  bool prefetch_streams = false;
};

// How threads share one call.
//   split_columns: for each M-block, d_ff is split for the up stage and d_model for the down stage; weights are read
//                  once by one thread each; barriers between the stages.
//   split_rows:    each thread takes its own rows through both stages; every thread reads all weights; no barrier.
//   claim_columns: as split_columns, but a thread that is done takes more, so that slow cores get less; which memory
//                  it reads is then left to chance (NUMA).
//   claim_rows:    as split_rows, but a thread that is done takes panels of others' rows. H stays with its thread until
//                  then.
enum class Schedule : std::uint8_t { split_columns, split_rows, claim_columns, claim_rows };
std::span<const Schedule> all_schedules() noexcept;
std::string_view name(Schedule schedule) noexcept;
std::optional<Schedule> parse_schedule(std::string_view name) noexcept;

// All extents are in elements (floats); an extent larger than the problem is clipped to it.
struct Tiling {
  std::uint32_t nr = 0;  // width of a packed weight panel; gate and up share it in halves when gated
  // Rows of the tallest register tile; rows are balanced over tiles of at most mr. The tallest of its RegisterTile
  // stands for the tallest that the arithmetic has, which may be more or less.
  std::uint32_t mr = 0;
  std::uint32_t kc = 0;  // k steps per slice: an mr×kc piece of A and a kc×nr piece of B live in L1, long ones in L2
  std::uint32_t mc = 0;  // rows of an M-block
  std::uint32_t nc = 0;  // columns of partial sums kept in L2; a multiple of nr. For few rows (one tile) it is the
                         // number of weight streams: nr is one, more is two side by side. With slices of k (kc),
                         // and if the ISA has kernels for it, up to 8·nr are that many panels, interleaved
  std::uint32_t fc = 0;  // columns of packed gate/up weights per F-block (H has fc, or fc/2 if gated)
  std::uint32_t prefetch = 0;  // bytes ahead of use at which weights are prefetched to L2; 0: not at all. Few rows with
                               // up to 256 bytes prefetch to L1. A stage in slices of k prefetches the next panel's
                               // slice, whatever the distance, unless its panels are interleaved
  bool pack_x = true;          // false: read x in place through its row stride
  Schedule schedule = Schedule::split_columns;
  friend constexpr bool operator==(const Tiling&, const Tiling&) = default;
};

// No plan has more threads than this, whatever the limit of a call.
inline constexpr std::uint32_t max_plan_threads = 4096;

struct Plan {
  Tiling tiling;
  std::uint32_t threads = 1;  // 1 to max_plan_threads
  friend constexpr bool operator==(const Plan&, const Plan&) = default;
};

// One register-tile family of an ISA: panels nr wide, tiles of 1 … max_mr rows.
struct RegisterTile {
  std::uint32_t nr;
  std::uint32_t max_mr;
};
// The families of an ISA, the preferred one first; empty when this build does not hold the ISA.
std::span<const RegisterTile> register_tiles(Isa isa) noexcept;

// Ok when `isa` has a microkernel for the tiling and every extent is in range.
Status validate(const Plan& plan, Isa isa) noexcept;

// The plan made from cache sizes alone, without measuring. nr = 0 leaves the panel width free.
// max_threads = 0 means one thread. Always valid for `isa`.
Plan analytical_plan(const CacheSizes& caches, Isa isa, Kind kind, Shape shape, std::size_t m,
                     std::uint32_t max_threads, std::uint32_t nr = 0) noexcept;

// A tuned plan and the cell it was tuned for. m is a bucket: it serves every M in (m/2, m].
struct PlanRow {
  Isa isa;
  Kind kind;
  Shape shape;
  std::uint32_t m;
  std::uint32_t max_threads;  // the threads the plan was allowed to use; plan.threads may be fewer
  Plan plan;
};

// A view of tuned rows; the rows must outlive it. An exported header defines one as a constant.
struct PlanTable {
  std::span<const PlanRow> rows;
};

enum class PlanOrigin : std::uint8_t {
  exact,        // a row of this kind, shape, bucket and thread limit
  borrowed,     // a row of the same shape, gate and type of weights, but another activation, bucket or thread limit
  transferred,  // a row of another shape or gate, for the same type of weights, the same bucket and the same number of
                // threads, or several in both
  analytical,   // no row fits: made from the cache sizes
};
std::string_view name(PlanOrigin origin) noexcept;

struct PlanChoice {
  Plan plan;
  PlanOrigin origin;
  const PlanRow* row;  // the row used; null when analytical
};

// The smallest power of two ≥ m.
std::uint32_t m_bucket(std::size_t m) noexcept;

// The panel width that the table's rows for a shape, gate and type of weights use (that of the largest M, should they
// differ); 0 when there are none.
std::uint32_t tuned_nr(PlanTable table, Isa isa, Kind kind, Shape shape) noexcept;

// The plan for one call. nr ≠ 0 restricts the choice to plans for weights packed nr wide. Never fails. If the table has
// no row for the call, the plan is that of the nearest shape in the same regime (M, one thread or several). If there is
// none either, or it is not valid, the plan is analytical. It is analytical, too, for up to six rows with weights that
// stay in the l3, since tuned plans are measured with weights from memory.
PlanChoice choose_plan(PlanTable table, const CacheSizes& caches, Isa isa, Kind kind, Shape shape, std::size_t m,
                       std::uint32_t max_threads, std::uint32_t nr = 0) noexcept;

}  // namespace sluice
