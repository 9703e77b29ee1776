"""Damaged results: every field deleted or replaced, and the file cut. Each gives a report or one line, never a traceback.

Each field gets some of the wrong values in turn. Damages that are read differently are compared, and a few of these are
drawn, with figures laid out but not rendered. SLUICE_DAMAGE=full tries every value and draws every page (about forty minutes).
"""

import contextlib
import copy
import dataclasses
import importlib.util
import io
import json
import os
import re
import unittest
from unittest import mock

import fixtures
from fixtures import REPORTS, Desk
from matplotlib import figure
from reports.data.documents import InputError
from reports.data.results import load_results

FULL = os.environ.get("SLUICE_DAMAGE") == "full"
DELETED = object()
VALUES = (DELETED, None, float("nan"), "text", -1, 0, 1e308, 10**400, [], {"a": []})
TRIED, DRAWN = 3, 4     # values for each field and pages in all, in the default run


def load_program():
    """reports/__main__.py as a module, so that one process makes many reports."""
    spec = importlib.util.spec_from_file_location("reports_program", REPORTS / "__main__.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def lay_out(drawing, stream, format=None, **_options):
    """Replaces savefig: computes every position, which is where wrong numbers fail, but renders nothing."""
    drawing.draw_without_rendering()
    stream.write('<svg viewBox="0 0 1 1"></svg>' if format == "svg" else b"\x89PNG\r\n\x1a\n")


def whole():
    """A results document with one entry of each kind: gated, both baselines, a peer, a micro benchmark."""
    entries = fixtures.group(256, 512, 4, "avx512", 1, ("swiglu",), ("small",), rounds=8)
    entries += fixtures.group(256, 512, 16, "avx512", 1, ("swiglu",), ("small",), rounds=8)
    entries[2]["phases"] = fixtures.phases()
    entries.append(fixtures.peer(entries[2], "openblas", 1.2))
    entries.append(fixtures.micro("microkernel", "L1", tile="13x32", operands="L1", fma_fraction=0.9))
    return fixtures.results(entries)


def places(value, path=()):
    """Every place in the document below `path`. The first item of a list represents all."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield path + (key,)
            yield from places(part, path + (key,))
    elif isinstance(value, list) and value:
        yield path + (0,)
        yield from places(value[0], path + (0,))


def replaced(document, path, value):
    document = copy.deepcopy(document)
    parent = document
    for step in path[:-1]:
        parent = parent[step]
    if value is DELETED:
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    return document


class Damage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.program = load_program()
        cls.document, cls.different = whole(), {}
        cls.paths = [path for path in places({"context": cls.document["context"]})]
        # A gated cell, its baseline, the peer and the micro benchmark.
        for index in (2, 0, -2, -1):
            entry = cls.document["benchmarks"][index]
            cls.paths += [("benchmarks", index), *places(entry, ("benchmarks", index))]
        cls.paths.append(("benchmarks",))

    def setUp(self):
        self.desk = Desk(results_document=self.document)
        self.addCleanup(self.desk.close)
        self.file = self.desk.root / "out" / "results.json"
        (self.desk.root / "whole.json").write_text(json.dumps(self.document))
        patch = mock.patch.object(figure.Figure, "savefig", lay_out)
        patch.start()
        self.addCleanup(patch.stop)

    def run_program(self, *words):
        """(exit code, stdout, stderr), with the paths as from the desk."""
        output, errors = io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            code = self.program.main(list(words))
        output.flush()
        return code, output.buffer.getvalue().decode(), errors.getvalue()

    def assert_answered(self, outcome, place):
        code, output, errors = outcome
        self.assertIn(code, (0, 5), (place, errors))
        self.assertEqual(errors.count("\n"), 1 if code else errors.count("warning"), (place, errors))
        self.assertEqual(bool(output), code == 0, place)
        self.assertNotRegex(output, r"\bnan\b|\binf\b|NaN|Infinity", place)

    def damages(self):
        """(place, document) of every damage that is read unlike all others. A document that is refused must say why."""
        if not self.different:
            for index, path in enumerate(self.paths):
                turn = [VALUES[(index * TRIED + step) % len(VALUES)] for step in range(TRIED)]
                for value in VALUES if FULL else turn:
                    text = json.dumps(replaced(self.document, path, value))
                    self.file.write_text(text)
                    try:
                        results = load_results(str(self.file))
                    except InputError as error:
                        self.assertNotIn("\n", str(error))
                        continue
                    place = (path, "deleted" if value is DELETED else repr(value)[:20])
                    self.different.setdefault(repr(dataclasses.replace(results, skipped=[])), (place, text))
        return list(self.different.values())

    def test_compare_answers_whatever_is_damaged(self):
        undamaged = str(self.desk.root / "whole.json")
        for index, (place, text) in enumerate(self.damages()):
            self.file.write_text(text)
            words = ("--json", undamaged, str(self.file), "--normalise", "roof") if index % 2 else (
                str(self.file), undamaged)
            self.assert_answered(self.run_program("compare", *words), place)

    def test_report_answers_whatever_is_damaged(self):
        profile, out = str(self.desk.root / "out" / "profile.json"), str(self.desk.root / "report")
        damages = self.damages()
        self.assertGreater(len(damages), 100)
        for place, text in damages if FULL else damages[::len(damages) // DRAWN]:
            self.file.write_text(text)
            self.assert_answered(self.run_program(
                "report", "--profile", profile, "--results", str(self.file), "--out", out, "--json"), place)
            page = (self.desk.root / "report" / "index.html").read_text(encoding="utf-8")
            self.assertIsNone(re.search(r">[^<]*\b(nan|inf|NaN|Infinity)\b[^<]*<", page), place)

    def test_what_was_left_out_is_said(self):
        for path, value, words in (
                (("benchmarks", 2, "real_time"), float("nan"), "benchmarks[2].real_time is NaN, expected a number"),
                (("benchmarks", 2, "m"), -1, "benchmarks[2].m is -1, expected a whole number"),
                (("benchmarks", 2, "samples_ns", 0), None, "benchmarks[2].samples_ns[0] is null"),
                (("benchmarks", 2, "plan_origin"), float("nan"), "benchmarks[2].plan_origin is NaN, expected a string"),
                (("context", "roofs", "fma", 0, "flops"), float("nan"), "so the roofs are left out")):
            self.file.write_text(json.dumps(replaced(self.document, path, value)))
            code, output, _ = self.run_program("compare", str(self.file), str(self.desk.root / "whole.json"))
            self.assertEqual(code, 0)
            self.assertIn(words, output)

    def test_a_cut_file_is_one_line(self):
        text = json.dumps(self.document)
        for length in range(0, len(text), len(text) // 20):
            self.file.write_text(text[:length])
            for words in (("report", "--results", str(self.file)), ("compare", str(self.file), str(self.file))):
                code, output, errors = self.run_program(*words, *(
                    ("--profile", str(self.desk.root / "out" / "profile.json")) if words[0] == "report" else ()))
                self.assertEqual((code, output, errors.count("\n")), (5, "", 1), errors)


if __name__ == "__main__":
    unittest.main()
