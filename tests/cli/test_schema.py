"""The published JSON Schemas against what the programs write, and the tables that `export` makes of a profile.

Needs python3-jsonschema (scripts/dependencies.sh test).
"""

import copy
import csv
import io
import json
import os
import pathlib
import unittest
import warnings

import jsonschema

import command

SOURCE = pathlib.Path(os.environ["SLUICE_SOURCE"])
SAMPLES = sorted((SOURCE / "reports" / "samples").glob("*/profile.json"))
CELL = ["isa", "kind", "weights", "arithmetic", "d_model", "d_ff", "m", "max_threads"]
PLAN = ["nr", "mr", "kc", "mc", "nc", "fc", "prefetch", "pack_x", "schedule", "threads"]
MEASURED = ["ratio_to_default", "ratio_low", "ratio_high", "verdict", "pairs", "trials", "roof_fraction",
            "contended_share"]
# T4's results schema, version 1.0.0: the words it allows for `invalidity`, and what a result must have.
T4_INVALIDITY = {"timeout", "compile", "runtime", "correctness", "constraints", "correct"}
T4_REQUIRED = {"configuration", "times", "invalidity", "correctness"}


def by_cell(rows):
    """Files of before there were types of weights, or arithmetics, lack the fields."""
    whole = [{"weights": "f32", "arithmetic": "f32", **row} for row in rows]
    return {tuple(row[field] for field in CELL): row for row in whole}


