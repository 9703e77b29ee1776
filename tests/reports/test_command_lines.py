"""The commands that measure a part of a report again select the cells that it shows."""

import json
import pathlib
import shlex
import tempfile
import unittest

import fixtures  # noqa: F401  (finds the package)
from journal import journal_lines
from reports.findings import command_lines
from reports.findings.landscapes import load_landscapes


class Cell:
    def __init__(self, d_model, d_ff, kind="swiglu", models=(), isa="avx2", m=1, weights="f32"):
        self.weights = weights
        self.kind, self.isa, self.d_model, self.d_ff, self.m, self.threads = kind, isa, d_model, d_ff, m, 1
        self.models, self.gated = models, kind != "relu"


def options(line):
    words = shlex.split(line)
    return dict(zip(words[2::2], words[3::2]))


class Bench(unittest.TestCase):
    def commands(self, *cells):
        return [options(line) for line in command_lines.bench_command(cells, {}).splitlines()]

    def test_one_shape_is_named_with_the_baseline_it_adds(self):
        (one,) = self.commands(Cell(64, 100), Cell(64, 150, "relu"), Cell(64, 100, "relu"))
        self.assertEqual((one["--d-model"], one["--d-ff"], one["--equal"]), ("64", "100", "width,budget"))

    def test_models_are_named_where_every_cell_has_one(self):
        (one,) = self.commands(Cell(64, 100, models=("small",)), Cell(128, 200, models=("large", "larger")))
        self.assertEqual(one["--model"], "small,large,larger")

    def test_shapes_without_a_model_have_a_command_each(self):
        first, second = self.commands(Cell(128, 200, m=4), Cell(64, 100, models=("small",)), Cell(64, 150, "relu"))
        self.assertEqual((first["--d-model"], first["--d-ff"], first["--equal"], first["--m"]),
                         ("64", "100", "budget", "1"))
        self.assertEqual((second["--d-model"], second["--d-ff"], second["--m"]), ("128", "200", "4"))
        self.assertNotIn("--equal", second)

    def test_instruction_sets_have_a_command_each(self):
        self.assertEqual([one["--isa"] for one in self.commands(Cell(64, 100, isa="avx512"), Cell(64, 100))],
                         ["avx2", "avx512"])

    def test_types_of_weights_are_named_where_there_are_others_than_float32(self):
        (one,) = self.commands(Cell(64, 100), Cell(64, 100, weights="bf16"))
        self.assertEqual(one["--weights"], "f32,bf16")
        (plain,) = self.commands(Cell(64, 100))
        self.assertNotIn("--weights", plain)

    def test_a_baseline_shape_that_is_also_gated_is_a_shape_of_its_own(self):
        self.assertEqual({(one["--d-model"], one["--d-ff"]) for one in self.commands(
            Cell(64, 100), Cell(64, 150), Cell(64, 225, "relu"))}, {("64", "100"), ("64", "150")})


class Tune(unittest.TestCase):
    def test_plans_of_shapes_without_a_model_have_a_command_each(self):
        plans = [{"kind": "swiglu", "isa": "avx2", "d_model": d_model, "d_ff": 100, "m": 8, "max_threads": 2}
                 for d_model in (64, 32)]
        lines = command_lines.tune_command(plans, "--budget", "1min").splitlines()
        self.assertEqual([options(line)["--d-model"] for line in lines], ["32", "64"])
        self.assertTrue(all("--threads 2" in line and line.endswith("--budget 1min") for line in lines))


class Journal(unittest.TestCase):
    def test_trials_with_other_weights_are_a_cell_of_their_own(self):
        lines = journal_lines()
        typed = [json.dumps(json.loads(line) | {"weights": "bf16"}) for line in lines if '"took_ns"' in line
                 and line.endswith("}")]
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / "j"
            path.write_text("\n".join(lines + typed), encoding="utf-8")
            found = load_landscapes(path)
        self.assertEqual([landscape.cell["weights"] for landscape in found], ["f32", "bf16"])
        self.assertEqual([len(landscape.plans) for landscape in found], [6, 6])
        self.assertIn("SwiGLU with bf16 weights 2048", found[1].label)
        self.assertEqual(options(command_lines.tune_command([found[1].cell]))["--weights"], "bf16")


if __name__ == "__main__":
    unittest.main()
