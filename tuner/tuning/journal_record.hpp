// Owns: one record of a journal as one line of text, written and read. Does not own: the file (journal.hpp).
//
// {"record":"trial","number":7,…,"fnv1a":"0123456789abcdef"}
// The checksum is FNV-1a 64 of the line's bytes before `,"fnv1a"`. It detects every single altered byte, and misses
// other damage once in 2^64 cases.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tuner/profile/profile_json.hpp"
#include "tuner/tuning/journal.hpp"

namespace sluice::tuner {

// The lines end with a line break. `number` counts the records of a file from 0.
std::string record_line(const JournalHeader& header, std::uint64_t number);
std::string record_line(const Trial& trial, std::uint64_t number);
std::string record_line(const Pair& pair, std::uint64_t number);
std::string record_line(const FinishedCell& finished, std::uint64_t number);
std::string end_line(std::uint64_t number);

// Returns the checksum of the header's line as record 0, in 16 hex digits.
std::string record_checksum(const JournalHeader& header);

// Reads a line without its line break. Returns nothing if its checksum does not fit it.
std::optional<Json> read_line(std::string_view line);

// These throw Failure 5 for a field that is missing or wrong.
JournalHeader read_header(const JsonField& record);
Trial read_trial(const JsonField& record);
Pair read_pair(const JsonField& record);
FinishedCell read_finished_cell(const JsonField& record);

}  // namespace sluice::tuner