class SchemaTest(command.CommandTest):
    def setUp(self):
        super().setUp()
        self.schema = json.loads(self.succeed("export", "--format", "schema"))
        self.validator = jsonschema.Draft202012Validator(self.schema)

    def test_is_a_schema_and_the_file_of_the_tree(self):
        jsonschema.Draft202012Validator.check_schema(self.schema)
        text = (SOURCE / "tuner" / "profile" / "schema" / "profile.schema.json").read_text()
        self.assertEqual(self.succeed("export", "--format", "schema"), text)
        self.assertEqual(self.succeed("export", "--format", "schema", "--out", "s.json"), "")
        self.assertEqual((self.directory / "s.json").read_text(), text)
        self.expect_failure(command.USAGE, "export", "--format", "schema", "--profile", "p.json", says=["--profile p"])

    def test_knows_every_name_the_programs_know(self):
        info = json.loads(self.succeed("info", "--json"))
        definitions = self.schema["$defs"]
        self.assertEqual(set(definitions["isa"]["enum"]), {isa["name"] for isa in info["isas"]})
        kinds = next(line for line in self.succeed("info", "--help").splitlines() if line.startswith("Kinds:"))
        self.assertEqual(set(definitions["kind"]["enum"]), set(kinds.removeprefix("Kinds:").replace(",", " ").split()))
        types = next(line for line in self.succeed("info", "--help").splitlines() if line.startswith("Weights:"))
        self.assertEqual(set(definitions["weights"]["enum"]),
                         set(types.removeprefix("Weights:").replace(",", " ").split()))
        refused = self.run_sluice("info", "--arithmetic", "float").stderr
        for word in definitions["arithmetic"]["enum"]:
            self.assertIn(word, refused)

    def test_describes_every_field_that_is_written(self):
        def expect_described(value, schema, way):
            while "$ref" in schema:
                schema = self.schema["$defs"][schema["$ref"].removeprefix("#/$defs/")]
            for part in schema.get("allOf", []) + schema.get("anyOf", []):
                part = self.schema["$defs"][part["$ref"].removeprefix("#/$defs/")] if "$ref" in part else part
                properties = {**part.get("properties", {}), **schema.get("properties", {})}
                schema = {**part, **schema, "properties": properties}
            if isinstance(value, dict):
                for key, inner in value.items():
                    self.assertIn(key, schema["properties"], way)
                    expect_described(inner, schema["properties"][key], f"{way}.{key}")
            elif isinstance(value, list):
                for inner in value:
                    expect_described(inner, schema["items"], way + "[]")

        sample = json.loads(SAMPLES[0].read_text())
        expect_described(sample, {"$ref": "#/$defs/profile"}, "profile")
        plans = json.loads(self.succeed("export", "--profile", SAMPLES[0]))
        expect_described(plans, {"$ref": "#/$defs/plans"}, "plans")

    def test_holds_for_what_the_programs_write(self):
        self.assertTrue(SAMPLES)
        for sample in SAMPLES:
            with self.subTest(sample=sample.parent.name):
                self.validator.validate(json.loads(sample.read_text()))
                self.succeed("tune", "--merge", sample, "--out", f"{sample.parent.name}.json")
                self.validator.validate(json.loads((self.directory / f"{sample.parent.name}.json").read_text()))
                self.validator.validate(json.loads(self.succeed("export", "--profile", sample)))

    def test_holds_for_a_fresh_profile(self):
        result = self.run_sluice("tune", "--d-model", 64, "--d-ff", 96, "--kind", "glu", "--m", 2, "--threads", 1,
                                 "--budget", 1, "--profile", "p.json")
        if result.returncode == command.UNSUPPORTED:
            self.skipTest(result.stderr)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.validator.validate(json.loads((self.directory / "p.json").read_text()))

    def test_refuses_what_the_parser_refuses(self):
        good = command.profile(self.this_machine(), [command.plan_row(measured={
            "ratio_to_default": 0.9, "ratio_low": 0.88, "ratio_high": 0.92, "verdict": "faster", "pairs": 9,
            "trials": 9, "roof_fraction": 0.9, "contended_share": 0.1})])
        good["roofs"] = {"fma": [{"isa": "scalar", "threads": 1, "flops": 1e9}],
                         "read": [{"threads": 1, "bytes_per_second": 1e9, "footprint_bytes": 64}]}
        self.validator.validate(good)

        def expect_refused(change, way):
            bad = copy.deepcopy(good)
            change(bad)
            with self.subTest(way=way):
                self.assertFalse(self.validator.is_valid(bad))
                self.write("bad.json", bad)
                self.expect_failure(command.FILE, "export", "--profile", "bad.json", says=["bad.json"])

        def at(document, way):
            for key in way:
                document = document[key]
            return document

        # Each field is left out, and then replaced by a useless value.
        def expect_every_field_checked(value, way):
            for key, inner in (value.items() if isinstance(value, dict) else enumerate(value)):
                if isinstance(value, dict):
                    expect_refused(lambda bad: at(bad, way).pop(key), (*way, key))
                    expect_refused(lambda bad: at(bad, way).update({key: [[]]}), (*way, key, "[[]]"))
                if isinstance(inner, (dict, list)):
                    expect_every_field_checked(inner, (*way, key))

        plan = ("plans", 0, "plan")
        for way, value in ((("schema_version",), 2), (("schema_version",), "1"), (("schema",), "sluice-results"),
                           (("plans", 0, "m"), 100), (("plans", 0, "m"), 0), (("plans", 0, "isa"), "avx3"),
                           (("plans", 0, "kind"), "swish"), (("plans", 0, "d_ff"), -1), ((*plan, "kc"), 1.5),
                           ((*plan, "nr"), 0), ((*plan, "mr"), 2**32), ((*plan, "schedule"), "split"),
                           (("plans", 0, "measured", "contended_share"), 1.1),
                           (("plans", 0, "measured", "ratio_low"), 0), (("machine", "fingerprint"), "xyz"),
                           (("machine", "caches", "l2"), 0), (("roofs", "fma", 0, "flops"), 0)):
            expect_refused(lambda bad: at(bad, way[:-1]).update({way[-1]: value}), (*way, value))
        expect_every_field_checked(good, ())


