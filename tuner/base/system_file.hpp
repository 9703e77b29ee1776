// Owns: reading the one-line files of /proc and /sys. Does not own: what their words mean.
#pragma once

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

namespace sluice::tuner {

// Returns an empty text where there is no such file.
inline std::string first_line(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

inline std::optional<std::string> word_in(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string word;
  return file >> word ? std::optional(word) : std::nullopt;
}

}  // namespace sluice::tuner
