"""The streams and signals that a parent leaves to the programs: full, broken or closed ones, and ignored signals."""

import os
import signal
import subprocess
import unittest

import command

CELL = ["--d-model", "96", "--d-ff", "160", "--kind", "swiglu", "--threads", "1", "--m", "1"]


class StreamsTest(command.CommandTest):
    def run_with(self, *arguments, closed=(), ignored=(), **streams):
        def prepare():
            for number in closed:
                os.close(number)
            for one in ignored:
                signal.signal(one, signal.SIG_IGN)

        # Python must buffer as it does for a user.
        variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams
        return subprocess.run([os.path.abspath(command.SLUICE), *arguments], cwd=self.directory, timeout=120,
                              check=False, text=True, preexec_fn=prepare, restore_signals=not ignored, env=variables,
                              **streams)

    def test_a_message_that_cannot_be_written_is_lost_and_the_exit_code_stands(self):
        for verb in ("info", "bench", "report", "compare"):
            with self.subTest(verb=verb), open("/dev/full", "wb") as full:
                self.assertEqual(self.run_with(verb, "--bogus", stderr=full).returncode, command.USAGE)

    def test_the_table_of_verbs_keeps_the_exit_code(self):
        for arguments, code in ((["bogus"], command.USAGE), ([], command.USAGE), (["help", "a", "b"], command.USAGE)):
            with self.subTest(arguments=arguments), open("/dev/full", "wb") as full:
                self.assertEqual(self.run_with(*arguments, stderr=full).returncode, code)
                self.assertEqual(self.run_with(*arguments, closed=[2]).returncode, code)
        for arguments in (["--help"], ["--version"], ["help"]):
            with self.subTest(arguments=arguments), open("/dev/full", "wb") as full:
                for result in (self.run_with(*arguments, stdout=full), self.run_with(*arguments, closed=[1])):
                    self.assertEqual((result.returncode, result.stderr.count("\n")), (command.FILE, 1), result.stderr)

    def test_work_goes_on_without_progress(self):
        with open("/dev/full", "wb") as full:
            result = self.run_with("tune", *CELL, "--budget", "1", "--profile", "full.json", stderr=full)
        self.assertEqual(result.returncode, 0)
        self.assertEqual(len(self.plans("full.json")), 1)
        for verb, out in (("tune", "--profile"), ("bench", "--out")):
            reader, writer = os.pipe()
            os.close(reader)    # nobody reads the progress
            with self.subTest(verb=verb), os.fdopen(writer, "wb") as broken:
                result = self.run_with(verb, *CELL, "--budget", "1", out, f"{verb}.json", stderr=broken)
                self.assertEqual(result.returncode, 0)
                self.assertTrue((self.directory / f"{verb}.json").exists())

    def test_a_lost_standard_output_is_an_error(self):
        for arguments in (["info"], ["report", "--help"], ["compare", "--help"], ["export", "--help"]):
            with self.subTest(arguments=arguments):
                result = self.run_with(*arguments, closed=[1])
                self.assertEqual((result.returncode, result.stderr.count("\n")), (command.FILE, 1), result.stderr)
                with open("/dev/full", "wb") as full:
                    self.assertEqual(self.run_with(*arguments, stdout=full).returncode, command.FILE)

    def test_no_file_becomes_a_stream_that_was_closed(self):
        result = self.run_with("tune", *CELL, "--budget", "1", "--profile", "p.json", "--journal", "j.jsonl",
                               closed=[0, 2])
        self.assertEqual(result.returncode, 0)
        for line in (self.directory / "j.jsonl").read_text().splitlines():
            self.assertTrue(line.startswith('{"record":'), line)
        result = self.run_with("tune", *CELL, "--budget", "1", "--profile", "all.json", "--journal", "all.jsonl",
                               closed=[0, 1, 2])
        self.assertEqual(result.returncode, command.FILE)   # its table cannot be printed
        for line in (self.directory / "all.jsonl").read_text().splitlines():
            self.assertTrue(line.startswith('{"record":'), line)
        self.assertEqual(len(self.plans("all.json")), 1)

    def test_the_reader_of_a_pipe_may_leave(self):
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "wb") as broken:
            result = self.run_with("info", stdout=broken)
            self.assertEqual((result.returncode, result.stderr), (-signal.SIGPIPE, ""))
            result = self.run_with("info", stdout=broken, ignored=[signal.SIGPIPE])
            self.assertEqual(result.returncode, command.FILE)

    def test_what_the_parent_ignores_stays_ignored(self):
        for one in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(signal=one):
                process = subprocess.Popen(
                    [os.path.abspath(command.SLUICE), "tune", *CELL, "--budget", "2", "--profile", f"{one}.json"],
                    cwd=self.directory, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                    preexec_fn=lambda ignored=one: signal.signal(ignored, signal.SIG_IGN), restore_signals=False)
                line = process.stderr.readline()
                while " %" not in line and process.poll() is None:
                    line = process.stderr.readline()
                process.send_signal(one)
                process.communicate(timeout=120)
                self.assertEqual(process.returncode, 0)


if __name__ == "__main__":
    unittest.main()
