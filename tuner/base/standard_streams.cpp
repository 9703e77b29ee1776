#include "tuner/base/standard_streams.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <system_error>

#include "tuner/base/failure.hpp"

namespace sluice::tuner {
namespace {

// Whether a broken pipe on standard output ends the process, as it would without us.
bool pipe_ends_process = false;

}  // namespace

void open_standard_streams() noexcept {
  for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; ++descriptor) {
    // open() returns the lowest free number, which is this one. It is for reading only, so that writing fails.
    if (::fcntl(descriptor, F_GETFD) < 0) (void)::open("/dev/null", O_RDONLY | O_NOCTTY);
  }
  struct sigaction present {};
  if (::sigaction(SIGPIPE, nullptr, &present) == 0 && present.sa_handler == SIG_DFL) {
    pipe_ends_process = true;
    std::signal(SIGPIPE, SIG_IGN);
  }
}

void write_stdout(std::string_view contents) {
  const bool written = std::fwrite(contents.data(), 1, contents.size(), stdout) == contents.size();
  if (written && std::fflush(stdout) == 0) return;
  const int error = errno;
  if (error == EPIPE && pipe_ends_process) {
    std::signal(SIGPIPE, SIG_DFL);
    std::raise(SIGPIPE);
  }
  throw Failure(exit_code::file,
                fmt::format("standard output: cannot be written: {}; {}", std::generic_category().message(error),
                            error == EBADF   ? "leave it open or name a file with --out"
                            : error == EPIPE ? "keep its reader open"
                                             : "make room for it"));
}

void write_stderr_text(std::string_view text) noexcept {
  (void)std::fwrite(text.data(), 1, text.size(), stderr);
  (void)std::fflush(stderr);
}

}  // namespace sluice::tuner
