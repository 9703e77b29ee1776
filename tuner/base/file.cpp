#include "tuner/base/file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "tuner/base/failure.hpp"
#include "tuner/base/file_placement.hpp"
#include "tuner/base/standard_streams.hpp"

namespace sluice::tuner {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const fs::path& path, std::string_view what, int error, std::string_view mend) {
  throw Failure(exit_code::file,
                fmt::format("{}: {}: {}; {}", path.string(), what, std::generic_category().message(error), mend));
}

// Owns an open file and closes it.
class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  [[nodiscard]] int get() const { return value_; }
  [[nodiscard]] int release() { return std::exchange(value_, -1); }
  // Some file systems report a failed write only when the file is closed.
  [[nodiscard]] bool close() { return ::close(release()) == 0; }

 private:
  int value_;
};

// Removes the file unless told to keep it.
class Temporary {
 public:
  explicit Temporary(fs::path path) : path_(std::move(path)) {}
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  void keep() { path_.clear(); }

 private:
  fs::path path_;
};

bool write_all(int descriptor, std::string_view contents) {
  while (!contents.empty()) {
    const ssize_t written = ::write(descriptor, contents.data(), contents.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    contents.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

void create_directory_of(const fs::path& path) {
  std::error_code error;
  fs::create_directories(directory_of(path), error);
  if (error) fail(path, "its directory cannot be created", error.value(), "name a file in a writable directory");
}

// Writes through a device, a pipe, or a descriptor that the parent opened. That one may append to a file with more in
// it than we know of, so it is neither opened anew nor truncated.
void write_directly(const fs::path& path, std::optional<int> open_descriptor, std::string_view contents) {
  Descriptor file(open_descriptor ? ::fcntl(*open_descriptor, F_DUPFD_CLOEXEC, 3)
                                  : ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY));
  if (file.get() < 0) fail(path, "cannot be opened for writing", errno, "name a writable file");
  if (!write_all(file.get(), contents) || !file.close()) fail(path, "cannot be written", errno, "make room for it");
}

// Creates and opens a new file beside `target`, and stores its path in `name`, which is short, however long the
// target's is. Returns a negative number on failure.
int create_beside(const fs::path& target, fs::path& name) {
  static std::atomic<unsigned> counter{0};
  for (;;) {
    name = directory_of(target) / fmt::format(".sluice-{}-{}.tmp", ::getpid(), counter++);
    const int descriptor = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor >= 0 || errno != EEXIST) return descriptor;
  }
}

}  // namespace

std::string read_file(const fs::path& path, std::size_t limit) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (file.get() < 0) fail(path, "cannot be read", errno, "name a readable file");
  std::string contents;
  std::array<char, 65536> chunk;
  for (;;) {
    const ssize_t count = ::read(file.get(), chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(path, "cannot be read", errno, "name a readable file");
    if (count == 0) return contents;
    contents.append(chunk.data(), static_cast<std::size_t>(count));
    if (contents.size() > limit) {
      throw Failure(exit_code::file, fmt::format("{}: larger than {} bytes, which no file of sluice is; name another",
                                                 path.string(), limit));
    }
  }
}

void write_file_atomically(const fs::path& path, std::string_view contents) {
  if (const std::optional<int> descriptor = descriptor_named_by(path)) {
    return write_directly(path, descriptor, contents);
  }
  // A symbolic link is followed here, because rename() would replace the link itself.
  std::error_code error;
  const bool link = fs::is_symlink(path, error);
  const fs::path target = link ? resolved(path) : path;
  struct stat present {};
  const bool exists = ::stat(target.c_str(), &present) == 0;
  if (exists && S_ISDIR(present.st_mode)) fail(path, "cannot be written", EISDIR, "name a file");
  if (exists && !S_ISREG(present.st_mode)) return write_directly(target, std::nullopt, contents);
  if (exists && ::access(target.c_str(), W_OK) != 0) fail(path, "cannot be replaced", errno, "name a writable file");
  if (!exists) create_directory_of(target);

  fs::path name;
  Descriptor file(create_beside(target, name));
  if (file.get() < 0) fail(path, "cannot be created", errno, "name a file in a writable directory");
  Temporary temporary(name);
  if (exists && !take_place_of(file.get(), present)) {
    fail(path, "its permissions cannot be kept", errno, "name a file of your own");
  }
  if (!exists) give_to_owner_of_directory(file.get(), target);
  if (!write_all(file.get(), contents) || ::fsync(file.get()) != 0 || !file.close()) {
    fail(path, "cannot be written", errno, "make room for it; nothing was changed");
  }
  if (::rename(name.c_str(), target.c_str()) != 0) {
    fail(path, "cannot be replaced", errno, "name a file in a writable directory");
  }
  temporary.keep();

  // Without this a power loss could bring the old file back. Not every file system can do it, so failure is ignored.
  const Descriptor directory(::open(directory_of(target).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() >= 0) (void)::fsync(directory.get());
}

void write_output(const fs::path& path, std::string_view contents) {
  if (path.empty()) {
    write_stdout(contents);
  } else {
    write_file_atomically(path, contents);
  }
}

FileLock::FileLock(const fs::path& path, std::chrono::milliseconds patience)
    : lock_path_(beside(resolved(path), ".lock")) {
  create_directory_of(lock_path_);
  const auto deadline = std::chrono::steady_clock::now() + patience;
  for (;;) {
    // For reading only, so that the lock of a killed process of another user can be taken.
    Descriptor file(::open(lock_path_.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666));
    if (file.get() < 0) fail(lock_path_, "cannot be created", errno, "name a file in a writable directory");
    if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) {
      // The previous holder removes the file, so the file that was just locked may no longer be the one with this name.
      struct stat locked {};
      struct stat named {};
      if (::fstat(file.get(), &locked) == 0 && ::stat(lock_path_.c_str(), &named) == 0 &&
          locked.st_ino == named.st_ino && locked.st_dev == named.st_dev) {
        descriptor_ = file.release();
        return;
      }
      continue;
    }
    if (errno != EWOULDBLOCK && errno != EINTR) {
      fail(lock_path_, "cannot be locked", errno, "name a file on a file system with locks");
    }
    if (std::chrono::steady_clock::now() >= deadline) {
      throw Failure(exit_code::file,
                    fmt::format("{}: another sluice is writing this file; wait for it to end", path.string()));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

FileLock::~FileLock() {
  // The name goes before the lock, so that whoever waits on the old file sees that it is gone and opens a new one.
  ::unlink(lock_path_.c_str());
  ::close(descriptor_);
}

}  // namespace sluice::tuner
