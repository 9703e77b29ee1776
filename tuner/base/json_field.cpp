#include "tuner/base/json_field.hpp"

#include <cstddef>

#include "tuner/base/failure.hpp"

namespace sluice::tuner {

void JsonField::fail(std::string_view what) const {
  throw Failure(exit_code::file, fmt::format("{}: {}: {}; mend the file, or move it away and make a new one", file_,
                                             way_.empty() ? "the document" : way_, what));
}

JsonField JsonField::operator[](std::string_view key) const {
  if (!json_->is_object()) fail(fmt::format("is {}, expected an object", shown()));
  const auto found = json_->find(key);
  const std::string way = way_.empty() ? std::string(key) : fmt::format("{}.{}", way_, key);
  if (found == json_->end()) JsonField(*json_, file_, way).fail("is missing");
  return {*found, file_, way};
}

std::vector<JsonField> JsonField::elements() const {
  if (!json_->is_array()) fail(fmt::format("is {}, expected an array", shown()));
  std::vector<JsonField> found;
  for (std::size_t i = 0; i < json_->size(); ++i) {
    found.emplace_back((*json_)[i], file_, fmt::format("{}[{}]", way_, i));
  }
  return found;
}

std::string JsonField::text() const {
  if (!json_->is_string()) fail(fmt::format("is {}, expected a string", shown()));
  return json_->get<std::string>();
}

bool JsonField::boolean() const {
  if (!json_->is_boolean()) fail(fmt::format("is {}, expected true or false", shown()));
  return json_->get<bool>();
}

double JsonField::number(double least, double most) const {
  const bool fits = json_->is_number() && json_->get<double>() >= least && json_->get<double>() <= most;
  if (!fits) fail(fmt::format("is {}, expected a number of {} to {}", shown(), least, most));
  return json_->get<double>();
}

std::uint64_t JsonField::natural_between(std::uint64_t least, std::uint64_t most) const {
  const bool whole = json_->is_number_unsigned();
  if (!whole || json_->get<std::uint64_t>() < least || json_->get<std::uint64_t>() > most) {
    fail(fmt::format("is {}, expected a whole number of {} to {}", shown(), least, most));
  }
  return json_->get<std::uint64_t>();
}

std::string JsonField::shown() const {
  const bool short_text = json_->is_number() || json_->is_boolean();
  return short_text ? json_->dump() : json_->is_null() ? "null" : fmt::format("of type {}", json_->type_name());
}

}  // namespace sluice::tuner
