"""The command as a user meets it: exit codes, streams, files left behind."""

import json
import os
import signal
import subprocess
import sys
import time
import unittest

import fixtures
from fixtures import Desk


class Command(unittest.TestCase):
    def setUp(self):
        self.desk = Desk(*fixtures.bare_documents())
        self.addCleanup(self.desk.close)

    def assert_refused(self, outcome, code, *words):
        self.assertEqual(outcome.returncode, code, outcome.stderr)
        self.assertEqual(outcome.stdout, "")
        self.assertEqual(outcome.stderr.count("\n"), 1, outcome.stderr)
        self.assertTrue(outcome.stderr.startswith("sluice report: "), outcome.stderr)
        for word in words:
            self.assertIn(word, outcome.stderr)

    def leftovers(self):
        return sorted(path.name for path in self.desk.root.rglob("*") if path.name.endswith(".tmp"))

    def test_success_writes_every_file_and_says_the_answer(self):
        self.desk.write("results.json", fixtures.results(fixtures.small_benchmarks()))
        self.desk.write("profile.json", fixtures.profile())
        outcome = self.desk.run()
        self.assertEqual((outcome.returncode, outcome.stderr), (0, ""))
        self.assertIn("tinyllama (2048×5632)", outcome.stdout)
        self.assertIn("At equal budget", outcome.stdout)
        self.assertIn(os.path.join("out", "report", "index.html"), outcome.stdout)
        names = {path.name for path in self.desk.out.iterdir()}
        self.assertLessEqual({"index.html", "report.md", "cost-2048x5632-avx512-t1.png", "roofline-avx512.png",
                              "roof-2048x5632.png", "tuned-2048x5632-avx512.png", "noise-contended.png"}, names)
        self.assertEqual(self.leftovers(), [])
        for path in self.desk.out.glob("*.png"):
            self.assertEqual(path.read_bytes()[:8], b"\x89PNG\r\n\x1a\n")
        first = {path.name: path.read_bytes() for path in self.desk.out.iterdir()}
        self.assert_json_tells(json.loads(self.desk.run("--json").stdout))
        # The same input gives the same report.
        self.assertEqual(first, {path.name: path.read_bytes() for path in self.desk.out.iterdir()})

    def test_help_and_bad_input_need_python_alone(self):
        hidden = self.desk.root / "hidden"
        hidden.mkdir()
        for module in ("matplotlib", "jinja2", "scipy", "numpy"):
            (hidden / f"{module}.py").write_text(f"raise ModuleNotFoundError('no', name='{module}')\n")
        bare = {"PYTHONPATH": str(hidden)}
        for verb in ("report", "compare"):
            outcome = self.desk.run("--help", verb=verb, environment=bare)
            self.assertEqual((outcome.returncode, outcome.stderr), (0, ""))
            self.assertIn(f"sluice {verb}", outcome.stdout)
            self.assertEqual(self.desk.run("--bogus", verb=verb, environment=bare).returncode, 2)
        self.assert_refused(self.desk.run("--results", "none.json", environment=bare), 5, "none.json")
        self.desk.write("results.json", "{")
        self.assert_refused(self.desk.run(environment=bare), 5, "results.json")

    def test_settings_of_matplotlib_change_nothing(self):
        self.desk.write("results.json", fixtures.results(fixtures.small_benchmarks()))
        self.desk.write("profile.json", fixtures.profile())

        def drawn(**environment):
            outcome = self.desk.run(environment=environment)
            self.assertEqual((outcome.returncode, outcome.stderr), (0, ""))
            return {path.name: path.read_bytes() for path in self.desk.out.iterdir()}

        expected = drawn()
        settings = self.desk.root / "matplotlibrc"
        for text in (b"text.usetex: True\nfont.size: 20\n", b"axes.grid: maybe\nnonsense\n", b"font.size: 3\n\xff\xfe\n"):
            settings.write_bytes(text)
            self.assertEqual(drawn(), expected, text)
        other = settings.rename(self.desk.root / "other")
        self.assertEqual(drawn(MATPLOTLIBRC=str(other)), expected)
        self.assertEqual(drawn(MPLBACKEND="nonsense"), expected)

    @unittest.skipUnless(os.geteuid() == 0, "only root gives files away")
    def test_what_root_writes_stays_with_the_user(self):
        self.desk.write("results.json", fixtures.results(fixtures.small_benchmarks()))
        self.desk.write("profile.json", fixtures.profile())
        user = 12345
        self.desk.out.mkdir(exist_ok=True)
        os.chown(self.desk.out, user, user)
        page = self.desk.out / "index.html"
        page.write_text("old")
        os.chown(page, user, user + 1)
        page.chmod(0o640)
        real = self.desk.root / "elsewhere.md"
        real.write_text("old")
        (self.desk.out / "report.md").symlink_to(real)
        self.assertEqual(self.desk.run().returncode, 0)
        status = page.stat()
        self.assertEqual((status.st_uid, status.st_gid, status.st_mode & 0o7777), (user, user + 1, 0o640))
        self.assertEqual({path.stat().st_uid for path in self.desk.out.glob("*.png")}, {user})
        self.assertTrue((self.desk.out / "report.md").is_symlink())
        self.assertNotEqual(real.read_text(), "old")

    def assert_json_tells(self, document):
        self.assertEqual(document["schema"], "sluice-report")
        rows = {(row["comparison"], row["m"]): row for row in document["comparisons"]}
        self.assertEqual(set(rows), {("budget", 1), ("budget", 64), ("width", 1), ("width", 64)})
        row = rows["budget", 64]
        self.assertAlmostEqual(row["toll"], row["ratio"] - 1)
        self.assertLess(row["low"], row["ratio"])
        self.assertEqual(row["models"], ["tinyllama"])
        for name in document["files"]:
            self.assertTrue((self.desk.root / name).is_file(), name)

    def test_help(self):
        outcome = self.desk.run("--help")
        self.assertEqual((outcome.returncode, outcome.stderr), (0, ""))
        self.assertIn("sluice report --profile out/profile.json", outcome.stdout)

    def test_usage_errors(self):
        self.assert_refused(self.desk.run("--colour"), 2, "--colour")
        self.assert_refused(self.desk.run("--out"), 2, "--out")
        self.assert_refused(self.desk.run("--out", ""), 2, "--out")
        self.assert_refused(self.desk.run("extra"), 2, "extra")
        self.assert_refused(self.desk.run("--prof", "x"), 2, "--prof")
        self.assert_refused(self.desk.run(verb="bench"), 2, "bench")
        self.assert_refused(self.desk.run(verb=None), 2, "verb")

    def test_unreadable_inputs(self):
        self.assert_refused(self.desk.run("--profile", "none.json"), 5, "none.json", "sluice tune")
        self.assert_refused(self.desk.run("--results", "none.json"), 5, "none.json", "sluice bench")
        self.assert_refused(self.desk.run("--results", "two\nlines.json"), 5)
        self.assert_refused(self.desk.run("--results", "out"), 5, "out")
        self.desk.write("results.json", json.dumps(fixtures.results([fixtures.cell()]))[:-40])
        self.assert_refused(self.desk.run("--json"), 5, "truncated")
        self.desk.write("results.json", fixtures.results([]) | {"schema_version": 2})
        self.assert_refused(self.desk.run(), 5, "schema_version is 2")
        (self.desk.root / "out" / "results.json").write_bytes(b"\xff\xfe{}")
        self.assert_refused(self.desk.run(), 5)
        self.assertFalse(self.desk.out.exists())

    def test_unwritable_output(self):
        (self.desk.root / "file").write_text("kept")
        self.assert_refused(self.desk.run("--out", "file"), 5, "file", "--out")
        self.assert_refused(self.desk.run("--out", "file/below"), 5, "--out")
        self.assertEqual((self.desk.root / "file").read_text(), "kept")
        self.desk.out.mkdir()
        (self.desk.out / "index.html").mkdir()
        self.assert_refused(self.desk.run(), 5, "--out")
        self.assertEqual(self.leftovers(), [])

    @unittest.skipUnless(os.path.exists("/dev/full"), "needs /dev/full")
    def test_full_stdout(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            outcome = subprocess.run([sys.executable, str(fixtures.REPORTS), "report"], cwd=self.desk.root,
                                     stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(outcome.returncode, 5)
        self.assertEqual(outcome.stderr.count("\n"), 1, outcome.stderr)

    def test_missing_modules(self):
        for module in ("matplotlib", "jinja2"):
            hidden = self.desk.root / module
            hidden.mkdir()
            (hidden / f"{module}.py").write_text(f"raise ModuleNotFoundError('no', name='{module}')\n")
            outcome = self.desk.run(environment={"PYTHONPATH": str(hidden)})
            self.assert_refused(outcome, 4, module, "apt-get install python3-matplotlib python3-jinja2 python3-scipy")

    def test_output_that_is_not_utf8(self):
        outcome = self.desk.run(environment={"PYTHONIOENCODING": "ascii"})
        self.assertEqual((outcome.returncode, outcome.stderr), (0, ""))

    def test_foreign_profile_is_a_warning(self):
        document = fixtures.profile()
        document["machine"] = document["machine"] | {"fingerprint": "feedfeedfeedfeed"}
        self.desk.write("profile.json", document)
        outcome = self.desk.run()
        self.assertEqual(outcome.returncode, 0)
        self.assertIn("warning", outcome.stderr)
        self.assertIn("feedfeedfeedfeed", self.desk.page())

    def test_interrupt(self):
        # A results file that never ends keeps the command waiting, so the signal meets it at work.
        pipe = self.desk.root / "pipe.json"
        os.mkfifo(pipe)
        process = subprocess.Popen(
            [sys.executable, str(fixtures.REPORTS), "report", "--results", str(pipe)], cwd=self.desk.root,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
        with open(pipe, "w", encoding="utf-8"):
            time.sleep(0.2)
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=60)
        self.assertEqual((process.returncode, output), (130, ""))
        self.assertEqual(errors.count("\n"), 1, errors)
        self.assertFalse(self.desk.out.exists())


if __name__ == "__main__":
    unittest.main()
