// Owns: the text of a random case, both ways. Does not own: what is drawn (random_case.cpp).
#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <vector>

#include "tuner/workload/random_case.hpp"

namespace sluice::tuner {
namespace {

// Beyond all random cases, and small enough that no product overflows and no memory runs out.
constexpr std::uint64_t longest = 4096;
constexpr std::uint64_t largest_number = UINT32_MAX;

struct NamedBlocks {
  std::string_view name;
  BlockFormat format;
};
constexpr NamedBlocks block_names[] = {{"q8_0", BlockFormat::q8_0},       {"q4_0", BlockFormat::q4_0},
                                       {"mxfp4", BlockFormat::mxfp4},     {"gptq", BlockFormat::gptq},
                                       {"gptq_v2", BlockFormat::gptq_v2}, {"awq", BlockFormat::awq}};
constexpr bool in_words(BlockFormat format) { return format >= BlockFormat::gptq; }

std::string text_of(const MatrixForm& form) {
  std::string type(name(form.type));
  for (const NamedBlocks& one : block_names)
    if (one.format == form.blocks) type = one.name;
  return type + (form.order == Order::in_out ? ":in_out:" : ":out_in:") + std::to_string(form.ld);
}

std::string text_of(bool value) { return value ? "yes" : "no"; }

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(separator, begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

// The fields of a text by name. The first fault is kept; what is read afterwards has no meaning.
class Fields {
 public:
  explicit Fields(std::string_view text) {
    for (const std::string_view part : split(text, ',')) {
      const std::size_t equals = part.find('=');
      if (equals == std::string_view::npos) {
        refuse(part, "expected NAME=VALUE, with commas between them");
        return;
      }
      fields_.push_back({part.substr(0, equals), part.substr(equals + 1), part, false});
    }
  }

  // The value of a field that must be there, once.
  std::string_view word(std::string_view field) {
    std::string_view value;
    std::size_t count = 0;
    for (Field& one : fields_) {
      if (one.name != field) continue;
      one.read = true;
      value = one.value;
      whole_ = one.whole;
      ++count;
    }
    if (count != 1) refuse(field, count == 0 ? "is missing; expected once" : "is given twice; expected once");
    return value;
  }

  std::uint64_t number(std::string_view field, std::uint64_t least, std::uint64_t most) {
    const std::string_view value = word(field);
    const std::optional<std::uint64_t> found = number_in(value);
    if (!found || *found < least || *found > most)
      refuse(whole_, "expected a whole number of " + std::to_string(least) + " to " + std::to_string(most));
    return found.value_or(0);
  }
  std::uint32_t small_number(std::string_view field) {
    return static_cast<std::uint32_t>(number(field, 0, largest_number));
  }

  bool flag(std::string_view field) {
    const std::string_view value = word(field);
    if (value != "yes" && value != "no") refuse(whole_, "expected yes or no");
    return value == "yes";
  }

  // What `parse` makes of the value.
  template <class Parse>
  auto named(std::string_view field, Parse parse, const char* expected) {
    const auto found = parse(word(field));
    if (!found) refuse(whole_, expected);
    return found.value_or(typename decltype(found)::value_type{});
  }

  // in and out: the matrix' extents. "none" where there is no such matrix.
  MatrixForm matrix(std::string_view field, std::size_t in, std::size_t out, bool there) {
    const std::string_view value = word(field);
    MatrixForm form;
    if (!there) {
      if (value != "none") refuse(whole_, "expected none, since a plain kind has no gate");
      return form;
    }
    const std::vector<std::string_view> parts = split(value, ':');
    const std::string expected = "expected TYPE:ORDER:LD, such as f32:in_out:" + std::to_string(out);
    if (parts.size() != 3) return refuse(whole_, expected), form;
    const auto* const blocks = std::find_if(std::begin(block_names), std::end(block_names),
                                            [&](const NamedBlocks& one) { return one.name == parts[0]; });
    const std::optional<WeightType> type = parse_weight_type(parts[0]);
    if (blocks != std::end(block_names))
      form.blocks = blocks->format;
    else if (type && type->group == 0)
      form.type = *type;
    else
      refuse(whole_, "expected a type f32, bf16, f16, q8_0, q4_0, mxfp4, gptq, gptq_v2 or awq");
    if (parts[1] != "in_out" && parts[1] != "out_in") refuse(whole_, "expected an order in_out or out_in");
    form.order = parts[1] == "in_out" ? Order::in_out : Order::out_in;
    const std::size_t line = form.order == Order::in_out ? out : in;
    form.ld = number_in(parts[2]).value_or(0);
    if (form.ld < line || form.ld > 2 * longest)
      refuse(whole_, "expected an LD of " + std::to_string(line) + " to " + std::to_string(2 * longest));
    if (in_words(form.blocks)) {
      if (form.order != Order::in_out || in % 8 != 0 || out % 8 != 0 || form.ld % 8 != 0)
        refuse(whole_, "expected in_out, and multiples of 8 inputs, of outputs and of LD, as words have them");
    } else if (form.blocks != BlockFormat::none && (form.order != Order::out_in || in % 32 != 0 || form.ld % 32 != 0)) {
      refuse(whole_, "expected out_in, and multiples of 32 inputs and of LD, as blocks have them");
    }
    return form;
  }

  void refuse(std::string_view what, std::string_view why) {
    if (fault_.empty()) fault_ = std::string(what) + (why.starts_with("is ") ? " " : ": ") + std::string(why);
  }
  // Also of fields that nobody asked for.
  std::string fault() {
    for (const Field& one : fields_)
      if (!one.read) refuse(one.whole, "is unknown; leave it out");
    return fault_;
  }

 private:
  struct Field {
    std::string_view name, value, whole;
    bool read;
  };

  static std::optional<std::uint64_t> number_in(std::string_view word) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
    return value;
  }

  std::vector<Field> fields_;
  std::string_view whole_;
  std::string fault_;
};

constexpr std::string_view absmax = "absmax";
constexpr std::string_view least_squares = "least_squares";
std::optional<ScaleChoice> parse_scales(std::string_view word) {
  if (word == absmax) return ScaleChoice::absmax;
  if (word == least_squares) return ScaleChoice::least_squares;
  return std::nullopt;
}

struct NamedBias {
  std::string_view name;
  bool Forms::*there;
};
constexpr NamedBias bias_names[] = {{"gate", &Forms::gate_bias}, {"up", &Forms::up_bias}, {"down", &Forms::down_bias}};

void read_biases(Fields& fields, Kind kind, Forms& forms) {
  const std::string_view value = fields.word("biases");
  if (value == "none") return;
  for (const std::string_view part : split(value, '+')) {
    const auto* const bias = std::find_if(std::begin(bias_names), std::end(bias_names),
                                          [&](const NamedBias& one) { return one.name == part; });
    if (bias == std::end(bias_names)) {
      fields.refuse("biases=" + std::string(value), "expected none, or gate, up and down with + between");
      return;
    }
    forms.*bias->there = true;
  }
  if (forms.gate_bias && !kind.gated) fields.refuse("biases=" + std::string(value), "a plain kind has no gate");
}

Plan read_plan(Fields& fields) {
  Plan plan;
  Tiling& tiling = plan.tiling;
  tiling.nr = fields.small_number("nr");
  tiling.mr = fields.small_number("mr");
  tiling.kc = fields.small_number("kc");
  tiling.mc = fields.small_number("mc");
  tiling.nc = fields.small_number("nc");
  tiling.fc = fields.small_number("fc");
  tiling.prefetch = fields.small_number("prefetch");
  tiling.pack_x = fields.flag("pack_x");
  tiling.schedule = fields.named("schedule", parse_schedule, "expected split_columns, split_rows or the like");
  constexpr std::uint64_t most_threads = 64;
  plan.threads = static_cast<std::uint32_t>(fields.number("threads", 1, most_threads));
  return plan;
}

}  // namespace

std::string describe(const RandomCase& one) {
  const Forms& forms = one.forms;
  const Tiling& tiling = one.plan.tiling;
  std::string biases;
  for (const NamedBias& bias : bias_names)
    if (forms.*bias.there) biases += (biases.empty() ? "" : "+") + std::string(bias.name);
  const std::pair<std::string_view, std::string> fields[] = {
      {"isa", std::string(name(one.isa))},
      {"kind", std::string(name(one.kind))},
      {"weights", std::string(name(one.kind.weights))},
      {"arithmetic", std::string(name(one.kind.arithmetic))},
      {"m", std::to_string(one.m)},
      {"d_model", std::to_string(one.shape.d_model)},
      {"d_ff", std::to_string(one.shape.d_ff)},
      {"gate", one.kind.gated ? text_of(forms.gate) : "none"},
      {"up", text_of(forms.up)},
      {"down", text_of(forms.down)},
      {"biases", biases.empty() ? "none" : biases},
      {"ldx", std::to_string(forms.ldx)},
      {"ldy", std::to_string(forms.ldy)},
      {"accumulate", text_of(one.accumulate)},
      {"scales", std::string(forms.scales == ScaleChoice::absmax ? absmax : least_squares)},
      {"nr", std::to_string(tiling.nr)},
      {"mr", std::to_string(tiling.mr)},
      {"kc", std::to_string(tiling.kc)},
      {"mc", std::to_string(tiling.mc)},
      {"nc", std::to_string(tiling.nc)},
      {"fc", std::to_string(tiling.fc)},
      {"prefetch", std::to_string(tiling.prefetch)},
      {"pack_x", text_of(tiling.pack_x)},
      {"schedule", std::string(name(tiling.schedule))},
      {"threads", std::to_string(one.plan.threads)},
      {"seed", std::to_string(one.seed)}};
  std::string text;
  for (const auto& [field, value] : fields) text += (text.empty() ? "" : ",") + std::string(field) + "=" + value;
  return text;
}

Result<RandomCase> parse_random_case(std::string_view text) {
  Fields fields(text);
  RandomCase one;
  one.isa = fields.named("isa", parse_isa, "expected scalar, neon, avx2 or avx512");
  one.kind = fields.named("kind", parse_kind, "expected a kind that `sluice verify --help` lists");
  one.kind.weights = fields.named("weights", parse_weight_type, "expected a type that `sluice verify --help` lists");
  one.kind.arithmetic = fields.named("arithmetic", parse_arithmetic, "expected f32, int8, int16 or bf16");
  if (!offered(one.kind.weights, one.kind.arithmetic))
    fields.refuse("arithmetic=" + std::string(name(one.kind.arithmetic)),
                  "is not for weights=" + std::string(name(one.kind.weights)) +
                      "; expected f32 for any, int8 or int16 for those with scales, bf16 for bf16");
  one.m = fields.number("m", 1, longest);
  const std::size_t d_model = fields.number("d_model", 1, longest);
  const std::size_t d_ff = fields.number("d_ff", 1, longest);
  one.shape = {d_model, d_ff};
  Forms& forms = one.forms;
  forms.gate = fields.matrix("gate", d_model, d_ff, one.kind.gated);
  forms.up = fields.matrix("up", d_model, d_ff, true);
  forms.down = fields.matrix("down", d_ff, d_model, true);
  read_biases(fields, one.kind, forms);
  forms.ldx = fields.number("ldx", 1, 2 * longest);
  forms.ldy = fields.number("ldy", d_model, 2 * longest);
  one.accumulate = fields.flag("accumulate");
  forms.scales = fields.named("scales", parse_scales, "expected absmax or least_squares");
  one.plan = read_plan(fields);
  one.seed = fields.number("seed", 0, UINT64_MAX);
  if (const std::string fault = fields.fault(); !fault.empty())
    return Status::error(Code::invalid_argument, "%s", fault.c_str());
  // Of an ISA that this build lacks nothing is known, and it cannot run here.
  if (const Status status = validate(one.plan, one.isa); !status.ok() && runnable(one.isa)) return status;
  return one;
}

}  // namespace sluice::tuner
