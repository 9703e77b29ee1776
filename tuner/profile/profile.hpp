// Owns: the profile: the tuned plans and measured roofs of one machine, its file, and which of its plans serve here.
// Does not own: how the plans were found (tune), the text of the file (profile_json.hpp).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "sluice/plan.hpp"
#include "tuner/machine/machine.hpp"

namespace sluice::tuner {

inline constexpr std::string_view default_profile_path = "out/profile.json";

// Measured limits. threads run at once; flops in FLOP/s.
struct FmaRoof {
  Isa isa;
  std::uint32_t threads;
  double flops;
  friend bool operator==(const FmaRoof&, const FmaRoof&) = default;
};
struct ReadRoof {
  std::uint32_t threads;
  double bytes_per_second;
  std::uint64_t footprint_bytes;  // of the memory that was read
  friend bool operator==(const ReadRoof&, const ReadRoof&) = default;
};
struct Roofs {
  std::vector<FmaRoof> fma;
  std::vector<ReadRoof> read;
  friend bool operator==(const Roofs&, const Roofs&) = default;
};

// How a tuned plan compares with the analytical default; default_won: no plan was better.
enum class Verdict : std::uint8_t { faster, tied, slower, inconclusive, default_won };
std::string_view name(Verdict verdict) noexcept;
std::optional<Verdict> parse_verdict(std::string_view name) noexcept;

// ratio = time(tuned) / time(default), paired; low and high are its 95 % interval.
struct Measured {
  double ratio_to_default;
  double ratio_low;
  double ratio_high;
  Verdict verdict;
  std::uint32_t pairs;
  std::uint32_t trials;
  double roof_fraction;
  double contended_share;
  friend bool operator==(const Measured&, const Measured&) = default;
};

struct ProfilePlan {
  PlanRow row;
  std::optional<Measured> measured;
};

// The question that a row answers: rows with the same key replace each other. In the order of the key rows are sorted.
inline auto cell_key(const PlanRow& row) {
  return std::tuple(row.isa, row.kind.gated, row.kind.activation, row.shape.d_model, row.shape.d_ff, row.m,
                    row.max_threads);
}
bool same_cell(const PlanRow& a, const PlanRow& b) noexcept;

struct Profile {
  std::string sluice_version;
  std::string created;  // UTC, "2026-01-31T12:00:00Z"
  std::vector<std::string> command;
  Machine machine;
  std::string fingerprint;  // of the machine, as it was stored
  Roofs roofs;
  std::vector<ProfilePlan> plans;
};

// An empty profile of this version and moment.
Profile make_profile(const Machine& machine, std::vector<std::string> command);

// Failure 5 with file and field when it is missing, unreadable, damaged, of a newer schema or not a profile.
Profile load_profile(const std::filesystem::path& path);

// Nothing when there is no such file and it was not asked for by name (`required`).
std::optional<Profile> find_profile(const std::filesystem::path& path, bool required);

// Puts the plans and roofs of `fresh` into the profile at `path`, under a lock, atomically; a cell or roof that is
// there is replaced, all others stay. Creates the file. Failure 5, and the file untouched, when what is there is not a
// sound profile of the same machine.
void merge_into_file(const std::filesystem::path& path, const Profile& fresh);

// Replaces the file at `path`, atomically; the caller holds its lock. What could not be read back is not written.
void write_profile(const std::filesystem::path& path, const Profile& profile);

// What merge_into_file() would refuse, before hours of measuring.
void check_mergeable(const std::filesystem::path& path, const Machine& machine);

// Replaces the plan of the same cell, or appends it.
void put(std::vector<ProfilePlan>& plans, const ProfilePlan& plan);

// Replaces cells and roofs of `into` by those of `fresh` and appends the new ones.
void merge(Profile& into, const Profile& fresh);

// All plans, in an order that does not depend on the order of tuning.
std::vector<ProfilePlan> sorted_plans(const Profile& profile);
std::vector<PlanRow> sorted_rows(const Profile& profile);

// The fields of the fingerprint in which a profile's machine differs, with both values, `here` naming the second: as
// differences(), but never empty when the fingerprints differ.
std::vector<std::string> fingerprint_differences(const Profile& profile, const Machine& machine,
                                                 const std::string& fingerprint, std::string_view here = "here");

// One packing of the weights serves every M, so of a shape only the plans for one panel width are of use: those of
// tuned_nr(). A line for each shape that has others.
std::vector<std::string> width_conflicts(const std::vector<PlanRow>& rows);

// The rows of a profile that may be used on a machine.
struct UsableRows {
  std::vector<PlanRow> rows;
  bool exact = true;                     // the profile is of this very machine; else all rows are borrowed
  std::vector<std::string> differences;  // fields of the fingerprint that differ
  std::vector<std::string> warnings;     // one line each, to be shown to the user

  [[nodiscard]] PlanTable table() const { return {rows}; }
  // Where a plan chosen from table() really comes from: an exact row of another machine is borrowed.
  [[nodiscard]] PlanOrigin origin(const PlanChoice& choice) const {
    return choice.origin == PlanOrigin::exact && !exact ? PlanOrigin::borrowed : choice.origin;
  }
};
UsableRows usable_rows(const Profile& profile, const Machine& machine);

}  // namespace sluice::tuner
