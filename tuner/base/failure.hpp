// Owns: how the programs fail: an exit code and one line of text. Does not own: printing it (program.hpp).
#pragma once

#include <exception>
#include <string>
#include <utility>

namespace sluice::tuner {

namespace exit_code {
inline constexpr int ok = 0;
inline constexpr int verification_failed = 1;
inline constexpr int usage = 2;        // flags, names, values, sizes, thread counts; 3 is `sluice compare`'s alone
inline constexpr int unsupported = 4;  // the machine cannot, or a measurement was inconclusive
inline constexpr int file = 5;         // missing, unreadable, damaged, newer schema, unwritable
inline constexpr int interrupted = 130;
}  // namespace exit_code

// The message is one line without the program's name. It gives the value, what was expected and how to mend it.
struct Failure : std::exception {
  Failure(int code, std::string text) : exit_code(code), message(std::move(text)) {}
  [[nodiscard]] const char* what() const noexcept override { return message.c_str(); }

  int exit_code;
  std::string message;
};

}  // namespace sluice::tuner
