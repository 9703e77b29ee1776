#include "tuner/profile/profile.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <tuple>
#include <utility>

#include "tuner/base/failure.hpp"
#include "tuner/base/file.hpp"
#include "tuner/base/timestamp.hpp"
#include "tuner/base/version.hpp"
#include "tuner/profile/profile_json.hpp"

namespace sluice::tuner {
namespace {

constexpr std::array<std::pair<Verdict, std::string_view>, 5> verdicts{{
    {Verdict::faster, "faster"},
    {Verdict::tied, "tied"},
    {Verdict::slower, "slower"},
    {Verdict::inconclusive, "inconclusive"},
    {Verdict::default_won, "default"},
}};

// Puts each element of `fresh` in the place of the one in `into` that answers the same question, or appends it.
template <class T, class Same>
void replace_or_append(std::vector<T>& into, const std::vector<T>& fresh, Same same) {
  for (const T& element : fresh) {
    const auto old =
        std::find_if(into.begin(), into.end(), [&](const T& candidate) { return same(candidate, element); });
    if (old == into.end()) {
      into.push_back(element);
    } else {
      *old = element;
    }
  }
}

// Returns the profile at `path`, or nothing when there is no file. Throws if it is of another machine.
std::optional<Profile> load_mergeable(const std::filesystem::path& path, const Machine& machine,
                                      const std::string& fingerprint) {
  std::optional<Profile> present = find_profile(path, false);
  if (present && present->fingerprint != fingerprint) {
    throw Failure(exit_code::file,
                  fmt::format("{}: the profile of another machine ({}), expected this one's; give another --profile or "
                              "move the file away",
                              path.string(), fmt::join(fingerprint_differences(*present, machine, fingerprint), ", ")));
  }
  return present;
}

}  // namespace

std::string_view name(Verdict verdict) noexcept { return verdicts.at(static_cast<std::size_t>(verdict)).second; }

std::optional<Verdict> parse_verdict(std::string_view name) noexcept {
  for (const auto& [verdict, word] : verdicts) {
    if (word == name) return verdict;
  }
  return std::nullopt;
}

bool same_cell(const PlanRow& a, const PlanRow& b) noexcept { return cell_key(a) == cell_key(b); }

Profile make_profile(const Machine& machine, std::vector<std::string> command) {
  Profile profile;
  profile.sluice_version = version;
  profile.created = utc_now();
  profile.command = std::move(command);
  profile.machine = machine;
  profile.fingerprint = machine.fingerprint();
  return profile;
}

Profile load_profile(const std::filesystem::path& path) { return parse_profile(read_file(path), path.string()); }

std::optional<Profile> find_profile(const std::filesystem::path& path, bool required) {
  std::error_code error;
  const bool missing = std::filesystem::status(path, error).type() == std::filesystem::file_type::not_found;
  if (missing && required) {
    throw Failure(exit_code::file, fmt::format("{}: no such file, expected a profile; make one with sluice tune "
                                               "--profile {}",
                                               path.string(), path.string()));
  }
  if (missing) return std::nullopt;
  return load_profile(path);
}

std::vector<std::string> fingerprint_differences(const Profile& profile, const Machine& machine,
                                                 const std::string& fingerprint, std::string_view here) {
  std::vector<std::string> found = differences(profile.machine, machine, here);
  if (found.empty()) found.push_back(fmt::format("fingerprint ({}, {} {})", profile.fingerprint, here, fingerprint));
  return found;
}

void write_profile(const std::filesystem::path& path, const Profile& profile) {
  const std::string text = profile_text(profile);
  // A text that cannot be read back must not replace a sound profile.
  (void)parse_profile(text, path.string());
  write_file_atomically(path, text);
}

void put(std::vector<ProfilePlan>& plans, const ProfilePlan& plan) {
  replace_or_append(plans, {plan}, [](const ProfilePlan& a, const ProfilePlan& b) { return same_cell(a.row, b.row); });
}

void merge(Profile& into, const Profile& fresh) {
  into.sluice_version = fresh.sluice_version;
  into.created = fresh.created;
  into.command = fresh.command;
  into.machine = fresh.machine;
  into.fingerprint = fresh.fingerprint;
  replace_or_append(into.roofs.fma, fresh.roofs.fma,
                    [](const FmaRoof& a, const FmaRoof& b) { return a.isa == b.isa && a.threads == b.threads; });
  replace_or_append(into.roofs.dot, fresh.roofs.dot, [](const DotRoof& a, const DotRoof& b) {
    return a.isa == b.isa && a.arithmetic == b.arithmetic && a.weight_bits == b.weight_bits && a.threads == b.threads;
  });
  replace_or_append(into.roofs.read, fresh.roofs.read, [](const ReadRoof& a, const ReadRoof& b) {
    return a.threads == b.threads && a.footprint_bytes == b.footprint_bytes;
  });
  for (const ProfilePlan& plan : fresh.plans) put(into.plans, plan);
}

void check_mergeable(const std::filesystem::path& path, const Machine& machine) {
  const FileLock lock(path);  // also checks that the directory can be written
  (void)load_mergeable(path, machine, machine.fingerprint());
}

void merge_into_file(const std::filesystem::path& path, const Profile& fresh) {
  const FileLock lock(path);
  Profile whole = load_mergeable(path, fresh.machine, fresh.fingerprint).value_or(Profile{});
  merge(whole, fresh);
  write_profile(path, whole);
}

std::vector<ProfilePlan> sorted_plans(const Profile& profile) {
  std::vector<ProfilePlan> plans = profile.plans;
  std::sort(plans.begin(), plans.end(),
            [](const ProfilePlan& a, const ProfilePlan& b) { return cell_key(a.row) < cell_key(b.row); });
  return plans;
}

std::vector<PlanRow> sorted_rows(const Profile& profile) {
  std::vector<PlanRow> rows;
  for (const ProfilePlan& plan : sorted_plans(profile)) rows.push_back(plan.row);
  return rows;
}

std::vector<std::string> width_conflicts(const std::vector<PlanRow>& rows) {
  // The number of plans whose width is not the one in use, by ISA, whether gated, type of weights, and shape.
  std::map<std::tuple<Isa, bool, WeightType, Arithmetic, std::size_t, std::size_t>, std::size_t> useless;
  for (const PlanRow& row : rows) {
    if (row.plan.tiling.nr != tuned_nr({rows}, row.isa, row.kind, row.shape) && !register_tiles(row.isa).empty())
      ++useless[{row.isa, row.kind.gated, row.kind.weights, row.kind.arithmetic, row.shape.d_model, row.shape.d_ff}];
  }
  std::vector<std::string> lines;
  for (const auto& [group, count] : useless) {
    const auto& [isa, gated, weights, arithmetic, d_model, d_ff] = group;
    const Kind kind{gated ? Activation::silu : Activation::relu, gated, weights, arithmetic};
    std::string type = weights == WeightType::f32 ? "" : fmt::format("{} ", name(weights));
    if (arithmetic != Arithmetic::f32) type += fmt::format("by {} ", name(arithmetic));
    lines.push_back(
        fmt::format("{} plan{} for {} {} {}{}x{} not used: for weights packed in another width than the {} of "
                    "the largest M, and one packing serves every M; tune these again",
                    count, count == 1 ? "" : "s", name(isa), gated ? "gated" : "plain", type, d_model, d_ff,
                    tuned_nr({rows}, isa, kind, {d_model, d_ff})));
  }
  return lines;
}

UsableRows usable_rows(const Profile& profile, const Machine& machine) {
  UsableRows usable;
  usable.exact = profile.fingerprint == machine.fingerprint();
  if (!usable.exact) {
    usable.differences = fingerprint_differences(profile, machine, machine.fingerprint());
    usable.warnings.push_back(
        fmt::format("the profile is of another machine: {}; its plans are borrowed, run sluice "
                    "tune for your own",
                    fmt::join(usable.differences, ", ")));
  }
  for (const Isa isa : all_isas()) {
    const std::string reason = obstacle(isa, machine);
    std::size_t skipped = 0;
    for (const ProfilePlan& plan : profile.plans) {
      if (plan.row.isa != isa) continue;
      if (reason.empty()) {
        usable.rows.push_back(plan.row);
      } else {
        ++skipped;
      }
    }
    if (skipped > 0) {
      usable.warnings.push_back(
          fmt::format("{} plan{} for {} skipped: {}", skipped, skipped == 1 ? "" : "s", name(isa), reason));
    }
  }
  for (std::string& line : width_conflicts(usable.rows)) usable.warnings.push_back(std::move(line));
  return usable;
}

}  // namespace sluice::tuner
