"""Several machines side by side.

Owns: reading the folders of a fleet, what is known of each machine, and which cells all machines have; all but
load_fleet are pure functions. Does not own: showing the values (fleet_page.py).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from statistics import median

from reports.data.documents import InputError
from reports.data.records import Profile, Results
from reports.data.results import load_profile, load_results
from reports.findings import peers
from reports.findings.answer import headline_kind
from reports.findings.run_words import machine_name
from reports.statistics.comparison import Estimate, compare, pooled


@dataclass(frozen=True)
class Member:
    """One machine: a folder with results.json and perhaps profile.json."""

    name: str               # CPU and fingerprint, unique in the fleet
    folder: str
    results: Results
    profile: Profile | None
    comparisons: list       # with the ReLU baseline, all kinds


@dataclass(frozen=True)
class Summary:
    """One row: a machine over some of its cells."""

    member: Member
    kind: str | None
    cells: int
    toll: Estimate          # time ratio at equal budget
    width: Estimate         # at equal width
    roof: tuple             # least, median, greatest share; empty when none is known
    peers: float | None     # geometric mean of the best peer's time over Sluice's


def load_fleet(folders):
    """(members, sentences about what is missing or damaged); raises InputError when no member can be read."""
    found, problems, first = [], [], None
    for folder in folders:
        try:
            results = load_results(os.path.join(folder, "results.json") if os.path.isdir(folder) else folder)
        except InputError as error:
            problems.append(f"{error}; {folder} is left out")
            first = first or error
            continue
        profile = None
        path = os.path.join(folder, "profile.json")
        if os.path.isfile(path):
            try:
                profile = load_profile(path)
            except InputError as error:
                problems.append(f"{error}; the results beside it count")
        found.append((folder, results, profile))
    if not found:
        raise first
    names = [machine_name(results) for _, results, _ in found]
    # Two runs of one machine, or machines without a name, are told apart by their folders.
    names = [name if names.count(name) == 1 else f"{name}, {folder}" for name, (folder, _, _) in zip(names, found)]
    members = [Member(name, folder, results, profile, compare(results.cells))
               for name, (folder, results, profile) in zip(names, found)]
    for member in members:
        if not member.results.cells:
            problems.append(f"{member.folder} holds no measured cell; run sluice bench there.")
        problems += [f"{member.folder}: {sentence}" for sentence in member.results.skipped]
        problems += [f"{member.folder}: {cell.name} could not be measured: {cell.error}"
                     for cell in member.results.failed]
    return members, problems


def fleet_kind(members):
    """The gated kind that the most machines measured; among equals SwiGLU."""
    gated = [cell for member in members for cell in member.results.cells if cell.gated]
    if not gated:
        return None
    spread = {kind: sum(any(cell.kind == kind for cell in member.results.cells) for member in members)
              for kind in {cell.kind for cell in gated}}
    most = max(spread.values())
    return headline_kind([cell for cell in gated if spread[cell.kind] == most])


def place(cell):
    """The key by which cells of two machines are the same work. It has no ISA: each machine uses its fastest."""
    return (cell.d_model, cell.d_ff, cell.weights, cell.m, cell.threads)


def own_cells(member, kind):
    """{place: the member's fastest cell of the kind there}"""
    found = {}
    for cell in member.results.cells:
        if cell.kind == kind and (place(cell) not in found or cell.time_ns < found[place(cell)].time_ns):
            found[place(cell)] = cell
    return found


def common_places(members, kind):
    sets = [set(own_cells(member, kind)) for member in members if own_cells(member, kind)]
    return set.intersection(*sets) if len(sets) > 1 else set()


def summarise(member, kind, places=None):
    """The machine over its cells of the kind, or over those at `places`."""
    cells = [cell for where, cell in own_cells(member, kind).items() if places is None or where in places]
    keys = {cell.key for cell in cells}
    estimates = {what: pooled(
        [one for one in member.comparisons if one.what == what and one.gated.key in keys]).estimate
                 for what in ("budget", "width")}
    shares = [cell.roof_fraction for cell in cells if cell.roof_fraction is not None]
    best = peers.best([pair for pair in peers.beside(member.results.cells, member.results.peers)
                       if pair.own.key in keys])
    overall = next((mean.ratio for mean in peers.means(best) if mean.m is None and mean.weights == "f32"), None)
    return Summary(member, kind, len(cells), estimates["budget"], estimates["width"],
                   (min(shares), median(shares), max(shares)) if shares else (), overall)


def summaries(members, kind):
    """(every machine over its own cells, every machine over the cells that all have; [] when there are none)"""
    shared = common_places(members, kind)
    return ([summarise(member, kind) for member in members],
            [summarise(member, kind, shared) for member in members] if shared else [])


def comparison_at(member, cell, what):
    return next((one for one in member.comparisons if one.what == what and one.gated.key == cell.key), None)
