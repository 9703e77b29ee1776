"""sluice report: turns a profile and benchmark results into a page, plots and a Markdown summary.

Owns: the options of `sluice report`, and which verb is meant. The drawing modules are imported late, so that --help and
input errors need no library beside Python's own.
"""

import argparse
import json
import os
import sys

from reports.commands import compare_command, fleet_command
from reports.commands.command import OK, Arguments, complain, path_text, prepare, run, write_files
from reports.data.results import load_profile, load_results
from reports.findings.answer import answers, overview, summary
from reports.findings.gaps import doubts, missing_parts
from reports.findings.landscapes import load_landscapes
from reports.statistics.comparison import compare, workloads

PROGRAM = "sluice report"

DESCRIPTION = """\
Write a report on what the gate of a feed-forward network costs on this machine.

Reads the profile of `sluice tune` and the results of `sluice bench`, and writes into the output directory:
  index.html   one self-contained page: the answer, plots, tables, the machine
  report.md    a summary for a pull request
  *.png, *.svg every plot"""

EXAMPLE = """\
example:
  sluice tune --model tinyllama --profile out/profile.json
  sluice bench --model tinyllama --kind relu,swiglu --profile out/profile.json --out out/results.json
  sluice report --profile out/profile.json --results out/results.json --out out/report

  sluice report --fleet desk/ server/ --out out/fleet

exit codes: 0 written, 2 wrong usage, 4 a Python module is missing, 5 a file is missing, unreadable, of a newer
schema or unwritable, 130 interrupted"""


def parse(words):
    parser = Arguments(prog=PROGRAM,
                       usage="sluice report [--profile FILE] [--results FILE | --fleet DIR...] [--journal FILE]\n"
                             "                     [--static FILE] [--out DIR] [--json]",
                       description=DESCRIPTION, epilog=EXAMPLE, allow_abbrev=False,
                       formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", default="out/profile.json", metavar="FILE", type=path_text,
                        help="tuned profile (default: %(default)s)")
    parser.add_argument("--results", default="out/results.json", metavar="FILE", type=path_text,
                        help="benchmark results (default: %(default)s)")
    parser.add_argument("--fleet", nargs="+", metavar="DIR", type=path_text,
                        help="several machines on one page: folders that hold results.json and perhaps profile.json; "
                        "writes index.html, fleet.md and plots")
    parser.add_argument("--static", metavar="FILE", type=path_text,
                        help="predictions of scripts/analyze.sh, shown beside what was measured")
    parser.add_argument("--journal", metavar="FILE", type=path_text,
                        help="journal of `sluice tune --journal`: adds the tile landscape and the regret")
    parser.add_argument("--out", default="out/report", metavar="DIR", type=path_text,
                        help="directory of the report, made when missing (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print every ratio and the list of files as JSON")
    if words and words[0] in ("-h", "--help"):
        words = ["report", *words]
    if not words or words[0] != "report":
        parser.error((f"the verb is {words[0]!r}" if words else "no verb") + ", expected report or compare")
    return parser.parse_args(words[1:])


def short_summary(cells, comparisons, found, index):
    lines = [overview(cells, comparisons)]
    for answer in found:
        lines += ["", f"{answer.label}: {answer.heading}"] + [f"  {sentence}" for sentence in answer.sentences]
    return "\n".join([*lines, "", f"Report: {index}"])


def load_predictions(path):
    # static.py imports the tables, which need the drawing libraries.
    from reports.pages.static import load_static

    return load_static(path)


def report(options):
    if options.fleet:
        return fleet_command.report_fleet(options, PROGRAM)
    profile = load_profile(options.profile)
    results = load_results(options.results)
    landscapes = load_landscapes(options.journal) if options.journal else []
    static = load_predictions(options.static) if options.static else None
    prepare(options.out)
    from reports.pages import page

    cells = results.cells
    comparisons = compare(cells)
    shapes = workloads(cells)
    notes = missing_parts(profile, results, cells, comparisons)
    reasons = doubts(profile, results)
    files = page.build(profile, results, shapes, comparisons, notes, reasons, landscapes, static)
    write_files(options.out, files)
    for doubt in reasons:
        complain(PROGRAM, f"warning: {doubt}")
    paths = [os.path.join(options.out, name) for name in files]
    if options.json:
        print(json.dumps(summary(comparisons, notes + reasons, paths), indent=2, allow_nan=False))
    else:
        print(short_summary(cells, comparisons, answers(shapes, cells, comparisons), paths[0]))
    return OK


def main(words):
    if words[:1] == ["compare"]:
        return run(compare_command.PROGRAM, lambda: compare_command.compare_files(words[1:]))
    return run(PROGRAM, lambda: report(parse(words)))

