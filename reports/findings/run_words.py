"""Says in words how two runs compare.

Owns: number formats of run ratios, the opening sentences, the sentence on the method, a machine's name. Pure functions;
compare_command.py and compare_page.py place the words, fleet.py names its machines here.
"""

from reports.statistics.run_pairs import VERDICTS


def machine_name(results):
    """The CPU and the beginning of the machine's fingerprint."""
    name = str(results.machine.get("cpu") or "unknown machine")
    fingerprint = results.machine.get("fingerprint")
    return f"{name} ({fingerprint[:6]})" if isinstance(fingerprint, str) and fingerprint else name


def percent_text(value):
    return f"{100 * value:g} %"


def plain(value):
    """Three decimals; three significant digits for a value that is far from 1."""
    return f"{value:.3f}" if 0.001 <= value < 1e6 else f"{value:.3g}"


def interval_text(ratio):
    return "–" if ratio.half_width is None else f"[{plain(ratio.low)}, {plain(ratio.high)}]"


def ratio_text(pair):
    """(ratio, interval, corrected p-value)"""
    return ("–" if pair.ratio.ratio is None else plain(pair.ratio.ratio), interval_text(pair.ratio),
            "–" if pair.adjusted is None else p_text(pair.adjusted))


def p_text(value):
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def overview(comparison):
    """The sentence above all others."""
    if not comparison.pairs:
        return "No cell is in both runs, so there is nothing to compare."
    counts, total = comparison.counts(), len(comparison.pairs)
    text = f"Of {total} cell{'s' if total != 1 else ''} B is " + ", ".join(
        f"{verdict} in {counts[verdict]}" for verdict in VERDICTS) + "."
    mean = comparison.mean_ratio()
    if mean is not None:
        what = ", each over its roof's," if comparison.normalise == "roof" else ","
        text += f" The geometric mean of the times{what} B over A, is {plain(mean)}."
    if comparison.min_effect:
        count = len(comparison.regressions)
        text += f" Proven slower by more than {percent_text(comparison.min_effect)}: {count}."
    return text


def method(comparison):
    text = ("Intervals are 95 % of each cell alone, uncorrected; p and the verdict are corrected for the number of "
            "cells (Holm, 5 % over all together).")
    if comparison.normalise == "roof":
        text += (" Times are over the time of the cell's own measured roof; the roof's own error is not in the "
                 "interval.")
    return text
