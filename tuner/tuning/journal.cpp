#include "tuner/tuning/journal.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "tuner/base/failure.hpp"
#include "tuner/base/file_placement.hpp"
#include "tuner/base/version.hpp"
#include "tuner/tuning/journal_record.hpp"

namespace sluice::tuner {
namespace {

namespace fs = std::filesystem;

// Enough for hours of trials of some 500 bytes each.
constexpr std::size_t largest_file = std::size_t{1} << 30U;

[[noreturn]] void refuse(const fs::path& path, std::string_view what) {
  throw Failure(exit_code::file, fmt::format("{}: {}", path.string(), what));
}

std::string message(int error) { return std::generic_category().message(error); }

// Adds a record to the contents. Returns false if its form is wrong.
bool take(JournalContents& contents, const Json& json, const std::string& file) {
  const JsonField record(json, file);
  try {
    const auto number = record["number"].natural<std::uint64_t>(0);
    const std::string kind = record["record"].text();
    // A line that was copied or moved does not count, because it does not tell when it was written.
    if (number < contents.next_number || (kind == "header") != (number == 0)) return false;
    if (kind == "header") contents.header = read_header(record);
    if (kind == "trial") contents.trials.push_back(read_trial(record));
    if (kind == "pair") contents.pairs.push_back(read_pair(record));
    if (kind == "cell") contents.finished.push_back(read_finished_cell(record));
    contents.ended = kind == "end";
    contents.next_number = number + 1;
    return true;
  } catch (const Failure&) {
    return false;
  }
}

void refuse_newer(const Json& json, const std::string& file) {
  if (!json.contains("schema_version") || !json["schema_version"].is_number_unsigned()) return;
  if (const auto given = json["schema_version"].get<std::uint64_t>(); given > journal_version) {
    refuse(file, fmt::format("schema_version: is {}, newer than {} of sluice {}; use a newer sluice, or another "
                             "--journal",
                             given, journal_version, version));
  }
}

bool same_cells(const std::vector<Cell>& a, const std::vector<Cell>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Cell& one, const Cell& other) {
    return one.kind == other.kind && one.shape == other.shape && one.m == other.m && one.threads == other.threads;
  });
}

// Whether the text is the beginning of a header, which a run leaves that was killed during its first write.
bool only_begun(std::string_view text) {
  const std::string_view begin = R"({"record":"header","number":0,"schema":"sluice-journal")";
  return text.find('\n') == std::string_view::npos && text.substr(0, begin.size()) == begin.substr(0, text.size());
}

}  // namespace

std::vector<std::string> differences(const JournalHeader& there, const JournalHeader& here) {
  std::vector<std::string> found;
  const auto compare = [&](std::string_view field, const auto& theirs, const auto& ours) {
    if (theirs != ours) found.push_back(fmt::format("{} ({}, here {})", field, theirs, ours));
  };
  compare("machine", there.fingerprint, here.fingerprint);
  compare("isa", name(there.isa), name(here.isa));
  if (!same_cells(there.cells, here.cells))
    found.push_back(fmt::format("cells ({}, here {} others)", there.cells.size(), here.cells.size()));
  compare("seed", there.seed, here.seed);
  compare("rigor", there.rigor, here.rigor);
  compare("strategy", there.strategy, here.strategy);
  return found;
}

JournalContents parse_journal(std::string_view text, const std::string& file) {
  JournalContents contents;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t line_break = text.find('\n', begin);
    const std::size_t end = line_break == std::string_view::npos ? text.size() : line_break + 1;
    // The write of a line without its line break was cut short.
    const std::optional<Json> json =
        line_break == std::string_view::npos ? std::nullopt : read_line(text.substr(begin, line_break - begin));
    if (json && json->value("record", "") == "header") refuse_newer(*json, file);
    if (!json || !take(contents, *json, file)) {
      ++contents.damaged;
      contents.damage.emplace_back(begin, end);
    }
    begin = end;
  }
  return contents;
}

JournalContents read_journal(const fs::path& path) {
  return parse_journal(read_file(path, largest_file), path.string());
}

