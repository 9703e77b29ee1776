"""Says what the report cannot say.

Owns: the sentences on what the two files lack, each with what would mend it, and on whether they belong together. Pure
functions over what was read; the page prints them first.
"""

from reports.findings import traces
from reports.findings.prose import prose
from reports.statistics.comparison import whole_over_portions


def missing_parts(profile, results, cells, comparisons):
    """Says what the report cannot tell, and what would mend it."""
    notes = []
    gated = [cell for cell in cells if cell.gated]
    if not cells:
        notes.append("The results hold no measured cell; run sluice bench.")
    elif not gated:
        notes.append("No gated kind was measured; run sluice bench with --kind relu,swiglu.")
    if results.asked is not None and results.reported is not None and results.reported < results.asked:
        counts = [traces.Traced(str(value), f"context.measurement.{name}", value)
                  for name, value in (("cells_reported", results.reported), ("cells", results.asked))]
        notes.append(prose("The run was interrupted: it came to ", counts[0], " of ", counts[1], " cells."))
    for what, width in (("budget", "1.5·d_ff"), ("width", "the same d_ff")):
        having = {comparison.gated.key for comparison in comparisons if comparison.what == what}
        lone = [cell for cell in gated if cell.key not in having]
        if lone:
            some = ", ".join(cell.name for cell in lone[:3]) + (", …" if len(lone) > 3 else "")
            notes.append(prose(
                f"No ReLU baseline of equal {what} (relu at {width}, same M, ISA and threads) for ",
                traces.count(len(lone), f"lone {what}"), " of ", traces.count(len(gated), "gated"),
                f" gated cells: {some}. Run sluice bench with relu among --kind."))
    unpaired = [comparison for comparison in comparisons if comparison.estimate.half_width is None]
    if unpaired:
        notes.append(prose(
            traces.count(len(unpaired), "unpaired"), " of ", traces.count(len(comparisons), "comparisons"),
            " comparisons have fewer than two rounds in common and stay inconclusive; measure longer."))
    contended = [cell.name for cell in cells if cell.contended]
    if contended:
        notes.append("Every sample was contended, so speed and fractions are lower bounds: "
                     f"{', '.join(contended)}.")
    notes += sampled_in_portions(cells)
    notes += [f"{cell.name} could not be measured: {cell.error}" for cell in results.failed]
    if gated and len({cell.m for cell in gated}) == 1:
        notes.append(prose("Only M = ", traces.plain(gated[0], "m"),
                           " was measured, so nothing is said about other M; give --m a list."))
    if cells and len({cell.threads for cell in cells}) == 1:
        notes.append(prose("Only ", traces.threads(cells[0]),
                           " was measured, so thread scaling is unknown; give --threads a list."))
    if cells and any(cell.roof_fraction is None for cell in cells):
        notes.append("Some cells have no roof fraction; they are absent from the roof plots.")
    if not results.fma_roofs and not profile.fma_roofs:
        notes.append("Neither file holds a measured FMA roof; run sluice bench or sluice tune.")
    if not profile.plans:
        notes.append("The profile holds no tuned plan; run sluice tune.")
    elif not any(plan.get("measured") for plan in profile.plans):
        notes.append("No plan of the profile was measured against the analytical default; run sluice tune.")
    return notes + results.skipped


def sampled_in_portions(cells):
    """Says how many cells were sampled in portions, and how well these agree with whole forwards."""
    portioned = [cell for cell in cells if cell.portions > 1]
    if not portioned:
        return []
    checked = whole_over_portions(portioned)
    check = ()
    if checked.half_width is not None:
        check = (" Forwards taken whole beside them, ", traces.count(checked.pairs, "wholes"), " in all, took ",
                 traces.wholes(checked), " ", traces.wholes_interval(checked), " of what their portions add up to.")
    return [prose(
        "The forwards of ", traces.count(len(portioned), "portioned"), " of ", traces.count(len(cells), "cells"),
        " cells take so long that portions of them were sampled in turns, and their times made up from those.", *check)]


def doubts(profile, results):
    """Reasons to doubt that the two files belong together."""
    ours, theirs = profile.machine.get("fingerprint"), results.machine.get("fingerprint")
    if ours and theirs and ours != theirs:
        return [f"the profile is of machine {ours}, the results of {theirs}; "
                "tuned plans and results are not comparable"]
    return []
