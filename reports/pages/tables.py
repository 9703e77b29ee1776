"""Lays the numbers out in tables.

Owns: columns, rows and sort keys of every table that is not the data of a figure. The templates only print them.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from functools import cached_property

from reports.figures.part_figures import PHASE_NAMES
from reports.figures.quality_figures import plan_label, plan_order, scaling_rows
from reports.findings import traces
from reports.findings.answer import ROOF_NAMES, isa_name, kind_name, with_weights
from reports.findings.command_lines import bench_command
from reports.findings.traces import Traced, percent, share, threads_name
from reports.statistics.comparison import order


@dataclass(frozen=True)
class Entry:
    """A table cell: what is printed, what it sorts by, where it leads."""

    text: str
    value: object
    link: str | None = None     # anchor of a row in the table of cells
    anchor: str | None = None   # this row's own anchor
    tone: str | None = None     # a verdict, for its colour
    source: str | None = None   # of a number: where it comes from


@dataclass(frozen=True)
class Table:
    name: str
    title: str
    columns: list
    rows: list

    @cached_property
    def numerics(self):
        return [all(isinstance(row[column].value, (int, float)) for row in self.rows)
                for column in range(len(self.columns))]

    def numeric(self, column):
        """Whether the column sorts by number and stands to the right."""
        return self.numerics[column]


def entry(text, value=None, **extra):
    return Entry(str(text), str(text) if value is None else value, source=getattr(text, "source", None), **extra)


def number(text):
    """A traced number; one that is not known sorts before all others."""
    if not isinstance(text, Traced):
        return entry(text, -9)
    return Entry(str(text), text.value, source=text.source)


def decimal(value, digits):
    """A number without a source, because it is not from the results of one run."""
    return entry("–", -1) if value is None else entry(f"{value:.{digits}f}", value)


def anchors(cells):
    """Each cell's anchor in the table of cells; ratios link to the two cells they are made of."""
    return {cell.key: f"cell-{index}" for index, cell in enumerate(sorted(cells, key=order), 1)}


def model_names(cell):
    return ", ".join(cell.models) or "–"


def place(cell):
    return [entry(model_names(cell)), number(traces.shape(cell)), entry(kind_name(cell.kind) + with_weights(cell.weights)),
            entry(isa_name(cell.isa)), number(traces.plain(cell, "threads")), number(traces.plain(cell, "m"))]


PLACE = ["model", "shape", "kind", "ISA", "threads", "M"]


def comparison_table(what, comparisons, cells):
    """The toll table (budget) or its equal-width counterpart; every ratio links to its two cells."""
    anchor = anchors(cells)
    rows = []
    for comparison in comparisons:
        if comparison.what != what:
            continue
        gated, baseline = comparison.gated, comparison.baseline
        pair = (comparison.estimate, gated, baseline)
        middle = (traces.toll, traces.toll_interval) if what == "budget" else (traces.of_ideal, traces.interval)
        row = place(gated) + [number(traces.ratio(*pair))] + [number(write(*pair)) for write in middle]
        row += [entry(comparison.verdict, tone=comparison.verdict), number(traces.pairs(*pair)),
                number(traces.gflops(gated)), number(traces.gflops(baseline)),
                number(traces.us_per_token(gated)), number(traces.us_per_token(baseline)),
                entry("gated", gated.name, link=anchor[gated.key]),
                entry("ReLU", baseline.name, link=anchor[baseline.key])]
        rows.append(row)
    middle = ["toll", "toll, 95 % interval"] if what == "budget" else ["÷ ideal 1.5", "95 % interval of the ratio"]
    title = "The toll: equal budget" if what == "budget" else "Equal width"
    return Table(f"table-{what}", title, PLACE + [
        "time ratio", *middle, "verdict", "pairs", "GFLOP/s", "ReLU GFLOP/s", "µs per token", "ReLU µs per token",
        "from", "and"], rows)


def smaller_table(smaller, cells):
    """What smaller weights buy against float32 ones, from smaller_weights() of comparison.py."""
    anchor = anchors(cells)
    rows = []
    for cell, same, estimate, verdict in smaller:
        pair = (estimate, cell, same)
        rows.append(place(cell) + [
            number(traces.bytes_ratio(cell, same)), number(traces.ratio(*pair)), number(traces.interval(*pair)),
            entry(verdict, tone=verdict), number(traces.pairs(*pair)), number(traces.us_per_token(cell)),
            number(traces.us_per_token(same)), number(traces.roof_share(cell)),
            entry(cell.weights, cell.name, link=anchor[cell.key]), entry(same.weights, same.name, link=anchor[same.key])])
    return Table("table-smaller", "What smaller weights buy", PLACE + [
        "bytes ÷ f32's", "time ÷ f32's", "95 % interval", "verdict", "pairs", "µs per token", "f32, µs per token",
        "% of roof", "from", "and"], rows)