Journal::Journal(const fs::path& path, const JournalHeader& header, Start start)
    : path_(path), lock_(path, std::chrono::milliseconds(0)) {
  if (descriptor_named_by(path)) refuse(path, "is an open stream and no file to keep; name another --journal");
  const fs::file_status status = fs::status(path);
  if (fs::exists(status) && !fs::is_regular_file(status)) refuse(path, "is not a regular file; name another --journal");
  if (fs::exists(status)) {
    const std::string text = read_file(path, largest_file);
    contents_ = parse_journal(text, path.string());
    if (contents_.next_number == 0 && !text.empty() && !only_begun(text))
      refuse(path, "is not a journal and stays as it is; name another --journal");
    if (start == Start::resume)
      resume(text, header);
    else
      move_aside();
  }
  descriptor_ = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
  if (descriptor_ < 0)
    refuse(path, fmt::format("cannot be written: {}; name a --journal in a writable directory", message(errno)));
  if (!fs::exists(status) || start != Start::resume) give_to_owner_of_directory(descriptor_, path);
  if (contents_.header) return;
  contents_.header = header;
  write(record_line(header, contents_.next_number++));
}

Journal::~Journal() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void Journal::resume(const std::string& text, const JournalHeader& header) {
  if (!contents_.header && contents_.next_number != 0)
    refuse(path_, "its first record is damaged, so nobody knows what it is of; leave out --resume to begin afresh");
  if (contents_.header) {
    const std::vector<std::string> differing = differences(*contents_.header, header);
    if (!differing.empty()) {
      refuse(path_, fmt::format("the journal of another tuning: {}; repeat its command, or leave out --resume to begin "
                                "afresh",
                                fmt::join(differing, ", ")));
    }
  }
  if (contents_.damaged != 0) quarantine(text);
}

void Journal::quarantine(const std::string& text) {
  std::string sound;
  std::string damaged;
  std::size_t begin = 0;
  for (const auto& [from, to] : contents_.damage) {
    sound.append(text, begin, from - begin);
    damaged.append(text, from, to - from);
    begin = to;
  }
  sound.append(text, begin);
  const fs::path aside = beside(resolved(path_), ".damaged");
  const std::string before = fs::exists(aside) ? read_file(aside, largest_file) : "";
  // The copy is written first. If the program ends between the two writes, the damage is found again.
  write_file_atomically(aside, before + damaged);
  write_file_atomically(path_, sound);
  notes_.push_back(fmt::format("{}: {} damaged line{} moved to {}; the other {} records are kept", path_.string(),
                               contents_.damaged, contents_.damaged == 1 ? "" : "s", aside.string(),
                               1 + contents_.trials.size() + contents_.pairs.size() + contents_.finished.size()));
}

void Journal::move_aside() {
  const fs::path file = resolved(path_);  // a link to it stays where it is
  fs::path aside = beside(file, ".old");
  for (int i = 2; fs::exists(aside); ++i) aside = beside(file, fmt::format(".old.{}", i));
  std::error_code error;
  fs::rename(file, aside, error);
  if (error) refuse(path_, fmt::format("cannot be moved aside: {}; name another --journal", error.message()));
  notes_.push_back(fmt::format("{}: a journal was there; it is now {}. To go on with it, move it back and use --resume",
                               path_.string(), aside.string()));
  contents_ = {};
}

void Journal::write(std::string_view line) {
  const off_t before = ::lseek(descriptor_, 0, SEEK_END);
  ssize_t written = 0;
  do {
    written = ::write(descriptor_, line.data(), line.size());
  } while (written < 0 && errno == EINTR);
  if (written == static_cast<ssize_t>(line.size())) return;
  const int error = written < 0 ? errno : ENOSPC;
  // If the disk was full, the part of the record that was written is removed.
  if (written > 0 && ::ftruncate(descriptor_, before) != 0) ::close(std::exchange(descriptor_, -1));
  refuse(path_,
         fmt::format("cannot be written: {}; make room for it and repeat the command with --resume", message(error)));
}

void Journal::append(const Trial& trial) { write(record_line(trial, contents_.next_number++)); }
void Journal::append(const Pair& pair) { write(record_line(pair, contents_.next_number++)); }

void Journal::append(const FinishedCell& cell) {
  write(record_line(cell, contents_.next_number++));
  // A power loss shall not take a cell, which is minutes of work. Not every file system supports the call.
  (void)::fdatasync(descriptor_);
}

void Journal::append_end() {
  write(end_line(contents_.next_number++));
  contents_.ended = true;
}

void Journal::remove() {
  std::error_code error;
  fs::remove(path_, error);
  if (error) refuse(path_, fmt::format("cannot be removed: {}; remove it by hand", error.message()));
}

}  // namespace sluice::tuner
