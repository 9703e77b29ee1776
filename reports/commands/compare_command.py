"""sluice compare: two results, cell by cell.

Owns: the options of `sluice compare`, its text and JSON, and when it fails. Does not own: the page (compare_page.py),
which is imported late, because the text alone needs neither matplotlib nor jinja2, only SciPy.
"""

import argparse
import json
import math
import os

from reports.commands.command import CANNOT, OK, REGRESSION, Arguments, path_text, prepare, write_files
from reports.data.results import load_results
from reports.findings.run_words import machine_name, method, overview, percent_text, ratio_text
from reports.statistics.run_pairs import IGNORABLE, NORMALISATIONS, Run, compare_runs

PROGRAM = "sluice compare"
FAILURES = ("regression", "inconclusive")
USAGE_LINE = ("sluice compare A.json B.json [--normalise none|roof] [--ignore isa,threads] "
              "[--fail-on regression,inconclusive] [--min-effect 2%%] [--out DIR] [--json]")

DESCRIPTION = """\
Compare two results of `sluice bench`, cell by cell: two commits, two machines, two instruction sets.

The ratio is the time of B over the time of A, so above 1 B is slower. Each is estimated from the samples of both runs
(Yuen's test on logarithms: 20 % trimmed means, Welch's degrees of freedom), with the 95 % interval of that cell alone,
widened where one run was louder than the other. Verdicts hold over all cells together:
  slower, faster   proven at 5 % after Holm's correction for the number of cells
  tied             not so, its interval contains 1 and reaches no further than 1 % (or --min-effect, where that is
                   larger) to each side; or the samples are identical
  inconclusive     anything else

The interval knows the scatter within each run, not what changed between them: measure A and B in one session, and see
whether --normalise roof says the same."""

EXAMPLE = """\
example:
  sluice bench --model tinyllama --out out/before.json
  sluice bench --model tinyllama --out out/after.json
  sluice compare out/before.json out/after.json --fail-on regression --min-effect 2% --out out/compare

exit codes: 0 compared, 2 wrong usage, 3 a regression is proven (--fail-on regression), 4 a cell is inconclusive
(--fail-on inconclusive), nothing can be compared (any --fail-on), or a Python module is missing, 5 a file is missing,
unreadable, of a newer schema or unwritable, 130 interrupted"""


def parse(words):
    parser = Arguments(prog=PROGRAM, usage=USAGE_LINE, description=DESCRIPTION, epilog=EXAMPLE, allow_abbrev=False,
                       formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", metavar="A.json", type=path_text,
                        help="results to compare with, or a folder that holds results.json")
    parser.add_argument("after", metavar="B.json", type=path_text, help="results to judge, likewise")
    parser.add_argument("--normalise", default="none", choices=NORMALISATIONS,
                        help="roof: compare the time over that of the cell's own measured roof, which takes clock "
                        "frequency and bandwidth out (default: %(default)s)")
    parser.add_argument("--ignore", default=(), metavar="LIST", type=listed(IGNORABLE),
                        help="pair cells that differ in isa, threads or both")
    parser.add_argument("--fail-on", default=(), metavar="LIST", type=listed(FAILURES),
                        help="regression: exit with 3 when a cell is proven slower; inconclusive: with 4 when one is")
    parser.add_argument("--min-effect", default=0.0, metavar="PERCENT", type=effect,
                        help="a regression must be proven to exceed this, as in 2%% (default: 0%%); a tie may be as "
                        "wide")
    parser.add_argument("--out", metavar="DIR", type=path_text,
                        help="write index.html, compare.md and plots there, made when missing")
    parser.add_argument("--json", action="store_true", help="print every cell as JSON")
    return parser.parse_args(words)


def listed(allowed):
    def split(text):
        words = tuple(dict.fromkeys(text.split(",")))
        for word in words:
            if word not in allowed:
                raise argparse.ArgumentTypeError(f"{word!r} is not known, expected {' or '.join(allowed)}")
        return words
    return split


def effect(text):
    """'2%' as 0.02."""
    number = text.removesuffix("%").strip()
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    # A bare 2 could mean 2 % or 200 %.
    if not text.endswith("%") or not 0 <= value <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a percentage, expected one of 0% or more, as in 2%")
    return value / 100


