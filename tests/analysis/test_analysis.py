"""The analysis by llvm-mca: what it reads in machine code, which models it accepts, what it reports.

Functions stand in for llvm-mca; its answer is part of each case.
"""

import contextlib
import io
import json
import os
import pathlib
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE / "scripts"))

import analysis  # noqa: E402
import disassembly  # noqa: E402
import mca_input  # noqa: E402
import prediction  # noqa: E402

# The loop of a 2 x 1 tile, an inner prefetch loop that may run no times, and the loop for the rest of k.
LISTING = """
0000000000000000 <void (anonymous namespace)::panel_kernel<Neon, F32, 2, 1, true, false>(PanelCall const&)>:
   0:\tmov\tw2, w9
   4:\tcbz\tw9, 14 <x+0x14>
   8:\tprfm\tpldl2keep, [x1]
   c:\tsubs\tw2, w2, #0x1
  10:\tb.ne\t8 <x+0x8>  // b.any
  14:\tldp\tq4, q5, [x3]
  18:\tldr\tq6, [x0], #16
  1c:\tfmla\tv0.4s, v4.4s, v6.s[0]
  20:\tfmla\tv1.4s, v4.4s, v6.s[1]
  24:\tfmla\tv0.4s, v5.4s, v6.s[2]
  28:\tfmla\tv1.4s, v5.4s, v6.s[3]
  2c:\tsubs\tx7, x7, #0x1
  30:\tb.ne\t0 <x>  // b.any
  34:\tldr\tq4, [sp, #16]
  38:\tfmla\tv0.4s, v4.4s, v6.s[0]
  3c:\tsubs\tx8, x8, #0x1
  40:\tb.ne\t34 <x+0x34>  // b.any
  44:\tret
"""
X86 = [("0", "vmovups", "0x40(%r9),%zmm4"), ("4", "vbroadcastss", "-0x4(%rax),%zmm28"),
       ("8", "vfmadd231ps", "%zmm4,%zmm28,%zmm1"), ("c", "vfmadd231ps", "0x80(%r9),%zmm28,%zmm2"),
       ("10", "prefetcht1", "(%rcx)"), ("14", "lea", "0x8(%rax),%rax"), ("18", "vmovups", "%zmm1,(%rdx)"),
       ("1c", "cs", "nopw 0x0(%rax,%rax,1)"), ("20", "jne", "0 <x>")]


def kernel():
    (_, body), = disassembly.functions(LISTING)
    loops = disassembly.hot_loops(body)
    return disassembly.Microkernel("packed", 2, 1, [[body[place] for place in sorted(loop)] for loop in loops],
                                   [disassembly.shortest_round(body, loop) for loop in loops],
                                   disassembly.on_stack(body))


class Core:
    """An llvm-mca whose model has these rates and takes `cycles` for every loop that is no probe."""

    version = "99.0"

    def __init__(self, fma, loads, mixed, cycles=10.0):
        self.rates, self.answer = (fma, loads, mixed), cycles

    def cycles(self, isa, core, loops):
        if self.rates[0] is None:
            return None
        probes = len(loops) == 3 and all(".L" not in loop for loop in loops)
        return [prediction.PROBE_LENGTH / rate for rate in self.rates] if probes else [self.answer] * len(loops)


def loop(**change):
    values = {"isa": "avx512", "compiler": "g++", "form": "packed", "mr": 13, "nr": 32,
              "text": f"{mca_input.LABEL}:\nx", "k_steps": 4, "fmas_per_k": 26, "loads_per_k": 15, "registers": 29,
              "stack_references": 0}
    return mca_input.Loop(**values | change)


def core(name):
    return next(one for one in prediction.CORES if one.name == name)


class MachineCode(unittest.TestCase):
    def test_the_loop_over_groups_of_k_without_what_may_have_nothing_to_do(self):
        found = mca_input.hot_loop("neon", "g++", kernel())
        self.assertEqual((found.mr, found.nr, found.k_steps, found.fmas_per_k), (2, 4, 2, 2))
        self.assertEqual((found.loads_per_k, found.registers, found.stack_references), (1.5, 5, 0))
        lines = found.text.splitlines()
        self.assertEqual(lines[0], f"{mca_input.LABEL}:")
        self.assertNotIn("prfm", found.text)
        self.assertNotIn("//", found.text)
        self.assertIn(f"cbz w9, {mca_input.LABEL}", lines)
        self.assertEqual(sum(line.startswith("fmla") for line in lines), 4)

    def test_the_stack_is_seen_in_every_hot_loop(self):
        self.assertEqual(kernel().stack_references, [[], ["ldr q4, [sp, #16]"]])

    def test_loads_of_x86(self):
        self.assertEqual(mca_input.loads("avx512", X86), 3)
        self.assertEqual(mca_input.registers(X86), 4)

    def test_loads_are_asked_in_the_form_that_models_take_for_loads_alone(self):
        lines = mca_input.assembly(X86).splitlines()
        self.assertEqual(lines[1:3], ["vmovntdqa 0x40(%r9),%zmm4", "vmovntdqa -0x4(%rax),%zmm28"])
        self.assertIn("vmovups %zmm1,(%rdx)", lines)
        self.assertNotIn("cs nopw 0x0(%rax,%rax,1)", lines)


