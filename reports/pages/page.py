"""Puts the page and the Markdown summary together.

Owns: which figure and table stands where, and the templates' environment, as the bytes of the files. Does not own:
writing these (report_command.py).
"""

import csv
import io
import re
import urllib.parse
from pathlib import Path

import jinja2

from reports.figures import figures, landscape_figures, part_figures, quality_figures
from reports.findings import answer, peers, traces, weights
from reports.findings.glossary import GLOSSARY
from reports.findings.prose import prose, sources
from reports.pages import plan_comparison_tables, tables, tiles
from reports.statistics.comparison import IDEAL, TIED_HALF_WIDTH, smaller_weights

TEMPLATES = Path(__file__).resolve().parent / "templates"


def environment():
    surroundings = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=lambda name: bool(name) and ".html" in name,
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    surroundings.filters["markdown"] = escape_markdown
    surroundings.filters["csv_link"] = csv_link
    surroundings.filters["sources"] = sources
    surroundings.globals["glossary"] = GLOSSARY
    return surroundings


def csv_link(figure):
    """The data of a figure as a link that saves a CSV file."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([figure.columns, *figure.rows])
    return "data:text/csv;charset=utf-8," + urllib.parse.quote(text.getvalue())


def escape_markdown(text):
    """Escapes plain text for a Markdown table or paragraph, whatever characters a file holds."""
    return re.sub(r"([\\`*_<>|#\[\]~])", r"\\\1", " ".join(str(text).split()))


def told(document, key, place):
    """A text of a file; "unknown" when the file lacks it."""
    value = document.get(key)
    return traces.word(str(value), place + key) if value else "unknown"


def made_by(document, date, place):
    """(command, date, version) of a file."""
    words = document.get("command")
    line = tables.command_line(words)
    return (traces.command(line, place + "command") if isinstance(words, list) and words else line,
            told(document, date, place), told(document, "sluice_version", place))


def build(profile, results, workloads, comparisons, notes, doubts, landscapes=(), static=None):
    """{file name: bytes} of the whole report."""
    cells, context = results.cells, results.context
    fma_roofs = results.fma_roofs or profile.fma_roofs
    read_roofs = results.read_roofs or profile.read_roofs
    machine, described = (results.machine, "context.machine") if results.machine else (
        profile.machine, "profile.machine")
    pairs = peers.beside(cells, results.peers)
    best_peers = peers.best(pairs)
    smaller = smaller_weights(cells)
    groups = {
        "cost": [figure for workload in workloads
                 for figure in figures.cost_figures(workload, cells, comparisons, context)
                 + figures.speed_figures(workload, cells, context)],
        "roof": [figure for workload in workloads for figure in figures.roof_figures(
            workload, cells, fma_roofs, read_roofs, context)],
        "roofline": figures.roofline_figures(cells, fma_roofs, read_roofs, context),
        "phases": [figure for workload in workloads for figure in part_figures.phase_figures(workload, cells, context)],
        "peers": [figure for workload in workloads for figure in part_figures.peer_figures(workload, pairs, context)],
        "tuned": quality_figures.tuned_figures(profile.plans) + landscape_figures.landscape_figures(landscapes),
        "scaling": [figure for workload in workloads
                    for figure in quality_figures.scaling_figures(workload, cells, context)],
        "noise": quality_figures.noise_figures(cells, comparisons, context),
    }
    # A pull request takes 65 536 characters: the summary lists the headline kinds, the page every kind.
    headline = [comparison for comparison in comparisons if comparison.gated.kind == answer.headline_kind(
        [cell for cell in cells if cell.d_model == comparison.gated.d_model and cell.d_ff == comparison.gated.d_ff])]
    measurement = results.context.get("measurement")
    values = {
        "cpu": str(machine.get("cpu") or "this machine"),
        "version": str(results.context.get("sluice_version") or "unknown"),
        "date": str(results.context.get("date") or "unknown"),
        "origin": prose("Measured by Sluice ", told(results.context, "sluice_version", "context."), ", ",
                        told(results.context, "date", "context.")),
        "overview": answer.overview(cells, comparisons),
        "answers": answer.answers(workloads, cells, comparisons, profile.plans),
        "tiles": tiles.tiles(cells, comparisons, profile.plans),
        "regret": tables.regret_table(landscapes),
        "notes": notes, "doubts": doubts, "figures": groups, "static": static,
        "tied_percent": f"{100 * TIED_HALF_WIDTH:g} %",
        "budget": tables.comparison_table("budget", comparisons, cells),
        "width": tables.comparison_table("width", comparisons, cells),
        "smaller": tables.smaller_table(smaller, cells), "smaller_sentences": weights.sentences(smaller),
        "accuracy": tables.accuracy_table(results.accuracy),
        "summary_phases": tables.phase_table(
            [cell for cell in cells if cell.key in {comparison.gated.key for comparison in headline}]),
        "summary_tables": [tables.comparison_table(what, headline, cells) for what in IDEAL],
        "phases": tables.phase_table(cells), "microkernels": tables.micro_table(results.micros),
        "parts": tables.part_table(results.micros),
        "peers": tables.peer_table(best_peers, cells), "peer_means": tables.mean_table(peers.means(best_peers)),
        "peer_sentences": peers.sentences(pairs),
        "failed_peers": [f"{cell.name} could not be measured: {cell.error}" for cell in results.failed_peers],
        "plan_comparisons": plan_comparison_tables.sections(cells, results.baseline_plan_cells),
        "tuned": tables.tuned_table(profile.plans), "scaling": tables.scaling_table(cells),
        "roofs": tables.roof_table(fma_roofs, read_roofs), "cells": tables.cell_table(cells, context),
        "machine": tables.facts(machine, described),
        "measurement": tables.facts(measurement, "context.measurement") if isinstance(measurement, dict) else [],
        "profile_use": tables.facts(results.context["profile"], "context.profile")
        if isinstance(results.context.get("profile"), dict) else [],
        "commands": [("profile", *made_by(profile.document, "created", "profile.")),
                     ("results", *made_by(results.context, "date", "context."))],
    }
    surroundings = environment()
    files = {"index.html": surroundings.get_template("report.html.j2").render(values).encode("utf-8", "replace"),
             "report.md": surroundings.get_template("report.md.j2").render(values).encode("utf-8", "replace")}
    for group in groups.values():
        for figure in group:
            files |= {f"{figure.name}.png": figure.png, f"{figure.name}.svg": figure.drawing}
    return files
