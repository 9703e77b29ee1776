// The JSON of a profile: writing, reading, and every way in which it can be damaged.
#include "tuner/profile/profile_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <random>
#include <set>

#include "tests/tuner/support.hpp"

namespace sluice::tuner {
namespace {

Failure failure_of_text(std::string_view text) {
  return failure_of([&] { (void)parse_profile(text, "p.json"); });
}

// The error message for a changed example.
Failure failure_after(const std::function<void(Json&)>& change) {
  Json json = Json::parse(profile_text(example_profile()));
  change(json);
  return failure_of_text(json.dump());
}

TEST(ProfileJson, ComesBackAsItWas) {
  const Profile before = example_profile();
  const Profile after = parse_profile(profile_text(before), "p.json");
  EXPECT_EQ(after.sluice_version, before.sluice_version);
  EXPECT_EQ(after.created, before.created);
  EXPECT_EQ(after.command, before.command);
  EXPECT_EQ(after.machine, before.machine);
  EXPECT_EQ(after.fingerprint, before.machine.fingerprint());
  EXPECT_EQ(after.roofs, before.roofs);
  ASSERT_EQ(after.plans.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_TRUE(same_cell(after.plans[i].row, before.plans[i].row));
    EXPECT_EQ(after.plans[i].row.plan, before.plans[i].row.plan);
    EXPECT_EQ(after.plans[i].measured, before.plans[i].measured);
  }
  EXPECT_EQ(profile_text(after), profile_text(before));
}

TEST(ProfileJson, KeepsTheTypeOfWeightsAndReadsFilesWithoutIt) {
  Profile before = example_profile();
  before.plans.back().row.kind.weights = WeightType::f16;
  const std::string text = profile_text(before);
  EXPECT_EQ(parse_profile(text, "p.json").plans.size(), 2U);
  std::set<WeightType> types;
  for (const ProfilePlan& plan : parse_profile(text, "p.json").plans) types.insert(plan.row.kind.weights);
  EXPECT_EQ(types, (std::set<WeightType>{WeightType::f32, WeightType::f16}));
  Json json = Json::parse(profile_text(example_profile()));
  for (Json& plan : json["plans"]) plan.erase("weights");
  for (const ProfilePlan& plan : parse_profile(json.dump(), "p.json").plans)
    EXPECT_EQ(plan.row.kind.weights, WeightType::f32);
  const Failure failure = failure_after([](Json& changed) { changed["plans"][0]["weights"] = "float16"; });
  EXPECT_EQ(failure.exit_code, exit_code::file);
  EXPECT_NE(failure.message.find("plans[0].weights"), std::string::npos) << failure.message;
}

TEST(ProfileJson, KeepsTheArithmeticAndReadsFilesWithoutIt) {
  Profile before = example_profile();
  before.plans.back().row.kind.weights = WeightType::int8(64);
  before.plans.back().row.kind.arithmetic = Arithmetic::int16;
  before.roofs.dot = {{Isa::avx2, Arithmetic::int8, 8, 1, 3e11}, {Isa::avx2, Arithmetic::int8, 4, 1, 6e11}};
  const Profile after = parse_profile(profile_text(before), "p.json");
  std::ranges::sort(before.roofs.dot, {}, &DotRoof::weight_bits);
  EXPECT_EQ(after.roofs, before.roofs);
  Json without_bits = Json::parse(profile_text(before));
  without_bits["roofs"]["dot"][1].erase("weight_bits");
  EXPECT_EQ(parse_profile(without_bits.dump(), "p.json").roofs.dot[1].weight_bits, 8U);
  std::set<Arithmetic> found;
  for (const ProfilePlan& plan : after.plans) found.insert(plan.row.kind.arithmetic);
  EXPECT_EQ(found, (std::set<Arithmetic>{Arithmetic::f32, Arithmetic::int16}));
  Json json = Json::parse(profile_text(example_profile()));
  for (Json& plan : json["plans"]) plan.erase("arithmetic");
  json["roofs"].erase("dot");
  const Profile old = parse_profile(json.dump(), "p.json");
  EXPECT_TRUE(old.roofs.dot.empty());
  for (const ProfilePlan& plan : old.plans) EXPECT_EQ(plan.row.kind.arithmetic, Arithmetic::f32);
  // Of weights without scales there is no integer arithmetic.
  const Failure failure = failure_after([](Json& changed) { changed["plans"][0]["arithmetic"] = "int8"; });
  EXPECT_EQ(failure.exit_code, exit_code::file);
  EXPECT_NE(failure.message.find("plans[0].arithmetic"), std::string::npos) << failure.message;
}

TEST(ProfileJson, KeepsTheUnknownUnknown) {
  Profile before = make_profile(Machine{}, {});
  const Profile after = parse_profile(profile_text(before), "p.json");
  EXPECT_EQ(after.machine, before.machine);
  EXPECT_EQ(Json::parse(profile_text(before))["machine"]["caches"]["l3"], nullptr);
}

TEST(ProfileJson, CutOffAtAnyByteIsAFailure) {
  const std::string text = profile_text(example_profile());
  for (std::size_t size = 0; size <= text.rfind('}'); ++size) {
    const Failure failure = failure_of_text(std::string_view(text).substr(0, size));
    ASSERT_EQ(failure.exit_code, exit_code::file) << size;
    ASSERT_EQ(failure.message.rfind("p.json: ", 0), 0U) << failure.message;
  }
}

TEST(ProfileJson, WithAnyByteDamagedIsAFailureOrAProfile) {
  const std::string text = profile_text(example_profile());
  int failures = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (const char byte : {'"', '9', '\xFF'}) {
      std::string damaged = text;
      damaged[i] = byte;
      const Failure failure = failure_of_text(damaged);
      ASSERT_TRUE(failure.exit_code == exit_code::ok || failure.exit_code == exit_code::file) << i;
      failures += failure.exit_code == exit_code::file ? 1 : 0;
    }
  }
  EXPECT_GT(failures, 0);
}

TEST(ProfileJson, DamagedAtRandomIsAFailureOrAProfile) {
  const std::string text = profile_text(example_profile());
  std::mt19937_64 random(4);
  const auto below = [&](std::size_t limit) { return static_cast<std::size_t>(random() % limit); };
  int failures = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string damaged = text;
    for (std::size_t flips = 1 + below(4); flips > 0; --flips) {
      char& byte = damaged[below(damaged.size())];
      byte = static_cast<char>(static_cast<unsigned char>(byte) ^ (1U << below(8)));
    }
    // A block is lost or repeated, as on a faulty disk.
    if (below(3) == 0) damaged.erase(below(damaged.size()), below(512));
    if (below(3) == 0) damaged.insert(below(damaged.size()), damaged.substr(below(damaged.size()), below(512)));
    const Failure failure = failure_of_text(damaged);
    ASSERT_TRUE(failure.exit_code == exit_code::ok || failure.exit_code == exit_code::file) << i;
    ASSERT_EQ(failure.message.find('\n'), std::string::npos) << i;
    failures += failure.exit_code == exit_code::file ? 1 : 0;
  }
  EXPECT_GT(failures, 2000);
}

