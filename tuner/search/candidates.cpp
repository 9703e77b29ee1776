#include "tuner/search/candidates.hpp"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "kernels/microkernels/kernel_table.hpp"

namespace sluice::tuner {
namespace {

constexpr std::uint32_t whole = 1U << 28;  // an extent larger than any problem: no blocking
constexpr std::size_t many_plans = 1536;   // some minutes of `exhaustive` per cell

using Values = std::vector<std::uint32_t>;

std::uint32_t rows(const Setting& setting) {
  return static_cast<std::uint32_t>(std::min<std::size_t>(setting.m, whole));
}

std::uint32_t panels_down(std::uint32_t columns, std::uint32_t nr) { return std::max(nr, columns / nr * nr); }

std::uint32_t ceil_divide(std::uint32_t a, std::uint32_t b) { return (a + b - 1) / b; }

// The most rows that can be multiplied with panels side by side (wide), or with panels interleaved in slices. Zero if
// this build has no kernels of the ISA or width, since a recorded landscape may come from another machine.
struct FewRows {
  std::uint32_t wide = 0;
  std::uint32_t interleaved = 0;
};
FewRows few_rows(const Setting& setting) {
  const detail::KernelTable* kernels = detail::kernel_table(setting.isa);
  const detail::PanelKernels* panels =
      kernels == nullptr ? nullptr : detail::panel_kernels(*kernels, setting.nr, setting.kind.weights.element);
  return panels == nullptr ? FewRows{} : FewRows{panels->wide_rows, panels->interleaved_rows};
}

// threads: all, half, one. Fewer win if the work is too small to share, or if one thread saturates the memory.
Values thread_values(const Setting& setting, const Plan&) {
  return {setting.max_threads, std::max(1U, setting.max_threads / 2), 1U};
}

// schedule: columns can be split or claimed. Rows can be split or claimed if each thread has tiles of its own; every
// thread then reads all weights.
Values schedule_values(const Setting& setting, const Plan&) {
  if (setting.max_threads == 1) return {};
  Values values{static_cast<std::uint32_t>(Schedule::split_columns),
                static_cast<std::uint32_t>(Schedule::claim_columns)};
  if (rows(setting) >= 4)
    values.insert(values.end(),
                  {static_cast<std::uint32_t>(Schedule::split_rows), static_cast<std::uint32_t>(Schedule::claim_rows)});
  return values;
}

// kc: a depth at which a slice of B and of A fill 70 % of L1, and longer ones whose slices live in L2. For few rows
// also the whole depth, as one stream, or the short slices of interleaved panels.
Values kc_values(const Setting& setting, const Plan& start) {
  const double fit = static_cast<double>(setting.caches.l1d) / sizeof(float) / (setting.nr + start.tiling.mr);
  Values values{std::max(16U, static_cast<std::uint32_t>(fit * 0.7) / 16 * 16), 192, 256, 384, 544, 768};
  if (rows(setting) <= 2 * start.tiling.mr) values.insert(values.end(), {1024, whole});
  if (rows(setting) <= few_rows(setting).interleaved) values.insert(values.end(), {8, 16, 32});
  return values;
}

// prefetch: the distance in bytes: none, some lines, within a page, some pages. With several slices of k any distance
// means the next panel's slice.
Values prefetch_values(const Setting&, const Plan&) { return {0, 128, 192, 512, 1024, 2048, 4096, 8192, 32768}; }

// mr: the tallest tile and shorter ones. Fewer rows per tile leave registers and L1 to the rest.
Values mr_values(const Setting&, const Plan& start) {
  const std::uint32_t tallest = start.tiling.mr;
  if (tallest < 4) return {};
  return {tallest - 1, tallest - 3};
}

// mc: row counts whose slice of A takes shares of L2 that double from one to the next.
Values mc_values(const Setting&, const Plan&) { return {64, 128, 256, 512}; }

// nc: columns whose partial sums stay in the cache while the slices of k pass. For few rows: how many panels go side by
// side.
Values nc_values(const Setting& setting, const Plan&) {
  Values values{panels_down(256, setting.nr), panels_down(512, setting.nr), panels_down(1024, setting.nr)};
  const FewRows few = few_rows(setting);
  if (rows(setting) <= std::max(few.wide, few.interleaved)) values.push_back(setting.nr);
  if (rows(setting) <= few.interleaved) values.insert(values.end(), {2 * setting.nr, 4 * setting.nr, 8 * setting.nr});
  return values;
}

// fc: all of H at once, with one barrier per M-block, or F-blocks whose H takes half of L2 or twice L2.
Values fc_values(const Setting& setting, const Plan& start) {
  Values values;
  const std::size_t block_rows = std::max<std::size_t>(1, std::min<std::size_t>(start.tiling.mc, setting.m));
  for (const std::size_t cache : {setting.caches.l2 / 2, setting.caches.l2 * 2}) {
    const std::size_t columns = cache / sizeof(float) / block_rows * (setting.kind.gated ? 2 : 1);
    if (columns < 8 * static_cast<std::size_t>(setting.nr) || columns >= whole) continue;
    values.push_back(panels_down(static_cast<std::uint32_t>(columns), setting.nr));
  }
  return values;
}

// pack_x: reading x in place saves the packing, and packing saves the strides in the hot loop.
Values pack_x_values(const Setting&, const Plan&) { return {0, 1}; }

template <auto Field>
Parameter of_tiling(std::string_view name, Values (*values)(const Setting&, const Plan&), bool strong) {
  using Type = std::remove_cvref_t<decltype(Tiling{}.*Field)>;
  return {name, values, [](const Plan& plan) { return static_cast<std::uint32_t>(plan.tiling.*Field); },
          [](Plan& plan, std::uint32_t value) { plan.tiling.*Field = static_cast<Type>(value); }, strong};
}

}  // namespace

Plan first_candidate(const Setting& setting) {
  return analytical_plan(setting.caches, setting.isa, setting.kind, setting.shape, setting.m, setting.max_threads,
                         setting.nr);
}

const std::array<Parameter, parameter_count>& parameters() {
  static const std::array<Parameter, parameter_count> all = {
      of_tiling<&Tiling::kc>("kc", kc_values, true),
      of_tiling<&Tiling::mc>("mc", mc_values, true),
      of_tiling<&Tiling::mr>("mr", mr_values, true),
      of_tiling<&Tiling::nc>("nc", nc_values, true),
      Parameter{"threads", thread_values, [](const Plan& plan) { return plan.threads; },
                [](Plan& plan, std::uint32_t value) { plan.threads = value; }, false},
      of_tiling<&Tiling::prefetch>("prefetch", prefetch_values, false),
      of_tiling<&Tiling::schedule>("schedule", schedule_values, false),
      of_tiling<&Tiling::pack_x>("pack_x", pack_x_values, false),
      of_tiling<&Tiling::fc>("fc", fc_values, false),
  };
  return all;
}

Plan clipped(const Setting& setting, const Plan& plan) {
  Plan result = plan;
  Tiling& tiling = result.tiling;
  const auto extent = [](std::size_t size) { return static_cast<std::uint32_t>(std::min<std::size_t>(size, whole)); };
  const std::uint32_t d_model = extent(setting.shape.d_model);
  const std::uint32_t d_ff = extent(setting.shape.d_ff);
  if (result.threads == 1) tiling.schedule = Schedule::split_columns;
  const bool by_rows = tiling.schedule == Schedule::split_rows || tiling.schedule == Schedule::claim_rows;
  if (by_rows) result.threads = std::min(result.threads, rows(setting));

  // The rows are balanced over blocks, and the rows of a block over tiles.
  const std::uint32_t team_rows = by_rows ? ceil_divide(rows(setting), result.threads) : rows(setting);
  tiling.mc = ceil_divide(team_rows, ceil_divide(team_rows, std::min(team_rows, tiling.mc)));
  tiling.mr = ceil_divide(tiling.mc, ceil_divide(tiling.mc, tiling.mr));

  const std::uint32_t width = setting.kind.gated ? tiling.nr / 2 : tiling.nr;
  const std::uint32_t up_panels = ceil_divide(d_ff, width);
  const std::uint32_t f_panels =
      ceil_divide(up_panels, ceil_divide(up_panels, std::min(up_panels, tiling.fc / tiling.nr)));
  tiling.fc = f_panels * tiling.nr;
  const std::uint32_t h_columns = std::min(d_ff, f_panels * width);
  tiling.kc = std::min(tiling.kc, std::max(d_model, h_columns));
  tiling.nc = std::min(tiling.nc, std::max(f_panels, ceil_divide(d_model, tiling.nr)) * tiling.nr);
  // With a single slice of k there are no partial sums to keep, so panels go one by one, or by two for few rows. With
  // several slices the prefetch has a single target, except for interleaved panels.
  const FewRows few = few_rows(setting);
  const bool by_two = tiling.mc <= few.wide && tiling.nc > tiling.nr;
  const bool interleaved = tiling.mc <= few.interleaved && tiling.nc <= detail::most_interleaved * tiling.nr;
  if (tiling.kc >= std::max(d_model, h_columns)) tiling.nc = by_two ? 2 * tiling.nr : tiling.nr;
  if (tiling.kc < std::min(d_model, h_columns) && tiling.prefetch != 0 && !interleaved) tiling.prefetch = 1;
  return result;
}

JointSpace::JointSpace(const Setting& setting) : setting_(setting) {
  const Plan start = first_candidate(setting);
  for (std::size_t i = 0; i < parameter_count; ++i) {
    levels_[i] = parameters()[i].values(setting, start);
    levels_[i].push_back(parameters()[i].get(start));
  }
  sort_levels();
  if (!fill(parameter_count, many_plans) && !fill(2, many_plans)) fill(1, 4 * many_plans);
}

JointSpace::JointSpace(const Setting& setting, const std::vector<Plan>& plans) : setting_(setting) {
  // If the ISA's kernels are not in this build, the analytical plan is unknown and the first plan stands for it.
  const Plan wanted = register_tiles(setting.isa).empty() ? plans.front() : first_candidate(setting);
  const auto distance = [&](const Plan& plan) {
    const Key a = key(plan);
    const Key b = key(wanted);
    double steps = 0;
    for (std::size_t i = 0; i < parameter_count; ++i) steps += std::abs(std::log2((a[i] + 1.0) / (b[i] + 1.0)));
    return steps;
  };
  const auto start = std::min_element(plans.begin(), plans.end(),
                                      [&](const Plan& a, const Plan& b) { return distance(a) < distance(b); });
  plans_.push_back(*start);
  index_.emplace(key(*start), 0);
  for (const Plan& plan : plans) {
    for (std::size_t i = 0; i < parameter_count; ++i) levels_[i].push_back(parameters()[i].get(plan));
    if (index_.emplace(key(plan), plans_.size()).second) plans_.push_back(plan);
  }
  sort_levels();
}

void JointSpace::sort_levels() {
  for (Values& levels : levels_) {
    std::sort(levels.begin(), levels.end());
    levels.erase(std::unique(levels.begin(), levels.end()), levels.end());
  }
}

JointSpace::Key JointSpace::key(const Plan& plan) const {
  const Plan same = clipped(setting_, plan);
  Key key{};
  std::transform(parameters().begin(), parameters().end(), key.begin(),
                 [&](const Parameter& parameter) { return parameter.get(same); });
  return key;
}

bool JointSpace::fill(std::size_t departures, std::size_t most) {
  plans_.clear();
  index_.clear();
  return fill(first_candidate(setting_), 0, departures, most);
}

bool JointSpace::fill(Plan plan, std::size_t parameter, std::size_t departures, std::size_t most) {
  if (parameter == parameter_count) {
    if (!validate(plan, setting_.isa).ok() || plan.threads > setting_.max_threads) return true;
    if (index_.emplace(key(plan), plans_.size()).second) plans_.push_back(plan);
    return plans_.size() <= most;
  }
  // The analytical value comes first: of plans that do the same work, the nearest to the analytical one is kept.
  if (!fill(plan, parameter + 1, departures, most)) return false;
  const Parameter& one = parameters()[parameter];
  if (!one.strong && departures == 0) return true;
  const std::uint32_t start = one.get(plan);
  for (const std::uint32_t value : levels_[parameter]) {
    if (value == start) continue;
    one.set(plan, value);
    if (!fill(plan, parameter + 1, one.strong ? departures : departures - 1, most)) return false;
  }
  return true;
}

std::optional<std::size_t> JointSpace::find(const Plan& plan) const {
  const auto found = index_.find(key(plan));
  return found == index_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::size_t> JointSpace::moved(std::size_t plan, std::size_t parameter, std::size_t level) const {
  Plan other = plans_[plan];
  parameters()[parameter].set(other, levels_[parameter][level % levels_[parameter].size()]);
  return find(other);
}

std::vector<std::size_t> JointSpace::along(std::size_t plan, std::size_t parameter) const {
  std::vector<std::size_t> others;
  for (std::size_t level = 0; level < levels_[parameter].size(); ++level) {
    const auto other = moved(plan, parameter, level);
    if (!other || *other == plan || std::find(others.begin(), others.end(), *other) != others.end()) continue;
    others.push_back(*other);
  }
  return others;
}

std::vector<std::size_t> JointSpace::neighbours(std::size_t plan) const {
  std::vector<std::size_t> near;
  for (std::size_t i = 0; i < parameter_count; ++i) {
    const Values& levels = levels_[i];
    const auto here =
        std::lower_bound(levels.begin(), levels.end(), parameters()[i].get(plans_[plan])) - levels.begin();
    for (const std::ptrdiff_t step : {-1, 1}) {
      for (auto level = here + step; level >= 0 && level < std::ssize(levels); level += step) {
        const auto other = moved(plan, i, static_cast<std::size_t>(level));
        if (!other || *other == plan) continue;
        if (std::find(near.begin(), near.end(), *other) == near.end()) near.push_back(*other);
        break;
      }
    }
  }
  return near;
}

}  // namespace sluice::tuner
