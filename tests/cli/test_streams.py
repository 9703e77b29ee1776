"""The streams and signals that a parent leaves to the programs: full, broken or closed ones, and ignored signals."""

import json
import os
import signal
import subprocess
import unittest

import command

CELL = ["--d-model", "96", "--d-ff", "160", "--kind", "swiglu", "--threads", "1", "--m", "1"]


class Base(command.CommandTest):
    def run_ok(self, *arguments, **options):
        """Also where progress goes to stderr."""
        result = self.run_sluice(*arguments, **options)
        self.assertEqual(result.returncode, 0, result.stderr)

    def plans(self, name):
        return json.loads((self.directory / name).read_text())["plans"]


class StreamsTest(Base):
    def run_with(self, *arguments, closed=(), ignored=(), **streams):
        def prepare():
            for number in closed:
                os.close(number)
            for one in ignored:
                signal.signal(one, signal.SIG_IGN)

        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams
        return subprocess.run([os.path.abspath(command.SLUICE), *arguments], cwd=self.directory, timeout=120, check=False,
                              text=True, preexec_fn=prepare, restore_signals=not ignored, **streams)

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


class OutputsTest(Base):
    def setUp(self):
        super().setUp()
        self.run_ok("tune", *CELL, "--rigor", "estimate", "--profile", "p.json")
        self.expected = self.succeed("export", "--format", "json", "--profile", "p.json")

    def export_to(self, out, **options):
        return self.run_sluice("export", "--format", "json", "--profile", "p.json", "--out", out, **options)

    def test_an_open_file_is_written_through(self):
        for name in ("/dev/fd/1", "/proc/self/fd/1", "link"):     # not /dev/stdout: a mistake would replace it
            with self.subTest(name=name):
                link = self.directory / "link"
                if not link.is_symlink():
                    link.symlink_to("/proc/self/fd/1")
                log = self.directory / "log.txt"
                log.write_text("earlier lines\n")
                with open(log, "ab") as stream:
                    self.assertEqual(self.export_to(name, stdout=stream).returncode, 0)
                self.assertEqual(log.read_text(), "earlier lines\n" + self.expected)

    def test_a_pipe_with_a_name_is_written_through(self):
        fifo = self.directory / "fifo"
        os.mkfifo(fifo)
        with subprocess.Popen(["cat", fifo], stdout=subprocess.PIPE, text=True) as reader:
            self.assertEqual(self.export_to("fifo").returncode, 0)
            self.assertEqual(reader.stdout.read(), self.expected)
        self.assertTrue(fifo.is_fifo())

    def test_a_link_stays_a_link_though_its_file_is_missing(self):
        (self.directory / "deep").mkdir()
        for link, target in (("link", "new.json"), ("absolute", self.directory / "deep" / "new.json"),
                             ("deep/up", "../other.json"), ("second", "deep/third"), ("deep/third", "last.json")):
            (self.directory / link).symlink_to(target)
        for link in ("link", "absolute", "deep/up", "second"):
            with self.subTest(link=link):
                self.assertEqual(self.export_to(link).returncode, 0)
                self.assertTrue((self.directory / link).is_symlink())
                self.assertEqual((self.directory / link).read_text(), self.expected)
        self.assertTrue((self.directory / "deep/third").is_symlink())

    def test_a_journal_leaves_links_where_they_are(self):
        arguments = ["tune", *CELL, "--budget", "1", "--profile", "q.json", "--journal"]
        stream = self.directory / "stream"
        stream.symlink_to("/proc/self/fd/1")    # not /dev/stdout, which a mistake of the program would replace
        with open(self.directory / "log.txt", "wb") as log:
            result = self.run_sluice(*arguments, "stream", stdout=log)
        self.assertEqual(result.returncode, command.FILE)
        self.assertIn("stream: is an open stream", result.stderr)
        self.assertTrue(stream.is_symlink())
        (self.directory / "deep").mkdir()
        (self.directory / "j").symlink_to("deep/journal")
        for _ in range(2):  # the second one moves the first one's journal aside
            self.run_ok(*arguments, "j")
        self.assertTrue((self.directory / "j").is_symlink())
        self.assertTrue((self.directory / "deep/journal.old").is_file())

    def test_a_device_stays_a_device(self):
        self.assertEqual(self.export_to("/dev/null").returncode, 0)
        self.assertFalse(os.path.isfile("/dev/null"))
        self.assertEqual(self.export_to("/dev/full").returncode, command.FILE)

    def test_names_as_long_as_they_may_be(self):
        longest = "n" * (os.pathconf(self.directory, "PC_NAME_MAX") - len(".json")) + ".json"
        self.run_ok("tune", *CELL, "--budget", "1", "--profile", longest)
        self.assertEqual(len(self.plans(longest)), 1)
        self.assertEqual(self.export_to(longest).returncode, 0)
        self.assertEqual((self.directory / longest).read_text(), self.expected)
        journal = longest.replace("json", "jrnl")
        for _ in range(2):  # the second one moves the first one's journal aside
            self.run_ok("tune", *CELL, "--budget", "1", "--profile", "q.json", "--journal", journal)
        self.assertEqual(len([name for name in self.files() if name.endswith(".old")]), 1)

    def test_a_file_has_one_lock_whatever_it_is_called(self):
        (self.directory / "link.json").symlink_to("p.json")
        (self.directory / "deep").mkdir()
        names = ["p.json", "link.json", "deep/../p.json", str(self.directory / "p.json")]
        processes = [self.start("tune", *CELL[:-1], str(2 ** (i + 1)), "--rigor", "estimate", "--profile", name)
                     for i, name in enumerate(names)]
        for process in processes:
            process.communicate(timeout=120)
            self.assertEqual(process.returncode, 0)
        self.assertEqual([row["m"] for row in self.plans("p.json")], [1, 2, 4, 8, 16])
        self.assertTrue((self.directory / "link.json").is_symlink())

    @unittest.skipUnless(os.geteuid() == 0, "only root gives files away")
    def test_what_root_writes_stays_with_the_user(self):
        user = 12345
        home = self.directory / "home"
        home.mkdir(mode=0o755)
        os.chown(home, user, user)
        self.run_ok("tune", *CELL, "--budget", "1", "--profile", "home/new.json", "--journal", "home/j.jsonl")
        for name in ("new.json", "j.jsonl"):
            self.assertEqual((home / name).stat().st_uid, user, name)
        kept = home / "kept.json"
        kept.write_bytes((self.directory / "p.json").read_bytes())
        os.chown(kept, user, user + 1)
        kept.chmod(0o640)
        self.run_ok("tune", *CELL[:-1], "4", "--rigor", "estimate", "--profile", "home/kept.json")
        status = kept.stat()
        self.assertEqual((status.st_uid, status.st_gid, status.st_mode & 0o7777), (user, user + 1, 0o640))
        (home / "kept.json.lock").touch(mode=0o644)     # of root's tuner that was killed
        result = self.run_sluice("tune", *CELL[:-1], "8", "--rigor", "estimate", "--profile", kept,
                                 user=user, group=user, extra_groups=[])
        self.assertIn(result.returncode, (0, command.FILE))
        if result.returncode:   # a user who cannot enter the test's own directory
            self.assertIn("Permission denied", result.stderr)