OPERANDS = {"normal": "normal", "heavy_tailed": "heavy-tailed weights", "outlier_channels": "x with outlier channels"}


def accuracy_table(accuracies):
    """How far answers are from exact ones, and what of it comes from rounding the weights."""
    return Table("table-accuracy", "Accuracy", [
        "kind", "weights", "operands", "error of the arithmetic, ppm", "error of the rounded weights, ppm",
        "error of quantised x and H, ppm"], [
        [entry(kind_name(one["kind"])), entry(one["weights"]), entry(OPERANDS[one["operands"]]),
         number(traces.parts_per_million(one["arithmetic"], f"{one['place']}.arithmetic")),
         number(traces.parts_per_million(one["rounded_weights"], f"{one['place']}.rounded_weights")),
         # Older results do not say.
         number(traces.parts_per_million(one["quantised_activations"], f"{one['place']}.quantised_activations"))
         if "quantised_activations" in one else entry("")]
        for one in accuracies])


def cell_table(cells, context):
    anchor = anchors(cells)
    rows = []
    for cell in sorted(cells, key=order):
        rows.append([entry(cell.name, anchor=anchor[cell.key])] + place(cell) + [
            number(traces.us_per_call(cell)), number(traces.gflops(cell)), number(traces.gigabytes(cell)),
            number(traces.roof_share(cell)), entry(ROOF_NAMES.get(cell.roof, "–")), number(traces.sample_count(cell)),
            number(traces.contended_count(cell)), entry(cell.plan_origin or "–"),
            entry("all contended" if cell.contended else ""), entry(bench_command([cell], context))])
    return Table("table-cells", "Every cell", ["cell"] + PLACE + [
        "µs per call", "GFLOP/s", "GB/s", "% of roof", "roof", "samples", "contended", "plan", "remark",
        "command"], rows)


def tuned_table(plans):
    rows = []
    for plan in sorted(plans, key=plan_order):
        measured, tiling = plan.get("measured"), plan.get("plan") or {}
        row = [entry(plan_label(plan))]
        if measured:
            verdict = str(measured.get("verdict") or "–")
            row += [number(traces.plan_value(plan, "ratio_to_default", 3)), number(traces.plan_interval(plan)),
                    entry(verdict, tone=verdict), number(traces.plan_value(plan, "pairs")),
                    number(traces.plan_value(plan, "trials")), number(traces.plan_share(plan, "roof_fraction")),
                    number(traces.plan_share(plan, "contended_share", 0))]
        else:
            row += [entry("not measured", -9), entry("–", -9), entry("–")] + [entry("–", -9)] * 4
        rows.append(row + [entry(traces.fact(fact("plan", tiling), f"profile.{plan['place']}.plan"))])
    return Table("table-tuned", "Tuned plans", [
        "plan for", "time, tuned ÷ default", "95 % interval", "verdict", "pairs", "trials", "% of roof", "contended",
        "tiling and threads"], rows)


def scaling_table(cells):
    return Table("table-scaling", "Thread scaling", PLACE + ["speed-up over 1 thread", "efficiency"], [
        place(cell) + [number(traces.speedup(cell, single)), number(traces.efficiency(cell, single))]
        for cell, single in scaling_rows(cells)])


def phase_table(cells):
    known = [cell for cell in sorted(cells, key=order) if cell.phases]
    return Table("table-phases", "Where the time goes", PLACE + list(PHASE_NAMES.values()), [
        place(cell) + [number(traces.phase_share(cell, phase)) for phase in PHASE_NAMES]
        for cell in known])


def peer_table(chosen, cells):
    """The best peer of each cell."""
    anchor = anchors(cells)
    rows = []
    # Results of float32 weights alone, and older ones, do not say what the peers round.
    rounds = any(pair.peer.peer_arithmetic not in (None, "f32") for pair in chosen)
    for pair in chosen:
        paired = (pair.estimate, pair.peer, pair.own)
        library = " ".join(word for word in (pair.peer.peer, pair.peer.peer_version) if word)
        rows.append(place(pair.own) + [
            entry(Traced(library, f"library {pair.peer.place}", library)), entry(pair.peer.peer_variant or "–"),
            *([entry(pair.peer.peer_arithmetic or "–")] if rounds else []),
            number(traces.ratio(*paired)), number(traces.interval(*paired)), entry(pair.verdict, tone=pair.verdict),
            number(traces.pairs(*paired)), number(traces.gflops(pair.own)), number(traces.gflops(pair.peer)),
            entry("Sluice", pair.own.name, link=anchor[pair.own.key])])
    return Table("table-peers", "The best peer of each cell", PLACE + [
        "best peer", "variant", *(["the peer rounds to"] if rounds else []), "time ÷ Sluice's", "95 % interval", "Sluice is", "pairs", "GFLOP/s", "peer GFLOP/s",
        "from"], rows)


