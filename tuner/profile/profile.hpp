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

// Measured limits of so many threads at once. flops is in FLOP/s.
struct FmaRoof {
  Isa isa;
  std::uint32_t threads;
  double flops;
  friend bool operator==(const FmaRoof&, const FmaRoof&) = default;
};
// Of dot products of integers and of bf16; two FLOPs for a product. Instruction sets may multiply elements of fewer
// bits faster.
struct DotRoof {
  Isa isa;
  Arithmetic arithmetic;
  std::uint32_t weight_bits;  // of an element: 16, 8 or 4
  std::uint32_t threads;
  double flops;
  friend bool operator==(const DotRoof&, const DotRoof&) = default;
};
struct ReadRoof {
  std::uint32_t threads;
  double bytes_per_second;
  std::uint64_t footprint_bytes;  // of the memory that was read
  friend bool operator==(const ReadRoof&, const ReadRoof&) = default;
};
struct Roofs {
  std::vector<FmaRoof> fma;
  std::vector<DotRoof> dot;
  std::vector<ReadRoof> read;
  friend bool operator==(const Roofs&, const Roofs&) = default;
};

// How a tuned plan compares with the analytical one. default_won: no plan was better.
enum class Verdict : std::uint8_t { faster, tied, slower, inconclusive, default_won };
std::string_view name(Verdict verdict) noexcept;
std::optional<Verdict> parse_verdict(std::string_view name) noexcept;

// ratio_to_default is time(tuned) / time(analytical) from pairs. ratio_low and ratio_high are its 95 % interval.
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

// Identifies the cell of a row. Rows with the same key replace each other, and rows are sorted by their keys.
inline auto cell_key(const PlanRow& row) {
  return std::tuple(row.isa, row.kind.weights, row.kind.arithmetic, row.kind.gated, row.kind.activation,
                    row.shape.d_model, row.shape.d_ff, row.m, row.max_threads);
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

// Returns an empty profile with this version and the present time.
Profile make_profile(const Machine& machine, std::vector<std::string> command);

// Throws Failure 5 with file and field if it is missing, unreadable, damaged, of a newer schema or not a profile.
Profile load_profile(const std::filesystem::path& path);

// Returns nothing if there is no such file, unless it was asked for by name (`required`). Then it throws Failure 5.
std::optional<Profile> find_profile(const std::filesystem::path& path, bool required);

// Puts the plans and roofs of `fresh` into the profile at `path`, atomically and under a lock. They replace those of
// the same cell or roof; all others stay. Creates a missing file. Throws Failure 5 and leaves the file untouched if it
// is not a sound profile of the same machine.
void merge_into_file(const std::filesystem::path& path, const Profile& fresh);

// Replaces the file at `path` atomically. The caller holds its lock. A profile that cannot be read back is not written.
void write_profile(const std::filesystem::path& path, const Profile& profile);

// Throws what merge_into_file() would throw, so that it is known before hours of measuring.
void check_mergeable(const std::filesystem::path& path, const Machine& machine);

// Replaces the plan of the same cell, or appends it.
void put(std::vector<ProfilePlan>& plans, const ProfilePlan& plan);

// Replaces cells and roofs of `into` by those of `fresh` and appends the new ones.
void merge(Profile& into, const Profile& fresh);

// Both are in the order of cell_key(), which does not depend on the order of tuning.
std::vector<ProfilePlan> sorted_plans(const Profile& profile);
std::vector<PlanRow> sorted_rows(const Profile& profile);

// Returns the fields of the fingerprint in which a profile's machine differs, as differences() does. If there are none,
// it returns the two fingerprints instead.
std::vector<std::string> fingerprint_differences(const Profile& profile, const Machine& machine,
                                                 const std::string& fingerprint, std::string_view here = "here");

// One packing of the weights serves every M, so a shape can only use the plans for one panel width, that of tuned_nr().
// Returns a line for each shape that has others.
std::vector<std::string> width_conflicts(const std::vector<PlanRow>& rows);

// The rows of a profile that may be used on a machine.
struct UsableRows {
  std::vector<PlanRow> rows;
  bool exact = true;                     // the profile is of this very machine; else all rows are borrowed
  std::vector<std::string> differences;  // fields of the fingerprint that differ
  std::vector<std::string> warnings;     // one line each, to be shown to the user

  [[nodiscard]] PlanTable table() const { return {rows}; }
  // Where a plan chosen from table() really comes from. An exact row of another machine counts as borrowed.
  [[nodiscard]] PlanOrigin origin(const PlanChoice& choice) const {
    return choice.origin == PlanOrigin::exact && !exact ? PlanOrigin::borrowed : choice.origin;
  }
};
UsableRows usable_rows(const Profile& profile, const Machine& machine);

}  // namespace sluice::tuner
