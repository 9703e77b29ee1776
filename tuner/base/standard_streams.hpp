// Owns: the standard streams of the programs: that descriptors 0 to 2 are open, what is written to standard output and
// to standard error, and what a broken pipe does. Does not own: the messages, files (file.hpp).
#pragma once

#include <fmt/format.h>

#include <string_view>
#include <utility>

namespace sluice::tuner {

// Must run before anything opens a file. Opens those of the descriptors 0 to 2 that the parent left closed, so that no
// file of ours gets such a number and is written to as standard error. Writing to a stream that was closed still fails.
// From then on a broken pipe is an error of the write instead of the end of the process.
void open_standard_streams() noexcept;

// Writes to standard output, flushes it and checks it: a full disk behind `>` is a Failure 5. If the reader of a pipe
// is gone, it ends the process as SIGPIPE does, unless the parent ignored that signal.
void write_stdout(std::string_view contents);

// Writes to standard error. A message that cannot be written is lost, and the work goes on.
void write_stderr_text(std::string_view text) noexcept;
template <class... T>
void write_stderr(fmt::format_string<T...> format, T&&... values) {
  write_stderr_text(fmt::format(format, std::forward<T>(values)...));
}

}  // namespace sluice::tuner
