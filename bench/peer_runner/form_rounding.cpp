#include "bench/peer_runner/form_rounding.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string_view>
#include <utility>
#include <vector>

#include "bench/peer_runner/peer_process.hpp"

namespace sluice::bench {
namespace {

constexpr std::pair<std::string_view, Precision> names[] = {
    {"f32", Precision::f32}, {"bf16", Precision::bf16}, {"f16", Precision::f16}};
constexpr std::uint32_t int8_steps = 127;

std::string_view name_of(Precision precision) {
  for (const auto& [name, named] : names)
    if (named == precision) return name;
  return "unknown";
}

Precision precision_of(const nlohmann::json& json, const char* field) {
  const auto found = json.find(field);
  if (found == json.end()) return Precision::f32;
  for (const auto& [name, precision] : names)
    if (*found == name) return precision;
  throw PeerError(
      fmt::format("it says that a form rounds {} to {:.60}; expected f32, bf16 or f16", field, found->dump()));
}

std::string_view trimmed(std::uint32_t steps) { return steps == int8_steps ? "int8" : "int16"; }

}  // namespace

double unit_roundoff(Precision precision) noexcept {
  switch (precision) {
    case Precision::f32:
      return 0;
    case Precision::bf16:
      return 0x1p-8;
    case Precision::f16:
      return 0x1p-11;
  }
  return 0;
}

FormRounding parse_rounding(const nlohmann::json& json) {
  if (!json.is_object()) throw PeerError(fmt::format("it says that a form rounds {:.60}, no JSON object", json.dump()));
  FormRounding rounding;
  nlohmann::json rest = json;
  if (json.value("inputs", nlohmann::json()) == "int8") {
    rounding.steps = int8_steps;
    rest.erase("inputs");
    const auto group = json.find("group");
    if (group != json.end() && !group->is_number_unsigned())
      throw PeerError(
          fmt::format("it says that a form quantises x by {:.60}; expected a number of values, or 0 for a "
                      "whole row",
                      group->dump()));
    rounding.group = group == json.end() ? 0 : group->get<std::uint32_t>();
  }
  rounding.inputs = precision_of(rest, "inputs");
  rounding.scales = precision_of(rest, "scales");
  rounding.weights = precision_of(rest, "weights");
  rounding.results = precision_of(rest, "results");
  rounding.activation = precision_of(rest, "activation");
  return rounding;
}

std::string describe(const FormRounding& rounding) {
  std::vector<std::string> words;
  if (rounding.steps != 0)
    words.push_back(rounding.group != 0 ? fmt::format("x {}:{}", trimmed(rounding.steps), rounding.group)
                                        : fmt::format("x {} by row", trimmed(rounding.steps)));
  for (const auto& [what, precision] : {std::pair("x", rounding.inputs), std::pair("scales of x", rounding.scales),
                                        std::pair("weights", rounding.weights), std::pair("z and H", rounding.results),
                                        std::pair("activation", rounding.activation)})
    if (precision != Precision::f32) words.push_back(fmt::format("{} {}", what, name_of(precision)));
  return words.empty() ? "f32" : fmt::format("{}", fmt::join(words, ", "));
}

}  // namespace sluice::bench
