// Owns: how the library says that something went wrong. Never throws, never prints, never allocates.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <utility>

namespace sluice {

enum class Code : std::uint8_t {
  ok,
  invalid_argument,  // a value outside its documented range
  too_large,         // a size whose product overflows or that no address space holds
  unsupported,       // an ISA that this build does not hold or this machine cannot run
  out_of_memory,
};

// The outcome of a call. The message is one line: the value, what was expected, how to mend it.
class [[nodiscard]] Status {
 public:
  Status() noexcept = default;

  // printf-style; a message that does not fit is cut.
  [[gnu::format(printf, 2, 3)]] static Status error(Code code, const char* format, ...) noexcept;

  [[nodiscard]] bool ok() const noexcept { return code_ == Code::ok; }
  [[nodiscard]] Code code() const noexcept { return code_; }
  [[nodiscard]] const char* message() const noexcept { return message_.data(); }

 private:
  Code code_ = Code::ok;
  std::array<char, 255> message_{};
};

// A value, or the reason why there is none. * and -> only when ok(); status() then is ok.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}        // implicit, as the next: `return value;`
  Result(Status status) noexcept : status_(status) {}  // not ok()

  [[nodiscard]] bool ok() const noexcept { return value_.has_value(); }
  explicit operator bool() const noexcept { return ok(); }
  [[nodiscard]] const Status& status() const noexcept { return status_; }

  T& operator*() & noexcept { return *value_; }
  const T& operator*() const& noexcept { return *value_; }
  T&& operator*() && noexcept { return *std::move(value_); }
  T* operator->() noexcept { return &*value_; }
  const T* operator->() const noexcept { return &*value_; }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace sluice
