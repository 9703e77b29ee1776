"""Every number on the page is computed anew from the files, by code that shares nothing with the reports."""

import json
import math
import re
import statistics
import unittest
from html.parser import HTMLParser

import fixtures
from fixtures import Desk

GATED = ("swiglu", "geglu", "geglu_tanh", "reglu", "glu", "bilinear")
IDENTITY = ("d_model", "d_ff", "isa", "m", "threads")


class Sources(HTMLParser):
    """Collects (source, text) of every element that names one, and the table cells that are numbers and name none."""

    def __init__(self, text):
        super().__init__()
        self.found, self.untraced = [], []
        self.source, self.cell, self.traced, self.words = None, False, False, ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "td":
            self.cell, self.traced, self.words = True, False, ""
        if "data-source" in attributes:
            self.source, self.traced = attributes["data-source"], True
            self.found.append([self.source, ""])

    def handle_data(self, data):
        if self.source:
            self.found[-1][1] += data
        if self.cell:
            self.words += data

    def handle_endtag(self, tag):
        if tag in ("td", "span"):
            self.source = None
        if tag == "td":
            self.cell = False
            if not self.traced and re.match(r"[\[+−-]?\d", self.words):
                self.untraced.append(self.words)


def numbers(text):
    """The numbers of a text with half a unit of their last digit; per cent as it is printed."""
    found = re.findall(r"[−-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?", text)
    return [(float(one.replace("−", "-")), 0.5000001 * 10.0 ** -len(one.partition(".")[2].partition("e")[0]))
            for one in found]