class ResultsSchemaTest(command.CommandTest):
    def setUp(self):
        super().setUp()
        profile, results = (json.loads((SOURCE / "tuner" / "profile" / "schema" / f"{name}.schema.json").read_text())
                            for name in ("profile", "results"))
        jsonschema.Draft202012Validator.check_schema(results)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # newer versions have another way besides
            resolver = jsonschema.RefResolver.from_schema(results, store={profile["$id"]: profile})
        self.validator = jsonschema.Draft202012Validator(results, resolver=resolver)

    def test_holds_for_what_bench_writes(self):
        for path in SAMPLES:
            self.validator.validate(json.loads(path.with_name("results.json").read_text()))
        cells = ["--d-model", 96, "--d-ff", 160, "--m", "1", "--threads", 1, "--kind", "swiglu,relu"]
        self.write("p.json", command.profile(self.this_machine(), [command.plan_row(m=1)]))
        for arguments in ([*cells, "--phases", "--no-profile"],
                          [*cells, "--isa", "scalar", "--profile", "p.json", "--against", "default"],
                          [*cells, "--weights", "int8:32", "--arithmetic", "f32,int8", "--no-profile"],
                          ["--micro", "--threads", 1, "--benchmark_filter=(epilogue.*/swiglu|pack_x.*/768)$"]):
            with self.subTest(arguments=arguments):
                result = self.run_sluice("bench", *arguments, "--samples", 2, "--json")
                self.assertEqual(result.returncode, 0, result.stderr)
                document = json.loads(result.stdout)
                self.assertTrue(document["benchmarks"])
                self.validator.validate(document)

    def test_refuses_what_bench_never_writes(self):
        good = json.loads(SAMPLES[0].with_name("results.json").read_text())
        good["benchmarks"] = good["benchmarks"][:1]
        self.validator.validate(good)
        self.refuse_mutilated(good)
        # An older file, in which samples have no marks yet.
        cell = good["benchmarks"][0]
        marked = {key: value for key, value in cell.items() if key != "contended_samples_ns"} | {
            "sample_contended": [False] * len(cell["samples_ns"]), "sample_probes": [[1e10, 2e10]] * len(cell["samples_ns"])}
        marked = good | {"benchmarks": [marked]}
        self.validator.validate(marked)
        self.refuse_mutilated(marked)
        for field, value in (("sample_contended", [0]), ("sample_probes", [[1e10]]), ("sample_probes", [[1e10, 0]]),
                             ("contended_samples_ns", [])):
            with self.subTest(field=field, value=value):
                self.assertFalse(self.validator.is_valid(
                    {**marked, "benchmarks": [{**marked["benchmarks"][0], field: value}]}))

    def refuse_mutilated(self, good):
        # One change at a time: a field that every cell has is missing, or has a value that no measurement gives.
        fields = good["benchmarks"][0]
        for field in set(fields) - {"contended", "phases", "best_peer"}:
            bad = {**good, "benchmarks": [{key: value for key, value in fields.items() if key != field}]}
            with self.subTest(without=field):
                self.assertFalse(self.validator.is_valid(bad))
        for field, value in (("real_time", 0), ("real_time", -1.0), ("cpu_time", "1"), ("flops", 0), ("roof", "cache"),
                             ("kind", "swish"), ("isa", "avx3"), ("samples_ns", [0]), ("plan_origin", "guessed"),
                             ("time_unit", "ms"), ("m", 0), ("error_occurred", True)):
            with self.subTest(field=field, value=value):
                self.assertFalse(self.validator.is_valid({**good, "benchmarks": [{**fields, field: value}]}))
        identity = ("name", "run_name", "run_type", "repetitions", "repetition_index", "threads", "kind", "isa",
                    "weights", "d_model", "d_ff", "m", "models")
        failed = {key: fields[key] for key in identity}
        failed.update(error_occurred=True, error_message="out of memory", error="out of memory")
        self.validator.validate({**good, "benchmarks": [failed]})


