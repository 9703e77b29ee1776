"""Phases, peers and micro benchmarks: they are read, compared and shown, and enter no other comparison."""

import json
import math
import re
import unittest

import fixtures
from fixtures import Desk
from reports.data.documents import InputError
from reports.data.records import PHASES
from reports.data.results import load_results
from reports.findings import peers
from reports.pages.tables import mean_table, micro_table, peer_table, phase_table
from reports.statistics.comparison import compare, order

LIBRARIES = {"openblas": 1.4, "onednn": 1.1}


def documents():
    """Own cells of two M with phases, two peers that are always slower, and some micro benchmarks."""
    own = fixtures.small_benchmarks()
    for entry in own:
        entry["phases"] = fixtures.phases(0.01 * entry["m"] ** 0.1)
    others = [fixtures.peer(entry, name, factor) for entry in own for name, factor in LIBRARIES.items()]
    micros = [fixtures.micro("microkernel", "avx512/13x32/L1", tile="13x32", operands="L1", fma_fraction=0.97),
              fixtures.micro("microkernel", "avx512/13x32/L2", tile="13x32", operands="L2", fma_fraction=0.93),
              fixtures.micro("wide", "avx512/1x32", tile="1x32", operands="L2", fma_fraction=0.41),
              fixtures.micro("epilogue", "avx512/swiglu", bytes_per_second=3.2e10, ns_per_element=0.375)]
    return own, others, micros


class Reading(unittest.TestCase):
    def load(self, benchmarks, **context):
        desk = Desk(results_document=fixtures.results(benchmarks, **context))
        self.addCleanup(desk.close)
        return load_results(str(desk.root / "out" / "results.json"))

    def test_each_entry_finds_its_place(self):
        own, others, micros = documents()
        failed = fixtures.peer(own[0], "eigen", 2) | {"error": "out of memory"}
        results = self.load(own + others + micros + [failed])
        self.assertEqual([cell.name for cell in results.cells], [entry["name"] for entry in own])
        self.assertEqual([cell.peer for cell in results.peers], [entry["peer"] for entry in others])
        self.assertEqual((results.peers[0].peer_version, results.peers[0].peer_variant), ("1.2", "two calls"))
        self.assertEqual([cell.error for cell in results.failed_peers], ["out of memory"])
        self.assertEqual((results.failed, results.skipped), ([], []))
        self.assertEqual(len(results.micros), len(micros))
        self.assertEqual(results.cells[0].phases, own[0]["phases"])

    def test_peers_and_micros_change_no_comparison(self):
        own, others, micros = documents()
        self.assertEqual(compare(self.load(own).cells), compare(self.load(others + own + micros).cells))

    def test_a_peer_that_appears_twice_counts_once(self):
        own, others, _ = documents()
        results = self.load(own + others + [others[0] | {"real_time": 5.0}])
        self.assertEqual(len(results.peers), len(others))
        self.assertIn("more than once", results.skipped[0])
        self.assertIn(5.0, [cell.time_ns for cell in results.peers])

    def test_wrong_values_are_named(self):
        good = fixtures.phases()
        for change, words in (({"phases": []}, "phases is []"), ({"phases": good | {"up": "x"}}, "phases.up"),
                              ({"phases": good | {"up": -0.1}}, "phases.up is -0.1"),
                              ({"phases": good | {"up": 0.1}}, "sum is 1"),
                              ({"phases": {"up": 1}}, "phases.pack is null"), ({"peer": 7}, "peer is 7"),
                              ({"micro": ""}, "micro"), ({"micro": "wide", "fma_fraction": -1}, "fma_fraction is -1")):
            with self.subTest(change=change), self.assertRaises(InputError) as caught:
                self.load([fixtures.cell() | change])
            self.assertIn(words, str(caught.exception))

    def test_the_largest_footprint_is_the_read_roof(self):
        roofs = fixtures.roofs()
        roofs["read"] = [{"threads": 1, "bytes_per_second": rate, "footprint_bytes": size}
                         for rate, size in ((9e10, 2**20), (2e10, 2**28), (5e10, 2**24))]
        self.assertEqual(self.load([fixtures.cell()], roofs=roofs).read_roofs, {1: 2e10})