class Oracle:
    """Says what a source should print, from the JSON alone."""

    def __init__(self, results, profile, journal=()):
        self.results, self.profile, self.journal = results, profile, journal

    def at(self, path):
        value = self.profile if path.startswith("profile.") else self.results
        for part in re.findall(r"[a-z_A-Z0-9]+", path.removeprefix("profile.")):
            value = value[int(part)] if isinstance(value, list) else value[part]
        return value

    def expected(self, source):
        name, *places = source.split(" ")
        if not places:
            value = self.at(name)
            return [value]
        return getattr(self, "of_" + name)(*places)

    def of_shape(self, place):
        return [self.at(place)["d_model"], self.at(place)["d_ff"]]

    def of_giga(self, place):
        return [self.at(place) / 1e9]

    def of_percent(self, place):
        return [100 * self.at(place)]

    def of_count(self, place):
        return [len(self.at(place))]

    def of_us_per_call(self, place):
        return [self.at(place)["real_time"] / 1e3]

    def of_us_per_token(self, place):
        return [self.at(place)["real_time"] / 1e3 / self.at(place)["m"]]

    def of_ns(self, place):
        return [self.at(place)["real_time"]]

    def of_intensity(self, place):
        return [self.at(place)["flops"] / self.at(place)["bytes_per_second"]]

    def of_contended_share(self, place):
        calm, disturbed = (len(self.at(place)[name]) for name in ("samples_ns", "contended_samples_ns"))
        return [100 * disturbed / (calm + disturbed)]

    def estimate(self, one, other):
        """(mean of the logarithms, half-width, pairs) over common rounds, a tenth farthest from the median left out."""
        times, others = (dict(zip(entry["sample_rounds"], entry["samples_ns"])) for entry in (one, other))
        logs = [math.log(times[number] / others[number]) for number in times if number in others]
        middle = statistics.median(logs)
        kept = sorted(logs, key=lambda value: abs(value - middle))[:len(logs) - len(logs) // 10]
        spread = statistics.stdev(kept) * (1.27 if len(kept) < len(logs) else 1)
        # Student's quantile by bisection of its distribution, integrated by Simpson's rule.
        return statistics.fmean(kept), student(len(kept) - 1) * spread / math.sqrt(len(kept)), len(logs)

    def pair(self, *places):
        return self.estimate(*(self.at(place) for place in places))

    def of_ratio(self, *places):
        return [math.exp(self.pair(*places)[0])]

    def of_of_ideal(self, *places):
        return [math.exp(self.pair(*places)[0]) / 1.5]

    def of_toll(self, *places):
        return [100 * (math.exp(self.pair(*places)[0]) - 1)]

    def of_interval(self, *places):
        mean, half, _ = self.pair(*places)
        return [math.exp(mean - half), math.exp(mean + half)]

    def of_toll_interval(self, *places):
        return [100 * (value - 1) for value in self.of_interval(*places)]

    def of_half_width(self, *places):
        return [100 * self.pair(*places)[1]]

    def of_pairs(self, *places):
        return [self.pair(*places)[2]]

    def of_speedup(self, many, one):
        return [self.at(one)["real_time"] / self.at(many)["real_time"]]

    def of_efficiency(self, many, one):
        return [100 * self.of_speedup(many, one)[0] / self.at(many)["threads"]]

    def of_plan_interval(self, place):
        return [self.at(place)["ratio_low"], self.at(place)["ratio_high"]]

    def of_tile(self, place):
        plan = self.at(place)
        return [plan["mr"], plan["nr"]] + ([plan["kc"]] if plan["kc"] < 2**28 else [])

    def of_fma_roof(self, isa, threads):
        return [roof["flops"] / 1e9 for roof in self.results["context"]["roofs"]["fma"]
                if (roof["isa"], roof["threads"]) == (isa, int(threads))]

    def of_read_roof(self, threads):
        return [roof["bytes_per_second"] / 1e9 for roof in self.results["context"]["roofs"]["read"]
                if roof["threads"] == int(threads)]

    def own(self):
        return [entry for entry in self.results["benchmarks"] if "kind" in entry and "peer" not in entry]

    def pooled(self, kind, factor):
        """The mean over all comparisons, weighted by the inverse variance."""
        total = weights = 0.0
        for gated in self.own():
            for plain in self.own():
                same = all(gated[name] == plain[name] for name in IDENTITY if name != "d_ff")
                if gated["kind"] == kind and plain["kind"] == "relu" and same and (
                        plain["d_ff"] == factor * gated["d_ff"]):
                    mean, half, _ = self.estimate(gated, plain)
                    total, weights = total + mean / half ** 2, weights + half ** -2
        return math.exp(total / weights), weights ** -0.5

    def of_pooled_budget(self, kind):
        return [100 * (self.pooled(kind, 1.5)[0] - 1)]

    def of_pooled_budget_interval(self, kind):
        middle, half = self.pooled(kind, 1.5)
        return [100 * (middle * math.exp(sign * half) - 1) for sign in (-1, 1)]

    def of_pooled_width(self, kind):
        return [self.pooled(kind, 1)[0]]

    def of_pooled_width_interval(self, kind):
        middle, half = self.pooled(kind, 1)
        return [middle * math.exp(sign * half) for sign in (-1, 1)]

    def fractions(self, kind):
        return [100 * entry["roof_fraction"] for entry in self.own() if entry["kind"] == kind]

    def of_roof_median(self, kind):
        return [statistics.median(self.fractions(kind))]

    def of_roof_cells(self, kind):
        return [len(self.fractions(kind))]

    def of_roof_range(self, kind):
        return [min(self.fractions(kind)), max(self.fractions(kind))]

    def expected_plans(self, verdict=None):
        measured = [plan["measured"] for plan in self.profile["plans"] if plan["measured"]]
        return [sum(verdict in (None, one["verdict"]) for one in measured)]

    def best_peers(self, m):
        """(logarithm of the ratio, half-width) of the fastest peer of each of our cells."""
        found = []
        for own in self.own():
            peers = [entry for entry in self.results["benchmarks"] if entry.get("peer") and not entry.get("error")
                     and all(entry[name] == own[name] for name in (*IDENTITY, "kind"))]
            if peers and m in ("all", str(own["m"])):
                found.append(self.estimate(min(peers, key=lambda entry: entry["real_time"]), own)[:2])
        return found

    def of_peer_mean(self, m):
        return [math.exp(statistics.fmean(mean for mean, _ in self.best_peers(m)))]

    def of_peer_least(self, m):
        return [math.exp(min(mean for mean, _ in self.best_peers(m)))]

    def of_peer_verdict(self, m, verdict):
        verdicts = ["ahead" if mean > half else "behind" if mean < -half else "tied" if half <= 0.01 else
                    "inconclusive" for mean, half in self.best_peers(m)]
        return [verdicts.count(verdict)]

    def plans(self, key):
        """[(plan, median of its calm trials)] of a cell of the journal."""
        costs = {}
        for trial in self.journal:
            if trial.get("record") == "trial" and not trial["contended"] and key == "/".join(
                    str(trial[name]) for name in ("isa", "kind", "d_model", "d_ff", "m", "max_threads")):
                costs.setdefault(json.dumps(trial["plan"]), []).append(trial["cost_ns"])
        return [(json.loads(plan), statistics.median(times)) for plan, times in costs.items()]

    def of_journal_plans(self, key):
        return [len(self.plans(key))]

    def of_journal_best(self, key):
        return [min(time for _, time in self.plans(key)) / 1e6]

    def of_journal_regret(self, key):
        plans = self.plans(key)
        return [100 * (plans[0][1] / min(time for _, time in plans) - 1)]

    def of_journal_field(self, key, *values):
        wanted = {name: json.loads(value) for name, value in (word.split("=") for word in values)}
        return [min(time for plan, time in self.plans(key)
                    if all(plan[name] == value for name, value in wanted.items())) / 1e6]


QUANTILES = {}


def student(freedom):
    """The two-sided 95 % quantile of Student's t."""
    if freedom not in QUANTILES:
        scale = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(freedom * math.pi)
        low, high = 1.9, 13.0
        for _ in range(24):
            middle = (low + high) / 2
            step = middle / 400
            mass = sum((1 if index in (0, 400) else 4 if index % 2 else 2)
                       * (1 + (index * step) ** 2 / freedom) ** (-(freedom + 1) / 2) for index in range(401))
            low, high = (middle, high) if scale * mass * step / 3 < 0.475 else (low, middle)
        QUANTILES[freedom] = low
    return QUANTILES[freedom]


def journal_lines():
    """Trials of one cell over two parameters, some disturbed, with records of other kinds and torn lines between."""
    lines = [json.dumps({"record": "header", "number": 0, "schema": "sluice-journal"})]
    cell = {"isa": "avx512", "kind": "swiglu", "d_model": 2048, "d_ff": 5632, "slice": 5632, "m": 64, "max_threads": 1}
    for kc in (256, 128, 384):
        for mr in (8, 13):
            for number in range(3):
                lines.append(json.dumps({
                    "record": "trial", "number": len(lines), **cell, "contended": number == 2, "round": number,
                    "plan": {"nr": 32, "mr": mr, "kc": kc}, "took_ns": 5, "roof_fraction": 0.9,
                    "cost_ns": (9 if number == 2 else 1) * (1e6 + 1e3 * abs(kc - 384) - 2e3 * mr + number)}))
    return [*lines, '{"record": "end"}', lines[-1][:40], "", "[1]", '{"record": "trial", "plan": {}}']


class EveryNumber(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        own = [entry for m in (1, 64) for threads in (1, 2) for entry in fixtures.group(
            2048, 5632, m, "avx512", threads, GATED[:2], ("tinyllama",))]
        for entry in own:
            entry["phases"] = fixtures.phases(0.01 * entry["m"] ** 0.1)
        micros = [fixtures.micro("microkernel", "avx512/13x32/L1", tile="13x32", operands="L1", fma_fraction=0.97),
                  fixtures.micro("epilogue", "avx512/swiglu", bytes_per_second=3.2e10, ns_per_element=0.375)]
        peers = [fixtures.peer(entry, name, factor) for entry in own for name, factor in (("a", 1.4), ("b", 1.02))]
        cls.desk = Desk(fixtures.profile([fixtures.plan(m=m, threads=threads) for m in (1, 64) for threads in (1, 2)]),
                        fixtures.results(own + peers + micros))
        cls.addClassCleanup(cls.desk.close)
        cls.desk.write("journal.jsonl", "\n".join(journal_lines()))
        cls.outcome = cls.desk.run("--journal", "out/journal.jsonl")
        if cls.outcome.returncode:
            raise AssertionError(cls.outcome.stderr)
        cls.page = cls.desk.page()
        cls.sources = Sources(cls.page)
        read = [json.loads((cls.desk.root / "out" / name).read_text()) for name in ("results.json", "profile.json")]
        cls.oracle = Oracle(*read, [json.loads(line) for line in journal_lines()[:-4]])

    def test_each_printed_number_is_that_of_its_source(self):
        plans = {"plan_count": None, "plan_faster": "faster"}
        self.assertGreater(len(self.sources.found), 1000)
        known = {}
        for source, text in self.sources.found:
            if source not in known:
                known[source] = (self.oracle.expected_plans(plans[source]) if source in plans
                                 else self.oracle.expected(source))
            printed = numbers(text.replace("×", " "))
            self.assertEqual(len(printed), len(known[source]), (source, text))
            for (number, tolerance), value in zip(printed, known[source]):
                # Three significant digits have a last digit of their own.
                tolerance = max(tolerance, 0.005 * abs(value)) if source.startswith("intensity") else tolerance
                self.assertLessEqual(abs(number - value), tolerance * 1.02 + 1e-9 * abs(value), (source, text, value))

    def test_no_number_of_a_table_is_without_a_source(self):
        # M and counts of the table of means by M are its keys.
        self.assertEqual([text for text in self.sources.untraced if text not in ("1", "64", "13x32", "8", "13", "128",
                                                                                 "256", "384")
                          and not text.startswith(("1 thread", "2 threads"))], [])

    def test_an_altered_value_is_noticed(self):
        changed = json.loads(json.dumps(self.oracle.results))
        changed["benchmarks"][2]["flops"] *= 1.01
        oracle = Oracle(changed, self.oracle.profile)
        text = next(text for source, text in self.sources.found if source == "giga benchmarks[2].flops")
        self.assertNotAlmostEqual(oracle.expected("giga benchmarks[2].flops")[0], float(text), delta=0.06)

    def test_the_journal_makes_a_landscape(self):
        self.assertIn("Tile landscape: SwiGLU 2048×5632, M 64, AVX-512", self.page)
        self.assertIn("table-regret", self.page)
        self.assertTrue((self.desk.out / "landscape-avx512-swiglu-2048-5632-64-1.svg").is_file())

    def test_a_journal_that_is_none_is_refused_in_one_line(self):
        for name, words in (("none.jsonl", "cannot be read"), ("out/profile.json", "holds no trial")):
            outcome = self.desk.run("--journal", name, "--out", "elsewhere")
            self.assertEqual((outcome.returncode, outcome.stderr.count("\n")), (5, 1), outcome.stderr)
            self.assertIn(words, outcome.stderr)


if __name__ == "__main__":
    unittest.main()
