"""sluice report --fleet: several machines on one page.

Owns: its output on the terminal and the files it writes. Does not own: the options (report_command.py), the words
(fleet_page.py).
"""

import json
import os

from reports.commands.command import OK, complain, prepare, write_files
from reports.findings.fleet import fleet_kind, load_fleet, summaries


def report_fleet(options, program):
    members, problems = load_fleet(options.fleet)
    prepare(options.out)
    from reports.pages import fleet_page

    files = fleet_page.build(members, problems)
    write_files(options.out, files)
    for problem in problems:
        complain(program, f"warning: {problem}")
    paths = [os.path.join(options.out, name) for name in files]
    every, same = summaries(members, fleet_kind(members))
    if options.json:
        print(json.dumps(document(every, same, problems, paths), indent=2, allow_nan=False))
    else:
        print("\n".join([*fleet_page.sentences(every, same), "", f"Report: {paths[0]}"]))
    return OK


def document(every, same, problems, paths):
    """What --json prints."""
    def ratio(estimate):
        return {"ratio": estimate.ratio, "low": estimate.low, "high": estimate.high}

    def rows(chosen):
        return [{
            "machine": one.member.name, "folder": one.member.folder, "kind": one.kind, "cells": one.cells,
            "budget": ratio(one.toll), "width": ratio(one.width), "peers": one.peers,
            "roof_fraction": dict(zip(("least", "median", "greatest"), one.roof or (None, None, None)))}
            for one in chosen]

    return {"schema": "sluice-fleet", "schema_version": 1, "machines": rows(every), "common_cells": rows(same),
            "missing": problems, "files": paths}
