"""Says what smaller weights buy: time, up to which M.

Owns: the sentences on cells that were measured with several types of weights. Does not own: the pairs (comparison.py),
the table (tables.py).
"""

from reports.findings import traces
from reports.findings.answer import isa_name, kind_name, spread
from reports.findings.prose import prose
from reports.findings.traces import Traced


def sentences(smaller):
    """A sentence for each kind, shape, ISA, type and number of threads, from smaller_weights() of comparison.py."""
    groups = {}
    for one in smaller:
        cell = one.cell
        groups.setdefault((cell.d_model, cell.d_ff, cell.kind, cell.isa, cell.weights, cell.threads), []).append(one)
    return [sentence(sorted(group, key=lambda one: one.cell.m)) for group in groups.values()]


def sentence(group):
    """`group`: the same but for M, in ascending M."""
    cell = group[0].cell
    known = [one for one in group if one.estimate.half_width is not None]
    place = prose(f"{kind_name(cell.kind)} ", traces.shape(cell), f" on {isa_name(cell.isa)} with ",
                  traces.threads(cell), f": {cell.weights} weights ")
    if not known:
        return prose(place, "were not measured in two rounds beside float32 ones.")
    stops = stops_paying(known)
    paying = [one for one in known if stops is None or one.cell.m < stops]
    if not paying:
        return prose(place, "are not proven faster than float32 ones at any measured M.")
    name = f"{cell.kind} {cell.isa} {cell.d_model} {cell.d_ff} {cell.weights} {cell.threads}"
    ratios = spread([one.estimate.ratio for one in paying], lambda ratio: f"{ratio:.3f}", f"smaller {name}")
    ms = ", ".join(str(one.cell.m) for one in paying)
    text = prose(place, "take ", ratios, " of the time of float32 ones at M = ", Traced(ms, f"paying_m {name}", ms))
    if stops is None:
        return prose(text, ".")
    return prose(text, "; from M = ", traces.stops_paying(cell, stops), " on no gain is proven.")


def stops_paying(group):
    """The smallest M from which on no measured cell is proven faster than with float32 weights; None: the last one is."""
    stops = None
    for one in reversed(group):
        if one.verdict == "faster":
            break
        stops = one.cell.m
    return stops
