// Owns: files as a whole: read, replaced atomically, locked against a second writer. Every error is a Failure with
// exit code 5 that names the file. Does not own: what is in a file.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace sluice::tuner {

// The whole file. Larger than `limit` bytes is an error: no file of ours is, and a device would never end.
std::string read_file(const std::filesystem::path& path, std::size_t limit = std::size_t{16} << 20U);

// Replaces the file or leaves it as it was: a temporary file beside it, fsync, rename. On failure the temporary file
// is removed. Creates missing directories, follows a symbolic link, keeps the permissions of a file that is there and
// refuses one that is read-only. A device or a pipe (/dev/stdout) is written to directly.
void write_file_atomically(const std::filesystem::path& path, std::string_view contents);

// Standard output, flushed and checked: a full disk behind `>` is an error.
void write_stdout(std::string_view contents);

// To the file, or to standard output when the path is empty.
void write_output(const std::filesystem::path& path, std::string_view contents);

// Holds `path`.lock for as long as it lives, so that of several writers each sees what the one before it wrote.
// Advisory, between processes and between threads; a lock left by a killed process does not count.
// Creates missing directories. Waits at most `patience`.
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
