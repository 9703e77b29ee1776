"""Owns: the programs on other processors, as QEMU's user mode models them: each chooses the right instruction set, its
kernels are right, and no illegal instruction ends it.

QEMU emulates no AVX-512; that is the task of tests/emulated.
"""

import json
import os
import pathlib
import shutil
import subprocess
import unittest

from command import SLUICE, CommandTest

# The model, and what is the best instruction set for it.
X86_64 = (
    ("Nehalem", "scalar"),  # no AVX
    ("Westmere", "scalar"),
    ("SandyBridge", "scalar"),  # AVX, no FMA
    ("IvyBridge", "scalar"),
    ("Opteron_G5", "scalar"),  # AVX and FMA, no AVX2
    ("Haswell", "avx2"),
    ("EPYC", "avx2"),
    ("Skylake-Server", "avx2"),
    ("max", "avx2"),
    ("max,-avx2", "scalar"),
    ("max,-fma", "scalar"),
    ("max,-xsave", "scalar"),  # AVX2 in CPUID, but nothing keeps its registers
)
AARCH64 = (("cortex-a53", "neon"), ("cortex-a72", "neon"), ("neoverse-n1", "neon"), ("max", "neon"))

MACHINE = os.environ.get("SLUICE_MACHINE", "x86_64")
MODELS = {"x86_64": X86_64, "aarch64": AARCH64}.get(MACHINE, ())
EMULATOR = f"qemu-{MACHINE}"
SMALL = ("--kind", "relu,swiglu", "--d-model", "40", "--d-ff", "72", "--m", "1,7", "--threads", "1")


@unittest.skipUnless(MODELS, f"there are no models for {MACHINE}")
class Dispatch(CommandTest):
    def setUp(self):
        super().setUp()
        # A cross build's front command begins the emulator; natively it would end in the processor that is here.
        self.crossed = EMULATOR in pathlib.Path(SLUICE).read_text(encoding="utf-8")
        if not self.crossed and shutil.which(EMULATOR) is None:
            self.skipTest(f"{EMULATOR} is not here; scripts/dependencies.sh test installs it")

    def run_on(self, model, program, *arguments):
        """The exit code, stdout and stderr without what QEMU says of features it lacks."""
        libexec = pathlib.Path(SLUICE).resolve().parent.parent / "libexec" / "sluice"
        command = [SLUICE] if self.crossed else [EMULATOR, "-cpu", model, libexec / program]
        variables = {name: value for name, value in os.environ.items() if not name.startswith("SLUICE")}
        variables["QEMU_CPU"] = model
        result = subprocess.run([*map(str, command), *arguments], cwd=self.directory, env=variables, timeout=240,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                check=False)
        errors = [line for line in result.stderr.splitlines() if "TCG doesn't support" not in line]
        return result.returncode, result.stdout, errors

    def test_each_model_gets_the_best_instruction_set_that_it_can_run(self):
        for model, best in MODELS:
            with self.subTest(model=model):
                code, output, errors = self.run_on(model, "sluice-tuner", "info", "--json")
                self.assertEqual((code, errors), (0, []))
                chosen = json.loads(output)["machine"]["isas"][-1]
                print(f"{EMULATOR} -cpu {model}: {chosen}")
                self.assertEqual(chosen, best)

    def test_each_models_kernels_are_right(self):
        for model, best in MODELS:
            with self.subTest(model=model):
                code, output, errors = self.run_on(model, "sluice-bench", "verify", *SMALL)
                self.assertEqual((code, errors), (0, []), output)
                self.assertIn(best, output)

    def test_an_instruction_set_that_the_model_lacks_is_refused(self):
        model, best = MODELS[0]
        lacking = "avx2" if best == "scalar" else "avx512"
        code, output, errors = self.run_on(model, "sluice-bench", "verify", "--isa", lacking, *SMALL)
        self.assertEqual((code, output, len(errors)), (4, "", 1), errors)
        self.assertIn(lacking, errors[0])


if __name__ == "__main__":
    unittest.main()
