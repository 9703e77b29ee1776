"""Puts the page and the Markdown of `sluice compare` together.

Owns: which table and figure stands where, and their rows, as the bytes of the files. Does not own: writing these
(compare_command.py).
"""

from reports.figures import compare_figures
from reports.findings.run_words import interval_text, machine_name, method, overview, p_text, percent_text, plain
from reports.pages.page import environment
from reports.pages.tables import PLACE, Table, command_line, entry, fact, place
from reports.statistics.comparison import TIED_HALF_WIDTH
from reports.statistics.run_pairs import labels

CHANGED = ("slower", "faster")
MACHINE_FACTS = ("cpu", "fingerprint", "isas", "caches", "cores", "available_threads", "cgroup_quota", "memory_bytes",
                 "os", "compiler", "governor", "hypervisor")
MEASUREMENT_FACTS = ("clock", "cold", "seed", "contended_share")


def build(comparison):
    """{file name: bytes}"""
    pairs = comparison.pairs
    changed = sorted((pair for pair in pairs if pair.verdict in CHANGED),
                     key=lambda pair: (CHANGED.index(pair.verdict), -abs(pair.ratio.logarithm)))
    first, rest = compare_figures.cell_figures(pairs), compare_figures.shape_figures(pairs)
    before, after = labels(comparison.before, comparison.after)
    least = percent_text(comparison.min_effect)
    values = {
        "title": f"{after} against {before}", "heading": f"{after} (B) against {before} (A)",
        "origin": f"A: {origin(comparison.before)}. B: {origin(comparison.after)}.",
        "overview": overview(comparison), "method": method(comparison), "notes": comparison.notes,
        "changed": pair_table("table-changed", "Cells that differ", changed, least),
        "cells": pair_table("table-pairs", "Every cell", pairs, least),
        "min_effect": least,
        "tied_percent": percent_text(max(TIED_HALF_WIDTH, comparison.min_effect)),
        "alone": [("A", comparison.only_before), ("B", comparison.only_after)],
        "first_figures": first, "figures": rest,
        "facts": fact_table(comparison),
        "commands": [(name, run.path, command_line(run.results.context.get("command")))
                     for name, run in (("A", comparison.before), ("B", comparison.after))],
    }
    surroundings = environment()
    files = {"index.html": surroundings.get_template("compare.html.j2").render(values).encode("utf-8", "replace"),
             "compare.md": surroundings.get_template("compare.md.j2").render(values).encode("utf-8", "replace")}
    return files | {f"{figure.name}.png": figure.png for figure in first + rest}


def origin(run):
    context = run.results.context
    return (f"{machine_name(run.results)}, Sluice {context.get('sluice_version') or 'unknown'}, "
            f"{context.get('date') or 'unknown date'}")


def pair_table(name, title, pairs, min_effect):
    rows = []
    for pair in pairs:
        ratio, before, after = pair.ratio, pair.before, pair.after
        # The answer stands first: the right end of the table is out of sight on a phone.
        rows.append([
            entry(pair.verdict, tone=pair.verdict),
            entry("–", -1) if ratio.ratio is None else entry(plain(ratio.ratio), ratio.ratio),
            entry(interval_text(ratio), -1 if ratio.low is None else ratio.low)] + place(before) + [
            entry("–", 2) if pair.adjusted is None else entry(p_text(pair.adjusted), pair.adjusted),
            entry("yes" if pair.beyond else "no"),
            entry(f"{before.time_ns / 1e3:.1f}", before.time_ns), entry(f"{after.time_ns / 1e3:.1f}", after.time_ns),
            entry(len(before.samples), len(before.samples)), entry(len(after.samples), len(after.samples)),
            entry("; ".join(pair.remarks))])
    return Table(name, title, ["B is", "B/A", "95 % interval", *PLACE, "p, corrected", f"beyond {min_effect}", "A, µs",
                               "B, µs", "A, samples", "B, samples", "remark"], rows)


def fact_table(comparison):
    """Machine, build and measurement of both sides, marked where they differ."""
    sides = (comparison.before.results, comparison.after.results)
    rows = []

    def add(name, key, values):
        if any(value is not None for value in values):
            texts = [fact(key, value) for value in values]
            rows.append([entry(name), *map(entry, texts), entry("differs" if texts[0] != texts[1] else "")])

    for key in ("sluice_version", "date"):
        add(key.replace("_", " "), key, [side.context.get(key) for side in sides])
    for key in MACHINE_FACTS:
        add(key.replace("_", " "), key, [side.machine.get(key) for side in sides])
    measurements = [side.context.get("measurement") for side in sides]
    for key in MEASUREMENT_FACTS:
        add(key.replace("_", " "), key, [one.get(key) if isinstance(one, dict) else None for one in measurements])
    for isa, threads in sorted(set(sides[0].fma_roofs) | set(sides[1].fma_roofs)):
        values = [side.fma_roofs.get((isa, threads)) for side in sides]
        add(f"FMA peak, {isa}, threads {threads}", "", [value and f"{value / 1e9:.1f} GFLOP/s" for value in values])
    for threads in sorted(set(sides[0].read_roofs) | set(sides[1].read_roofs)):
        values = [side.read_roofs.get(threads) for side in sides]
        add(f"read bandwidth, threads {threads}", "", [value and f"{value / 1e9:.1f} GB/s" for value in values])
    return Table("table-facts", "Machine, build, roofs", ["", "A", "B", "differs"], rows)
