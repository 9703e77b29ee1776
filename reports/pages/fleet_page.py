"""Puts the fleet's page and Markdown together.

Owns: the tables, figures and sentences of `sluice report --fleet`, as the bytes of the files. Does not own: writing
these (fleet_command.py).
"""

from reports.figures.drawing import (
    DASHES, INK, MARKERS, SERIES, canvas, dodge, file_name, finish, legend_above, set_m_axis)
from reports.findings.answer import isa_name, kind_name
from reports.findings.fleet import comparison_at, fleet_kind, own_cells, summaries
from reports.findings.traces import percent, ratio_interval, signed, threads_name, toll_interval_text
from reports.pages.page import environment
from reports.pages.tables import Table, command_line, decimal, entry, fact
from reports.statistics.comparison import workloads

FACTS = ("vendor", "isas", "caches", "cores", "available_threads", "cgroup_quota", "numa_nodes", "memory_bytes", "os",
         "compiler", "governor", "hypervisor")


def build(members, problems):
    """{file name: bytes}"""
    kind = fleet_kind(members)
    every, same = summaries(members, kind)
    figures = toll_figures(members, kind) + roof_figures(members, kind)
    values = {
        "title": f"{len(members)} machines", "heading": f"What the gate costs on {len(members)} "
        f"machine{'s' if len(members) != 1 else ''}",
        "origin": "; ".join(f"{member.name}: Sluice {member.results.context.get('sluice_version') or 'unknown'}, "
                            f"{member.results.context.get('date') or 'unknown date'}" for member in members),
        "sentences": sentences(every, same), "notes": problems, "kind": kind_name(kind) if kind else "no gated kind",
        "every": summary_table("table-machines", "Each machine over its own cells", every),
        "same": summary_table("table-common", f"Over the {same[0].cells if same else 0} cells that all have", same),
        "roofs": roof_table(members), "cells": cell_table(members, kind), "machines": machine_table(members),
        "figures": figures,
        "commands": [(member.name, member.folder, command_line(member.results.context.get("command")))
                     for member in members],
    }
    surroundings = environment()
    files = {"index.html": surroundings.get_template("fleet.html.j2").render(values).encode("utf-8", "replace"),
             "fleet.md": surroundings.get_template("fleet.md.j2").render(values).encode("utf-8", "replace")}
    return files | {f"{figure.name}.png": figure.png for figure in figures}


def sentences(every, same):
    """One sentence for each machine, over the cells that all machines have when there are any."""
    found = [f"Over the {same[0].cells} cells that all machines have:"] if same else []
    for one in same or every:
        parts = []
        if one.toll.ratio is not None:
            parts.append(f"costs {signed(100 * (one.toll.ratio - 1))} % {toll_interval_text(one.toll)} against ReLU at "
                         "equal budget")
        if one.width.ratio is not None:
            parts.append(f"takes {one.width.ratio:.3f} times as long {ratio_interval(one.width)} at equal width")
        if one.roof:
            parts.append(f"runs at {percent(one.roof[0], 0)} to {percent(one.roof[2], 0)} of the roof, median "
                         f"{percent(one.roof[1], 0)}")
        if one.peers is not None:
            parts.append(f"is {one.peers:.3f} times as fast as the best other library")
        what = kind_name(one.kind) if one.kind else "a gated kind"
        found.append(f"{one.member.name}: {what} " + ("; ".join(parts) if parts else "was not measured") + ".")
    return found


def ratio_entries(estimate, toll):
    if estimate.ratio is None:
        return [entry("–", -9), entry("–", -9)]
    if toll:
        return [entry(f"{signed(100 * (estimate.ratio - 1))} %", estimate.ratio), entry(
            toll_interval_text(estimate), estimate.low)]
    return [entry(f"{estimate.ratio:.3f}", estimate.ratio), entry(ratio_interval(estimate), estimate.low)]


def summary_table(name, title, chosen):
    rows = []
    for one in chosen:
        shares = one.roof or (None, None, None)
        rows.append([entry(one.member.name), *ratio_entries(one.toll, True), *ratio_entries(one.width, False)] + [
            entry(percent(share, 0), -1 if share is None else share) for share in shares] + [
            decimal(one.peers, 3), entry(one.cells, one.cells)])
    return Table(name, title, ["machine", "toll", "toll, 95 % interval", "equal width", "equal width, 95 % interval",
                               "of the roof, least", "median", "greatest", "best peer ÷ Sluice", "cells"], rows)


def roof_table(members):
    rows = []
    for member in members:
        profile = member.profile
        fma = member.results.fma_roofs or (profile.fma_roofs if profile else {})
        read = member.results.read_roofs or (profile.read_roofs if profile else {})
        rows += [[entry(member.name), entry(f"FMA peak, {isa_name(isa)}"), entry(threads_name(threads), threads),
                  entry(f"{flops / 1e9:.1f} GFLOP/s", flops)] for (isa, threads), flops in sorted(fma.items())]
        rows += [[entry(member.name), entry("read bandwidth"), entry(threads_name(threads), threads),
                  entry(f"{rate / 1e9:.1f} GB/s", rate)] for threads, rate in sorted(read.items())]
    return Table("table-roofs", "Measured roofs", ["machine", "roof", "threads", "value"], rows)


