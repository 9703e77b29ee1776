"""What happens to a tuning that is killed, interrupted or out of disk: nothing is lost. Shapes are tiny."""

import json
import os
import resource
import shlex
import signal
import subprocess
import time

import command

CELLS = ["--d-model", "96", "--d-ff", "160", "--kind", "swiglu", "--threads", "1"]
INTERRUPTED = 130


class ResumeTest(command.CommandTest):
    def tune(self, *arguments, code=0, **options):
        result = self.run_sluice("tune", *arguments, **options)
        self.assertEqual(result.returncode, code, result.stderr)
        return result

    def lines(self, name):
        """The whole lines of a file that is being written."""
        path = self.directory / name
        return path.read_bytes().split(b"\n")[:-1] if path.exists() else []

    def wait_for_lines(self, process, name, count):
        while len(self.lines(name)) < count and process.poll() is None:
            time.sleep(0.005)

    def test_killed_and_resumed_no_trial_is_lost_or_repeated(self):
        arguments = ["tune", *CELLS, "--m", "1,16", "--budget", "60", "--journal", "j", "--profile", "p.json"]
        for count in (1, 25, 60):
            process = self.start(*arguments, "--resume")
            self.wait_for_lines(process, "j", count)
            process.send_signal(signal.SIGKILL)
            process.communicate()
            before = self.lines("j")
            self.assertGreaterEqual(len(before), count)
            # Whenever the process was killed, a profile that exists holds plans.
            self.assertFalse((self.directory / "p.json").exists() and not self.plans("p.json"))
        self.tune(*arguments[1:], "--resume")
        after = self.lines("j")
        self.assertEqual(after[:len(before)], before)
        records = [json.loads(line) for line in after]
        self.assertEqual([record["number"] for record in records], list(range(len(records))))
        self.assertEqual(records[-1]["record"], "end")
        asked = [json.dumps([record[key] for key in ("kind", "m", "slice", "plan", "round")])
                 for record in records if record["record"] == "trial"]
        self.assertEqual(len(set(asked)), len(asked))
        self.assertEqual([row["m"] for row in self.plans("p.json")], [1, 16])
        # Another resumption finds nothing left to do: it answers from the journal.
        (self.directory / "p.json").unlink()
        self.tune(*arguments[1:], "--resume")
        self.assertEqual(self.lines("j"), after)
        self.assertEqual([row["m"] for row in self.plans("p.json")], [1, 16])

    def test_interrupted_it_prints_the_command_that_goes_on(self):
        code, output, errors = self.interrupt("tune", "--d-model", "256", "--d-ff", "512", "--m", "1,4", "--threads",
                                              "1", "--budget", "60", "--profile", "my profile.json", "--kind",
                                              "swiglu", by=signal.SIGTERM)
        self.assertEqual(code, INTERRUPTED, errors)
        self.assertEqual(output, "")
        words = shlex.split(errors.splitlines()[-1].split("go on with: ")[1])
        self.assertEqual(words[:2], ["sluice", "tune"])
        self.assertEqual(words[-1], "--resume")
        self.assertIn("my profile.json", words)
        self.assertEqual(len([name for name in self.files() if name.endswith(".journal")]), 1)
        self.tune(*words[2:])  # ends when all is tried, long before the budget does
        self.assertEqual(len(self.plans("my profile.json")), 2)
        self.assertEqual([name for name in self.files() if "journal" in name and "lock" not in name], [])

    def test_without_resume_a_journal_is_moved_aside(self):
        arguments = [*CELLS, "--m", "1", "--budget", "1", "--profile", "p.json", "--journal", "j"]
        self.tune(*arguments)
        before = (self.directory / "j").read_bytes()
        self.assertIn("j.old", self.tune(*arguments).stderr)
        self.assertEqual((self.directory / "j.old").read_bytes(), before)

    def test_a_journal_of_another_tuning_is_refused(self):
        arguments = [*CELLS, "--budget", "1", "--profile", "p.json", "--journal", "j"]
        self.tune(*arguments, "--m", "1")
        self.expect_failure(command.FILE, "tune", *arguments, "--m", "2", "--resume", says=["j: ", "cells"])
        self.expect_failure(command.FILE, "tune", *arguments, "--m", "1", "--seed", "9", "--resume",
                            says=["seed (1, here 9)"])

    def test_full_disk_leaves_the_old_profile(self):
        self.tune(*CELLS, "--m", "1", "--budget", "1", "--profile", "p.json")
        old = (self.directory / "p.json").read_bytes()
        # The first records of a journal exceed this however few trials the budget allows, and so does the new profile.
        limit = len(old)

        def little_room():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        result = self.tune(*CELLS, "--m", "2", "--budget", "1", "--profile", "p.json", code=command.FILE,
                           preexec_fn=little_room, restore_signals=False)
        self.assertIn(".journal: cannot be written", result.stderr)
        self.assertIn("--resume", result.stderr)
        self.assertEqual((self.directory / "p.json").read_bytes(), old)
        self.tune(*CELLS, "--m", "2", "--budget", "1", "--profile", "p.json", "--resume")
        self.assertEqual([row["m"] for row in self.plans("p.json")], [1, 2])

    def test_full_small_disk(self):
        disk = self.directory / "disk"
        disk.mkdir()
        mounted = os.geteuid() == 0 and subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", disk],
                                                       stderr=subprocess.DEVNULL, check=False).returncode == 0
        if not mounted:
            self.skipTest("mounting a small disk needs root's rights")
        self.addCleanup(subprocess.run, ["umount", disk], check=True)
        self.tune(*CELLS, "--m", "1", "--rigor", "estimate", "--profile", "disk/p.json")
        old = (disk / "p.json").read_bytes()
        # Room for the journal's beginning alone.
        free = os.statvfs(disk)
        (disk / "filler").write_bytes(bytes((free.f_bavail - 1) * free.f_bsize))
        result = self.tune(*CELLS, "--m", "2", "--budget", "9", "--profile", "disk/p.json", code=command.FILE)
        self.assertIn("disk/p.json", result.stderr)
        self.assertEqual((disk / "p.json").read_bytes(), old)

    def test_unwritable_directories(self):
        self.expect_failure(command.FILE, "tune", *CELLS, "--journal", "/proc/j", "--profile", "p.json",
                            says=["/proc/j"])
        if os.geteuid() == 0:
            self.skipTest("root may write into a read-only directory")
        self.tune(*CELLS, "--m", "1", "--rigor", "estimate", "--profile", "locked/p.json")
        (self.directory / "locked").chmod(0o500)
        self.addCleanup((self.directory / "locked").chmod, 0o700)
        self.expect_failure(command.FILE, "tune", *CELLS, "--m", "2", "--profile", "locked/p.json", says=["locked"])

    def test_two_tuners_of_one_profile(self):
        both = [self.start("tune", *CELLS, "--m", m, "--budget", "2", "--profile", "p.json") for m in ("1", "4")]
        for process in both:
            _, errors = process.communicate(timeout=120)
            self.assertEqual(process.returncode, 0, errors)
        self.assertEqual(sorted(row["m"] for row in self.plans("p.json")), [1, 4])

    def test_estimate_measures_nothing(self):
        self.tune("--model", "llama2-7b", "--rigor", "estimate", "--profile", "p.json")
        profile = json.loads((self.directory / "p.json").read_text())
        self.assertTrue(profile["plans"])
        self.assertTrue(all(row["measured"] is None for row in profile["plans"]))
        self.assertEqual(profile["roofs"], {"fma": [], "dot": [], "read": []})
        self.assertEqual(set(self.files()), {"p.json"})

    def test_refusals(self):
        for option, value in (("--rigor", "quick"), ("--strategy", "luck"), ("--budget", "soon"), ("--budget", "0"),
                              ("--journal", ""), ("--seed", "x")):
            self.expect_failure(command.USAGE, "tune", *CELLS, option, value, says=[option])
        self.write("diary.txt", "Dear diary,\n")
        for resume in ([], ["--resume"]):
            self.expect_failure(command.FILE, "tune", *CELLS, "--profile", "p.json", "--journal", "diary.txt", *resume,
                                says=["diary.txt", "not a journal"])
        self.expect_failure(command.FILE, "tune", *CELLS, "--profile", "p.json", "--journal", "/dev/full",
                            says=["/dev/full"])
