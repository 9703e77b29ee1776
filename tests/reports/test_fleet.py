"""sluice report --fleet: several machines on one page."""

import json
import math
import re
import unittest

import fixtures
from fixtures import Desk
from reports.findings.fleet import common_places, fleet_kind, load_fleet, summarise


def machine(cpu, fingerprint, ms, toll=0.01, kinds=("swiglu",), seed=0):
    entries = [entry for m in ms
               for entry in fixtures.group(512, 1024, m, "avx512", 1, kinds, ("small",), toll=toll, seed=seed)]
    return fixtures.results(entries, machine=fixtures.MACHINE | {"cpu": cpu, "fingerprint": fingerprint})


class Fleet(unittest.TestCase):
    def setUp(self):
        self.desk = Desk()
        self.addCleanup(self.desk.close)
        self.add("a", machine("First CPU", "aaaaaaaaaaaa", (1, 16, 64), toll=0.05), fixtures.profile())
        self.add("b", machine("Second <CPU>", "bbbbbbbbbbbb", (16, 64, 256), toll=0.01, seed=1))

    def add(self, folder, results, profile=None):
        path = self.desk.root / folder
        path.mkdir(exist_ok=True)
        for name, document in (("results.json", results), ("profile.json", profile)):
            if document is not None:
                (path / name).write_text(document if isinstance(document, str) else json.dumps(document))

    def fleet(self, *words):
        return self.desk.run("--fleet", *words, "--out", "fleet")

    def page(self):
        return (self.desk.root / "fleet" / "index.html").read_text(encoding="utf-8")

    def load(self, *folders):
        return load_fleet([str(self.desk.root / folder) for folder in folders])

    def test_machines_stand_side_by_side(self):
        outcome = self.fleet("a", "b")
        self.assertEqual((outcome.returncode, outcome.stderr), (0, ""))
        self.assertRegex(outcome.stdout, r"First CPU \(aaaaaa\): SwiGLU costs \+[45]\.\d %")
        page = self.page()
        self.assertNotRegex(page, r"https?://|@import|url\((?!#)|Second <CPU>|\{\{")
        for words in ("First CPU (aaaaaa)", "Second &lt;CPU&gt; (bbbbbb)", "Over the 2 cells that all have",
                      "FMA peak, AVX-512"):
            self.assertIn(words, page)
        ids = re.findall(r'\bid="([^"]+)"', page)
        self.assertEqual(len(ids), len(set(ids)))
        for figure in re.findall(r"<figure>.*?</figure>", page, re.DOTALL):
            self.assertRegex(figure, r'<svg[^>]* role="img" aria-label="[^"]{20,}"')
        text = (self.desk.root / "fleet" / "fleet.md").read_text(encoding="utf-8")
        pictures = re.findall(r"\]\(([^)]+)\)", text)
        self.assertEqual(pictures, ["toll-512x1024-t1.png", "share-512x1024-t1.png"])
        for name in pictures:
            self.assertEqual((self.desk.root / "fleet" / name).read_bytes()[:8], b"\x89PNG\r\n\x1a\n")
        for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
            self.assertEqual(len({line.count("|") for line in table.splitlines()}), 1, table[:300])

    def test_summaries(self):
        members, problems = self.load("a", "b")
        self.assertEqual(problems, [])
        self.assertEqual(fleet_kind(members), "swiglu")
        shared = common_places(members, "swiglu")
        self.assertEqual({place[3] for place in shared}, {16, 64})
        own, same = summarise(members[0], "swiglu"), summarise(members[0], "swiglu", shared)
        self.assertEqual((own.cells, same.cells), (3, 2))
        document = json.loads((self.desk.root / "a" / "results.json").read_text())
        fractions = sorted(entry["roof_fraction"] for entry in document["benchmarks"] if entry["kind"] == "swiglu")
        self.assertEqual(own.roof, (fractions[0], fractions[1], fractions[2]))
        tolls = [one for one in members[0].comparisons if one.what == "budget"]
        mean = sum(math.log(one.estimate.ratio) for one in tolls) / len(tolls)
        self.assertAlmostEqual(own.toll.ratio, math.exp(mean))

    def test_the_widest_measured_kind_and_the_fastest_isa_count(self):
        self.add("c", machine("Third", "cccc", (16,), kinds=("reglu",)))
        both = machine("First CPU", "aaaa", (16,), kinds=("reglu", "swiglu"))
        both["benchmarks"].append(fixtures.cell("reglu", 512, 1024, 16, "avx2"))
        self.add("a", both)
        members, _ = self.load("a", "c")
        self.assertEqual(fleet_kind(members), "reglu")
        self.assertEqual(summarise(members[0], "reglu").cells, 1)

    def test_missing_and_damaged_members_are_said(self):
        self.add("c", json.dumps(machine("Third", "cccc", (1,)))[:200])
        self.add("d", machine("Fourth", "dddd", (1,)), "{")
        outcome = self.fleet("a", "none", "c", "d", "--json")
        self.assertEqual(outcome.returncode, 0)
        document = json.loads(outcome.stdout)
        self.assertEqual([one["folder"] for one in document["machines"]], ["a", "d"])
        self.assertEqual(outcome.stderr.count("sluice report: warning: "), 3)
        for words in ("none does not exist", "c/results.json is not valid JSON", "d/profile.json is not valid JSON"):
            self.assertTrue(any(words in sentence for sentence in document["missing"]), words)
            self.assertIn(words, self.page())

    def test_no_member_at_all(self):
        outcome = self.fleet("none", "neither")
        self.assertEqual((outcome.returncode, outcome.stdout, outcome.stderr.count("\n")), (5, "", 1))
        self.assertIn("none does not exist", outcome.stderr)
        self.assertFalse((self.desk.root / "fleet").exists())
        self.assertEqual(self.fleet().returncode, 2)

    def test_runs_of_one_machine_go_by_their_folders(self):
        self.add("again", machine("First CPU", "aaaaaaaaaaaa", (1,)))
        names = [member.name for member in self.load("a", "again")[0]]
        self.assertEqual(len(set(names)), 2)
        self.assertTrue(names[1].endswith("again"))

    def test_members_without_anything_to_say(self):
        self.add("empty", {"context": {}, "benchmarks": []})
        outcome = self.fleet("empty", "empty")
        self.assertEqual(outcome.returncode, 0)
        self.assertIn("holds no measured cell", outcome.stderr)
        self.assertIn("There is no cell to show", self.page())


if __name__ == "__main__":
    unittest.main()