def mean_table(means):
    typed = any(mean.weights != "f32" for mean in means)
    rows = [([entry(mean.weights)] if typed else [])
            + [entry("all", 1e18) if mean.m is None
               else number(Traced(str(mean.m), f"peer_m {mean.weights} {mean.m}", mean.m))]
            + [number(traces.peer_mean(mean)), number(traces.peer_least(mean))]
            + [number(traces.peer_count(mean, verdict)) for verdict in mean.verdicts] for mean in means]
    return Table("table-peer-means", "By type of weights and M" if typed else "By M", [*(["weights"] if typed else []), "M", "geometric mean of time ÷ Sluice's", "least"]
                 + (list(means[0].verdicts) if means else []), rows)


KERNEL_FORMS = {"microkernel": "packed", "in_place": "in place", "stream": "one stream", "wide": "wide",
                "interleaved": "interleaved"}


def micro_table(micros):
    """The share of the FMA peak that each microkernel reaches with its operands in L1 and in L2."""
    kernels = {}
    for micro in micros:
        if micro.group in KERNEL_FORMS and micro.tile:
            kernels.setdefault((micro.isa, micro.group, micro.tile), {})[micro.operands] = share(
                micro.fma_fraction, f"{micro.place}.fma_fraction")
    return Table("table-microkernels", "Microkernels", ["ISA", "A", "tile", "L1, % of FMA peak", "L2, % of FMA peak"], [
        [entry(isa_name(isa)), entry(KERNEL_FORMS[group]), entry(tile)]
        + [number(levels.get(level, "–")) for level in ("L1", "L2")]
        for (isa, group, tile), levels in kernels.items()])


def part_table(micros):
    """The micro benchmarks that are not microkernels."""
    return Table("table-parts", "Other parts", ["part", "ns", "GB/s", "ns per element"], [
        [entry(micro.name.removeprefix("micro/")),
         number(Traced(f"{micro.time_ns:.1f}", f"ns {micro.place}", micro.time_ns)),
         number("–" if micro.bytes_per_second is None else Traced(
             f"{micro.bytes_per_second / 1e9:.1f}", f"giga {micro.place}.bytes_per_second", micro.bytes_per_second)),
         number("–" if micro.ns_per_element is None else Traced(
             f"{micro.ns_per_element:.3f}", f"{micro.place}.ns_per_element", micro.ns_per_element))]
        for micro in micros if micro.group not in KERNEL_FORMS])


def roof_table(fma_roofs, read_roofs):
    rows = [[entry(f"FMA peak, {isa_name(isa)}"), roof_threads(threads, f"fma_threads {isa}"),
             number(Traced(f"{flops / 1e9:.1f} GFLOP/s", f"fma_roof {isa} {threads}", flops))]
            for (isa, threads), flops in sorted(fma_roofs.items())]
    rows += [[entry("read bandwidth"), roof_threads(threads, "read_threads"),
              number(Traced(f"{rate / 1e9:.1f} GB/s", f"read_roof {threads}", rate))]
             for threads, rate in sorted(read_roofs.items())]
    return Table("table-roofs", "Measured roofs", ["roof", "threads", "value"], rows)


def roof_threads(threads, source):
    return number(Traced(threads_name(threads), f"{source} {threads}", threads))


def regret_table(landscapes):
    """How far the analytical default was from the best plan that the journal saw."""
    return Table("table-regret", "Regret", ["cell", "plans tried", "best plan", "ms", "regret of the default"], [
        [entry(place.label), number(traces.journal_plans(place)),
         entry(place.best_words), number(Traced(f"{place.best / 1e6:.3f}", f"journal_best {place.key}", place.best)),
         number(Traced(percent(place.regret), f"journal_regret {place.key}", place.regret))] for place in landscapes])


def facts(mapping, place):
    """(name, text) of a machine or measurement object at this place; null becomes "unknown"."""
    return [(key.replace("_bytes", "").replace("_", " "), traces.fact(fact(key, value), f"{place}.{key}"))
            for key, value in mapping.items()]


def fact(key, value):
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{name} {fact(key, part)}" for name, part in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(fact(key, part) for part in value) or "none"
    if key in ("caches", "memory_bytes") and isinstance(value, int):
        return binary_size(value)
    return percent(value) if key.endswith("_share") and isinstance(value, (int, float)) else str(value)


def binary_size(value):
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if value >= size:
            return f"{value / size:.4g} {unit}"
    return f"{value} B"


def command_line(words):
    if isinstance(words, list) and words:
        return shlex.join(str(word) for word in words)
    return "not recorded"
