// Owns: reading one value of a JSON file with its checks: every error is a Failure 5 that names file and field.
// Does not own: which fields there are.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tuner/base/spelling.hpp"

namespace sluice::tuner {

// A value in a file and the way to it ("plans[3].plan.nr"). The document must outlive it.
class JsonField {
 public:
  JsonField(const nlohmann::ordered_json& json, std::string file, std::string way = "")
      : json_(&json), file_(std::move(file)), way_(std::move(way)) {}

  [[noreturn]] void fail(std::string_view what) const;

  // Returns the member of an object. It must exist.
  [[nodiscard]] JsonField operator[](std::string_view key) const;
  [[nodiscard]] bool has(std::string_view key) const { return json_->is_object() && json_->contains(key); }
  [[nodiscard]] std::vector<JsonField> elements() const;

  [[nodiscard]] bool is_null() const { return json_->is_null(); }
  [[nodiscard]] std::string text() const;
  [[nodiscard]] bool boolean() const;
  // Returns a finite number in [least, most].
  [[nodiscard]] double number(double least, double most = std::numeric_limits<double>::max()) const;
  [[nodiscard]] double positive() const { return number(std::numeric_limits<double>::min()); }
  // Returns a whole number in [least, the largest T].
  template <class T>
  [[nodiscard]] T natural(T least = 1) const {
    constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<T>::max());
    return static_cast<T>(natural_between(static_cast<std::uint64_t>(least), most));
  }

  // Returns the value of one of the names that `parse` (string_view → optional) knows.
  template <class Parse>
  [[nodiscard]] auto named(Parse parse, const std::vector<std::string_view>& known) const {
    const std::string word = text();
    const auto value = parse(word);
    if (!value) fail(fmt::format("'{:.32}' is unknown; {}", word, known_names(word, known)));
    return *value;
  }

  // Returns read(*this), or nothing for null.
  template <class Read>
  [[nodiscard]] auto nullable(Read read) const -> std::optional<decltype(read(*this))> {
    if (is_null()) return std::nullopt;
    return read(*this);
  }

 private:
  [[nodiscard]] std::uint64_t natural_between(std::uint64_t least, std::uint64_t most) const;
  // Returns the value if it is sure to be short, else its type.
  [[nodiscard]] std::string shown() const;

  const nlohmann::ordered_json* json_;
  std::string file_;
  std::string way_;
};

}  // namespace sluice::tuner
