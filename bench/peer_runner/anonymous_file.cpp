#include "bench/peer_runner/anonymous_file.hpp"

#if defined(__linux__)
#include <sys/mman.h>
#else
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>
#endif

namespace sluice::bench {

#if defined(__linux__)
int anonymous_file(const char* purpose) noexcept { return memfd_create(purpose, MFD_CLOEXEC); }
#else
int anonymous_file(const char* purpose) noexcept try {
  std::error_code error;
  std::string path = (std::filesystem::temp_directory_path(error) / purpose).string() + ".XXXXXX";
  const int file = mkstemp(path.data());
  if (file < 0) return file;
  unlink(path.c_str());
  fcntl(file, F_SETFD, FD_CLOEXEC);
  return file;
} catch (...) {
  return -1;
}
#endif

}  // namespace sluice::bench