class Models(unittest.TestCase):
    def refused(self, model, name, isa):
        predictions, (silence,) = prediction.predict(model, core(name), isa, [loop()])
        self.assertEqual((predictions, silence.core), ([], name))
        return silence.reason

    def test_a_right_model_is_believed(self):
        (one,), silences = prediction.predict(Core(1.99, 2, 2, 54), core("skylake-avx512"), "avx512", [loop()])
        self.assertEqual(silences, [])
        self.assertAlmostEqual(one.cycles_per_k, 13.5)
        self.assertAlmostEqual(one.fma_bound_fraction, 13 / 13.5)
        self.assertAlmostEqual(one.loads_per_fma, 15 / 26)

    def test_a_wrong_one_is_not(self):
        self.assertIn("does not know", self.refused(Core(None, 0, 0), "skylake-avx512", "avx512"))
        self.assertIn("1 vector FMAs per cycle, the core 2", self.refused(Core(1, 2, 1), "icelake-server", "avx512"))
        self.assertIn("1 vector loads per cycle, the core 2", self.refused(Core(2, 1, 1), "haswell", "avx2"))
        self.assertIn("beside as many loads", self.refused(Core(2, 2, 1.5), "skylake-avx512", "avx512"))

    def test_loads_that_are_too_fast_leave_tiles_far_from_that_bound(self):
        tiles = [loop(), loop(mr=2, fmas_per_k=4, loads_per_k=4)]
        (one,), (silence,) = prediction.predict(Core(1, 2, 1, 104), core("znver4"), "avx512", tiles)
        self.assertEqual((one.mr, one.fma_bound_fraction), (13, 1))
        self.assertIn("for 2x32", silence.reason)

    def test_no_core_runs_more_instructions_than_its_width(self):
        text = mca_input.LABEL + ":\n" + "\n".join(["nop"] * 400)
        (one,), _ = prediction.predict(Core(2, 2, 2, 40), core("neoverse-n1"), "neon",
                                     [loop(isa="neon", text=text, fmas_per_k=24, loads_per_k=6)])
        self.assertAlmostEqual(one.cycles_per_k, 400 / 4 / 4)


class Command(unittest.TestCase):
    def run_with(self, *words, cycles=54):
        """Runs the command over two tiles. Returns (exit code, stdout, stderr)."""
        class Model(Core):
            def __init__(self, program):
                super().__init__(2, 2, 2, cycles)
        output, errors = io.StringIO(), io.StringIO()
        kept = analysis.Mca, analysis.loops_of
        tiles = [loop(mr=12, fmas_per_k=24), loop()]
        analysis.Mca, analysis.loops_of = Model, lambda options, directory: {"avx512": tiles}
        try:
            with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
                code = analysis.main([*words, "avx512.cpp.o"])
        finally:
            analysis.Mca, analysis.loops_of = kept
        return code, output.getvalue(), errors.getvalue()

    def test_table_and_file(self):
        with tempfile.TemporaryDirectory() as directory:
            target = os.path.join(directory, "static.json")
            code, text, errors = self.run_with("--out", target)
            self.assertEqual((code, errors), (0, ""))
            document = json.loads(pathlib.Path(target).read_text(encoding="utf-8"))
            self.assertEqual(os.listdir(directory), ["static.json"])
        self.assertIn("13x32", text)
        self.assertNotIn("12x32", text)
        self.assertEqual(document["schema"], "sluice-static")
        self.assertEqual({one["mr"] for one in document["predictions"]}, {12, 13})
        self.assertIn("znver4", {one["core"] for one in document["no_usable_model"]})
        self.assertIn("no usable model of znver4", text)

    def test_the_file_keeps_its_link_and_permissions_whatever_its_name(self):
        with tempfile.TemporaryDirectory() as directory:
            longest = pathlib.Path(directory) / ("n" * 250 + ".json")
            self.assertEqual(self.run_with("--out", str(longest))[0], 0)
            longest.chmod(0o640)
            link = pathlib.Path(directory) / "link"
            link.symlink_to(longest.name)
            longest.write_text("old", encoding="utf-8")
            self.assertEqual(self.run_with("--out", str(link))[0], 0)
            self.assertTrue(link.is_symlink())
            self.assertEqual(json.loads(longest.read_text(encoding="utf-8"))["schema"], "sluice-static")
            self.assertEqual(longest.stat().st_mode & 0o777, 0o640)
            self.assertEqual(len(os.listdir(directory)), 2)
        self.assertEqual(self.run_with("--out", "/dev/null")[0], 0)
        self.assertFalse(os.path.isfile("/dev/null"))

    def test_least(self):
        self.assertEqual(self.run_with("--least", "95")[0], 0)
        code, _, errors = self.run_with("--least", "97")
        self.assertEqual(code, 1)
        self.assertIn("13x32 by g++ is predicted to reach 96.3 % of skylake-avx512's FMA bound; expected 97", errors)

    def test_failures_are_one_line(self):
        with tempfile.TemporaryDirectory() as directory:
            self.expect_failures(os.path.join(directory, "absent"))

    def expect_failures(self, absent):
        code, text, errors = self.run_with("--out", f"{absent}/static.json")
        self.assertEqual(code, 5)
        self.assertEqual(errors.count("\n"), 1)
        with contextlib.redirect_stderr(io.StringIO()) as stream:
            self.assertEqual(analysis.main(["--llvm-mca", f"{absent}/llvm-mca", "avx2.cpp.o"]), 4)
        self.assertIn("scripts/dependencies.sh analyze", stream.getvalue())
        for code, program, words in ((4, f"{absent}/objdump", "cannot be run"), (5, "false", "fails on x.o: no")):
            with self.assertRaisesRegex(disassembly.Complaint, words) as caught:
                list(disassembly.microkernels(program, "x.o"))
            self.assertEqual(caught.exception.code, code)
        self.assertEqual(stream.getvalue().count("\n"), 1)


if __name__ == "__main__":
    unittest.main()