class Beside(unittest.TestCase):
    def pairs(self, factors, noise=0.003, **options):
        own = fixtures.cell(**options)
        others = [fixtures.peer(own, f"library{index}", factor, noise) for index, factor in enumerate(factors)]
        desk = Desk(results_document=fixtures.results([own, *others]))
        self.addCleanup(desk.close)
        results = load_results(str(desk.root / "out" / "results.json"))
        return peers.beside(results.cells, results.peers)

    def test_verdicts(self):
        for factor, verdict in ((1.2, "ahead"), (0.9, "behind"), (1.0, "tied")):
            (pair,) = self.pairs([factor], rounds=40)
            self.assertEqual(pair.verdict, verdict)
            self.assertAlmostEqual(pair.estimate.ratio, factor, delta=0.005)
        (pair,) = self.pairs([1.0], noise=0.2)
        self.assertEqual(pair.verdict, "inconclusive")
        self.assertGreater(pair.estimate.half_width, 0.01)
        (pair,) = self.pairs([1.5], contended=1.1, old=True)
        self.assertEqual((pair.verdict, pair.estimate.pairs), ("inconclusive", 0))

    def test_only_the_fastest_peer_of_a_cell_counts(self):
        pairs = self.pairs([1.4, 1.1, 2.0])
        (best,) = peers.best(pairs)
        self.assertEqual(best.peer.peer, "library1")

    def test_means_by_m(self):
        own, others, _ = documents()
        desk = Desk(results_document=fixtures.results(own + others))
        self.addCleanup(desk.close)
        results = load_results(str(desk.root / "out" / "results.json"))
        chosen = peers.best(peers.beside(results.cells, results.peers))
        self.assertEqual({pair.peer.peer for pair in chosen}, {"onednn"})
        means = peers.means(chosen)
        self.assertEqual([mean.m for mean in means], [1, 64, None])
        for mean in means:
            group = [pair for pair in chosen if mean.m in (None, pair.own.m)]
            self.assertAlmostEqual(mean.ratio, math.prod(pair.estimate.ratio for pair in group) ** (1 / len(group)))
            self.assertEqual(mean.verdicts["ahead"], len(group))
            self.assertAlmostEqual(mean.ratio, 1.1, delta=0.01)

    def test_types_of_weights_are_in_no_mean_together(self):
        own, others = [], []
        for weights, factor in (("bf16", 2.0), ("f32", 1.2)):
            for m in (1, 64):
                entries = fixtures.group(2048, 5632, m, "avx512", 1, ("swiglu",), ("tinyllama",), weights=weights)
                own += entries
                others += [fixtures.peer(entry, "ggml", factor, peer_arithmetic="x bf16" if weights == "bf16" else "f32")
                           for entry in entries]
        desk = Desk(results_document=fixtures.results(own + others))
        self.addCleanup(desk.close)
        results = load_results(str(desk.root / "out" / "results.json"))
        pairs = peers.beside(results.cells, results.peers)
        means = peers.means(peers.best(pairs))
        self.assertEqual([(mean.weights, mean.m) for mean in means],
                         [("f32", 1), ("f32", 64), ("f32", None), ("bf16", 1), ("bf16", 64), ("bf16", None)])
        for mean in means:
            self.assertAlmostEqual(mean.ratio, 2.0 if mean.weights == "bf16" else 1.2, delta=0.02)
        first, second = peers.sentences(pairs)
        self.assertTrue(str(first).startswith("The best of ggml takes 1.2"), first)
        self.assertTrue(str(second).startswith("With bf16 weights: The best of ggml takes "), second)
        table = peer_table(peers.best(pairs), results.cells)
        rounds = table.columns.index("the peer rounds to")
        self.assertEqual({row[rounds].text for row in table.rows}, {"f32", "x bf16"})
        self.assertEqual(mean_table(means).columns[0], "weights")
        self.assertEqual((desk.run().returncode, "With bf16 weights" in desk.page()), (0, True))

    def test_a_peer_without_a_cell_of_ours_is_left_out(self):
        self.assertEqual(peers.beside([], [pair.peer for pair in self.pairs([1.2])]), [])


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        own, others, micros = documents()
        failed = fixtures.peer(own[0], "eigen", 2) | {"error": "no <such> thing"}
        cls.desk = Desk(results_document=fixtures.results(own + others + micros + [failed]))
        cls.addClassCleanup(cls.desk.close)
        cls.outcome = cls.desk.run("--json")
        cls.page = cls.desk.page()
        cls.results = load_results(str(cls.desk.root / "out" / "results.json"))

    def test_the_sections(self):
        self.assertEqual((self.outcome.returncode, self.outcome.stderr), (0, ""))
        for words in ("Shares of the time of all threads", "table-phases", "table-peers", "table-peer-means",
                      "table-microkernels", "table-parts", "no &lt;such&gt; thing",
                      'The best of onednn, openblas takes <span data-source="peer_mean f32 all">1.'):
            self.assertIn(words, self.page)
        self.assertNotIn("sluice bench --phases", self.page)
        self.assertNotIn("sluice bench --peers", self.page)
        files = {path.name for path in self.desk.out.iterdir()}
        self.assertLessEqual({"phases-2048x5632-avx512.png", "peers-2048x5632-avx512-t1.png"}, files)
        self.assertNotIn("peer:", json.dumps(json.loads(self.outcome.stdout)["comparisons"]))

    def test_every_number_is_traceable(self):
        entries = {entry["name"]: entry for entry in json.loads(
            (self.desk.root / "out" / "results.json").read_text())["benchmarks"]}
        table = phase_table(self.results.cells)
        self.assertEqual(len(table.rows), len(self.results.cells))
        for row, cell in zip(table.rows, sorted(self.results.cells, key=order)):
            self.assertAlmostEqual(sum(one.value for one in row[-len(PHASES):]), 1)
            self.assertEqual(entries[cell.name]["m"], row[5].value)
        chosen = peers.best(peers.beside(self.results.cells, self.results.peers))
        table = peer_table(chosen, self.results.cells)
        column = {name: index for index, name in enumerate(table.columns)}
        for row in table.rows:
            own = entries[row[column["from"]].value]
            other = entries[own["name"] + "/peer:onednn"]
            self.assertEqual(row[column["peer GFLOP/s"]].text, f"{other['flops'] / 1e9:.1f}")
            self.assertEqual(row[column["best peer"]].text, "onednn 1.2")
            self.assertAlmostEqual(row[column["time ÷ Sluice's"]].value, 1.1, delta=0.01)

    def test_microkernels_have_a_row_each(self):
        rows = [[one.text for one in row] for row in micro_table(self.results.micros).rows]
        self.assertEqual(rows, [["AVX-512", "packed", "13x32", "97.0 %", "93.0 %"],
                                ["AVX-512", "wide", "1x32", "–", "41.0 %"]])

    def test_markdown(self):
        text = (self.desk.out / "report.md").read_text(encoding="utf-8")
        for words in ("## Where the time goes", "## Beside other libraries", "best of onednn, openblas"):
            self.assertIn(words, text)
        for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
            self.assertEqual(len({line.count("|") for line in table.splitlines()}), 1, table[:300])

    def test_without_them_the_page_says_how_to_get_them(self):
        desk = Desk()
        self.addCleanup(desk.close)
        page = desk.undrawn()
        self.assertIn("sluice bench --phases", page)
        self.assertIn("sluice bench --peers", page)
        for words in ("table-phases", "table-peers", "table-microkernels"):
            self.assertNotIn(words, page)


if __name__ == "__main__":
    unittest.main()
