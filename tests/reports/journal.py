"""A journal of a tuning for the tests, and what the page must say of it.

Owns: its lines, and a function for each source that names a journal. Does not own: the other sources (oracle.py).
"""

import json
import statistics


def journal_lines():
    """Trials of one cell over two parameters, some disturbed, with records of other kinds and torn lines between."""
    lines = [json.dumps({"record": "header", "number": 0, "schema": "sluice-journal"})]
    cell = {"isa": "avx512", "kind": "swiglu", "d_model": 2048, "d_ff": 5632, "slice": 5632, "m": 64, "max_threads": 1}
    for kc in (256, 128, 384):
        for mr in (8, 13):
            for number in range(3):
                lines.append(json.dumps({
                    "record": "trial", "number": len(lines), **cell, "contended": number == 2, "round": number,
                    "plan": {"nr": 32, "mr": mr, "kc": kc}, "took_ns": 5, "roof_fraction": 0.9,
                    "cost_ns": (9 if number == 2 else 1) * (1e6 + 1e3 * abs(kc - 384) - 2e3 * mr + number)}))
    return [*lines, '{"record": "end"}', lines[-1][:40], "", "[1]", '{"record": "trial", "plan": {}}']


class JournalOracle:
    """Computes what a source should print from the trials alone."""

    def __init__(self, trials):
        self.trials = trials

    def tried(self, key):
        """[(plan, median of its trials)] of a cell of the journal."""
        costs = {}
        for trial in self.trials:
            if trial.get("record") == "trial" and key == "/".join(
                    str(trial.get(name, "f32")) for name in (
                        "isa", "kind", "weights", "d_model", "d_ff", "m", "max_threads")):
                costs.setdefault(json.dumps(trial["plan"]), []).append(trial["cost_ns"])
        return [(json.loads(plan), statistics.median(times)) for plan, times in costs.items()]

    def of_journal_plans(self, key):
        return [len(self.tried(key))]

    def of_journal_best(self, key):
        return [min(time for _, time in self.tried(key)) / 1e6]

    def of_journal_regret(self, key):
        plans = self.tried(key)
        return [100 * (plans[0][1] / min(time for _, time in plans) - 1)]

    def of_journal_cell(self, key):
        return [int(number) for number in key.split("/")[3:]]

    def of_journal_best_plan(self, key):
        return [value for value in min(self.tried(key), key=lambda item: item[1])[0].values()
                if isinstance(value, int) and not isinstance(value, bool)]

    def field(self, key, values):
        """The least time of the plans with these values."""
        wanted = {name: json.loads(value) for name, value in (word.split("=") for word in values)}
        return min(time for plan, time in self.tried(key)
                   if all(plan[name] == value for name, value in wanted.items()))

    def of_journal_field(self, key, *values):
        return [self.field(key, values) / 1e6]

    def of_journal_percent(self, key, *values):
        return [100 * self.field(key, ()) / self.field(key, values)]

    def of_journal_axis(self, key, value):
        return [json.loads(value.partition("=")[2])] if self.field(key, (value,)) else []
