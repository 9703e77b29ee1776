"""The page and the Markdown: self-contained, complete, traceable, and explicit about what is missing."""

import itertools
import json
import math
import re
import statistics
import unittest
from html.parser import HTMLParser

import fixtures
from fixtures import Desk
from reports.data.results import load_results
from reports.figures.drawing import SERIES
from reports.pages.tables import comparison_table
from reports.statistics.comparison import compare


class Elements(HTMLParser):
    """Collects start tags, ids and the balance of the containers."""

    CONTAINERS = {"section", "table", "tbody", "figure", "svg", "div", "details", "article", "g", "dl", "ul"}

    def __init__(self, text):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag in self.CONTAINERS:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if tag in self.CONTAINERS:
            if not self.open or self.open[-1] != tag:
                raise AssertionError(f"</{tag}> closes {self.open[-1:]}")
            self.open.pop()


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.desk = Desk(*fixtures.full_documents())
        cls.addClassCleanup(cls.desk.close)
        cls.outcome = cls.desk.run()
        cls.text = cls.desk.page() if cls.outcome.returncode == 0 else ""
        cls.elements = Elements(cls.text)

    def test_runs(self):
        self.assertEqual((self.outcome.returncode, self.outcome.stderr), (0, ""))
        self.assertEqual(self.elements.open, [])

    def test_self_contained(self):
        self.assertNotRegex(self.text, r"https?://")
        self.assertNotRegex(self.text, r"@import|url\((?!#)")
        self.assertIn("default-src 'none'", self.text)
        for tag, attributes in self.elements.tags:
            for name in ("src", "href", "xlink:href"):
                value = attributes.get(name) or "#"
                self.assertTrue(value.startswith(("#", "data:")), (tag, attributes))

    def test_ids_are_unique_and_links_lead_somewhere(self):
        ids = [attributes["id"] for _, attributes in self.elements.tags if "id" in attributes]
        self.assertEqual(len(ids), len(set(ids)))
        links = {attributes[name][1:] for _, attributes in self.elements.tags for name in ("href", "xlink:href")
                 if (attributes.get(name) or "").startswith("#")}
        self.assertLessEqual(links, set(ids))

    def test_every_figure_has_alt_text_and_data(self):
        figures = re.findall(r"<figure>.*?</figure>", self.text, re.DOTALL)
        self.assertGreater(len(figures), 12)
        for figure in figures:
            self.assertRegex(figure, r'<svg[^>]* role="img" aria-label="[^"]{20,}"')
            self.assertRegex(figure, r"(?s)<details>.*<td")

    def test_colours_follow_the_scheme(self):
        self.assertIn("prefers-color-scheme: dark", self.text)
        for index, colour in enumerate(SERIES):
            self.assertIn(f"--series-{index}: {colour}", self.text)
        for figure in re.findall(r"<svg.*?</svg>", self.text, re.DOTALL):
            self.assertNotRegex(figure, r"#[0-9a-fA-F]{6}\b")

    def test_file_text_is_escaped(self):
        self.assertIn("Test CPU &lt;1 &amp; 2&gt;", self.text)
        self.assertNotIn("<1 & 2>", self.text)

    def test_every_number_of_the_toll_table_is_traceable(self):
        results = load_results(str(self.desk.root / "out" / "results.json"))
        document = json.loads((self.desk.root / "out" / "results.json").read_text())
        entries = {entry["name"]: entry for entry in document["benchmarks"]}
        table = comparison_table("budget", compare(results.cells), results.cells)
        column = {name: index for index, name in enumerate(table.columns)}
        self.assertGreater(len(table.rows), 50)
        for row in table.rows:
            gated, baseline = (entries[row[column[name]].value] for name in ("from", "and"))
            times, others = (dict(zip(one["sample_rounds"], one["samples_ns"])) for one in (gated, baseline))
            common = times.keys() & others.keys()
            ratios = [times[number] / others[number] for number in common]
            # The median of the geometric means of any two rounds, including each with itself.
            ratio = math.exp(statistics.median(math.log(one * other) / 2 for one, other in
                                               itertools.combinations_with_replacement(ratios, 2)))
            self.assertAlmostEqual(row[column["time ratio"]].value, ratio, places=9)
            self.assertAlmostEqual(row[column["toll"]].value, ratio - 1, places=9)
            self.assertEqual(row[column["pairs"]].value, len(common))
            self.assertEqual(row[column["GFLOP/s"]].text, f"{gated['flops'] / 1e9:.1f}")
            self.assertEqual(row[column["ReLU GFLOP/s"]].text, f"{baseline['flops'] / 1e9:.1f}")
            self.assertAlmostEqual(row[column["µs per token"]].value, gated["real_time"] / gated["m"] / 1e3)
            for name in ("from", "and"):
                anchor = re.search(rf'<tr id="{row[column[name]].link}"><td data-value="([^"]+)"', self.text)
                self.assertEqual(anchor[1], row[column[name]].value)

    def test_markdown(self):
        text = (self.desk.out / "report.md").read_text(encoding="utf-8")
        self.assertLess(len(text), 65536)
        for name in re.findall(r"\]\(([^)]+)\)", text):
            self.assertTrue((self.desk.out / name).is_file(), name)
        for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
            widths = {line.count("|") for line in table.splitlines()}
            self.assertEqual(len(widths), 1, table[:300])


