"""Every number on the page is computed anew from the files, by code that shares nothing with the reports."""

import json
import re
import unittest

import fixtures
from fixtures import REPORTS, Desk
from journal import journal_lines
from oracle import GATED, Oracle
from printed import Checker, Printed


def checker(desk, journal=()):
    read = [json.loads((desk.root / "out" / name).read_text()) for name in ("results.json", "profile.json")]
    return Checker(Oracle(*read, journal))


class EveryNumber(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        own = [entry for m in (1, 64) for threads in (1, 2) for entry in fixtures.group(
            2048, 5632, m, "avx512", threads, GATED[:2], ("tinyllama",))]
        # In half the bytes, which is half the time until the multiplications bind.
        own += [entry for m in (1, 64) for threads in (1, 2) for entry in fixtures.group(
            2048, 5632, m, "avx512", threads, GATED[:2], ("tinyllama",), weights="bf16")]
        for entry in own:
            entry["phases"] = fixtures.phases(0.01 * entry["m"] ** 0.1)
        promises = (None, fixtures.promise(), fixtures.promise(0.93, 1.051, "broken"), fixtures.promise(in_place=None))
        met = [entry for index, entry in enumerate(own)
               for entry in fixtures.against("default", entry, (None, 1.03, 0.98)[index % 3], promises[index % 4])]
        micros = [fixtures.micro("microkernel", "avx512/13x32/L1", tile="13x32", operands="L1", fma_fraction=0.97),
                  fixtures.micro("epilogue", "avx512/swiglu", bytes_per_second=3.2e10, ns_per_element=0.375)]
        peers = [fixtures.peer(entry, name, factor) for entry in own for name, factor in (("a", 1.4), ("b", 1.02))]
        results = fixtures.results(met + peers + micros)
        results["context"]["accuracy"] = [
            {"kind": "swiglu", "weights": weights, "operands": operands, "arithmetic": 1.2e-7, "rounded_weights": error,
             "quantised_activations": 3 * error, "by": by}
            for weights, by, error in (("f32", "f32", 0), ("bf16", "f32", 2.9e-3), ("int8:32", "int8", 9.7e-3)) for operands in ("normal", "heavy_tailed")]
        cls.desk = Desk(fixtures.profile([fixtures.plan(m=m, threads=threads) for m in (1, 64) for threads in (1, 2)]),
                        results)
        cls.addClassCleanup(cls.desk.close)
        cls.desk.write("journal.jsonl", "\n".join(journal_lines()))
        cls.outcome = cls.desk.run("--journal", "out/journal.jsonl")
        if cls.outcome.returncode:
            raise AssertionError(cls.outcome.stderr)
        cls.page = cls.desk.page()
        cls.checker = checker(cls.desk, [json.loads(line) for line in journal_lines()[:-4]])

    def test_every_number_on_the_page_is_that_of_its_source(self):
        self.assertGreater(len(Printed(self.page).traced), 1000)
        self.assertEqual(self.checker.faults(self.page), [])

    def test_another_last_digit_of_any_number_is_a_fault(self):
        for source, text in Printed(self.page).traced:
            last = max(match.end() for match in re.finditer(r"\d", text)) - 1 if re.search(r"\d", text) else None
            # Sizes and intensities are printed with too few digits for their tolerance to tell values apart.
            if last is not None and not source.startswith(("intensity", "fact")):
                changed = text[:last] + str((int(text[last]) + 5) % 10) + text[last + 1:]
                self.assertNotEqual(self.checker.wrong(source, changed), [], (source, text, changed))

    def test_a_planted_number_is_a_fault(self):
        for what, pattern, planted in (
                ("mean over a baseline plan", r'(data-source="baseline_plan_mean default">)\d', r"\g<1>3"),
                ("verdicts on a baseline plan", r'(data-source="number baseline_plan_verdict default slower">)\d+', r"\g<1>99"),
                ("promise", r'(data-source="baseline_plan_kept default">)\d', r"\g<1>3"),
                ("promises kept", r'(data-source="number baseline_plan_promise default kept">)\d+', r"\g<1>99"),
                ("overview", r"Cell by cell,", "Cell by cell, 7 times,"),
                ("verdict count", r'(data-source="number budget tied swiglu">)\d+', r"\g<1>99"),
                ("toll in words", r'(data-source="spread_ratios [^"]*">)[^<]*', r"\g<1>+9.9"),
                ("M in words", r'(data-source="at_m [^"]*">M = )1', r"\g<1>2"),
                ("heading", r"(<h3>Cost of the gate: [^<]*<span[^>]*>2048×)5632", r"\g<1>5633"),
                ("caption", r"Hollow marks:", "5 hollow marks:"),
                ("crossover", r'(data-source="crossover [^"]*">)\d+', r"\g<1>3"),
                ("alternative text", r'(<svg[^>]* aria-label="[^"]*2048×)5632', r"\g<1>5633"),
                ("number in an alternative text", r'(<svg[^>]* aria-label=")', r"\g<1>9 times, "),
                ("plan of a hover", r'(title="nr )32', r"\g<1>33"),
                ("definition", r"minus 1", "minus 2"),
                ("machine", r'(data-source="fact context.machine.caches">l1d )32', r"\g<1>31"),
                ("command of a figure", r"(--m 1,)64", r"\g<1>65"),
                ("command of the file", r'(data-source="command [^"]*">sluice bench --model )tinyllama', r"\g<1>t5"),
                ("CSV", r"(data:text/csv[^\"]*AVX-512%2C)1", r"\g<1>3"),
                ("label in a drawing", r"(>M )64(, 2 threads</text>)", r"\g<1>63\2"),
                ("field of the landscape", r'(data-source="journal_percent.*?<text[^>]*>)\d+', r"\g<1>1")):
            page, times = re.subn(pattern, planted, self.page, count=1, flags=re.DOTALL)
            with self.subTest(what):
                self.assertEqual(times, 1)
                self.assertNotEqual(self.checker.faults(page), [])

    def test_every_column_has_its_definition_one_hover_away(self):
        headings = re.findall(r"<th scope=\"col\".*?</th>", self.page, re.DOTALL)
        self.assertGreater(len(headings), 150)
        self.assertEqual([heading for heading in headings if ' title="' not in heading], [])

    def test_the_journal_makes_a_landscape(self):
        self.assertIn("Tile landscape: SwiGLU 2048×5632, M 64, AVX-512", self.page)
        self.assertIn("table-regret", self.page)
        self.assertTrue((self.desk.out / "landscape-avx512-swiglu-2048-5632-64-1.svg").is_file())

    def test_a_journal_that_is_none_is_refused_in_one_line(self):
        for name, words in (("none.jsonl", "cannot be read"), ("out/profile.json", "holds no trial")):
            outcome = self.desk.run("--journal", name, "--out", "elsewhere")
            self.assertEqual((outcome.returncode, outcome.stderr.count("\n")), (5, 1), outcome.stderr)
            self.assertIn(words, outcome.stderr)


class OtherPages(unittest.TestCase):
    """Pages that are made without their pictures, which is quick."""

    def assert_traced(self, *documents):
        desk = Desk(*documents)
        self.addCleanup(desk.close)
        page = desk.undrawn()
        self.assertEqual(checker(desk).faults(page), [])
        return page

    def test_every_number_of_the_samples(self):
        for folder in sorted((REPORTS / "samples").iterdir()):
            with self.subTest(folder.name):
                self.assert_traced(*(json.loads((folder / name).read_text(encoding="utf-8"))
                                     for name in ("profile.json", "results.json")))

    def test_every_number_of_what_is_missing(self):
        page = self.assert_traced(None, fixtures.results([
            *fixtures.group(2048, 5632, 64, "avx512", 1, ("swiglu",), ("tinyllama",), contended=1.1, old=True),
            fixtures.cell(d_model=512, d_ff=1024, models=())],
            measurement={"clock": "steady_clock", "cold": True, "seed": 1, "contended_share": 0.15, "cells": 12,
                         "cells_reported": 2}))
        self.assertNotIn("add up to", page)
        for words in ("The run was interrupted: it came to ", "No ReLU baseline", "fewer than two rounds", "Only M = ",
                      "thread scaling is unknown"):
            self.assertIn(words, page)

    def test_forwards_sampled_in_portions(self):
        entries = fixtures.group(2048, 5632, 256, "avx512", 1, ("swiglu",), ("tinyllama",))
        for entry in entries:
            entry["portions"] = 9
            entry["whole_rounds"] = [0, 12, 500]
            entry["wholes_ns"] = [1.02 * entry["samples_ns"][0], 1.01 * entry["real_time"], entry["real_time"]]
        page = self.assert_traced(None, fixtures.results(entries))
        self.assertRegex(page, "portions of them were sampled in turns")
        self.assertRegex(page, "of what their portions add up to")


if __name__ == "__main__":
    unittest.main()
