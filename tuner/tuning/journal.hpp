// Owns: the journal of a tuning: what is recorded, its file, reading it back whatever happened to it.
// Does not own: what is tuned (tune.hpp), the text of one record (journal_record.hpp).
//
// The file is JSON Lines and append-only. Each record is one write(2), so that a killed run loses only the trial it was
// at. The header is the first record. Trials, pairs and finished cells follow, and an end record if the tuning was
// completed. A journal of one cell tuned with --rigor exhaustive is a landscape: it holds the cost of every plan.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/plan.hpp"
#include "tuner/base/file.hpp"
#include "tuner/profile/profile.hpp"
#include "tuner/workload/cell.hpp"

namespace sluice::tuner {

inline constexpr std::string_view journal_schema = "sluice-journal";
inline constexpr std::uint32_t journal_version = 1;

// The panel width that the weights of a shape had in the profile before this tuning, and so keep.
struct KeptWidth {
  Shape shape;
  Kind kind;  // whatever its activation
  std::uint32_t nr;
};

struct JournalHeader {
  std::string fingerprint;  // of the machine
  CacheSizes caches;
  std::string sluice_version;
  std::vector<std::string> command;
  Isa isa = Isa::scalar;
  std::vector<Cell> cells;  // without the names of models
  std::uint64_t seed = 1;
  std::string rigor;
  std::string strategy;
  std::optional<double> budget_seconds;  // nothing: no limit
  std::vector<KeptWidth> kept_widths;
};

// Returns why the records of one journal cannot serve another tuning, as in "seed (1, here 2)". The budget may differ.
std::vector<std::string> differences(const JournalHeader& there, const JournalHeader& here);

// One plan timed on a slice of a cell's problem.
struct Trial {
  PlanRow row;       // the cell with the plan that was tried; the shape is that of the slice
  std::size_t d_ff;  // of the cell
  double cost_ns;
  double roof_fraction;
  bool contended;
  std::uint32_t round;   // how often this plan had been timed for this cell before
  std::int64_t took_ns;  // since the record before it, by the clock of the tuning
};

// Two plans timed next to each other.
enum class PairPurpose : std::uint8_t {
  width,       // which panel width serves a shape better
  validation,  // whether the plan found is faster than the analytical one, on the whole problem
  self_check,  // the analytical plan against itself: no difference is the right answer
};
struct PairSample {
  double cost_ns;
  double roof_fraction;
};
struct Pair {
  PairPurpose purpose;
  PlanRow row;  // the cell with plan a; the shape is that of what was timed
  Plan b;
  std::size_t d_ff;  // of the cell
  PairSample sample_a;
  PairSample sample_b;
  bool contended;  // one of the two
  std::uint32_t round;
  std::int64_t took_ns;
};

struct FinishedCell {
  Cell cell;
  ProfilePlan plan;
  std::optional<Verdict> self_check;
  std::int64_t took_ns;
};

struct JournalContents {
  std::optional<JournalHeader> header;  // empty if it is damaged or was not yet written
  std::vector<Trial> trials;
  std::vector<Pair> pairs;
  std::vector<FinishedCell> finished;
  bool ended = false;
  std::uint64_t next_number = 0;
  std::size_t damaged = 0;                                  // lines
  std::vector<std::pair<std::size_t, std::size_t>> damage;  // where they begin and end in the file, line break included
};

// Parses any bytes. Lines whose checksum or form is wrong are counted and left out. Throws Failure 5 only for a journal
// of a newer schema.
JournalContents parse_journal(std::string_view text, const std::string& file);

// Reads and parses the file. Throws Failure 5 also if it cannot be read.
JournalContents read_journal(const std::filesystem::path& path);

// A journal that is being written, under a lock that keeps other tunings off it.
class Journal {
 public:
  enum class Start : std::uint8_t {
    afresh,  // moves an existing journal aside, to FILE.old, FILE.old.2, …
    resume,  // goes on with an existing journal if it is of the same tuning, and begins one if there is none
  };
  // Moves damaged lines to FILE.damaged. Throws Failure 5, and touches nothing, if `path` is no journal, is of another
  // tuning or machine, is of a newer schema, is in use, or cannot be written.
  Journal(const std::filesystem::path& path, const JournalHeader& header, Start start);
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;
  ~Journal();

  // Returns what was there to resume. Its header is that of the first run.
  [[nodiscard]] const JournalContents& contents() const noexcept { return contents_; }
  // Returns lines for the user that say what was moved where.
  [[nodiscard]] const std::vector<std::string>& notes() const noexcept { return notes_; }
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

  // Throws Failure 5 if the record cannot be written. Then the file is as it was before.
  void append(const Trial& trial);
  void append(const Pair& pair);
  void append(const FinishedCell& cell);
  // Records that nothing is left to be done.
  void append_end();
  void remove();

 private:
  void resume(const std::string& text, const JournalHeader& header);
  void quarantine(const std::string& text);
  void move_aside();
  void write(std::string_view line);

  std::filesystem::path path_;
  FileLock lock_;
  JournalContents contents_;
  std::vector<std::string> notes_;
  int descriptor_ = -1;
};

}  // namespace sluice::tuner