class MissingParts(unittest.TestCase):
    def report(self, results_document, profile_document=None):
        desk = Desk(profile_document, results_document)
        self.addCleanup(desk.close)
        text = desk.undrawn()
        self.assertEqual(Elements(text).open, [])
        return re.sub(r'<span data-source="[^"]*">([^<]*)</span>', r"\1", text)

    def test_empty_benchmarks(self):
        page = self.report(fixtures.results([]))
        self.assertIn("hold no measured cell", page)
        self.assertIn("no toll table", page)

    def test_bare_files(self):
        page = self.report({"context": {}, "benchmarks": []},
                           {"schema": "sluice-profile", "schema_version": 1, "plans": []})
        self.assertIn("no tuned plan", page)
        self.assertIn("Neither file describes the machine", page)

    def test_no_baseline(self):
        page = self.report(fixtures.results([fixtures.cell(m=m) for m in (1, 64)]))
        self.assertIn("No ReLU baseline of equal budget", page)
        self.assertIn("no relu cell of 2048×8448", page)

    def test_no_gated_kind(self):
        self.assertIn("No gated kind was measured", self.report(fixtures.results([fixtures.cell("relu")])))

    def test_one_m(self):
        page = self.report(fixtures.results(fixtures.group(768, 2048, 64, "avx2", 1, ("reglu",), ())))
        self.assertIn("Only M = 64 was measured", page)
        self.assertIn("ReGLU against ReLU, AVX2", page)

    def test_contended_cells_of_an_old_file_stay_inconclusive(self):
        page = self.report(fixtures.results(fixtures.group(
            2048, 5632, 64, "avx512", 1, ("swiglu",), (), contended=1.1, old=True)))
        self.assertIn("Every sample was contended", page)
        self.assertIn("fewer than two rounds in common", page)
        self.assertNotIn('class="tied"', page)

    def test_contended_cells_are_compared_like_all_others(self):
        page = self.report(fixtures.results(fixtures.group(
            2048, 5632, 64, "avx512", 1, ("swiglu",), (), toll=0.05, contended=1.1)))
        self.assertIn("Every sample was contended", page)
        self.assertIn("at equal budget it is tied with ReLU in 0 of 1 measured cell, slower in 1", " ".join(page.split()))

    def test_a_deviant_cell_is_named_with_its_plan(self):
        entries = [entry for threads in (1, 2) for m in (1, 2, 4, 8, 16, 32, 64, 128)
                   for entry in fixtures.group(768, 2048, m, "avx512", threads, ("swiglu",), ())]
        page = " ".join(self.report(fixtures.results(entries)).split())
        self.assertNotIn("Not like the others", page)
        (deviant,) = [entry for entry in entries if entry["kind"] == "swiglu" and (entry["m"], entry["threads"]) == (1, 2)]
        deviant["samples_ns"] = [time * 1.25 for time in deviant["samples_ns"]]
        page = " ".join(self.report(fixtures.results(entries)).split())
        self.assertRegex(page, r"Not like the others is 768×2048 at M = 1, 2 threads, AVX-512: \+2[45]\.\d % at equal "
                         r"budget, interval \[[^]]*\] %; its plan is nr 32, mr 13\.")

    def test_wide_intervals_are_called_inconclusive(self):
        page = self.report(fixtures.results(fixtures.group(
            2048, 5632, 64, "avx512", 1, ("swiglu",), (), toll=0, noise=0.3, rounds=6)))
        self.assertIn("at equal budget it is tied with ReLU in 0 of 1 measured cell, slower in 0, faster in 0, "
                      "inconclusive in 1", " ".join(page.split()))

    def test_what_smaller_weights_buy_and_where_it_ends(self):
        def cells(m, factors):
            return [fixtures.cell(m=m, weights=weights, speeds=[1.0] * 24, factor=factor)
                    for weights, factor in factors.items()]
        # At M = 1 half the bytes take half the time; at M = 256 the multiplications bind, and bf16 is 2 % slower.
        entries = cells(1, {"f32": 1, "bf16": 1}) + cells(4, {"f32": 1, "bf16": 1}) + cells(
            256, {"f32": 1, "bf16": 1.02})
        desk = Desk(fixtures.profile(), fixtures.results(entries))
        self.addCleanup(desk.close)
        self.assertEqual(desk.run().returncode, 0)
        (table,) = re.findall(r'<table id="table-smaller".*?</table>|<table[^>]*table-smaller.*?</table>', desk.page(),
                              re.DOTALL)
        self.assertEqual(table.count("<tr>") - 1, 3)
        text = (desk.out / "report.md").read_text(encoding="utf-8")
        self.assertRegex(text, r"bf16 weights take 0\.50\d( to 0\.50\d)? of the time of float32 ones at M = 1, 4; from "
                               r"M = 256 on no gain is proven")
        self.assertIn("SwiGLU against ReLU with bf16 weights", text)

    def test_failed_cell_is_named(self):
        failed = {"name": "ffn/swiglu/avx512/64x96/M4/t1", "run_type": "iteration", "kind": "swiglu", "isa": "avx512",
                  "d_model": 64, "d_ff": 96, "m": 4, "threads": 1, "models": [], "error": "out of <memory>"}
        page = self.report(fixtures.results(fixtures.small_benchmarks() + [failed]))
        self.assertIn("ffn/swiglu/avx512/64x96/M4/t1 could not be measured: out of &lt;memory&gt;", page)

    def test_plan_null_and_profile_without_measurement(self):
        entries = [entry | {"plan": None, "plan_origin": None} for entry in fixtures.small_benchmarks()]
        page = self.report(fixtures.results(entries, profile=None), fixtures.profile([fixtures.plan(measured=False)]))
        self.assertIn("No plan of the profile was measured", page)
        self.assertIn("used no profile", page)

    def test_no_roofs(self):
        entries = [{name: value for name, value in entry.items() if name not in ("roof", "roof_fraction")}
                   for entry in fixtures.small_benchmarks()]
        page = self.report(fixtures.results(entries, roofs=None), fixtures.profile() | {"roofs": None})
        self.assertIn("No cell has a roof fraction", page)
        self.assertIn("No roof was measured", page)

    def test_hostile_names(self):
        name = "a\"b<script>alert(1)</script>|$\\frac{x}$../../x"
        page = self.report(fixtures.results(fixtures.group(2048, 5632, 64, "avx512", 1, ("swiglu",), (name,))))
        self.assertNotIn("<script>alert", page)


if __name__ == "__main__":
    unittest.main()
