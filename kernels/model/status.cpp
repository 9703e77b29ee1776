// Owns: formatting of error messages into the fixed buffer of Status.
#include "sluice/status.hpp"

#include <cstdarg>
#include <cstdio>

namespace sluice {

Status Status::error(Code code, const char* format, ...) noexcept {
  Status status;
  status.code_ = code;
  std::va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(status.message_.data(), status.message_.size(), format, arguments);
  va_end(arguments);
  return status;
}

}  // namespace sluice
