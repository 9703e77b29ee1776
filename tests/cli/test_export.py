"""The verb `export`."""

import json
import unittest

import command


class ExportTest(command.CommandTest):
    def setUp(self):
        super().setUp()
        self.profile = command.profile(self.this_machine(), [command.plan_row(m=64), command.plan_row()])
        self.write("profile.json", self.profile)

    def test_json(self):
        answer = json.loads(self.succeed("export", "--profile", "profile.json"))
        self.assertEqual((answer["schema"], answer["schema_version"]), ("sluice-plans", 1))
        self.assertEqual(answer["machine"], self.profile["machine"])
        self.assertEqual([row["m"] for row in answer["plans"]], [16, 64])
        self.assertEqual(answer["plans"][0]["plan"], command.plan_row()["plan"])

    def test_header(self):
        text = self.succeed("export", "--format", "header", "--profile", "profile.json")
        self.assertIn("{sluice::Isa::scalar, sluice::swiglu, {96, 160}, 16, 1,", text)
        self.assertIn(".nr = 8, .mr = 4, .kc = 40,", text)
        self.assertEqual([line for line in text.splitlines() if line.startswith("#")],
                         ["#pragma once", '#include "sluice/plan.hpp"'])

    def test_file_is_what_standard_output_is(self):
        for form in ("json", "header", "csv", "t4"):
            words = ["export", "--format", form, "--profile", "profile.json"]
            self.assertEqual(self.succeed(*words, "--out", "new/file"), "")
            self.assertEqual((self.directory / "new/file").read_bytes().decode(),
                             self.succeed(*words).replace("\n", "\r\n" if form == "csv" else "\n"))
        self.assertEqual(set(self.files()), {"profile.json", "new", "new/file"})

    def test_default_profile(self):
        self.expect_failure(command.FILE, "export", says=["out/profile.json", "sluice tune"])
        self.write("out/profile.json", self.profile)
        self.assertEqual(json.loads(self.succeed("export"))["schema"], "sluice-plans")

    def test_an_export_is_not_a_profile(self):
        self.succeed("export", "--profile", "profile.json", "--out", "plans.json")
        self.expect_failure(command.FILE, "export", "--profile", "plans.json", says=["plans.json", "sluice-plans"])

    def test_usage(self):
        self.expect_failure(command.USAGE, "export", "--format", "yaml",
                            says=["--format yaml", "json", "header", "csv", "t4"])
        self.expect_failure(command.USAGE, "export", "--frobnicate", says=["--frobnicate"])
        self.expect_failure(command.USAGE, "export", "--out", "", says=["--out"])
        self.expect_failure(command.USAGE, "export", "--profile", says=["--profile"])

    def test_refuses_bad_profiles_and_keeps_the_old_output(self):
        self.write("plans.hpp", "old")
        self.expect_bad_profiles_refused("export", "--format", "header", "--out", "plans.hpp")

    def test_unwritable_output(self):
        self.expect_failure(command.FILE, "export", "--profile", "profile.json", "--out", "profile.json/plans",
                            says=["profile.json/plans"])
        self.expect_failure(command.FILE, "export", "--profile", "profile.json", "--out", ".")
        with open("/dev/full", "w", encoding="utf-8") as full:
            self.expect_failure(command.FILE, "export", "--profile", "profile.json", says=["standard output"],
                                stdout=full)


if __name__ == "__main__":
    unittest.main()