class TableTest(command.CommandTest):
    """CSV and T4, read back: the same rows."""

    def setUp(self):
        super().setUp()
        machine = {**self.this_machine(), "cpu": 'A "fast", odd\nCPU'}
        rows = [command.plan_row(m=64), command.plan_row(kind="relu", measured={
            "ratio_to_default": 0.1 + 0.2, "ratio_low": 1 / 3, "ratio_high": 2 / 3, "verdict": "faster", "pairs": 0,
            "trials": 7, "roof_fraction": 1e-7, "contended_share": 0})]
        self.write("odd.json", command.profile(machine, rows))
        self.paths = [self.directory / "odd.json", *SAMPLES]

    def test_csv(self):
        for path in self.paths:
            with self.subTest(profile=path):
                profile = json.loads(path.read_text())
                self.succeed("export", "--format", "csv", "--profile", path, "--out", "p.csv")
                text = (self.directory / "p.csv").read_bytes().decode()
                lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
                self.assertEqual(lines[0], [*CELL, *PLAN, *MEASURED, "fingerprint", "cpu", "created", "sluice_version"])
                self.assertEqual({len(line) for line in lines}, {len(lines[0])})
                # RFC 4180 ends every line with CRLF; other line breaks are inside quotes.
                self.assertEqual(text.count("\r\n"), len(lines))
                read = []
                for line in lines[1:]:
                    fields = dict(zip(lines[0], line))
                    for field in (*CELL, *PLAN, *MEASURED):
                        if field not in ("isa", "kind", "weights", "arithmetic", "schedule", "verdict") and fields[field]:
                            fields[field] = json.loads(fields[field])
                    row = {field: fields[field] for field in CELL}
                    row["plan"] = {field: fields[field] for field in PLAN}
                    measured = {field: fields[field] for field in MEASURED}
                    row["measured"] = measured if any(value != "" for value in measured.values()) else None
                    self.assertEqual(fields["fingerprint"], profile["machine"]["fingerprint"])
                    self.assertEqual(fields["cpu"], profile["machine"]["cpu"])
                    read.append(row)
                self.assertEqual(by_cell(read), by_cell(profile["plans"]))
                self.assertEqual(len(read), len(profile["plans"]))

    def test_t4(self):
        for path in self.paths:
            with self.subTest(profile=path):
                profile = json.loads(path.read_text())
                document = json.loads(self.succeed("export", "--format", "t4", "--profile", path))
                self.assertRegex(document["schema_version"], r"^[0-9]+\.[0-9]+\.[0-9]+$")
                read = []
                for result in document["results"]:
                    self.expect_t4_result(result)
                    configuration = result["configuration"]
                    row = {field: configuration[field] for field in CELL}
                    row["plan"] = {field: configuration[field] for field in PLAN}
                    self.assertEqual(len(configuration), len(CELL) + len(PLAN))
                    row["measured"] = {one["name"]: one["value"] for one in result["measurements"]} or None
                    self.assertEqual(result["timestamp"], profile["created"])
                    read.append(row)
                self.assertEqual(by_cell(read), by_cell(profile["plans"]))
                self.assertEqual(len(read), len(profile["plans"]))

    def expect_t4_result(self, result):
        """The rules of T4's published results schema for one result."""
        self.assertLessEqual(T4_REQUIRED, set(result))
        self.assertIsInstance(result["timestamp"], str)
        self.assertIsInstance(result["configuration"], dict)
        self.assertIn(result["invalidity"], T4_INVALIDITY)
        self.assertIsInstance(result["correctness"], (int, float))
        self.assertIsInstance(result["objectives"], list)
        self.assertIsInstance(result["times"], dict)
        self.assertIsInstance(result["times"]["runtimes"], list)
        for field, value in result["times"].items():
            if field != "runtimes":
                self.assertIsInstance(value, (int, float))
        for one in result["measurements"]:
            self.assertIsInstance(one["name"], str)
            self.assertIsInstance(one["value"], (int, float, str, list))
            self.assertIsInstance(one["unit"], str)
        for objective in result["objectives"]:
            self.assertIn(objective, {one["name"] for one in result["measurements"]})


if __name__ == "__main__":
    unittest.main()
