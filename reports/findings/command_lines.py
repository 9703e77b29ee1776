"""Writes the commands that measure a part of the report again.

Owns: the command line for some cells or plans. Does not own: the commands that made the two files, which these hold.
"""

import shlex

from reports.data.records import weights_of


def listed(values):
    return ",".join(str(value) for value in dict.fromkeys(values))


def bench_command(cells, context, *options):
    """The commands that measure these cells, a line for each ISA and group; --equal adds the baselines."""
    profile, measurement = context.get("profile"), context.get("measurement")
    words = list(options)
    if isinstance(measurement, dict) and measurement.get("cold") is False:
        words.append("--hot")
    if isinstance(profile, dict) and isinstance(profile.get("path"), str):
        words += ["--profile", profile["path"]]
    lines = []
    for isa in sorted({cell.isa for cell in cells}):
        for group in groups([(cell, cell.threads) for cell in cells if cell.isa == isa]):
            lines.append(shlex.join(["sluice", "bench", *selection(group), *words]))
    return "\n".join(lines)


def tune_command(plans, *options):
    """The commands that tune these plans again, a line for each group."""
    rows = [Row(plan) for plan in plans]
    return "\n".join(shlex.join(["sluice", "tune", *selection(group), *options])
                     for group in groups([(row, row.max_threads) for row in rows]))


class Row:
    """A plan of a profile, read like a cell."""

    def __init__(self, plan):
        self.kind, self.isa, self.weights = plan["kind"], plan["isa"], weights_of(plan)
        self.d_model, self.d_ff = plan["d_model"], plan["d_ff"]
        self.m, self.max_threads = plan["m"], plan["max_threads"]
        self.models, self.gated = tuple(plan.get("models") or ()), None


def groups(cells):
    """The cells in groups that one command can select: all where they have one shape or a model each, else by shape."""
    own = [cell for cell, _ in cells]
    baselines = baseline_shapes(own)
    shape_of = [baselines.get((cell.d_model, cell.d_ff), (cell.d_model, cell.d_ff)) for cell in own]
    if len(set(shape_of)) <= 1 or all(cell.models for cell in own):
        return [cells] if cells else []
    return [[cell for cell, its in zip(cells, shape_of) if its == shape] for shape in sorted(set(shape_of))]


def baseline_shapes(cells):
    """The gated shape of each baseline of equal budget, which --equal adds to its gated shape."""
    gated = {(cell.d_model, cell.d_ff) for cell in cells if cell.gated}
    return {(d_model, 3 * d_ff // 2): (d_model, d_ff) for d_model, d_ff in gated
            if 3 * d_ff % 2 == 0 and (d_model, 3 * d_ff // 2) not in gated}


def selection(cells):
    """The options that select the cells of one group: by shape when there is one, else by model."""
    own = [cell for cell, _ in cells]
    gated = {(cell.d_model, cell.d_ff) for cell in own if cell.gated}
    # --equal adds the baseline of equal budget to its gated shape, so its own shape is not selected.
    shapes = sorted({(cell.d_model, cell.d_ff) for cell in own} - set(baseline_shapes(own)))
    words = []
    if len(shapes) == 1:
        words += ["--d-model", str(shapes[0][0]), "--d-ff", str(shapes[0][1])]
    else:
        words += ["--model", listed(model for cell in own for model in cell.models)]
    if gated and any(not cell.gated for cell in own):
        budget = any((cell.d_model, cell.d_ff) not in gated for cell in own)
        width = any(not cell.gated and (cell.d_model, cell.d_ff) in gated for cell in own)
        words += ["--equal", listed([name for name, here in (("width", width), ("budget", budget)) if here])]
    words += ["--kind", listed(cell.kind for cell in own)]
    if any(cell.weights != "f32" for cell in own):
        parts = [cell.weights.split("/") for cell in own]
        words += ["--weights", listed(part[0] for part in parts)]
        if any(len(part) > 1 for part in parts):
            words += ["--arithmetic", listed((part + ["f32"])[1] for part in parts)]
    return words + ["--m", listed(sorted({cell.m for cell in own})),
                    "--threads", listed(sorted({threads for _, threads in cells})),
                    "--isa", listed(cell.isa for cell in own)]