TEST(ProfileJson, DamagedNamesTheLine) {
  std::string text = profile_text(example_profile());
  expect_message(failure_of_text("{"), exit_code::file, {"line 1, column 2 "});
  expect_message(failure_of_text("{\n  \"schema\" 1\n}"), exit_code::file, {"line 2, column 12 "});
  const std::size_t line = 1 + static_cast<std::size_t>(std::count(text.begin(), text.begin() + 1000, '\n'));
  text[1000] = '\x01';
  expect_message(failure_of_text(text), exit_code::file, {fmt::format("line {}, column ", line)});
}

TEST(ProfileJson, WithoutAFieldNamesIt) {
  const Json whole = Json::parse(profile_text(example_profile()));
  int fields = 0;
  const std::function<void(const Json&, const Json::json_pointer&, const std::string&)> without_each =
      [&](const Json& part, const Json::json_pointer& pointer, const std::string& way) {
        for (const auto& item : part.items()) {
          const std::string& key = item.key();
          const std::string here = part.is_array() ? fmt::format("{}[{}]", way, key)
                                                   : fmt::format("{}{}{}", way, way.empty() ? "" : ".", key);
          // Which files of before there were others lack.
          const bool later = key == "weights" || key == "arithmetic" || key == "dot";
          if (part.is_object() && !later) {
            ++fields;
            expect_message(failure_after([&](Json& json) { json[pointer].erase(key); }), exit_code::file,
                           {"p.json: " + here + ": is missing"});
            expect_message(failure_after([&](Json& json) { json[pointer][key] = Json::array({Json::array()}); }),
                           exit_code::file, {"p.json: " + here});
          }
          if (item.value().is_structured()) {
            without_each(item.value(), part.is_array() ? pointer / std::stoul(key) : pointer / key, here);
          }
        }
      };
  without_each(whole, Json::json_pointer(), "");
  EXPECT_GT(fields, 60);
}

