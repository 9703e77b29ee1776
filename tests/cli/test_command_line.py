"""The front command: verbs, help and version."""

import unittest

import command


class FrontTest(command.CommandTest):
    def test_help_and_version_are_answers(self):
        for flag in ("--help", "--version"):
            self.assertIn("sluice", self.succeed(flag))

    def test_every_verb_teaches_with_an_example(self):
        for verb in ("info", "doctor", "report", "export"):
            with self.subTest(verb=verb):
                self.assertIn(f"sluice {verb} --", self.succeed(verb, "--help"))

    def test_unknown_and_missing_verbs(self):
        self.expect_failure(command.USAGE, "inof", says=["inof", "info"], who="sluice")
        self.expect_failure(command.USAGE, who="sluice")


if __name__ == "__main__":
    unittest.main()
