"""What each number of the page must be, computed from the JSON by code that shares nothing with the reports.

Owns: a function for each source that the page names. Does not own: those of a journal (journal.py) and of a baseline
plan (plan_comparison_oracle.py), finding the numbers on the page (printed.py).
"""

import math
import re
import shlex
import statistics
from collections import Counter

from journal import JournalOracle
from paired import IDENTITY, Compared, Paired, estimate, identity, signed_rank, together
from printed import fact_numbers, numbers
from plan_comparison_oracle import PlanComparisonOracle

GATED = ("swiglu", "geglu", "geglu_tanh", "reglu", "glu", "bilinear")
SIZES = {"f32": 4, "bf16": 2, "f16": 2}
IDEAL = {1.5: "budget", 1.0: "width"}   # d_ff of ReLU over that of the gated kind


def of(cell, kind, weights):
    return (cell["kind"], cell.get("weights", "f32")) == (kind, weights)


class Oracle(JournalOracle, PlanComparisonOracle):
    """Computes what a source should print from the JSON alone."""

    def __init__(self, results, profile, journal=()):
        super().__init__(journal)
        self.results, self.profile = results, profile
        self.own = [entry for entry in results["benchmarks"]
                    if entry["name"].startswith("ffn/") and not entry.get("peer") and not entry.get("rival")
                    and not entry.get("error")]
        self.roofs = results["context"].get("roofs") or profile.get("roofs") or {"fma": [], "read": []}
        self.estimates, self.compared, self.peers = {}, [], {}
        for entry in results["benchmarks"]:
            if entry.get("peer") and not entry.get("error"):
                self.peers.setdefault(identity(entry), []).append(entry)
        for gated in self.own:
            for plain in self.own:
                if gated["kind"] in GATED and plain["kind"] == "relu" and all(
                        gated[name] == plain[name] for name in IDENTITY if name != "d_ff") and (
                        gated.get("weights", "f32") == plain.get("weights", "f32")) and (
                        plain["d_ff"] / gated["d_ff"] in IDEAL):
                    self.compared.append(Compared(gated, plain, IDEAL[plain["d_ff"] / gated["d_ff"]],
                                                  estimate(gated, plain)))

    def at(self, path):
        value = self.profile if path.startswith("profile.") else self.results
        for part in re.findall(r"[a-z_A-Z0-9]+", path.removeprefix("profile.")):
            value = value[int(part)] if isinstance(value, list) else value[part]
        return value

    def expected(self, source):
        """The numbers that a source should print, or the text if it prints words of a file."""
        name, *places = source.split(" ")
        return getattr(self, "of_" + name)(*places) if places else [self.at(name)]

    def of_word(self, place):
        return str(self.at(place))

    def of_command(self, place):
        return shlex.join(self.at(place))

    def of_fact(self, place):
        return fact_numbers(place.rpartition(".")[2], self.at(place))

    def of_library(self, place):
        return [value for value, _ in numbers(f"{self.at(place)['peer']} {self.at(place).get('peer_version', '')}")]

    def of_shape(self, place):
        return [self.at(place)["d_model"], self.at(place)["d_ff"]]

    def of_budget_shape(self, place):
        return [self.at(place)["d_model"], 1.5 * self.at(place)["d_ff"]]

    def of_plan_cell(self, place):
        return [self.at(place)[name] for name in ("d_model", "d_ff", "m", "max_threads")]

    def of_giga(self, place):
        return [self.at(place) / 1e9]

    def of_percent(self, place):
        return [100 * self.at(place)]

    def of_ppm(self, place):
        return [1e6 * self.at(place)]

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
        apart = len(self.at(place).get("contended_samples_ns", []))
        return [100 * self.of_contended(place)[0] / (len(self.at(place)["samples_ns"]) + apart)]

    def of_contended(self, place):
        entry = self.at(place)
        return [entry["sample_contended"].count(True) if "sample_contended" in entry
                else len(entry["contended_samples_ns"])]

    def pair(self, *places):
        if places not in self.estimates:
            self.estimates[places] = estimate(*(self.at(place) for place in places))
        return self.estimates[places]

    def of_ratio(self, *places):
        return [math.exp(self.pair(*places).mean)]

    def of_of_ideal(self, *places):
        return [math.exp(self.pair(*places).mean) / 1.5]

    def of_toll(self, *places):
        return [100 * (math.exp(self.pair(*places).mean) - 1)]

    def of_interval(self, *places):
        return [math.exp(end) for end in self.pair(*places)[1:3]]

    def of_toll_interval(self, *places):
        return [100 * (value - 1) for value in self.of_interval(*places)]

    def of_half_width(self, *places):
        return [100 * self.pair(*places).half]

    def of_pairs(self, *places):
        return [self.pair(*places).pairs]

    def of_speedup(self, many, one):
        return [self.at(one)["real_time"] / self.at(many)["real_time"]]

    def of_efficiency(self, many, one):
        return [100 * self.of_speedup(many, one)[0] / self.at(many)["threads"]]

    def of_plan_interval(self, place):
        return [self.at(place)["ratio_low"], self.at(place)["ratio_high"]]

    def of_in_place_interval(self, place):
        return [self.at(place)["low"], self.at(place)["high"]]

    def of_tile(self, place):
        plan = self.at(place)
        return [plan["mr"], plan["nr"]] + ([plan["kc"]] if plan["kc"] < 2**28 else [])

    def of_fma_roof(self, isa, threads):
        return [roof["flops"] / 1e9 for roof in self.roofs["fma"]
                if (roof["isa"], roof["threads"]) == (isa, int(threads))]

    def of_fma_threads(self, isa, threads):
        return [int(threads)] if self.of_fma_roof(isa, threads) else []

    def of_read_roof(self, threads):
        """The read roof of the largest footprint, which is that of memory."""
        rates = [(roof.get("footprint_bytes", 0), roof["bytes_per_second"] / 1e9) for roof in self.roofs["read"]
                 if roof["threads"] == int(threads)]
        return [max(rates)[1]] if rates else []

    def of_read_threads(self, threads):
        return [int(threads)] if self.of_read_roof(threads) else []

    def of_crossover(self, place):
        """The M at which both roofs take the same time, by bisection."""
        cell = self.at(place)
        (peak,), (rate,) = self.of_fma_roof(cell["isa"], cell["threads"]), self.of_read_roof(cell["threads"])
        weights = (3 if cell["kind"] in GATED else 2) * cell["d_model"] * cell["d_ff"]
        size = SIZES[cell.get("weights", "f32")]
        low, high = 0.0, 1e6
        for _ in range(80):
            m = (low + high) / 2
            computes = 2 * weights * m / peak > (size * weights + 8 * m * cell["d_model"]) / rate
            low, high = (low, m) if computes else (m, high)
        return [low]

    def group(self, first, second, kind, isa, d_model, d_ff, weights):
        """[(M, threads, value, low, high)] of the cells that a sentence is about: those of one roof or one verdict."""
        def belongs(cell):
            return (cell["kind"], cell["isa"], cell["d_model"], cell["d_ff"], cell.get("weights", "f32")) == (
                kind, isa, int(d_model), int(d_ff), weights)
        if first == "roof":
            return [(cell["m"], cell["threads"], *[100 * cell["roof_fraction"]] * 3) for cell in self.own
                    if belongs(cell) and cell.get("roof") == second and cell.get("roof_fraction")]
        found = [one for one in self.compared if one.what == first and belongs(one.gated)
                 and second == ("unpaired" if one.ratio.low is None else one.verdict)]
        return [(one.gated["m"], one.gated["threads"], *one.shown()) for one in found]

    def of_at_m(self, *words):
        """M for each number of threads, or a single M if they agree."""
        cells, lists = self.group(*words), {}
        for threads in sorted({cell[1] for cell in cells}):
            lists.setdefault(tuple(sorted(cell[0] for cell in cells if cell[1] == threads)), []).append(threads)
        return [number for ms, counts in lists.items() for number in (*ms, *counts)]

    def of_spread_ratios(self, *words):
        values = [cell[2] for cell in self.group(*words)]
        return [min(values), max(values)]

    def of_hull(self, *words):
        return [min(cell[3] for cell in self.group(*words)), max(cell[4] for cell in self.group(*words))]

    def of_number(self, name, *words):
        return [getattr(self, "number_" + name)(*words)]

    def number_budget(self, verdict, kind, weights="f32"):
        return sum(one.what == "budget" and of(one.gated, kind, weights) and verdict in ("any", one.verdict)
                   for one in self.compared)

    def number_comparisons(self):
        return len(self.compared)

    def number_unpaired(self):
        return sum(one.ratio.low is None for one in self.compared)

    def number_gated(self):
        return sum(cell["kind"] in GATED for cell in self.own)

    def number_lone(self, what):
        return self.number_gated() - len({one.gated["name"] for one in self.compared if one.what == what})

    def number_roof_cells(self, *subject):
        return len(self.fractions(*subject))

    def number_plans(self, which):
        plans = [plan for plan in self.profile["plans"] if plan["measured"]]
        if which == "common":
            return max(self.tiles().values())
        return sum(which in ("any", plan["measured"]["verdict"]) for plan in plans)

    def number_cells(self):
        return len(self.own)

    def number_portioned(self):
        return sum(cell.get("portions", 1) > 1 for cell in self.own)

    def number_wholes(self):
        return self.wholes().pairs

    def wholes(self):
        logs = []
        for cell in self.own:
            times = dict(zip(cell["sample_rounds"], cell["samples_ns"]))
            logs += [math.log(whole / times[number]) for number, whole in zip(
                cell.get("whole_rounds", []), cell.get("wholes_ns", [])) if number in times]
        return Paired(*signed_rank(logs), len(logs))

    def of_wholes(self, _):
        return [math.exp(self.wholes().mean)]

    def of_wholes_interval(self, _):
        return [math.exp(self.wholes().low), math.exp(self.wholes().high)]

    def number_peer_cells(self, weights):
        return len(self.best_peers(weights, "all"))

    def number_peer_cells_unpaired(self, weights):
        return sum(identity(own) in self.peers for own in self.own if own.get("weights", "f32") == weights) \
            - self.number_peer_cells(weights)

    def tiles(self):
        return Counter((plan["plan"]["mr"], plan["plan"]["nr"]) for plan in self.profile["plans"] if plan["measured"])

    def of_common_tile(self, _):
        return list(max(self.tiles().items(), key=lambda item: (item[1], "{}×{}".format(*item[0])))[0])

    def pooled(self, what, kind, weights="f32"):
        return together([one for one in self.compared if one.what == what and of(one.gated, kind, weights)])

    def of_pooled_budget(self, *subject):
        return [100 * (math.exp(self.pooled("budget", *subject)[0]) - 1)]

    def of_pooled_budget_interval(self, *subject):
        return [100 * (math.exp(end) - 1) for end in self.pooled("budget", *subject)[1:3]]

    def of_pooled_budget_spread(self, *subject):
        return [100 * (math.exp(self.pooled("budget", *subject)[3]) - 1)]

    def of_pooled_width(self, *subject):
        return [math.exp(self.pooled("width", *subject)[0])]

    def of_pooled_width_interval(self, *subject):
        return [math.exp(end) for end in self.pooled("width", *subject)[1:3]]

    def of_pooled_width_spread(self, *subject):
        return [100 * (math.exp(self.pooled("width", *subject)[3]) - 1)]

    def fractions(self, kind, weights="f32"):
        return [100 * entry["roof_fraction"] for entry in self.own
                if of(entry, kind, weights) and entry.get("roof_fraction")]

    def of_roof_median(self, *subject):
        return [statistics.median(self.fractions(*subject))]

    def of_roof_range(self, *subject):
        return [min(self.fractions(*subject)), max(self.fractions(*subject))]

    def of_bytes_ratio(self, *places):
        def size(cell):
            weights = (3 if cell["kind"] in GATED else 2) * cell["d_model"] * cell["d_ff"]
            return SIZES[cell["weights"]] * weights + 4 * 2 * cell["m"] * cell["d_model"]
        return [size(self.at(places[0])) / size(self.at(places[1]))]

    def smaller(self, kind, isa, d_model, d_ff, weights, threads):
        """[(M, ratio to float32 weights)] in ascending M."""
        def cells(those):
            return {cell["m"]: cell for cell in self.own if of(cell, kind, those) and (
                cell["isa"], cell["d_model"], cell["d_ff"], cell["threads"]) == (
                    isa, int(d_model), int(d_ff), int(threads))}
        small, whole = cells(weights), cells("f32")
        found = [(m, estimate(small[m], whole[m])) for m in sorted(small.keys() & whole.keys())]
        return [(m, ratio) for m, ratio in found if ratio.low is not None]

    def paying(self, *group):
        """Those before the first M from which on none is faster; and that M."""
        pairs = self.smaller(*group)
        last = max((number for number, (_, ratio) in enumerate(pairs, 1) if ratio.high < 0), default=0)
        return pairs[:last], pairs[last][0] if last < len(pairs) else None

    def of_stops_paying(self, *group):
        return [self.paying(*group)[1]]

    def of_paying_m(self, *group):
        return [m for m, _ in self.paying(*group)[0]]

    def of_spread_smaller(self, *group):
        ratios = [math.exp(ratio.mean) for _, ratio in self.paying(*group)[0]]
        return [min(ratios), max(ratios)]

    def best_peers(self, weights, m):
        """The paired ratio of each of our cells to its fastest peer, if they share a round."""
        found = []
        for own in self.own:
            peers = self.peers.get(identity(own))
            if peers and own.get("weights", "f32") == weights and m in ("all", str(own["m"])):
                found.append(estimate(min(peers, key=lambda entry: entry["real_time"]), own))
        return [one for one in found if one.mean is not None]

    def of_peer_m(self, weights, m):
        return [int(m)] if self.best_peers(weights, m) else []

    def of_peer_mean(self, weights, m):
        return [math.exp(statistics.fmean(one.mean for one in self.best_peers(weights, m)))]

    def of_peer_least(self, weights, m):
        return [math.exp(min(one.mean for one in self.best_peers(weights, m)))]

    def of_peer_verdict(self, weights, m, verdict):
        words = {"slower": "ahead", "faster": "behind"}
        verdicts = [words.get(one.verdict(), one.verdict()) for one in self.best_peers(weights, m)]
        return [verdicts.count(verdict)]
