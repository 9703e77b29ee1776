"""Owns: what the command line tests share: running `sluice`, the promises of every failure, an example profile.

The environment variable SLUICE names the program. Adding a verb: a file test_VERB.py beside this one with a class that
derives from CommandTest.
"""

import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

SLUICE = os.environ.get("SLUICE")

USAGE = 2
UNSUPPORTED = 4
FILE = 5


def plan_row(**changes):
    row = {
        "isa": "scalar", "kind": "swiglu", "d_model": 96, "d_ff": 160, "m": 16, "max_threads": 1,
        "plan": {"nr": 8, "mr": 4, "kc": 40, "mc": 8, "nc": 32, "fc": 48, "prefetch": 1024, "pack_x": True,
                 "schedule": "split_columns", "threads": 1},
        "measured": None,
    }
    row.update(changes)
    return row


def profile(machine, plans):
    return {
        "schema": "sluice-profile", "schema_version": 1, "sluice_version": "0.1.0",
        "created": "2026-01-31T12:00:00Z", "command": ["sluice", "tune"],
        "machine": machine, "roofs": {"fma": [], "read": []}, "plans": plans,
    }


def heed_signals():
    """What the tests' own parent ignores would stay ignored, as in a shell's background job."""
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, signal.SIG_DFL)


class CommandTest(unittest.TestCase):
    """Runs each test in a directory of its own, without the caller's environment variables that change answers."""

    def setUp(self):
        if not SLUICE:
            self.fail("SLUICE is not set; expected the path of the program under test")
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)

    def run_sluice(self, *arguments, environment=None, **options):
        variables = {name: value for name, value in os.environ.items() if not name.startswith("SLUICE")}
        variables.update(environment or {})
        options.setdefault("stdout", subprocess.PIPE)
        return subprocess.run([os.path.abspath(SLUICE), *map(str, arguments)], cwd=self.directory, env=variables,
                              stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=120, check=False, text=True,
                              **options)

    def start(self, *arguments):
        return subprocess.Popen([os.path.abspath(SLUICE), *map(str, arguments)], cwd=self.directory,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                preexec_fn=heed_signals)

    def interrupt(self, *arguments, by=signal.SIGINT):
        """Runs until the first line of progress, sends the signal, and returns the exit code, stdout and stderr."""
        process = self.start(*arguments)
        line = process.stderr.readline()
        while " %" not in line and process.poll() is None:
            line = process.stderr.readline()
        time.sleep(0.5)
        process.send_signal(by)
        output, errors = process.communicate(timeout=120)
        return process.returncode, output, errors

    def files(self):
        """Every file with its bytes, including hidden files."""
        return {str(path.relative_to(self.directory)): path.read_bytes() if path.is_file() else None
                for path in self.directory.rglob("*")}

    def run_ok(self, *arguments, **options):
        """Also where progress goes to stderr."""
        result = self.run_sluice(*arguments, **options)
        self.assertEqual(result.returncode, 0, result.stderr)

    def plans(self, name):
        return json.loads((self.directory / name).read_text())["plans"]

    def succeed(self, *arguments, **options):
        result = self.run_sluice(*arguments, **options)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stderr, "")
        return result.stdout

    def expect_failure(self, code, *arguments, says=(), who=None, **options):
        """The exit code, one line on stderr that begins with the verb, nothing on stdout, no file touched."""
        before = self.files()
        result = self.run_sluice(*arguments, **options)
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertEqual(result.stdout or "", "")
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertTrue(result.stderr.endswith("\n"))
        self.assertTrue(result.stderr.startswith(f"{who or 'sluice ' + arguments[0]}: "), result.stderr)
        for part in says:
            self.assertIn(part, result.stderr)
        self.assertEqual(self.files(), before)

    def control_group(self, controller, limits_v2, limits_v1):
        """A group with these limits and a group inside it. Skips the test where none can be made."""
        for top, limits in ((pathlib.Path("/sys/fs/cgroup"), limits_v2),
                            (pathlib.Path("/sys/fs/cgroup") / controller, limits_v1)):
            try:
                outer = pathlib.Path(tempfile.mkdtemp(prefix="sluice-", dir=top))
            except OSError:
                continue
            (outer / "inner").mkdir()
            self.addCleanup(lambda own=outer: [(own / "inner").rmdir(), own.rmdir()])
            if all((outer / name).exists() for name in limits):
                for name, value in limits.items():
                    (outer / name).write_text(str(value))
                return outer
        self.skipTest(f"no control group for {controller} can be made here")

    def write(self, name, contents):
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(contents if isinstance(contents, str) else json.dumps(contents, indent=2), encoding="utf-8")
        return path

    def this_machine(self):
        return json.loads(self.succeed("info", "--json"))["machine"]

    def expect_bad_selectors_refused(self, verb):
        """What every verb with the shared selectors refuses, before it does anything."""
        for arguments, says in (
                (["--model", "llama9"], ["--model llama9", "llama3-8b"]),
                (["--kind", "swiglo"], ["--kind swiglo", "did you mean swiglu?"]),
                (["--isa", "avx3"], ["--isa avx3", "avx2"]),
                (["--model", "gpt2", "--d-model", "8", "--d-ff", "8"], ["--model gpt2", "--d-model"]),
                (["--d-model", "8"], ["--d-model 8", "--d-ff"]),
                (["--d-model", "0", "--d-ff", "8"], ["--d-model 0"]),
                (["--d-model", "8", "--d-ff", "-8"], ["--d-ff -8"]),
                (["--d-model", "9999999999", "--d-ff", "9999999999"], ["9999999999", "overflows"]),
                (["--d-model", "99999999", "--d-ff", "99999999"], ["99999999", "GiB"]),
                (["--m", "0"], ["--m 0"]),
                (["--m", "many"], ["--m many"]),
                (["--m", "1,,2"], ["--m", "1,,2"]),
                (["--m"], ["--m"]),
                (["--threads", "0"], ["--threads 0"]),
                (["--threads", "1000000"], ["--threads 1000000"]),
                (["--frobnicate"], ["--frobnicate"]),
                (["--profil=x"], ["--profil", "did you mean --profile?"]),
                (["stray"], ["stray"]),
        ):
            with self.subTest(verb=verb, arguments=arguments):
                self.expect_failure(USAGE, verb, *arguments, says=says)
        foreign = "neon" if os.environ.get("SLUICE_MACHINE", os.uname().machine) != "aarch64" else "avx2"
        with self.subTest(verb=verb, isa=foreign):
            self.expect_failure(UNSUPPORTED, verb, "--isa", foreign, says=[f"--isa {foreign}", "scalar"])
            self.expect_failure(UNSUPPORTED, verb, environment={"SLUICE_ISA": foreign}, says=[f"SLUICE_ISA={foreign}"])
            self.expect_failure(USAGE, verb, environment={"SLUICE_ISA": "mmx"}, says=["SLUICE_ISA=mmx"])

    def expect_bad_profiles_refused(self, *arguments, option="--profile", missing=True):
        """What every verb that reads --profile refuses; missing: also a file that is not there."""
        good = json.dumps(profile(self.this_machine(), [plan_row()]))
        for name, contents in (
                ("empty", ""), ("truncated", good[:len(good) // 2]), ("another schema", '{"benchmarks": []}'),
                ("newer", good.replace('"schema_version": 1', '"schema_version": 2')),
                ("a wrong type", good.replace('"nr": 8', '"nr": "8"')), ("NaN", good.replace('"kc": 40', '"kc": NaN')),
                ("an unknown name", good.replace('"swiglu"', '"swish"')),
                ("an invalid plan", good.replace('"mr": 4', '"mr": 99')),
        ):
            with self.subTest(profile=name):
                self.write("bad.json", contents)
                self.expect_failure(FILE, *arguments, option, "bad.json", says=["bad.json"])
        if missing:
            self.expect_failure(FILE, *arguments, option, "none.json", says=["none.json"])
        self.expect_failure(FILE, *arguments, option, ".", says=["."])
