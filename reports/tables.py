"""Lays the numbers out in tables.

Owns: columns, rows and sort keys of every table that is not the data of a figure. The templates only print them.
"""

import shlex
from dataclasses import dataclass

from answer import (ROOF_NAMES, isa_name, kind_name, percent, ratio_interval, signed, threads_name, toll_interval)
from comparison import IDEAL, order
from part_figures import PHASE_NAMES
from quality_figures import plan_label, plan_order, scaling_rows


@dataclass(frozen=True)
class Entry:
    """A table cell: what is printed, what it sorts by, where it leads."""

    text: str
    value: object
    link: str | None = None     # anchor of a row in the table of cells
    anchor: str | None = None   # this row's own anchor
    tone: str | None = None     # a verdict, for its colour


@dataclass(frozen=True)
class Table:
    name: str
    title: str
    columns: list
    rows: list

    def numeric(self, column):
        """Whether the column sorts by number and stands to the right."""
        return all(isinstance(row[column].value, (int, float)) for row in self.rows)


def entry(text, value=None, **extra):
    text = str(text)
    return Entry(text, text if value is None else value, **extra)


def number(value, digits):
    return entry("–", -1) if value is None else entry(f"{value:.{digits}f}", value)


def anchors(cells):
    """Each cell's anchor in the table of cells; ratios link to the two cells they are made of."""
    return {cell.key: f"cell-{index}" for index, cell in enumerate(sorted(cells, key=order), 1)}


def model_names(cell):
    return ", ".join(cell.models) or "–"


def place(cell):
    return [entry(model_names(cell)), entry(f"{cell.d_model}×{cell.d_ff}", cell.d_model * cell.d_ff),
            entry(kind_name(cell.kind)), entry(isa_name(cell.isa)), entry(cell.threads, cell.threads),
            entry(cell.m, cell.m)]


PLACE = ["model", "shape", "kind", "ISA", "threads", "M"]


def comparison_table(what, comparisons, cells):
    """The toll table (budget) or its equal-width counterpart; every ratio links to its two cells."""
    anchor = anchors(cells)
    rows = []
    for comparison in comparisons:
        if comparison.what != what:
            continue
        gated, baseline, estimate = comparison.gated, comparison.baseline, comparison.estimate
        row = place(gated) + [number(estimate.ratio, 3)]
        known = estimate.half_width is not None
        if what == "budget":
            toll = comparison.toll
            row.append(entry("–", -9) if toll is None else entry(f"{signed(100 * toll)} %", toll))
            row.append(entry(f"{toll_interval(estimate)} %" if known else "–", estimate.low if known else -1))
        else:
            row.append(number(None if estimate.ratio is None else estimate.ratio / IDEAL[what], 3))
            row.append(entry(ratio_interval(estimate) if known else "–", estimate.low if known else -1))
        row += [entry(comparison.verdict, tone=comparison.verdict), entry(estimate.pairs, estimate.pairs),
                number(gated.flops / 1e9, 1), number(baseline.flops / 1e9, 1),
                number(gated.ns_per_token / 1e3, 2), number(baseline.ns_per_token / 1e3, 2),
                entry("gated", gated.name, link=anchor[gated.key]),
                entry("ReLU", baseline.name, link=anchor[baseline.key])]
        rows.append(row)
    middle = ["toll", "toll, 95 % interval"] if what == "budget" else ["÷ ideal 1.5", "95 % interval of the ratio"]
    title = "The toll: equal budget" if what == "budget" else "Equal width"
    return Table(f"table-{what}", title, PLACE + [
        "time ratio", *middle, "verdict", "pairs", "GFLOP/s", "ReLU GFLOP/s", "µs per token", "ReLU µs per token",
        "from", "and"], rows)


def cell_table(cells):
    anchor = anchors(cells)
    rows = []
    for cell in sorted(cells, key=order):
        rows.append([entry(cell.name, anchor=anchor[cell.key])] + place(cell) + [
            number(cell.time_ns / 1e3, 1), number(cell.flops / 1e9, 1), number(cell.bytes_per_second / 1e9, 2),
            entry(percent(cell.roof_fraction), -1 if cell.roof_fraction is None else cell.roof_fraction),
            entry(ROOF_NAMES.get(cell.roof, "–")), entry(len(cell.samples), len(cell.samples)),
            entry(cell.contended_samples, cell.contended_samples), entry(cell.plan_origin or "–"),
            entry("all contended" if cell.contended else "")])
    return Table("table-cells", "Every cell", ["cell"] + PLACE + [
        "µs per call", "GFLOP/s", "GB/s", "% of roof", "roof", "samples", "contended", "plan", "remark"], rows)


