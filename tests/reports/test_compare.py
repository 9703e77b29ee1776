"""sluice compare as a user meets it, on the samples of a real run."""

import copy
import json
import math
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import fixtures
from fixtures import REPORTS, Desk

from reports.data.results import load_results
from reports.statistics import run_pairs

SAMPLE = REPORTS / "samples" / "amd-epyc-zen4-2-vcpus" / "results.json"
# Google Benchmark's own, of Debian's package libbenchmark-tools.
GOOGLE_COMPARE = Path("/usr/share/benchmark/compare.py")


def slowed(document, names, factor):
    """The run with every time of the named cells `factor` times as long."""
    document = copy.deepcopy(document)
    for entry in document["benchmarks"]:
        if entry["name"] in names:
            for key in ("real_time", "cpu_time"):
                entry[key] *= factor
            for key in {"samples_ns", "contended_samples_ns"} & entry.keys():
                entry[key] = [time * factor for time in entry[key]]
            for key in ("flops", "bytes_per_second", "fma_fraction", "read_fraction", "roof_fraction"):
                entry[key] /= factor
    return document


def every_second(document, first):
    """The run with every second sample of each cell. The two halves are as independent as two runs."""
    document = copy.deepcopy(document)
    for entry in document["benchmarks"]:
        for key in ("samples_ns", "sample_rounds"):
            entry[key] = entry[key][first::2]
    return document


def steadiest(document, count):
    """The names of the cells whose medians are known most precisely."""
    def blur(entry):
        return statistics.stdev(map(math.log, entry["samples_ns"])) / math.sqrt(len(entry["samples_ns"]))
    return {entry["name"] for entry in sorted(document["benchmarks"], key=blur)[:count]}