TEST(ProfileJson, IgnoresFieldsItDoesNotKnow) {
  EXPECT_EQ(failure_after([](Json& json) {
              json["later"] = {1, 2};
              json["plans"][1]["plan"]["later"] = nullptr;
              json["machine"]["later"] = "x";
            }).exit_code,
            exit_code::ok);
}

TEST(ProfileJson, OfAnotherSchemaIsRefused) {
  expect_message(failure_of_text("[]"), exit_code::file, {"p.json", "object"});
  expect_message(failure_of_text("null"), exit_code::file, {"p.json", "object"});
  expect_message(failure_of_text(R"({"context": {}, "benchmarks": []})"), exit_code::file, {"schema", "missing"});
  expect_message(failure_after([](Json& json) { json["schema"] = "sluice-plans"; }), exit_code::file,
                 {"schema", "sluice-plans", "expected 'sluice-profile'"});
  expect_message(failure_after([](Json& json) { json["schema_version"] = 2; }), exit_code::file,
                 {"schema_version", "2", "newer sluice"});
  expect_message(failure_after([](Json& json) { json["schema_version"] = 0; }), exit_code::file, {"schema_version"});
  expect_message(failure_after([](Json& json) { json["schema_version"] = "1"; }), exit_code::file, {"schema_version"});
}

TEST(ProfileJson, WithAValueThatCannotBeNamesFieldAndValue) {
  const auto plan = [](const char* field, const Json& value) {
    return failure_after([&](Json& json) { json["plans"][0]["plan"][field] = value; });
  };
  const auto row = [](const char* field, const Json& value) {
    return failure_after([&](Json& json) { json["plans"][0][field] = value; });
  };
  expect_message(plan("nr", 0), exit_code::file, {"plans[0].plan.nr", "0"});
  expect_message(plan("nr", -8), exit_code::file, {"plans[0].plan.nr", "-8"});
  expect_message(plan("nr", 8.5), exit_code::file, {"plans[0].plan.nr", "8.5"});
  expect_message(plan("nr", 4294967296), exit_code::file, {"plans[0].plan.nr", "4294967296"});
  expect_message(plan("nr", 12345), exit_code::file, {"plans[0].plan", "12345"});
  expect_message(plan("mr", 10000), exit_code::file, {"plans[0].plan", "10000"});
  expect_message(plan("pack_x", 1), exit_code::file, {"plans[0].plan.pack_x", "true or false"});
  expect_message(plan("schedule", "split_rowz"), exit_code::file,
                 {"plans[0].plan.schedule", "did you mean split_rows?"});
  expect_message(plan("threads", 3), exit_code::file, {"plans[0].plan.threads", "max_threads = 2"});
  expect_message(row("isa", "avx1024"), exit_code::file, {"plans[0].isa", "avx1024", "avx512"});
  expect_message(row("kind", "swish"), exit_code::file, {"plans[0].kind", "swish", "swiglu"});
  expect_message(row("d_model", 0), exit_code::file, {"plans[0].d_model"});
  expect_message(row("m", 100), exit_code::file, {"plans[0].m", "100", "power of two"});
  const auto measured = [](const char* field, const Json& value) {
    return failure_after([&](Json& json) { json["plans"][1]["measured"][field] = value; });
  };
  expect_message(measured("ratio_to_default", 0), exit_code::file, {"plans[1].measured.ratio_to_default"});
  expect_message(measured("ratio_low", 1.5), exit_code::file, {"plans[1].measured.ratio_low", "ratio_high"});
  expect_message(measured("contended_share", 1.5), exit_code::file, {"plans[1].measured.contended_share"});
  expect_message(measured("verdict", "best"), exit_code::file, {"plans[1].measured.verdict", "best"});
  expect_message(failure_after([](Json& json) { json["machine"]["fingerprint"] = "xyz"; }), exit_code::file,
                 {"machine.fingerprint", "16 hexadecimal"});
  expect_message(failure_after([](Json& json) { json["roofs"]["fma"][0]["flops"] = -1; }), exit_code::file,
                 {"roofs.fma[0].flops"});
  expect_message(failure_after([](Json& json) { json["plans"].push_back(json["plans"][1]); }), exit_code::file,
                 {"plans[2]", "plans[1]"});
}