def cell_table(members, kind):
    """Every place, with the toll and the share of the roof on each machine."""
    own = [own_cells(member, kind) for member in members]
    rows = []
    for where in sorted(set().union(*own)):
        d_model, d_ff, weights, m, threads = where
        row = [entry(f"{d_model}×{d_ff}" + ("" if weights == "f32" else f" {weights}"), d_model * d_ff),
               entry(threads, threads), entry(m, m)]
        for member, cells in zip(members, own):
            cell = cells.get(where)
            pair = cell and comparison_at(member, cell, "budget")
            if pair and pair.toll is not None:
                row.append(entry(f"{signed(100 * pair.toll)} %", pair.toll, tone=pair.verdict))
            else:
                row.append(entry("–", -9))
            share = cell.roof_fraction if cell else None
            row.append(entry(percent(share, 0), -1 if share is None else share))
        rows.append(row)
    columns = ["shape", "threads", "M"]
    for member in members:
        columns += [f"{member.name}: toll", "of the roof"]
    return Table("table-cells", "Cell by cell", columns, rows)


def machine_table(members):
    rows = [[entry(key.replace("_", " "))] + [entry(fact(key, member.results.machine.get(key))) for member in members]
            for key in FACTS]
    return Table("table-facts", "The machines", ["fact", *(member.name for member in members)], rows)


def line_style(index):
    return {"color": SERIES[index % len(SERIES)], "marker": MARKERS[index % len(MARKERS)],
            "linestyle": DASHES[index % len(DASHES)]}


def facets(members, kind):
    """(workload, threads) -> [(index of the machine, its cells by M)]"""
    found = {}
    shapes = workloads([cell for member in members for cell in own_cells(member, kind).values()])
    for shape in shapes:
        for index, member in enumerate(members):
            lines = {}
            for cell in own_cells(member, kind).values():
                if shape.owns(cell):
                    lines.setdefault(cell.threads, []).append(cell)
            for threads, cells in lines.items():
                found.setdefault((shape, threads), []).append((index, sorted(cells, key=lambda cell: cell.m)))
    return dict(sorted(found.items(), key=lambda item: (item[0][0].shape, item[0][1])))


def toll_figures(members, kind):
    figures = []
    for (shape, threads), lines in facets(members, kind).items():
        drawing, (axes,) = canvas(1, 3.0)
        axes.axhline(0, color=INK, linewidth=1, linestyle=(0, (4, 3)))
        rows = []
        for index, cells in lines:
            pairs = [comparison_at(members[index], cell, "budget") for cell in cells]
            pairs = [pair for pair in pairs if pair and pair.estimate.half_width is not None]
            if not pairs:
                continue
            tolls = [100 * pair.toll for pair in pairs]
            axes.errorbar([dodge(pair.gated.m, index, len(members)) for pair in pairs], tolls, yerr=[
                [toll - 100 * (pair.estimate.low - 1) for toll, pair in zip(tolls, pairs)],
                [100 * (pair.estimate.high - 1) - toll for toll, pair in zip(tolls, pairs)]],
                capsize=2.5, label=members[index].name, **line_style(index))
            rows += [[members[index].name, pair.gated.m, f"{signed(100 * pair.toll)} %",
                      toll_interval_text(pair.estimate)] for pair in pairs]
        if not rows:
            continue
        set_m_axis(axes, [row[1] for row in rows])
        axes.set_ylabel("toll, %")
        legend_above(axes, 1)
        figures.append(finish(
            drawing, file_name("toll", shape.shape, f"t{threads}"), f"Toll, {shape.label}, {threads_name(threads)}",
            f"Time of {kind_name(kind)} over ReLU at equal budget, minus 1; bars are 95 % intervals.",
            f"Toll of {kind_name(kind)} by M on {len(lines)} machines, {shape.label}, {threads_name(threads)}.",
            ["machine", "M", "toll", "95 % interval"], rows))
    return figures


def roof_figures(members, kind):
    figures = []
    for (shape, threads), lines in facets(members, kind).items():
        drawing, (axes,) = canvas(1, 3.0)
        rows = []
        for index, cells in lines:
            known = [cell for cell in cells if cell.roof_fraction is not None]
            if known:
                axes.plot([cell.m for cell in known], [100 * cell.roof_fraction for cell in known],
                          label=members[index].name, **line_style(index))
                rows += [[members[index].name, cell.m, isa_name(cell.isa), percent(cell.roof_fraction)]
                         for cell in known]
        if not rows:
            continue
        axes.set_ylim(0, max(105, axes.get_ylim()[1]))
        set_m_axis(axes, [row[1] for row in rows])
        axes.set_ylabel("% of the own roof")
        legend_above(axes, 1)
        figures.append(finish(
            drawing, file_name("share", shape.shape, f"t{threads}"),
            f"Share of the roof, {shape.label}, {threads_name(threads)}",
            "Speed over the roof that binds, measured on the same machine.",
            f"Share of each machine's roof by M, {kind_name(kind)}, {shape.label}, {threads_name(threads)}.",
            ["machine", "M", "ISA", "% of the roof"], rows))
    return figures
