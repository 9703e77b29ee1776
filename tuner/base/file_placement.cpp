#include "tuner/base/file_placement.hpp"

#include <unistd.h>

#include <charconv>
#include <string>
#include <system_error>

#include "tuner/base/fnv1a.hpp"

namespace sluice::tuner {
namespace {

namespace fs = std::filesystem;

// As many as Linux follows before it gives up on a path.
constexpr int most_links = 40;

std::optional<int> number(const std::string& text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

// Whether the directory lists the open files of this process: /proc/self/fd, under whatever name, or /dev/fd.
bool lists_descriptors(const fs::path& directory) {
  std::error_code error;
  const fs::path real = fs::canonical(directory, error);
  if (error) return false;
  return real == "/dev/fd" || real == fs::path("/proc") / std::to_string(::getpid()) / "fd";
}

// Returns where a symbolic link points to, or nothing if the path is none.
std::optional<fs::path> link_target(const fs::path& path) {
  std::error_code error;
  if (!fs::is_symlink(path, error)) return std::nullopt;
  const fs::path target = fs::read_symlink(path, error);
  return error ? std::nullopt : std::optional(directory_of(path) / target);  // an absolute target stands for itself
}

}  // namespace

fs::path directory_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

fs::path resolved(const fs::path& path) {
  // weakly_canonical() keeps the name of a link whose target is missing, which a rename would then replace.
  fs::path file = path;
  for (int i = 0; i < most_links; ++i) {
    const std::optional<fs::path> next = link_target(file);
    if (!next) break;
    file = *next;
  }
  std::error_code error;
  const fs::path target = fs::weakly_canonical(file, error);
  return error ? path : target;
}

std::optional<int> descriptor_named_by(const fs::path& path) {
  fs::path one = path;
  for (int i = 0; i < most_links; ++i) {
    if (lists_descriptors(directory_of(one))) return number(one.filename().string());
    const std::optional<fs::path> next = link_target(one);
    if (!next) return std::nullopt;
    one = *next;
  }
  return std::nullopt;
}

fs::path beside(const fs::path& path, std::string_view suffix) {
  const std::string name = path.filename().string();
  const fs::path directory = directory_of(path);
  const long limit = ::pathconf(directory.c_str(), _PC_NAME_MAX);
  constexpr long usual_limit = 255;
  if (name.size() + suffix.size() <= static_cast<std::size_t>(limit > 0 ? limit : usual_limit)) {
    fs::path longer = path;
    return longer += suffix;
  }
  Fnv1a hash;
  hash.add(name);
  return directory / (".sluice-" + hash.digits() + std::string(suffix));
}

bool take_place_of(int descriptor, const struct stat& replaced) noexcept {
  struct stat own {};
  const bool foreign =
      ::fstat(descriptor, &own) == 0 && (own.st_uid != replaced.st_uid || own.st_gid != replaced.st_gid);
  if (foreign && ::fchown(descriptor, replaced.st_uid, replaced.st_gid) != 0)
    (void)!::fchown(descriptor, static_cast<uid_t>(-1), replaced.st_gid);
  // After the owner, since a change of the owner clears some of these.
  return ::fchmod(descriptor, replaced.st_mode & 07777U) == 0;
}

void give_to_owner_of_directory(int descriptor, const fs::path& path) noexcept {
  struct stat directory {};
  if (::geteuid() != 0 || ::stat(directory_of(path).c_str(), &directory) != 0) return;
  if (directory.st_uid == 0 || (directory.st_mode & S_IWOTH) != 0) return;
  (void)!::fchown(descriptor, directory.st_uid, directory.st_gid);
}

}  // namespace sluice::tuner
