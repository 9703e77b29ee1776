"""Reads the journal of a tuning.

Owns: the landscape of each tuned cell (the time of every plan tried) and the regret of its default. A journal is JSON
Lines and may end anywhere; a line that cannot be read is skipped. Does not own: drawing it (landscape_figures.py).
"""

import json
from dataclasses import dataclass
from statistics import median

from reports.data.documents import InputError
from reports.data.records import weights_of
from reports.findings.answer import isa_name, kind_name, with_weights
from reports.findings.traces import Traced, threads_name

CELL = ("isa", "kind", "weights", "d_model", "d_ff", "m", "max_threads")
AXES = ("mr", "nr", "kc", "mc", "nc", "fc", "prefetch", "schedule", "threads")


@dataclass(frozen=True)
class Landscape:
    """One cell: the time of each plan, the analytical default first."""

    cell: dict      # what was tuned, as in the file
    label: str
    plans: list     # (plan, median ns) in the order they were first tried

    @property
    def key(self):
        return cell_key(self.cell.values())

    @property
    def best(self):
        return min(time for _, time in self.plans)

    @property
    def best_words(self):
        plan = next(plan for plan, time in self.plans if time == self.best)
        words = ", ".join(f"{name} {value}" for name, value in plan.items())
        return Traced(words, f"journal_best_plan {self.key}", words)

    @property
    def regret(self):
        return self.plans[0][1] / self.best - 1

    def axes(self):
        """The two parameters with the most values tried; None when fewer than two vary."""
        counts = {name: len({json.dumps(plan.get(name)) for plan, _ in self.plans}) for name in AXES}
        varied = sorted((name for name in AXES if counts[name] > 1), key=lambda name: -counts[name])
        return varied[:2] if len(varied) > 1 else None


def load_landscapes(path):
    """The landscapes of a journal, in its order. Every trial of a plan counts, contended or not."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            lines = stream.readlines()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}), expected a journal; write one with sluice tune "
                         "--journal FILE") from None
    cells = {}
    for line in lines:
        trial = read_trial(line)
        if trial:
            plans = cells.setdefault(tuple(trial[name] for name in CELL) + (trial.get("slice"),), {})
            plan = json.dumps(trial["plan"], sort_keys=True)
            plans.setdefault(plan, (trial["plan"], []))[1].append(trial["cost_ns"])
    found = {}
    for cell, plans in cells.items():
        # A cell may have been timed on several slices; the slice with the most plans is its landscape.
        if cell[:-1] not in found or len(plans) > len(found[cell[:-1]].plans):
            found[cell[:-1]] = landscape(cell[:-1], plans)
    if not found:
        raise InputError(f"{path} holds no trial, expected a journal of sluice tune --journal FILE; tune again with it")
    return list(found.values())


def read_trial(line):
    """The trial of a line; None for other records and for damaged lines."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or record.get("record") != "trial" or not isinstance(record.get("plan"), dict):
        return None
    record["weights"] = weights_of(record)
    cost = record.get("cost_ns")
    whole = all(isinstance(record.get(name), int) and record[name] > 0 for name in CELL[3:])
    words = all(isinstance(record.get(name, "f32"), str) for name in (*CELL[:3], "arithmetic"))
    return record if whole and words and isinstance(cost, (int, float)) and 0 < cost < 1e30 else None


def landscape(cell, plans):
    isa, kind, weights, d_model, d_ff, m, threads = cell
    times = [(plan, median(costs)) for plan, costs in plans.values()]
    label = (f"{kind_name(kind)}{with_weights(weights)} {d_model}×{d_ff}, M {m}, {isa_name(isa)}, "
             f"≤ {threads_name(threads)}")
    return Landscape(dict(zip(CELL, cell)), Traced(label, f"journal_cell {cell_key(cell)}", label), times)


def cell_key(values):
    return "/".join(str(value) for value in values)
