"""Writes the commands that measure a part of the report again.

Owns: the command line for some cells or plans. Does not own: the commands that made the two files, which these hold.
"""

import shlex


def listed(values):
    return ",".join(str(value) for value in dict.fromkeys(values))


def bench_command(cells, context, *options):
    """The commands that measure these cells, a line for each ISA; --equal adds the baselines."""
    profile, measurement = context.get("profile"), context.get("measurement")
    words = list(options)
    if isinstance(measurement, dict) and measurement.get("cold") is False:
        words.append("--hot")
    if isinstance(profile, dict) and isinstance(profile.get("path"), str):
        words += ["--profile", profile["path"]]
    lines = []
    for isa in sorted({cell.isa for cell in cells}):
        own = [(cell, cell.threads) for cell in cells if cell.isa == isa]
        lines.append(shlex.join(["sluice", "bench", *selection(own), *words]))
    return "\n".join(lines)


def tune_command(plans, *options):
    """The command that tunes these plans again."""
    rows = [Row(plan) for plan in plans]
    return shlex.join(["sluice", "tune", *selection([(row, row.max_threads) for row in rows]), *options])


class Row:
    """A plan of a profile, read like a cell."""

    def __init__(self, plan):
        self.kind, self.isa = plan["kind"], plan["isa"]
        self.d_model, self.d_ff = plan["d_model"], plan["d_ff"]
        self.m, self.max_threads = plan["m"], plan["max_threads"]
        self.models, self.gated = tuple(plan.get("models") or ()), None


def selection(cells):
    """The options that select these cells: by shape when there is one shape, else by model when all cells have one."""
    own = [cell for cell, _ in cells]
    gated = {(cell.d_model, cell.d_ff) for cell in own if cell.gated}
    # --equal adds the baseline of equal budget to its gated shape, so its own shape is not selected.
    shapes = sorted({(cell.d_model, cell.d_ff) for cell in own} - {
        (d_model, 3 * d_ff // 2) for d_model, d_ff in gated if 2 * (3 * d_ff // 2) == 3 * d_ff})
    words = []
    if len(shapes) == 1:
        words += ["--d-model", str(shapes[0][0]), "--d-ff", str(shapes[0][1])]
    elif all(cell.models for cell in own):
        words += ["--model", listed(model for cell in own for model in cell.models)]
    if gated and any(not cell.gated for cell in own):
        budget = any((cell.d_model, cell.d_ff) not in gated for cell in own)
        width = any(not cell.gated and (cell.d_model, cell.d_ff) in gated for cell in own)
        words += ["--equal", listed([name for name, here in (("width", width), ("budget", budget)) if here])]
    return words + ["--kind", listed(cell.kind for cell in own), "--m", listed(sorted({cell.m for cell in own})),
                    "--threads", listed(sorted({threads for _, threads in cells})),
                    "--isa", listed(cell.isa for cell in own)]
