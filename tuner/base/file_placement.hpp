// Owns: which file a name means, the names of our own files beside it, and whose they are. Does not own: reading and
// writing (file.hpp).
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <optional>
#include <string_view>

namespace sluice::tuner {

// Returns the file behind symbolic links, however it is spelled; the file itself may be missing. A path that cannot be
// looked up is returned as it is.
std::filesystem::path resolved(const std::filesystem::path& path);

// Returns the number of this process's descriptor that the path names, such as 1 for /dev/stdout or /proc/self/fd/1.
std::optional<int> descriptor_named_by(const std::filesystem::path& path);

// Returns the directory of a path, "." if it names none.
std::filesystem::path directory_of(const std::filesystem::path& path);

// Returns the path with the suffix. Where that name is longer than the directory allows, it is a short name in the same
// directory that is always the same for this file.
std::filesystem::path beside(const std::filesystem::path& path, std::string_view suffix);

// Gives an open file that replaces another one the owner and the permissions of that one. Without the right to give it
// away, it keeps at least the group, if that is allowed. Returns false if it cannot have the permissions.
bool take_place_of(int descriptor, const struct stat& replaced) noexcept;

// Gives a new file that root created to the owner of its directory, who could not write it otherwise. Without root's
// rights, or if everybody may write into the directory, it does nothing.
void give_to_owner_of_directory(int descriptor, const std::filesystem::path& path) noexcept;

}  // namespace sluice::tuner
