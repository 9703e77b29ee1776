"""`sluice tune --merge`."""

import json
import os
import subprocess
import unittest

import command


def measured(high, pairs=20):
    return {"ratio_to_default": high - 0.01, "ratio_low": high - 0.02, "ratio_high": high, "verdict": "faster",
            "pairs": pairs, "trials": 9, "roof_fraction": 0.9, "contended_share": 0.0}


class MergeTest(command.CommandTest):
    def setUp(self):
        super().setUp()
        self.machine = self.this_machine()
        self.write("a.json", self.profile(command.plan_row(measured=measured(0.9)), command.plan_row(m=64)))
        self.write("b.json", self.profile(command.plan_row(kind="geglu"), command.plan_row(measured=measured(0.95))))

    def profile(self, *plans, **machine):
        return command.profile({**self.machine, **machine}, list(plans))

    def read(self, name):
        return json.loads((self.directory / name).read_text())

    def test_puts_profiles_together_in_any_order(self):
        text = self.succeed("tune", "--merge", "a.json", "b.json", "--out", "new/c.json")
        self.assertEqual(text, "new/c.json: 3 plans of 2 profiles\n")
        self.succeed("tune", "--merge", "b.json", "--merge", "a.json", "--out", "d.json")
        self.succeed("tune", "--merge=a.json", "--merge", "b.json", "a.json", "--out", "e.json")
        files = self.files()
        self.assertEqual(set(files), {"a.json", "b.json", "d.json", "e.json", "new", "new/c.json"})
        self.assertEqual(files["new/c.json"], files["d.json"])
        self.assertEqual(files["new/c.json"], files["e.json"])
        plans = {(row["kind"], row["m"]): row for row in self.read("d.json")["plans"]}
        self.assertEqual(set(plans), {("swiglu", 16), ("swiglu", 64), ("geglu", 16)})
        self.assertEqual(plans["swiglu", 16]["measured"], measured(0.9))
        # Every verb reads it.
        self.assertEqual(len(json.loads(self.succeed("export", "--profile", "d.json"))["plans"]), 3)

    def test_keeps_what_the_output_holds(self):
        self.write("c.json", self.profile(command.plan_row(m=1), command.plan_row(measured=measured(0.8))))
        for _ in range(2):
            self.succeed("tune", "--merge", "a.json", "--out", "c.json")
            rows = {row["m"]: row for row in self.read("c.json")["plans"]}
            self.assertEqual(set(rows), {1, 16, 64})
            self.assertEqual(rows[16]["measured"], measured(0.8))
        self.succeed("tune", "--merge", "a.json", "b.json", "--out", "a.json")
        self.assertEqual(len(self.read("a.json")["plans"]), 3)

    def test_two_tuners_at_once_lose_nothing(self):
        shape = ["--d-model", "64", "--d-ff", "96", "--threads", "1", "--budget", "1", "--profile", "p.json"]
        tuners = [subprocess.Popen([os.path.abspath(command.SLUICE), "tune", *shape, "--kind", kind, "--m", "1,8"],
                                   cwd=self.directory, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
                  for kind in ("glu", "relu")]
        for tuner in tuners:
            _, errors = tuner.communicate(timeout=120)
            self.assertIn(tuner.returncode, (0, command.UNSUPPORTED), errors)
        finished = {kind for kind, tuner in zip(("glu", "relu"), tuners) if tuner.returncode == 0}
        cells = {(row["kind"], row["m"]) for row in self.read("p.json")["plans"]}
        self.assertLessEqual({(kind, m) for kind in finished for m in (1, 8)}, cells)
        self.assertNotIn("p.json.lock", self.files())

    def test_another_machine_is_refused_and_what_differs_is_named(self):
        caches = {**self.machine["caches"], "l2": 4096}
        self.write("other.json", self.profile(caches=caches, fingerprint="0123456789abcdef"))
        l2 = f"l2 (4096, a.json {self.machine['caches']['l2']}"
        self.expect_failure(command.FILE, "tune", "--merge", "a.json", "other.json", "--out", "c.json",
                            says=["other.json", l2])
        self.expect_failure(command.FILE, "tune", "--merge", "a.json", "b.json", "--out", "other.json",
                            says=["other.json", l2])

    def test_damaged_profiles_are_refused_and_kept(self):
        self.expect_bad_profiles_refused("tune", "--merge", "a.json", "--out", "c.json", option="--merge")
        self.expect_bad_profiles_refused("tune", "--merge", "a.json", option="--out", missing=False)

    def test_usage(self):
        for arguments, says in (
                (["--merge", "a.json"], ["--merge a.json", "--out"]),
                (["--merge", "a.json", "--out", ""], ["--out"]),
                (["--merge", "--out", "c.json"], ["--merge without a file name"]),
                (["--merge", "", "--out", "c.json"], ["--merge without a file name"]),
                (["--merge", "a.json", "--model", "tinyllama", "--out", "c.json"], ["--model"]),
                (["--merge", "none.json", "--budget", "3", "--out", "c.json"], ["--budget"]),
        ):
            with self.subTest(arguments=arguments):
                self.expect_failure(command.USAGE, "tune", *arguments, says=says)
        self.assertIn("sluice tune --merge", self.succeed("tune", "--merge", "--help"))
        self.assertIn("--merge", self.succeed("tune", "--help"))

    def test_unwritable_output(self):
        self.expect_failure(command.FILE, "tune", "--merge", "a.json", "--out", "a.json/c", says=["a.json/c"])
        self.expect_failure(command.FILE, "tune", "--merge", "a.json", "--out", ".")


if __name__ == "__main__":
    unittest.main()