def results_file(path):
    return os.path.join(path, "results.json") if os.path.isdir(path) else path


def compare_files(words):
    options = parse(words)
    runs = [Run(path, load_results(path)) for path in map(results_file, (options.before, options.after))]
    comparison = compare_runs(*runs, options.normalise, options.ignore, options.min_effect)
    paths = []
    if options.out:
        prepare(options.out)
        from reports.pages import compare_page

        files = compare_page.build(comparison)
        write_files(options.out, files)
        paths = [os.path.join(options.out, name) for name in files]
    code, reason = outcome(comparison, options.fail_on)
    if options.json:
        print(json.dumps(document(comparison, paths, reason), indent=2, allow_nan=False))
    else:
        print(text(comparison, paths, reason))
    return code


def outcome(comparison, fail_on):
    """(exit code, why)"""
    if not fail_on:
        return OK, None
    if not any(pair.ratio.half_width is not None for pair in comparison.pairs):
        return CANNOT, "no cell can be compared, which is no pass"
    if "regression" in fail_on and comparison.regressions:
        by = f" by more than {percent_text(comparison.min_effect)}" if comparison.min_effect else ""
        return REGRESSION, f"{len(comparison.regressions)} of {len(comparison.pairs)} cells are proven slower{by}"
    unknown = comparison.counts()["inconclusive"]
    if "inconclusive" in fail_on and unknown:
        return CANNOT, f"{unknown} of {len(comparison.pairs)} cells are inconclusive"
    return OK, None


def text(comparison, paths, reason):
    lines = []
    for name, run in (("A", comparison.before), ("B", comparison.after)):
        lines.append(f"{name}  {run.path}: {machine_name(run.results)}, "
                     f"Sluice {run.results.context.get('sluice_version') or 'unknown'}, "
                     f"{run.results.context.get('date') or 'unknown date'}")
    if comparison.pairs:
        rows = [("cell", "B/A", "95 % interval", "p", "verdict", "")]
        rows += [(pair.before.name, *ratio_text(pair), pair.verdict + (" !" if pair.regression else ""),
                  "; ".join(pair.remarks)) for pair in comparison.pairs]
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines += ["", *("  ".join(word.ljust(width) if index in (0, 4, 5) else word.rjust(width)
                                  for index, (word, width) in enumerate(zip(row, widths))).rstrip() for row in rows)]
    for name, names in (("A", comparison.only_before), ("B", comparison.only_after)):
        if names:
            lines += ["", f"Only in {name}:", *(f"  {cell}" for cell in names)]
    lines += ["", overview(comparison), method(comparison)]
    lines += [f"Note: {note}" for note in comparison.notes]
    if comparison.regressions:
        lines.append("Marked with !: " + ("slower by more than " + percent_text(comparison.min_effect)
                                          if comparison.min_effect else "proven slower") + ".")
    if reason:
        lines.append(f"Failed: {reason}.")
    if paths:
        lines.append(f"Report: {paths[0]}")
    return "\n".join(lines)


def document(comparison, paths, reason):
    """What --json prints."""
    cells = []
    for pair in comparison.pairs:
        cells.append({
            "cell": pair.before.name, "cell_b": pair.after.name, "ratio": pair.ratio.ratio, "low": pair.ratio.low,
            "high": pair.ratio.high, "p": pair.ratio.exceeds(0.0), "p_adjusted": pair.adjusted,
            "samples": [len(pair.before.samples), len(pair.after.samples)], "verdict": pair.verdict,
            "regression": pair.regression, "remarks": list(pair.remarks)})
    return {
        "schema": "sluice-compare", "schema_version": 1, "a": comparison.before.path, "b": comparison.after.path,
        "normalise": comparison.normalise, "ignored": list(comparison.ignored), "min_effect": comparison.min_effect,
        "correction": "holm", "counts": comparison.counts(), "geometric_mean": comparison.mean_ratio(), "cells": cells,
        "only_a": comparison.only_before, "only_b": comparison.only_after, "notes": comparison.notes,
        "failed": reason, "files": paths}
