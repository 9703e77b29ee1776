#include "tuner/tuning/journal_record.hpp"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "tuner/base/fnv1a.hpp"

namespace sluice::tuner {
namespace {

constexpr std::string_view checksum_key = R"(,"fnv1a":")";
constexpr std::size_t checksum_digits = 16;

constexpr std::array<std::pair<PairPurpose, std::string_view>, 3> purposes{{
    {PairPurpose::width, "width"},
    {PairPurpose::validation, "proof"},
    {PairPurpose::self_check, "self_check"},
}};

std::string_view name(PairPurpose purpose) { return purposes.at(static_cast<std::size_t>(purpose)).second; }

std::optional<PairPurpose> parse_purpose(std::string_view word) {
  for (const auto& [purpose, known] : purposes)
    if (known == word) return purpose;
  return std::nullopt;
}

std::string checksum(std::string_view text) {
  Fnv1a hash;
  hash.add(text);
  return hash.digits();
}

Json begin(std::string_view record, std::uint64_t number) { return {{"record", record}, {"number", number}}; }

std::string line(const Json& json) {
  std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  text.pop_back();  // the object's closing brace, which is added again after the checksum
  const std::string sum = checksum(text);
  text += checksum_key;
  text += sum;
  return text + "\"}\n";
}

void add_cell(Json& json, Isa isa, Kind kind, Shape shape, std::size_t m, std::uint32_t max_threads) {
  json["isa"] = name(isa);
  json["kind"] = name(kind);
  json["weights"] = name(kind.weights);
  json["arithmetic"] = name(kind.arithmetic);
  json["d_model"] = shape.d_model;
  json["d_ff"] = shape.d_ff;
  json["m"] = m;
  json["max_threads"] = max_threads;
}

Json cell_json(const Cell& cell) {
  return {{"kind", name(cell.kind)},
          {"weights", name(cell.kind.weights)},
          {"arithmetic", name(cell.kind.arithmetic)},
          {"d_model", cell.shape.d_model},
          {"d_ff", cell.shape.d_ff},
          {"m", cell.m},
          {"max_threads", cell.threads}};
}

Shape read_shape(const JsonField& field) {
  return {field["d_model"].natural<std::size_t>(), field["d_ff"].natural<std::size_t>()};
}

Cell read_cell(const JsonField& field) {
  return {read_kind(field),
          read_shape(field),
          field["m"].natural<std::size_t>(),
          field["max_threads"].natural<std::uint32_t>(),
          {}};
}

// Reads the cell of a trial or pair, with the named plan and the shape of the slice.
PlanRow read_row(const JsonField& record, std::string_view plan) {
  PlanRow row{read_isa(record["isa"]),
              read_kind(record),
              {record["d_model"].natural<std::size_t>(), record["slice"].natural<std::size_t>()},
              record["m"].natural<std::uint32_t>(),
              record["max_threads"].natural<std::uint32_t>(),
              read_plan(record[plan])};
  return row;
}

PairSample read_sample(const JsonField& field) {
  return {field["cost_ns"].positive(), field["roof_fraction"].number(0)};
}

Json sample_json(const PairSample& sample) {
  return {{"cost_ns", sample.cost_ns}, {"roof_fraction", sample.roof_fraction}};
}

std::int64_t read_took(const JsonField& record) { return record["took_ns"].natural<std::int64_t>(0); }

}  // namespace

std::string record_line(const JournalHeader& header, std::uint64_t number) {
  Json json = begin("header", number);
  json["schema"] = journal_schema;
  json["schema_version"] = journal_version;
  json["sluice_version"] = header.sluice_version;
  json["command"] = header.command;
  json["fingerprint"] = header.fingerprint;
  json["caches"] = to_json(header.caches);
  json["isa"] = name(header.isa);
  json["seed"] = header.seed;
  json["rigor"] = header.rigor;
  json["strategy"] = header.strategy;
  json["budget_seconds"] = header.budget_seconds ? Json(*header.budget_seconds) : Json(nullptr);
  json["kept_widths"] = Json::array();
  for (const KeptWidth& kept : header.kept_widths) {
    json["kept_widths"].push_back(Json{{"d_model", kept.shape.d_model},
                                       {"d_ff", kept.shape.d_ff},
                                       {"gated", kept.kind.gated},
                                       {"weights", name(kept.kind.weights)},
                                       {"arithmetic", name(kept.kind.arithmetic)},
                                       {"nr", kept.nr}});
  }
  json["cells"] = Json::array();
  for (const Cell& cell : header.cells) json["cells"].push_back(cell_json(cell));
  return line(json);
}

