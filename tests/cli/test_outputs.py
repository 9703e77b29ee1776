"""The files that the programs write: streams, pipes and links, long names, several names, other owners."""

import os
import subprocess
import unittest

import command

CELL = ["--d-model", "96", "--d-ff", "160", "--kind", "swiglu", "--threads", "1", "--m", "1"]


class OutputsTest(command.CommandTest):
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

    def test_the_damage_of_a_journal_behind_a_link_stays_with_it(self):
        (self.directory / "real").mkdir()
        journal = self.directory / "real" / "j.jsonl"
        command_line = ["tune", *CELL, "--budget", "1", "--profile", "q.json", "--journal"]
        self.run_ok(*command_line, "real/j.jsonl")
        with open(journal, "a", encoding="utf-8") as stream:
            stream.write("damage\n")
        (self.directory / "link").symlink_to("real/j.jsonl")
        self.run_ok(*command_line, "link", "--resume")
        self.assertEqual((self.directory / "real" / "j.jsonl.damaged").read_text(), "damage\n")
        self.assertTrue((self.directory / "link").is_symlink())

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
        for _ in range(2):  # the second journal moves the first one aside
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
        self.directory.chmod(0o755)     # the user must be able to enter
        try:
            result = self.run_sluice("tune", *CELL[:-1], "8", "--rigor", "estimate", "--profile", kept,
                                     user=user, group=user, extra_groups=[])
        except PermissionError:
            self.skipTest("another user cannot run the programs where they are built")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual([row["m"] for row in self.plans(kept)], [1, 4, 8])


if __name__ == "__main__":
    unittest.main()