def tuned_table(plans):
    rows = []
    for plan in sorted(plans, key=plan_order):
        measured, tiling = plan.get("measured"), plan.get("plan") or {}
        row = [entry(plan_label(plan))]
        if measured:
            verdict = str(measured.get("verdict") or "–")
            row += [number(measured["ratio_to_default"], 3),
                    entry(f"[{measured['ratio_low']:.3f}, {measured['ratio_high']:.3f}]", measured["ratio_low"]),
                    entry(verdict, tone=verdict),
                    number(measured.get("pairs"), 0), number(measured.get("trials"), 0),
                    entry(percent(measured.get("roof_fraction")), measured.get("roof_fraction") or -1),
                    entry(percent(measured.get("contended_share"), 0), measured.get("contended_share") or 0)]
        else:
            row += [entry("not measured", -1)] + [entry("–", -1)] * 6
        rows.append(row + [entry(fact("plan", tiling))])
    return Table("table-tuned", "Tuned plans", [
        "plan for", "time, tuned ÷ default", "95 % interval", "verdict", "pairs", "trials", "% of roof", "contended",
        "tiling and threads"], rows)


def scaling_table(cells):
    return Table("table-scaling", "Thread scaling", PLACE + ["speed-up over 1 thread", "efficiency"], [
        place(cell) + [number(speedup, 2), entry(percent(speedup / cell.threads, 0), speedup / cell.threads)]
        for cell, speedup in scaling_rows(cells)])


def phase_table(cells):
    known = [cell for cell in sorted(cells, key=order) if cell.phases]
    return Table("table-phases", "Where the time goes", PLACE + list(PHASE_NAMES.values()), [
        place(cell) + [entry(percent(cell.phases[phase]), cell.phases[phase]) for phase in PHASE_NAMES]
        for cell in known])


def peer_table(chosen, cells):
    """The best peer of each cell."""
    anchor = anchors(cells)
    rows = []
    for pair in chosen:
        estimate, known = pair.estimate, pair.estimate.half_width is not None
        library = " ".join(word for word in (pair.peer.peer, pair.peer.peer_version) if word)
        rows.append(place(pair.own) + [
            entry(library), entry(pair.peer.peer_variant or "–"), number(estimate.ratio, 3),
            entry(ratio_interval(estimate) if known else "–", estimate.low if known else -1),
            entry(pair.verdict, tone=pair.verdict), entry(estimate.pairs, estimate.pairs),
            number(pair.own.flops / 1e9, 1), number(pair.peer.flops / 1e9, 1),
            entry("Sluice", pair.own.name, link=anchor[pair.own.key])])
    return Table("table-peers", "The best peer of each cell", PLACE + [
        "best peer", "variant", "time ÷ Sluice's", "95 % interval", "Sluice is", "pairs", "GFLOP/s", "peer GFLOP/s",
        "from"], rows)


def mean_table(means):
    rows = [[entry("all" if mean.m is None else mean.m, mean.m or 1e18), number(mean.ratio, 3), number(mean.least, 3)]
            + [entry(count, count) for count in mean.verdicts.values()] for mean in means]
    return Table("table-peer-means", "By M", ["M", "geometric mean of time ÷ Sluice's", "least"]
                 + (list(means[0].verdicts) if means else []), rows)


KERNEL_FORMS = {"microkernel": "packed", "in_place": "in place", "wide": "wide"}


def micro_table(micros):
    """The share of the FMA peak that each microkernel reaches with its operands in L1 and in L2."""
    kernels = {}
    for micro in micros:
        if micro.group in KERNEL_FORMS and micro.tile:
            kernels.setdefault((micro.isa, micro.group, micro.tile), {})[micro.operands] = micro.fma_fraction
    return Table("table-microkernels", "Microkernels", ["ISA", "A", "tile", "L1, % of FMA peak", "L2, % of FMA peak"], [
        [entry(isa_name(isa)), entry(KERNEL_FORMS[group]), entry(tile)]
        + [entry(percent(levels.get(level)), levels.get(level) or -1) for level in ("L1", "L2")]
        for (isa, group, tile), levels in kernels.items()])


def part_table(micros):
    """The micro benchmarks that are no microkernel."""
    return Table("table-parts", "Other parts", ["part", "ns", "GB/s", "ns per element"], [
        [entry(micro.name.removeprefix("micro/")), number(micro.time_ns, 1),
         number(micro.bytes_per_second and micro.bytes_per_second / 1e9, 1), number(micro.ns_per_element, 3)]
        for micro in micros if micro.group not in KERNEL_FORMS])


def roof_table(fma_roofs, read_roofs):
    rows = [[entry(f"FMA peak, {isa_name(isa)}"), entry(threads_name(threads), threads),
             entry(f"{flops / 1e9:.1f} GFLOP/s", flops)] for (isa, threads), flops in sorted(fma_roofs.items())]
    rows += [[entry("read bandwidth"), entry(threads_name(threads), threads), entry(f"{rate / 1e9:.1f} GB/s", rate)]
             for threads, rate in sorted(read_roofs.items())]
    return Table("table-roofs", "Measured roofs", ["roof", "threads", "value"], rows)


def facts(mapping):
    """(name, text) of a machine or measurement object; null is said as unknown."""
    return [(key.replace("_", " "), fact(key, value)) for key, value in mapping.items()]


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