class Compare(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.sample = json.loads(SAMPLE.read_text(encoding="utf-8"))

    def setUp(self):
        self.desk = Desk()
        self.addCleanup(self.desk.close)

    def run_compare(self, before, after, *words, code=0):
        for name, document in (("a.json", before), ("b.json", after)):
            (self.desk.root / name).write_text(document if isinstance(document, str) else json.dumps(document))
        outcome = self.desk.run("a.json", "b.json", *words, verb="compare")
        self.assertEqual((outcome.returncode, outcome.stderr), (code, ""))
        return outcome.stdout

    def as_json(self, before, after, *words, code=0):
        return json.loads(self.run_compare(before, after, "--json", *words, code=code))

    def test_a_run_against_itself_is_tied_everywhere(self):
        for words in ((), ("--normalise", "roof")):
            document = self.as_json(self.sample, self.sample, *words, "--fail-on", "regression,inconclusive")
            total = len(self.sample["benchmarks"])
            self.assertEqual(document["counts"], {"slower": 0, "faster": 0, "tied": total, "inconclusive": 0})
            self.assertEqual({cell["ratio"] for cell in document["cells"]}, {1})
        disturbed = fixtures.results([fixtures.cell(contended=1.1)])
        self.assertEqual(self.as_json(disturbed, disturbed)["counts"]["tied"], 1)

    def test_three_cells_slowed_by_five_percent_are_found_and_no_others(self):
        names = steadiest(self.sample, 3)
        document = self.as_json(self.sample, slowed(self.sample, names, 1.05), "--fail-on", "regression",
                                "--min-effect", "2%", code=3)
        for verdict, expected in (("slower", names), ("faster", set()), ("inconclusive", set())):
            self.assertEqual({cell["cell"] for cell in document["cells"] if cell["verdict"] == verdict}, expected)
        self.assertEqual({cell["cell"] for cell in document["cells"] if cell["regression"]}, names)
        for cell in document["cells"]:
            self.assertAlmostEqual(cell["ratio"], 1.05 if cell["cell"] in names else 1, places=9)
        self.assertIn("3 of 112 cells are proven slower by more than 2 %", document["failed"])

    def test_among_other_samples_of_the_same_kernels(self):
        # Compares the two halves of the recorded samples, which differ only where they are slowed or sped up.
        before, after = every_second(self.sample, 0), every_second(self.sample, 1)
        counts = self.as_json(before, after, "--fail-on", "regression")["counts"]
        self.assertEqual((counts["slower"], counts["faster"]), (0, 0))
        names = steadiest(before, 3)
        for factor, verdict in ((1.05, "slower"), (1 / 1.05, "faster")):
            cells = self.as_json(before, slowed(after, names, factor))["cells"]
            self.assertEqual({cell["cell"] for cell in cells if cell["verdict"] == verdict}, names)
            self.assertEqual(sum(cell["verdict"] in ("slower", "faster") for cell in cells), 3)

    def test_the_minimal_effect_must_be_proven(self):
        before = every_second(self.sample, 0)
        names = steadiest(before, 3)
        after = slowed(every_second(self.sample, 1), names, 1.05)
        for effect, code in (("0%", 3), ("2%", 3), ("5%", 0), ("20 %", 0)):
            document = self.as_json(before, after, "--fail-on", "regression", "--min-effect", effect, code=code)
            self.assertEqual(document["counts"]["slower"], 3)
        self.assertEqual(document["failed"], None)

    def test_a_gain_is_no_regression(self):
        names = steadiest(self.sample, 3)
        self.run_compare(self.sample, slowed(self.sample, names, 0.9), "--fail-on", "regression")

    def test_inconclusive_and_nothing_are_no_pass_when_asked(self):
        before, after = every_second(self.sample, 0), every_second(self.sample, 1)
        self.assertIn("inconclusive", self.run_compare(before, after, "--fail-on", "inconclusive", code=4))
        self.run_compare(before, after, "--fail-on", "regression")
        nothing = fixtures.results([])
        self.assertIn("no pass", self.run_compare(self.sample, nothing, "--fail-on", "regression", code=4))
        self.assertIn("nothing to compare", self.run_compare(nothing, nothing))

    def test_numbers_by_independent_arithmetic(self):
        names = {"ffn/swiglu/avx512/768x2048/M256/t1"}
        before, after = every_second(self.sample, 0), slowed(every_second(self.sample, 1), names, 1.05)
        logs = {}
        for side, document in (("a", before), ("b", after)):
            times = sorted(next(entry["samples_ns"] for entry in document["benchmarks"] if entry["name"] in names))
            cut = len(times) // 5
            logs[side] = statistics.fmean(map(math.log, times[cut:len(times) - cut]))
        (cell,) = [cell for cell in self.as_json(before, after)["cells"] if cell["cell"] in names]
        self.assertAlmostEqual(cell["ratio"], math.exp(logs["b"] - logs["a"]), places=9)
        self.assertLess(cell["low"], cell["ratio"])
        self.assertLessEqual(cell["p"], cell["p_adjusted"])

    def test_normalised_by_the_roof_a_slower_clock_is_no_regression(self):
        # Everything takes 8 % longer at a clock 8 % slower. The roofs fall as well, so the fractions stay the same.
        fractions = {entry["name"]: entry["roof_fraction"] for entry in self.sample["benchmarks"]}
        after = slowed(every_second(self.sample, 1), set(fractions), 1.08)
        for entry in after["benchmarks"]:
            entry["roof_fraction"] = fractions[entry["name"]]
        before = every_second(self.sample, 0)
        self.assertGreater(self.as_json(before, after)["counts"]["slower"], 10)
        document = self.as_json(before, after, "--normalise", "roof")
        self.assertEqual(document["counts"]["slower"], 0)
        self.assertAlmostEqual(document["geometric_mean"], 1, delta=0.02)
        for entry in after["benchmarks"]:
            del entry["roof_fraction"]
        document = self.as_json(before, after, "--normalise", "roof")
        self.assertEqual(document["counts"]["inconclusive"], 112)
        self.assertEqual(document["cells"][0]["remarks"], ["no roof fraction"])

    def test_two_isas_are_paired_when_asked(self):
        wide = fixtures.results([fixtures.cell(isa="avx512", m=m) for m in (1, 64)])
        narrow = fixtures.results([fixtures.cell(isa="avx2", m=m) for m in (1, 64)])
        document = self.as_json(narrow, wide)
        self.assertEqual((document["cells"], len(document["only_a"]), len(document["only_b"])), ([], 2, 2))
        document = self.as_json(narrow, wide, "--ignore", "isa")
        self.assertEqual([cell["cell_b"] for cell in document["cells"]],
                         [entry["name"] for entry in wide["benchmarks"]])
        self.assertIn("avx2 → avx512", document["cells"][1]["remarks"])
        self.assertEqual(document["cells"][1]["verdict"], "faster")
        both = fixtures.results(narrow["benchmarks"] + wide["benchmarks"])
        document = self.as_json(both, wide, "--ignore", "isa")
        self.assertEqual((document["cells"], len(document["only_a"])), ([], 4))
        self.assertIn("differ in nothing but isa", document["only_a"][0])

    def test_what_only_one_run_has_is_listed(self):
        cells = [fixtures.cell(m=m) for m in (1, 4, 16)]
        failed = {key: value for key, value in cells[1].items() if "samples" not in key} | {"error": "out of memory"}
        text = self.run_compare(fixtures.results(cells), fixtures.results([cells[0], failed]))
        self.assertRegex(text, r"Only in A:\n  ffn/swiglu/avx512/2048x5632/M4/t1\n  ffn/\S+/M16/t1\n")
        self.assertRegex(text, r"Only in B:\n  ffn/\S+/M4/t1 \(could not be measured: out of memory\)\n")

    def test_doubts_are_said(self):
        after = fixtures.results([fixtures.cell(seed=1) | {"plan": {"nr": 64}}])
        after["context"]["machine"]["fingerprint"] = "feedfeedfeedfeed"
        after["context"]["measurement"]["cold"] = False
        text = self.run_compare(fixtures.results([fixtures.cell()]), after)
        for words in ("two machines", "A was measured with the caches cold, B with the caches hot", "different plans",
                      "another plan"):
            self.assertIn(words, text)

    def test_page_and_markdown(self):
        small = self.sample | {"benchmarks": [entry for entry in self.sample["benchmarks"] if entry["d_model"] == 768]}
        names = steadiest(small, 3)
        after = slowed(small, names, 1.05)
        after["context"]["machine"]["cpu"] = "B <&> C"
        self.run_compare(self.sample, after, "--out", "page")
        folder = self.desk.root / "page"
        page = (folder / "index.html").read_text(encoding="utf-8")
        self.assertNotRegex(page, r"https?://|@import|url\((?!#)|<1 & 2>|\{\{|B <&> C")
        self.assertIn("B &lt;&amp;&gt; C", page)
        changed = re.search(r'id="table-changed".*?</table>', page, re.DOTALL)[0]
        self.assertEqual(changed.count('class="slower"'), len(names))
        self.assertEqual(changed.count(">1.050<"), len(names))
        for figure in re.findall(r"<figure>.*?</figure>", page, re.DOTALL):
            self.assertRegex(figure, r'<svg[^>]* role="img" aria-label="[^"]{20,}"')
            self.assertRegex(figure, r"(?s)<details>.*<td>")
            self.assertNotRegex(re.search(r"<svg.*</svg>", figure, re.DOTALL)[0], r"#[0-9a-fA-F]{6}\b")
        ids = re.findall(r'\bid="([^"]+)"', page)
        self.assertEqual(len(ids), len(set(ids)))
        text = (folder / "compare.md").read_text(encoding="utf-8")
        self.assertLess(len(text), 65536)
        pictures = re.findall(r"\]\(([^)]+)\)", text)
        self.assertIn("ratio-cells.png", pictures)
        for name in pictures:
            self.assertEqual((folder / name).read_bytes()[:8], b"\x89PNG\r\n\x1a\n")
        for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
            self.assertEqual(len({line.count("|") for line in table.splitlines()}), 1, table[:300])

    def test_a_page_of_nothing(self):
        self.run_compare(fixtures.results([]), fixtures.results([fixtures.cell()]), "--out", "page")
        self.assertIn("No cell is in both runs", (self.desk.root / "page" / "index.html").read_text(encoding="utf-8"))

    def test_refusals(self):
        (self.desk.root / "a.json").write_text(json.dumps(self.sample))
        (self.desk.root / "cut.json").write_text(json.dumps(self.sample)[:5000])
        (self.desk.root / "file").write_text("")
        for words, code, says in (
                ((), 2, "A.json"), (("a.json",), 2, "B.json"), (("a.json", "a.json", "a.json"), 2, "unrecognized"),
                (("a.json", "a.json", "--min-effect", "2"), 2, "'2' is not a percentage"),
                (("a.json", "a.json", "--min-effect=-2%"), 2, "'-2%' is not a percentage"),
                (("a.json", "a.json", "--min-effect", "nan%"), 2, "'nan%' is not a percentage"),
                (("a.json", "a.json", "--fail-on", "all"), 2, "regression"),
                (("a.json", "a.json", "--ignore", "kind"), 2, "isa"),
                (("a.json", "a.json", "--normalise", "wall"), 2, "roof"),
                (("a.json", "a.json", "--norm", "roof"), 2, "--norm"), (("a.json", ""), 2, "not a path"),
                (("a.json", "none.json"), 5, "none.json"), (("cut.json", "a.json"), 5, "truncated"),
                (("a.json", "out"), 0, None), (("a.json", "out/profile.json"), 5, "holds a profile"),
                (("a.json", "a.json", "--out", "file/below"), 5, "--out")):
            with self.subTest(words=words):
                outcome = self.desk.run(*words, verb="compare")
                self.assertEqual(outcome.returncode, code, outcome.stderr)
                if code:
                    self.assertEqual((outcome.stdout, outcome.stderr.count("\n")), ("", 1), outcome.stderr)
                    self.assertTrue(outcome.stderr.startswith("sluice compare: "), outcome.stderr)
                    self.assertIn(says, outcome.stderr)

    def test_help(self):
        outcome = self.desk.run("--help", verb="compare")
        self.assertEqual((outcome.returncode, outcome.stderr), (0, ""))
        for word in ("--normalise", "--ignore", "--fail-on", "--min-effect", "--out", "--json", "Holm", "example:"):
            self.assertIn(word, outcome.stdout)

    def test_the_text_needs_no_other_module_and_the_page_says_which(self):
        hidden = self.desk.root / "hidden"
        hidden.mkdir()
        (hidden / "matplotlib.py").write_text("raise ModuleNotFoundError('no', name='matplotlib')\n")
        words = ("out/results.json", "out/results.json")
        outcome = self.desk.run(*words, verb="compare", environment={"PYTHONPATH": str(hidden)})
        self.assertEqual((outcome.returncode, outcome.stderr), (0, ""))
        outcome = self.desk.run(*words, "--out", "page", verb="compare", environment={"PYTHONPATH": str(hidden)})
        self.assertEqual((outcome.returncode, outcome.stderr.count("\n")), (4, 1), outcome.stderr)
        self.assertIn("apt-get install python3-matplotlib python3-jinja2 python3-scipy", outcome.stderr)


def run_beside(neighbour, seed, names=(), factor=1.0):
    """A run of twelve cells beside a neighbour who halves the speed for the fraction `neighbour` of the time, in bursts
    of some rounds. The named cells take `factor` times as long."""
    chance = random.Random(f"{neighbour}/{seed}")
    entries = []
    for kind in ("swiglu", "relu"):
        for m in (1, 4, 16, 64, 256, 1024):
            speeds, busy = [], False
            for _ in range(40):
                if chance.random() < 0.3:
                    busy = chance.random() < neighbour
                speeds.append((2.0 if busy else 1.0) * chance.lognormvariate(0, 0.02))
            entries.append(fixtures.cell(kind, m=m, seed=seed, speeds=speeds, contended=0, noise=0.01))
    return slowed(fixtures.results(entries), set(names), factor)


def run_in_turns(share, seed):
    """A run of cells of 1 to 200 ms beside a neighbour who takes the processor for slices of 4 ms, in all for `share` of
    the time. The probes are too short to meet the slices."""
    chance = random.Random(f"{share}/{seed}")
    entries = []
    for m in (1, 4, 16, 64, 256, 1024):
        entry = fixtures.cell(m=m, rounds=60, contended=0, seed=seed, noise=0.01)
        length = entry["real_time"] / 1e6
        met = [sum(chance.random() < share / (1 - share) * length / 4 / 20 for _ in range(20)) for _ in range(60)]
        entry["samples_ns"] = [time + 4e6 * slices for time, slices in zip(entry["samples_ns"], met)]
        entries.append(entry)
    return fixtures.results(entries)


class Loudness(unittest.TestCase):
    """Two runs of one build beside different neighbours."""

    def compare(self, before, after, **options):
        runs = []
        with tempfile.TemporaryDirectory() as folder:
            for name, document in (("a", before), ("b", after)):
                path = Path(folder) / f"{name}.json"
                path.write_text(json.dumps(document), encoding="utf-8")
                runs.append(run_pairs.Run(name, load_results(str(path))))
        return run_pairs.compare_runs(*runs, **options)

    def test_no_regression_of_the_same_build(self):
        for seed in range(20):
            for before, after in ((0.05, 0.6), (0.8, 0.1), (0.3, 0.3)):
                found = self.compare(run_beside(before, seed), run_beside(after, seed + 1000))
                self.assertEqual([pair.before.name for pair in found.pairs if pair.verdict in ("slower", "faster")], [])
        (note,) = [note for note in self.compare(run_beside(0, 1), run_beside(0.9, 2)).notes if "loud" in note]
        self.assertIn("In 12 of 12 cells the machine was not equally loud", note)

    def test_nor_beside_one_who_takes_the_processor_in_turns(self):
        # Every long sample meets some slices of 4 ms, short ones now and then, the short probes hardly ever.
        for seed in range(20):
            found = self.compare(run_in_turns(0.02, seed), run_in_turns(0.45, seed + 1000))
            self.assertEqual([pair.before.name for pair in found.pairs if pair.verdict in ("slower", "faster")], [])

    def test_what_the_neighbour_cannot_explain_is_found(self):
        names = {"ffn/swiglu/avx512/2048x5632/M64/t1"}
        for before, after, factor in ((0.02, 0.02, 1.15), (0.1, 0.6, 5), (0.5, 0.5, 3)):
            found = self.compare(run_beside(before, 1), run_beside(after, 2, names, factor))
            self.assertEqual({pair.before.name for pair in found.pairs if pair.verdict == "slower"}, names)

    def test_the_interval_holds_the_allowance(self):
        found = self.compare(run_beside(0, 1), run_beside(1, 2))
        for pair in found.pairs:
            self.assertGreater(pair.ratio.allowance, math.log(1.9))
            self.assertLess(pair.ratio.low, 1)
            self.assertGreater(pair.ratio.high, pair.ratio.ratio * 1.9)
            self.assertIn("not equally loud", pair.remarks[0])

    def test_a_file_without_probes_beside_one_with(self):
        before, after = fixtures.results([fixtures.cell(old=True)]), fixtures.results([fixtures.cell(seed=1)])
        (pair,) = self.compare(before, after).pairs
        share = statistics.fmean(after["benchmarks"][0]["sample_contended"])
        self.assertAlmostEqual(pair.ratio.allowance, share * math.log(2))
        (pair,) = self.compare(before, fixtures.results([fixtures.cell(old=True, seed=1)])).pairs
        self.assertEqual(pair.ratio.allowance, 0)


class GoogleBenchmark(unittest.TestCase):
    """Google Benchmark's own tools can read the results."""

    def test_fields_its_compare_reads(self):
        for document in (json.loads(SAMPLE.read_text(encoding="utf-8")), fixtures.results(fixtures.small_benchmarks())):
            self.assertIsInstance(document["context"], dict)
            for entry in document["benchmarks"]:
                self.assertEqual(entry["run_type"], "iteration")
                self.assertIn(entry["time_unit"], ("ns", "us", "ms", "s"))
                self.assertIsInstance(entry["iterations"], int)
                self.assertIsInstance(entry["name"], str)
                for key in ("real_time", "cpu_time"):
                    self.assertTrue(0 < entry[key] < math.inf)

    @unittest.skipUnless(GOOGLE_COMPARE.is_file() and shutil.which("python3"), "needs Debian's libbenchmark-tools")
    def test_its_compare_reads_ours(self):
        desk = Desk()
        self.addCleanup(desk.close)
        sample = json.loads(SAMPLE.read_text(encoding="utf-8"))
        name = sample["benchmarks"][0]["name"]
        (desk.root / "b.json").write_text(json.dumps(slowed(sample, {name}, 1.25)))
        words = [sys.executable, str(GOOGLE_COMPARE), "--no-color", "benchmarks", str(SAMPLE), "b.json"]
        outcome = subprocess.run(words, cwd=desk.root, capture_output=True, text=True, timeout=120, check=False)
        if "No module named" in outcome.stderr:
            self.skipTest(outcome.stderr.splitlines()[-1])
        self.assertEqual(outcome.returncode, 0, outcome.stderr)
        self.assertRegex(outcome.stdout, re.escape(name) + r"\s+\+0\.25")
        for entry in sample["benchmarks"][1:]:
            self.assertRegex(outcome.stdout, re.escape(entry["name"]) + r"\s+[+-]0\.0000\s+")


if __name__ == "__main__":
    unittest.main()