class SettingsTest(Base):
    def test_google_benchmark_takes_none_from_the_environment(self):
        for name, value in (("BENCHMARK_REPETITIONS", "3"), ("BENCHMARK_FILTER", "nothing"), ("BENCHMARK_LIST_TESTS", "1"),
                            ("BENCHMARK_OUT", "other.json"), ("BENCHMARK_MIN_WARMUP_TIME", "1")):
            with self.subTest(name=name):
                self.run_ok("bench", *CELL, "--samples", "2", "--no-profile", "--out", "b.json",
                             environment={name: value})
                self.assertEqual(len(json.loads((self.directory / "b.json").read_text())["benchmarks"]), 1)
        self.assertNotIn("other.json", self.files())

    def test_hwloc_describes_this_machine(self):
        expected = self.info()
        for name, value in (("HWLOC_SYNTHETIC", "pack:2 core:8 pu:2"), ("HWLOC_XMLFILE", "/dev/null"),
                            ("HWLOC_FSROOT", "/nonexistent")):
            with self.subTest(name=name):
                self.assertEqual(self.info({name: value}), expected)

    def info(self, environment=None):
        return json.loads(self.succeed("info", "--json", environment=environment))["machine"]["fingerprint"]


if __name__ == "__main__":
    unittest.main()
