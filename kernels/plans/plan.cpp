// Owns: validity of plans, the analytical default. Does not own: the choice from a table (plan_choice.cpp).
#include "sluice/plan.hpp"

#include <unistd.h>

#if defined(__APPLE__)
#include <sys/sysctl.h>
#endif

#include <algorithm>
#include <array>
#include <bit>
#include <iterator>

#include "kernels/element_types/float_mode.hpp"
#include "kernels/microkernels/kernel_table.hpp"
#include "kernels/plans/plan_regime.hpp"

namespace sluice {
namespace {

// Extents beyond this serve no problem that fits an address space of today, and products of two stay in 64 bits.
constexpr std::uint32_t max_extent = 1U << 28;
constexpr std::uint32_t max_prefetch = 1U << 20;

// Register tiles of fewer rows are short: a thin share of the work of a panel slice each.
constexpr std::uint32_t short_tile = 8;

constexpr std::array schedule_names = {std::string_view("split_columns"), std::string_view("split_rows"),
                                       std::string_view("claim_columns"), std::string_view("claim_rows")};

std::uint32_t round_down(std::size_t value, std::uint32_t unit) noexcept {
  return static_cast<std::uint32_t>(
      std::max<std::size_t>(unit, std::min<std::size_t>(value, max_extent) / unit * unit));
}

Status check_extent(const char* field, std::uint32_t value) noexcept {
  if (value == 0 || value > max_extent)
    return Status::error(Code::invalid_argument, "%s = %u is out of range; expected 1 to %u", field, value, max_extent);
  return {};
}

}  // namespace

std::span<const Schedule> all_schedules() noexcept {
  static constexpr std::array all = {Schedule::split_columns, Schedule::split_rows, Schedule::claim_columns,
                                     Schedule::claim_rows};
  static_assert(all.size() == schedule_names.size());
  return all;
}

std::string_view name(Schedule schedule) noexcept {
  const auto index = static_cast<std::size_t>(schedule);
  return index < schedule_names.size() ? schedule_names[index] : std::string_view("unknown");
}

std::optional<Schedule> parse_schedule(std::string_view name) noexcept {
  const auto* found = std::find(schedule_names.begin(), schedule_names.end(), name);
  if (found == schedule_names.end()) return std::nullopt;
  return static_cast<Schedule>(found - schedule_names.begin());
}

std::string_view name(PlanOrigin origin) noexcept {
  switch (origin) {
    case PlanOrigin::exact:
      return "exact";
    case PlanOrigin::borrowed:
      return "borrowed";
    case PlanOrigin::transferred:
      return "transferred";
    case PlanOrigin::analytical:
      return "analytical";
  }
  return "unknown";
}

CacheSizes CacheSizes::of_this_machine() noexcept {
  CacheSizes sizes;
#if defined(__APPLE__)
  // Of the fastest cores; there is no L3 to ask for.
  const auto ask = [](const char* what, std::size_t& size) {
    std::int64_t answer = 0;
    std::size_t bytes = sizeof answer;
    if (sysctlbyname(what, &answer, &bytes, nullptr, 0) == 0 && answer > 0) size = static_cast<std::size_t>(answer);
  };
  ask("hw.perflevel0.l1dcachesize", sizes.l1d);
  ask("hw.perflevel0.l2cachesize", sizes.l2);
#elif defined(_SC_LEVEL1_DCACHE_SIZE)
  const auto ask = [](int what, std::size_t& size) {
    const long answer = sysconf(what);
    if (answer > 0) size = static_cast<std::size_t>(answer);
  };
  ask(_SC_LEVEL1_DCACHE_SIZE, sizes.l1d);
  ask(_SC_LEVEL2_CACHE_SIZE, sizes.l2);
  ask(_SC_LEVEL3_CACHE_SIZE, sizes.l3);
#endif
#if defined(__x86_64__)
  __builtin_cpu_init();  // this may run before the library's own constructors
  sizes.prefetch_streams = __builtin_cpu_is("intel") != 0;
#endif
  return sizes;
}

std::span<const RegisterTile> register_tiles(Isa isa) noexcept {
  // The families as values: the kernel tables hold them beside function pointers.
  struct Tiles {
    std::array<RegisterTile, detail::most_widths> tile{};
    std::size_t count = 0;
  };
  static const auto all = [] {
    std::array<Tiles, 4> tiles{};
    for (const Isa each : all_isas()) {
      const detail::KernelTable* kernels = detail::kernel_table(each);
      if (kernels == nullptr) continue;
      Tiles& mine = tiles[static_cast<std::size_t>(each)];
      for (std::size_t i = 0; i < kernels->panel_count; ++i) mine.tile[mine.count++] = kernels->panels[0][i].tile;
    }
    return tiles;
  }();
  const auto index = static_cast<std::size_t>(isa);
  if (index >= all.size()) return {};
  return {all[index].tile.data(), all[index].count};
}

Status validate(const Plan& plan, Isa isa) noexcept {
  const Tiling& tiling = plan.tiling;
  const auto tiles = register_tiles(isa);
  if (tiles.empty())
    return Status::error(Code::unsupported, "a plan for %s cannot run: this build has no kernels for it",
                         name(isa).data());
  const auto tile = std::find_if(tiles.begin(), tiles.end(), [&](RegisterTile t) { return t.nr == tiling.nr; });
  if (tile == tiles.end())
    return Status::error(Code::invalid_argument, "nr = %u has no microkernel in %s; preferred: %u", tiling.nr,
                         name(isa).data(), tiles.front().nr);
  if (tiling.mr == 0 || tiling.mr > tile->max_mr)
    return Status::error(Code::invalid_argument, "mr = %u has no microkernel at nr = %u in %s; expected 1 to %u",
                         tiling.mr, tiling.nr, name(isa).data(), tile->max_mr);
  struct Extent {
    const char* field;
    std::uint32_t value;
  };
  for (const auto& [field, value] :
       {Extent{"kc", tiling.kc}, Extent{"mc", tiling.mc}, Extent{"nc", tiling.nc}, Extent{"fc", tiling.fc}})
    if (const Status status = check_extent(field, value); !status.ok()) return status;
  for (const auto& [field, value] : {Extent{"nc", tiling.nc}, Extent{"fc", tiling.fc}})
    if (value % tiling.nr != 0)
      return Status::error(Code::invalid_argument, "%s = %u is not a multiple of nr = %u", field, value, tiling.nr);
  if (tiling.prefetch > max_prefetch)
    return Status::error(Code::invalid_argument, "prefetch = %u is out of range; expected 0 to %u bytes",
                         tiling.prefetch, max_prefetch);
  if (static_cast<std::size_t>(tiling.schedule) >= schedule_names.size())
    return Status::error(Code::invalid_argument,
                         "schedule %u is unknown; expected split_columns, split_rows, claim_columns or claim_rows",
                         static_cast<unsigned>(tiling.schedule));
  if (plan.threads == 0 || plan.threads > max_plan_threads)
    return Status::error(Code::invalid_argument, "threads = %u is out of range; expected 1 to %u", plan.threads,
                         max_plan_threads);
  return {};
}

Plan analytical_plan(const CacheSizes& caches, Isa isa, Kind kind, Shape shape, std::size_t m,
                     std::uint32_t max_threads, std::uint32_t nr) noexcept {
  const detail::FloatMode mode;  // a host may trap inexact results
  return detail::analytical_plan_in_mode(caches, isa, kind, shape, m, max_threads, nr);
}

Plan detail::analytical_plan_in_mode(const CacheSizes& caches, Isa isa, Kind kind, Shape shape, std::size_t m,
                                     std::uint32_t max_threads, std::uint32_t nr) noexcept {
  const auto tiles = register_tiles(isa);
  if (tiles.empty()) return {};
  const auto* found =
      std::find_if(tiles.data(), tiles.data() + tiles.size(), [&](RegisterTile t) { return t.nr == nr; });
  const RegisterTile tile = found == tiles.data() + tiles.size() ? tiles.front() : *found;
  const std::size_t rows = std::clamp<std::size_t>(m, 1, max_extent);
  const std::size_t bucket = m_bucket(rows);

  Plan plan;
  Tiling& tiling = plan.tiling;
  tiling.nr = tile.nr;
  tiling.mr = tile.max_mr;
  tiling.fc = max_extent / tile.nr * tile.nr;
  // A thread is worth its wake-up (some microseconds) from about a million FLOPs or half a MB of weights on (M = 1 at
  // 256x512: two threads take 0.68 to 0.74 of one's time), and needs a panel of its own.
  const double work = std::max(flops(kind, shape, rows) / 1e6, bytes(kind, shape, rows) / 5e5);
  const std::size_t panels = (std::min(shape.d_model, shape.d_ff) + tile.nr - 1) / tile.nr;
  const double most =
      std::min({static_cast<double>(std::max(1U, max_threads)), std::max(1.0, work),
                static_cast<double>(std::max<std::size_t>(1, panels)), static_cast<double>(max_plan_threads)});
  plan.threads = static_cast<std::uint32_t>(most);
  const detail::PanelKernels& kernels =
      *detail::panel_kernels(*detail::kernel_table(isa), tile.nr, kind.weights.element);
  const detail::DotKernels* const dots =
      detail::dot_kernels(*detail::kernel_table(isa, kind.arithmetic), tile.nr, kind.weights.element, kind.arithmetic);
  // Registers of a matrix make the tiles of dot products taller (AMX on Emerald Rapids, M = 16, 2048x5632: as one tile
  // 0.81 of the time of the blocked plan with bf16, 0.80 with int8:128, 0.91 with int8:32).
  const std::size_t tile_rows = std::max(tile.max_mr, dots == nullptr ? 0 : dots->max_mr);
  const bool from_l3 = detail::few_rows_from_l3(caches, kind, shape, rows);
  const bool several = plan.threads > 1;
  const bool short_tiles = tile.max_mr < short_tile;
  // One tall tile computes fast enough to take the weights as they come. Beyond it, tall tiles gain only where the
  // prefetches decide (AVX-512, 2048x5632, of the time of the blocked plan; Sapphire Rapids: M = 14, 16, 20, 24 0.88,
  // 0.88, 0.90, 0.98; with two threads M = 16, 24 0.94, 0.96). Integer dot products have no such kernels, and longer
  // slices serve them as well or better (VNNI M = 16, 20 0.96 to 1.0, AMX 0.75 to 1.0; Emerald Rapids).
  const bool two_tall_tiles = caches.prefetch_streams && rows > tile.max_mr && kind.arithmetic == Arithmetic::f32;
  const bool interleaved = rows >= 2 && rows <= kernels.interleaved_rows && !from_l3 && (short_tiles || two_tall_tiles);
  if (interleaved && caches.prefetch_streams) {
    // Sapphire Rapids, 2048x5632. AVX2, one thread, four panels and 1 KiB, of the time without prefetch: M = 2 0.80,
    // M = 4 0.75; of that of two panels and 4 KiB: M = 6 0.98, 8 0.97, 9 0.99. Two threads, two panels and 4 KiB, of
    // the time of 1 KiB: M = 2 0.98, 4 0.97, 6 0.95, 8 0.90. AVX-512, M = 14 to 20: two panels and 1 KiB take 1.04
    // to 1.10.
    const bool four = short_tiles && !several;
    tiling.kc = 16;
    tiling.mc = static_cast<std::uint32_t>(rows);
    tiling.nc = tile.nr * (four ? 4 : 2);
    tiling.prefetch = four ? 1024 : 4096;
    tiling.pack_x = rows > 4;
  } else if (interleaved) {
    // Zen 3, AVX2, weights from memory. One thread: four panels side by side in slices of 16, or two panels where there
    // are more rows than a register tile has. While the second tile computes, no new line arrives by itself, so lines
    // are prefetched. Of the time with one panel after the other (2048x5632): M = 2 0.96, 3 0.94, 4 0.73, 5 0.71,
    // 6 0.75, 7 0.84, 8 0.86, 9 0.94, but 10 1.02 and 12 1.11; four other shapes are the same within 0.05. A prefetch
    // of 1 KiB takes of the time without: M = 3 1.18, 4 1.06, 5 0.98, 6 0.78, 7 0.96.
    //
    // Several threads read as many streams as the memory follows from fewer panels each. Two panels with 1 KiB take of
    // the time of the above: M = 2 0.94, 3 0.91, 4 0.83, 5 0.97, 6 0.92, 7 0.90, 8 1.00 (two threads, mean of four
    // shapes).
    tiling.kc = 16;
    tiling.mc = static_cast<std::uint32_t>(rows);
    tiling.nc = tile.nr * (rows <= 7 && !several ? 4 : 2);
    tiling.prefetch = several ? 1024 : rows <= 4 ? 0 : rows <= 7 ? 1024 : 4096;
    // Weights of 16 bits arrive in half the time, so that computing is what they wait for (Zen 4 by AVX2, bf16, one
    // thread, four panels, of the time of the above: M = 2 0.89, 3 0.89, 4 0.99, 6 1.00, 8 0.98).
    if (kind.weights != WeightType::f32) tiling.prefetch = 1024;
    tiling.pack_x = rows > 4;
  } else if (rows <= tile_rows) {
    // One row tile: the weights are one stream, read once. Slices would only break it up.
    tiling.kc = max_extent;
    tiling.mc = static_cast<std::uint32_t>(rows);
    // One or two streams, where one fits. Weights from L3 go faster as two. From memory, a panel of two cache lines
    // goes faster as one stream on Zen 4 (AVX-512, M = 1: 100 % of the read roof, as two streams 93 %; M = 2: 0.965 of
    // the time), but as two on Sapphire Rapids (M = 1: two take 0.95 of the time). A panel of one line is safest as two
    // (AVX2, M = 1, one and two streams: Zen 4 94 to 98 % and 87 to 92 %, Zen 3 75 to 80 % and 98 to 100 %).
    constexpr std::size_t line_floats = 16;
    const bool fits_one_stream = rows <= kernels.stream_rows && rows * line_floats <= tile.nr;
    const bool one_stream = fits_one_stream && tile.nr > line_floats && !from_l3 && !caches.prefetch_streams;
    tiling.nc = one_stream ? tile.nr : tile.nr * 8;
    // Zen 4: for up to four rows the processor's own prefetcher follows the stream, and prefetching far ahead takes its
    // place (M = 1, of the read roof: without 100 %, 1 KiB 97 %, 4 KiB 74 %). With more rows it falls behind (M = 8:
    // 1 KiB 68 %, 8 KiB 84 %). Where panels go side by side, near lines are prefetched on their way from L2 to L1 (M =
    // 5 and 6: 0.93 to 0.96 of the time of 1 KiB; M = 1 to 4: 0.97 to 1.03 of the time without). Sapphire Rapids: 8 KiB
    // are best or within 2 % for every number of rows (AVX-512, one thread, of the time without: M = 1 0.98, 2 0.92, 4
    // 0.86, 6 0.84, 8 0.71, 13 0.66; AVX2, M = 1 0.94).
    tiling.prefetch = caches.prefetch_streams ? 8192 : rows <= 4 ? 0 : rows <= kernels.wide_rows ? 192 : 8192;
    // Weights from L3 (768x2048, one thread, Zen 4): with 128 bytes M = 1 and 2 take 0.96 and 0.94 of the time without,
    // but AVX2 M = 2 1.1; with 8 KiB M = 4, 5 and 6 take 0.74 of the time without, and 0.83 and 0.89 of that with 192;
    // M = 3 1.14.
    if (from_l3 && fits_one_stream) tiling.prefetch = 128;
    if (from_l3 && rows >= 4) tiling.prefetch = 8192;
    // Integer dot products, whose panels go four or two side by side: near lines are prefetched. Sapphire Rapids' next
    // generation, int8:32, of the time with 8 KiB: AVX2 M = 1 0.92, AVX-512 M = 1 0.99, M = 2 0.97, but M = 4 1.08. A
    // prototype on Zen 3 reached 94 % of the read roof with 768 bytes and 76 % with 4 KiB (M = 1).
    if (kind.arithmetic != Arithmetic::f32 && (rows <= 2 || (rows <= 4 && !caches.prefetch_streams)))
      tiling.prefetch = 768;
    // Packing so few rows costs more than the strides of reading them in place (M = 4, six pairs: in place 0.978 of the
    // time; M = 2 and 3: 0.998; M = 8: 1.05; panels side by side, M = 5: 0.95, M = 6: 1.02).
    tiling.pack_x = rows > (kernels.wide_rows >= 5 ? 5U : 4U);
  } else {
    // Long slices spread the cost of a tile's start and end; a slice of B is read again by each row tile and stays in
    // L2. Measured (Zen 4, one thread, of the FMA peak): kc 112, 176, 256, 384, 544, 768 give 87.8, 88.8, 90.3, 91.4,
    // 91.5, 90.3 % at d_model 768, M = 64, and 91.6, 90.6, 92.5, 89.9, 91.5, 91.5 % at 2048, M = 256.
    const std::size_t l2_floats = caches.l2 / sizeof(float);
    tiling.kc = std::min(384U, round_down(l2_floats / 16 / tile.nr, 16));
    // Short tiles read B so often that its slice should stay in L1 with a tile of A.
    if (short_tiles) {
      const std::size_t l1_floats = caches.l1d * 7 / 10 / sizeof(float);
      tiling.kc = std::min(tiling.kc, std::max(192U, round_down(l1_floats / (tile.nr + tile.max_mr), 16)));
    }
    // An M-block's slice of A stays within 0.4 of L2, its partial sums within a quarter: those of the most rows of the
    // bucket, since fewer rows with more columns could need a larger workspace.
    const std::size_t block_rows = std::clamp<std::size_t>(l2_floats * 2 / 5 / tiling.kc, tile.max_mr, 256);
    tiling.mc = static_cast<std::uint32_t>(std::min(rows, block_rows));
    const std::size_t sum_rows = std::min(bucket, block_rows);
    tiling.nc = std::min(round_down(l2_floats / 4 / sum_rows, tile.nr), round_down(512, tile.nr));
    tiling.prefetch = tile.nr * 64;
    tiling.pack_x = true;
  }
  // Cores are seldom equally fast: of unlike kinds, or disturbed by others. Claiming takes 0.97 to 0.99 of the time of
  // an even split on a machine with neighbours, and 0.99 to 1.00 while they are calm (two threads, 2048x5632 and
  // 768x2048, M = 64 and 256). One row tile is a stream of weights per thread, which claims would break up.
  if (several && rows > tile_rows) tiling.schedule = Schedule::claim_columns;
  // Where L3 holds the weights for all threads and each has enough rows of its own, x and H stay with their thread
  // (768x2048, M = 72 to 256, two threads, Zen 4: 0.97 to 1.00 of the time). With fewer rows, reading all weights on
  // each thread costs more than that saves (Sapphire Rapids, two threads, over claim_columns: M = 64 1.08 at
  // 2048x5632, 1.07 at 768x2048, M = 128 1.01, M = 256 0.99; Zen 4: M = 64 0.99 with AVX-512, 1.03 with AVX2). The
  // bucket decides, since the size of the workspace must not shrink as rows grow.
  constexpr std::size_t fewest_own_rows = 48;
  if (several && bucket >= fewest_own_rows * plan.threads &&
      bytes(kind, shape, bucket) <= static_cast<double>(caches.l3))
    tiling.schedule = Schedule::claim_rows;
  return plan;
}

std::uint32_t m_bucket(std::size_t m) noexcept {
  return std::bit_ceil(static_cast<std::uint32_t>(std::clamp<std::size_t>(m, 1, max_extent)));
}

}  // namespace sluice
