"""`sluice verify --random` and `--case`: what they accept, what they print, what they refuse."""

import json
import unittest

import command

CASE = ("isa=scalar,kind=swiglu,weights=int8:32,arithmetic=int16,m=3,d_model=64,d_ff=40,gate=f32:in_out:40,"
        "up=q8_0:out_in:64,down=bf16:out_in:41,biases=gate+down,ldx=17,ldy=65,accumulate=yes,scales=least_squares,nr=8,mr=2,kc=9,mc=4,nc=16,"
        "fc=8,prefetch=128,pack_x=yes,schedule=claim_rows,threads=2,seed=9")


class VerifyTest(command.CommandTest):
    def test_random_cases_are_of_every_type_and_arithmetic(self):
        told = json.loads(self.succeed("verify", "--random", "1", "--isa", "scalar", "--json"))
        self.assertEqual(told["seed"], 1)
        pairs = [(row["weights"], row["arithmetic"]) for row in told["kernels"]]
        self.assertEqual(len(set(pairs)), len(pairs))
        for pair in (("f32", "f32"), ("bf16", "f32"), ("int8:column", "int16"), ("int4:128", "int8"),
                     ("mxfp4", "f32")):
            self.assertIn(pair, pairs)
        for row in told["kernels"]:
            self.assertEqual((row["cases"], row["passed"], row["failures"]), (1, True, []), row)
            self.assertLessEqual(row["worst_error_over_bound"], 1)

    def test_instruction_sets_solve_the_same_cases(self):
        told = json.loads(self.succeed("verify", "--random", "4", "--seed", "3", "--weights", "f16", "--kind", "relu,glu",
                                       "--json"))
        self.assertEqual(told["seed"], 3)
        self.assertEqual(len({row["digest"] for row in told["kernels"]}), 1)
        self.succeed("verify", "--random", "4", "--weights", "f16", "--out", "told.txt")
        self.assertIn("4 random cases", (self.directory / "told.txt").read_text())

    def test_a_case_is_solved_alone(self):
        text = self.succeed("verify", "--case", CASE)
        self.assertIn("scalar/int8:32/int16", text)
        self.assertIn("1 random case ", text)
        (row,) = json.loads(self.succeed("verify", "--case", CASE, "--json"))["kernels"]
        other = json.loads(self.succeed("verify", "--case", CASE.replace("kc=9,mc=4", "kc=30,mc=1"), "--json"))
        self.assertEqual(row["digest"], other["kernels"][0]["digest"], "a plan changes no bit")
        other = json.loads(self.succeed("verify", "--case", CASE.replace("seed=9", "seed=10"), "--json"))
        self.assertNotEqual(row["digest"], other["kernels"][0]["digest"])
        other = json.loads(self.succeed("verify", "--case", CASE.replace("least_squares", "absmax"), "--json"))
        self.assertNotEqual(row["digest"], other["kernels"][0]["digest"], "other scales, other weights")

    def test_what_makes_no_sense_is_refused(self):
        for arguments, says in (
                (["--random", "0"], ["--random 0", "1 to"]),
                (["--random", "many"], ["--random many"]),
                (["--random", "-3"], ["--random -3"]),
                (["--random"], ["--random"]),
                (["--random", "3", "--seed", "1.5"], ["--seed 1.5", "0 to"]),
                (["--seed", "5"], ["--seed 5", "--random"]),
                (["--random", "3", "--m", "4"], ["--random", "--m", "leave one out"]),
                (["--random", "3", "--model", "gpt2"], ["--model"]),
                (["--random", "3", "--profile", "p.json"], ["--profile"]),
                (["--random", "3", "--weights", "int3"], ["int3"]),
                (["--random", "3", "--case", CASE], ["--case", "--random 3"]),
                (["--case", CASE, "--kind", "swiglu"], ["--case", "--kind"]),
                (["--case", CASE, "--isa", "scalar"], ["--isa"]),
                (["--case", "swiglu"], ["--case: swiglu", "NAME=VALUE"]),
                (["--case", CASE.replace("m=3", "m=0")], ["--case: m=0", "1 to"]),
                (["--case", CASE.replace("mr=2", "mr=99")], ["mr", "99"]),
                (["--case", CASE + ",colour=red"], ["colour=red", "unknown"]),
        ):
            with self.subTest(arguments=arguments):
                self.expect_failure(command.USAGE, "verify", *arguments, says=says)

    def test_a_case_of_another_machine_is_refused(self):
        own = json.loads(self.succeed("info", "--json"))["machine"]["isas"]
        foreign = next(isa for isa in ("neon", "avx2") if isa not in own)
        self.expect_failure(command.UNSUPPORTED, "verify", "--case", CASE.replace("scalar", foreign), says=[foreign])


if __name__ == "__main__":
    unittest.main()