std::string record_line(const Trial& trial, std::uint64_t number) {
  Json json = begin("trial", number);
  const PlanRow& row = trial.row;
  add_cell(json, row.isa, row.kind, {row.shape.d_model, trial.d_ff}, row.m, row.max_threads);
  json["slice"] = row.shape.d_ff;
  json["plan"] = to_json(row.plan);
  json["cost_ns"] = trial.cost_ns;
  json["roof_fraction"] = trial.roof_fraction;
  json["contended"] = trial.contended;
  json["round"] = trial.round;
  json["took_ns"] = trial.took_ns;
  return line(json);
}

std::string record_line(const Pair& pair, std::uint64_t number) {
  Json json = begin("pair", number);
  const PlanRow& row = pair.row;
  json["purpose"] = name(pair.purpose);
  add_cell(json, row.isa, row.kind, {row.shape.d_model, pair.d_ff}, row.m, row.max_threads);
  json["slice"] = row.shape.d_ff;
  json["plan_a"] = to_json(row.plan);
  json["plan_b"] = to_json(pair.b);
  json["a"] = sample_json(pair.sample_a);
  json["b"] = sample_json(pair.sample_b);
  json["contended"] = pair.contended;
  json["round"] = pair.round;
  json["took_ns"] = pair.took_ns;
  return line(json);
}

std::string record_line(const FinishedCell& finished, std::uint64_t number) {
  Json json = begin("cell", number);
  const Cell& cell = finished.cell;
  add_cell(json, finished.plan.row.isa, cell.kind, cell.shape, cell.m, cell.threads);
  json["plan"] = to_json(finished.plan.row.plan);
  json["measured"] = finished.plan.measured ? to_json(*finished.plan.measured) : Json(nullptr);
  json["self_check"] = finished.self_check ? Json(name(*finished.self_check)) : Json(nullptr);
  json["took_ns"] = finished.took_ns;
  return line(json);
}

std::string end_line(std::uint64_t number) { return line(begin("end", number)); }

std::string record_checksum(const JournalHeader& header) { return checksum(record_line(header, 0)); }

std::optional<Json> read_line(std::string_view line) {
  const std::size_t tail = checksum_key.size() + checksum_digits + 2;
  if (line.size() <= tail || !line.ends_with("\"}")) return std::nullopt;
  const std::string_view text = line.substr(0, line.size() - tail);
  const std::string_view ending = line.substr(text.size());
  if (!ending.starts_with(checksum_key)) return std::nullopt;
  if (ending.substr(checksum_key.size(), checksum_digits) != checksum(text)) return std::nullopt;
  Json json = Json::parse(line, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  return json;
}

JournalHeader read_header(const JsonField& record) {
  JournalHeader header;
  header.sluice_version = record["sluice_version"].text();
  for (const JsonField& word : record["command"].elements()) header.command.push_back(word.text());
  header.fingerprint = record["fingerprint"].text();
  header.caches = read_caches(record["caches"]);
  header.isa = read_isa(record["isa"]);
  header.seed = record["seed"].natural<std::uint64_t>(0);
  header.rigor = record["rigor"].text();
  header.strategy = record["strategy"].text();
  header.budget_seconds = record["budget_seconds"].nullable([](const JsonField& f) { return f.positive(); });
  for (const JsonField& kept : record["kept_widths"].elements())
    header.kept_widths.push_back(
        {read_shape(kept),
         {Activation::identity, kept["gated"].boolean(), read_weights(kept), read_arithmetic(kept)},
         kept["nr"].natural<std::uint32_t>()});
  for (const JsonField& cell : record["cells"].elements()) header.cells.push_back(read_cell(cell));
  return header;
}

Trial read_trial(const JsonField& record) {
  return {read_row(record, "plan"),
          record["d_ff"].natural<std::size_t>(),
          record["cost_ns"].positive(),
          record["roof_fraction"].number(0),
          record["contended"].boolean(),
          record["round"].natural<std::uint32_t>(0),
          read_took(record)};
}

Pair read_pair(const JsonField& record) {
  return {record["purpose"].named(parse_purpose, {"width", "proof", "self_check"}),
          read_row(record, "plan_a"),
          read_plan(record["plan_b"]),
          record["d_ff"].natural<std::size_t>(),
          read_sample(record["a"]),
          read_sample(record["b"]),
          record["contended"].boolean(),
          record["round"].natural<std::uint32_t>(0),
          read_took(record)};
}

FinishedCell read_finished_cell(const JsonField& record) {
  const Cell cell = read_cell(record);
  FinishedCell finished{cell, {}, std::nullopt, read_took(record)};
  finished.plan.row = {read_isa(record["isa"]), cell.kind,    cell.shape,
                       m_bucket(cell.m),        cell.threads, read_plan(record["plan"])};
  finished.plan.measured = record["measured"].nullable([](const JsonField& f) { return read_measured(f); });
  finished.self_check = record["self_check"].nullable([](const JsonField& f) {
    return f.named([](std::string_view word) { return parse_verdict(word); },
                   {"faster", "tied", "slower", "inconclusive"});
  });
  return finished;
}

}  // namespace sluice::tuner