TEST(ProfileJson, WithNumbersThatAreNoneIsRefused) {
  std::string text = profile_text(example_profile());
  const std::size_t at = text.find("3500000000.0");
  ASSERT_NE(at, std::string::npos);
  for (const char* word : {"NaN", "Infinity", "-Infinity", "1e999", "nan", "null"}) {
    std::string damaged = text;
    expect_message(failure_of_text(damaged.replace(at, 12, word)), exit_code::file, {"p.json: "});
  }
}

TEST(ProfileJson, DeeplyNestedIsAFailureNotACrash) {
  expect_message(failure_of_text(std::string(100'000, '[')), exit_code::file, {"damaged"});
  EXPECT_EQ(failure_of_text(std::string(100'000, '[') + std::string(100'000, ']')).exit_code, exit_code::file);
}

TEST(ProfileJson, OfAnIsaThisBuildLacksIsCarriedAlong) {
  for (const Isa isa : all_isas()) {
    if (!register_tiles(isa).empty()) continue;
    Json json = Json::parse(profile_text(example_profile()));
    json["plans"][1]["isa"] = name(isa);
    json["plans"][1]["plan"]["nr"] = 16;
    EXPECT_EQ(parse_profile(json.dump(), "p.json").plans[1].row.isa, isa);
  }
}

TEST(ProfileJson, NeverWritesANumberThatIsNotFinite) {
  Profile profile = example_profile();
  profile.roofs.fma[1].flops = std::numeric_limits<double>::quiet_NaN();
  expect_message(failure_of([&] { (void)profile_text(profile); }), exit_code::unsupported,
                 {"roofs.fma.1.flops", "nan"});
  profile = example_profile();
  profile.plans[1].measured->roof_fraction = std::numeric_limits<double>::infinity();
  expect_message(failure_of([&] { (void)profile_text(profile); }), exit_code::unsupported, {"roof_fraction", "inf"});
}

TEST(ProfileJson, WritesFileNamesThatAreNotText) {
  Profile profile = example_profile();
  profile.command.emplace_back("--out=\xFF\xFE");
  EXPECT_EQ(parse_profile(profile_text(profile), "p.json").command.size(), 5U);
}

TEST(PlansJson, LoadsBackInAnOrderOfItsOwn) {
  Profile profile = example_profile();
  const std::string text = plans_text(profile);
  const std::vector<PlanRow> rows = parse_plans(text, "plans.json");
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].kind, relu);
  EXPECT_EQ(rows[1].plan, profile.plans[1].row.plan);
  std::swap(profile.plans[1], profile.plans[0]);
  EXPECT_EQ(plans_text(profile), text);
  const Json json = Json::parse(text);
  EXPECT_EQ(json["schema"], "sluice-plans");
  EXPECT_EQ(json["machine"]["fingerprint"], profile.fingerprint);
  expect_message(failure_of([&] { (void)parse_plans(profile_text(profile), "p.json"); }), exit_code::file,
                 {"p.json", "sluice-profile", "expected 'sluice-plans'"});
}

}  // namespace
}  // namespace sluice::tuner
