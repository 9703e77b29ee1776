// Owns: files as a whole: read, replaced atomically, locked against a second writer. Every error is a Failure with
// exit code 5 that names the file. Does not own: what is in a file.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace sluice::tuner {

// Returns the whole file. More than `limit` bytes are an error: no file of ours is as large, and a device never ends.
std::string read_file(const std::filesystem::path& path, std::size_t limit = std::size_t{16} << 20U);

// Replaces the file or leaves it as it was: it writes a temporary file beside it, syncs that and renames it. On failure
// it removes the temporary file. Creates missing directories, follows a symbolic link, keeps the owner and the
// permissions of an existing file and refuses a read-only one. What root creates in a user's directory belongs to that
// user. A device, a pipe, or an open file of the process (/dev/stdout) is written to directly.
void write_file_atomically(const std::filesystem::path& path, std::string_view contents);

// Writes to the file, or to standard output when the path is empty.
void write_output(const std::filesystem::path& path, std::string_view contents);

// Locks a file for as long as it lives, so that each of several writers sees what the previous one wrote. The lock is a
// file beside it, the same for every spelling of the path and every symbolic link to it; two hard links to one file
// have a lock each. It is advisory and works between processes and between threads. The file of a killed process is not
// locked. The constructor creates missing directories and waits at most `patience`.
class FileLock {
 public:
  explicit FileLock(const std::filesystem::path& path, std::chrono::milliseconds patience = std::chrono::seconds(10));
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock();

 private:
  std::filesystem::path lock_path_;
  int descriptor_ = -1;
};

}  // namespace sluice::tuner
