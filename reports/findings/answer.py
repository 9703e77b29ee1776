"""Says the answer in sentences.

Owns: names, the small table and the sentences per model that open the report, and the JSON summary; pure functions over
comparisons and cells. Does not own: where the words stand (page.py, report_command.py), what is missing (gaps.py).
"""

from dataclasses import dataclass

from reports.data.records import GATED_KINDS, weights_of
from reports.findings import traces
from reports.findings.prose import joined, prose
from reports.findings.traces import Traced, signed
from reports.statistics.comparison import BASELINE, IDEAL, pooled

KIND_NAMES = {
    "relu": "ReLU", "gelu": "GELU", "gelu_tanh": "GELU (tanh)", "silu": "SiLU", "swiglu": "SwiGLU", "geglu": "GEGLU",
    "geglu_tanh": "GEGLU (tanh)", "reglu": "ReGLU", "glu": "GLU", "bilinear": "Bilinear"}
ISA_NAMES = {"scalar": "scalar", "neon": "NEON", "avx2": "AVX2", "avx512": "AVX-512"}
ISA_ORDER = tuple(ISA_NAMES)
NO_BLOCK = 2**28     # a block size that no shape reaches: the dimension is not blocked
ROOF_NAMES = {"fma": "FMA peak", "dot": "peak of dot products", "read": "read bandwidth"}


@dataclass(frozen=True)
class Answer:
    """What the first screen says about one workload."""

    label: str
    heading: str        # kind, ISA
    sentences: list
    matrix: list        # as matrix() makes it


def kind_name(kind):
    return KIND_NAMES.get(kind, kind)


def isa_name(isa):
    return ISA_NAMES.get(isa, isa)


def isa_rank(isa):
    """Sorts ISAs from narrow to wide; an unknown one comes first."""
    return (ISA_ORDER.index(isa) if isa in ISA_ORDER else -1, isa)


def headline_weights(cells):
    """float32, or the first type among the cells if there is none of it."""
    present = {cell.weights for cell in cells}
    return "f32" if "f32" in present or not present else min(present)


def subject(kind, weights):
    """Names a kind for a source: "swiglu", "swiglu bf16"."""
    return kind if weights == "f32" else f"{kind} {weights}"


def with_weights(weights):
    return "" if weights == "f32" else f" with {weights} weights"


def group_name(first, gated):
    """Names cells of one shape, kind and ISA for a source: "tied swiglu avx512 2048 5632 f32"."""
    return f"{first} {gated.kind} {gated.isa} {gated.d_model} {gated.d_ff} {gated.weights}"


def at_m(cells, source):
    """'at M = 1, 4', with the thread counts, which are merged where their M are the same."""
    lists = {}
    for threads in sorted({cell.threads for cell in cells}):
        ms = ", ".join(str(cell.m) for cell in sorted(cells, key=lambda cell: cell.m) if cell.threads == threads)
        lists.setdefault(ms, []).append(str(threads))
    words = " and ".join(
        f"M = {ms} ({' and '.join(counts)} {'thread' if counts == ['1'] else 'threads'})"
        for ms, counts in lists.items())
    return prose("at ", Traced(words, f"at_m {source}", words))


def spread(values, form, source):
    """'a to b', or one value when they print alike."""
    low, high = form(min(values)), form(max(values))
    return Traced(low if low == high else f"{low} to {high}", f"spread_{source}", min(values))


def by_verdict(comparisons):
    groups = {}
    for comparison in comparisons:
        verdict = comparison.verdict if comparison.estimate.half_width is not None else "unpaired"
        groups.setdefault(verdict, []).append(comparison)
    order = ("tied", "slower", "faster", "inconclusive", "unpaired")
    return [(verdict, groups[verdict]) for verdict in order if verdict in groups]


def phrase(comparisons, words, form, unit):
    """What one workload costs: for each verdict the ratios, their interval (or the hull of several) and the M."""
    parts = []
    for verdict, group in by_verdict(comparisons):
        source = group_name(f"{group[0].what} {verdict}", group[0].gated)
        where = at_m([comparison.gated for comparison in group], source)
        if verdict == "unpaired":
            parts.append(prose("inconclusive ", where, " (fewer than two rounds in common)"))
            continue
        estimates = [comparison.estimate for comparison in group]
        low, high = min(estimate.low for estimate in estimates), max(estimate.high for estimate in estimates)
        within = "interval" if len(estimates) == 1 else "intervals within"
        parts.append(prose(
            words[verdict], " ", spread([estimate.ratio for estimate in estimates], form, f"ratios {source}"),
            f"{unit} ({within} ", Traced(f"[{form(low)}, {form(high)}]", f"hull {source}", low), ") ", where))
    return joined("; ", parts)


def budget_phrase(comparisons):
    words = {"tied": "tied with ReLU,", "slower": "a toll of", "faster": "faster than ReLU,",
             "inconclusive": "inconclusive,"}
    return phrase(comparisons, words, lambda ratio: signed(100 * (ratio - 1)), " %")


def width_phrase(comparisons):
    words = {"tied": "the ideal,", "slower": "above the ideal,", "faster": "below the ideal,",
             "inconclusive": "not told from the ideal (inconclusive),"}
    return phrase(comparisons, words, lambda ratio: f"{ratio:.3f}", "×")


def headline_kind(cells):
    """SwiGLU, or the first gated kind there is, or the first plain kind."""
    present = {cell.kind for cell in cells}
    return next((kind for kind in GATED_KINDS if kind in present), next(iter(sorted(present)), None))


def headline_isa(cells):
    """The widest ISA among the cells."""
    return max({cell.isa for cell in cells}, key=isa_rank)


def roof_sentence(cells):
    """How near a kind comes to the roof that binds it."""
    parts = []
    for roof, name in ROOF_NAMES.items():
        bound = [cell for cell in cells if cell.roof == roof and cell.roof_fraction is not None]
        if bound:
            source = group_name(f"roof {roof}", bound[0])
            fractions = [100 * cell.roof_fraction for cell in bound]
            parts.append(prose(spread(fractions, lambda value: f"{value:.0f}", f"ratios {source}"),
                               f" % of the measured {name} ", at_m(bound, source)))
    return prose("Share of the roof: ", joined("; ", parts), ".") if parts else "Share of the roof: not known."


def matrix(cells, comparisons, plans):
    """The small table of an answer: (threads, rows of M, toll, equal width, share of the roof, plan) per thread count.
    A toll or width is (mark, text, interval, verdict)."""
    found = {(comparison.what, comparison.gated.threads, comparison.gated.m): comparison for comparison in comparisons}
    groups = {}
    for cell in sorted(cells, key=lambda cell: (cell.threads, cell.m)):
        budget, width = (matrix_entry(found.get((what, cell.threads, cell.m))) for what in ("budget", "width"))
        groups.setdefault(traces.threads(cell), []).append(
            (traces.plain(cell, "m"), budget, width, traces.roof_share(cell, 0), plan_words(cell, plans)))
    return list(groups.items())


def matrix_entry(comparison):
    if comparison is None:
        return ("", "–", "", "")
    estimate, verdict = comparison.estimate, comparison.verdict
    if estimate.half_width is None:
        return ("", "?", "not two rounds", "inconclusive")
    # A sign beside the colour, for those who do not see it and for print.
    mark = {"tied": "≈ ", "inconclusive": "? "}.get(verdict, "")
    pair = (estimate, comparison.gated, comparison.baseline)
    if comparison.what == "budget":
        return (mark, traces.toll(*pair), traces.toll_interval(*pair), verdict)
    return (mark, traces.ratio(*pair), traces.interval(*pair), verdict)


def plan_words(cell, plans):
    """(tiling, full plan) of the profile's plan for the cell; where there is none, the analytical default serves."""
    wanted = (cell.d_model, cell.d_ff, cell.kind, cell.isa, cell.threads, cell.m)
    keys = ("d_model", "d_ff", "kind", "isa", "max_threads", "m")
    row = next((plan for plan in plans if tuple(plan[key] for key in keys) == wanted
                and weights_of(plan) == cell.weights), None)
    tiling = row and row.get("plan")
    if not tiling:
        return ("default", "the profile holds no plan for this cell; the analytical default serves")
    words = f"{tiling.get('mr')}×{tiling.get('nr')}"
    if isinstance(tiling.get("kc"), int) and tiling["kc"] < NO_BLOCK:
        words += f", kc\u00a0{tiling['kc']}"
    return (Traced(words, f"tile profile.{row['place']}.plan", words),
            traces.fact(", ".join(f"{key} {value}" for key, value in tiling.items()), f"profile.{row['place']}.plan"))


def answers(workloads, cells, comparisons, plans=()):
    """The first screen: one Answer for each gated workload."""
    found = []
    for workload in workloads:
        own = [cell for cell in cells if cell.gated and workload.owns(cell)]
        if not own:
            continue
        isa = headline_isa(own)
        own = [cell for cell in own if cell.isa == isa]
        kind = headline_kind(own)
        own = [cell for cell in own if cell.kind == kind]
        keys = {cell.key for cell in own}
        pairs = {what: [comparison for comparison in comparisons
                        if comparison.what == what and comparison.gated.key in keys] for what in IDEAL}
        sentences = [
            prose("At equal budget (the parameters and FLOPs of ReLU): ",
                  budget_phrase(pairs["budget"]) or absent(own[0], 1.5, "budget_shape"), "."),
            prose("At equal width (the d_ff of ReLU, 1.5× the FLOPs, ideal 1.5×): ",
                  width_phrase(pairs["width"]) or absent(own[0], 1, "shape"), "."),
            roof_sentence(own)]
        found.append(Answer(traces.label(workload), f"{kind_name(kind)} against ReLU{with_weights(workload.weights)}, {isa_name(isa)}", sentences,
                            matrix(own, pairs["budget"] + pairs["width"], plans)))
    return found


def absent(cell, factor, source):
    shape = f"{cell.d_model}×{factor * cell.d_ff:g}"
    return prose(f"not measured, the results hold no {BASELINE} cell of ",
                 Traced(shape, f"{source} {cell.place}", shape), " beside it")


def pooled_sentence(kind, weights, comparisons):
    """What the kind costs over all cells with such weights: a figure for each comparison, how much the cells differ, and
    which are not like the others."""
    of_kind = [comparison for comparison in comparisons
               if (comparison.gated.kind, comparison.gated.weights) == (kind, weights)]
    name = subject(kind, weights)
    parts, apart = [], []
    for what, words, end in (("budget", " against ReLU at equal budget (interval ", ""),
                             ("width", " times ReLU's time at equal width (interval ", ", ideal 1.5")):
        pool = pooled([comparison for comparison in of_kind if comparison.what == what])
        if pool.estimate.ratio is None:
            continue
        scatter = prose("; half of the cells lie within ", traces.pooled_spread(pool, what, name),
                        " of it") if pool.cells > 1 else ""
        parts.append(prose(traces.pooled(pool.estimate, what, name), words,
                           traces.pooled_interval(pool.estimate, what, name), end, scatter, ")"))
        apart += pool.apart
    if not parts:
        return ""
    return prose(f"On this machine {kind_name(kind)}{with_weights(weights)} costs ", joined(" and ", parts),
                 ", over all shapes, thread counts and M, each cell alike. ", *map(apart_sentence, apart))


def apart_sentence(comparison):
    """Names a cell that is not like the others, with its plan, which is the likeliest cause."""
    gated, budget = comparison.gated, comparison.what == "budget"
    pair = (comparison.estimate, gated, comparison.baseline)
    plan = prose("; its plan is ", plan_fact(gated)) if gated.plan else ""
    return prose("Not like the others is ", traces.shape(gated), " at M = ", traces.plain(gated, "m"), ", ",
                 traces.threads(gated), f", {isa_name(gated.isa)}: ",
                 traces.toll(*pair) if budget else traces.ratio(*pair), f" at equal {comparison.what}, interval ",
                 traces.toll_interval(*pair) if budget else traces.interval(*pair), plan, ". ")


def plan_fact(cell):
    """The whole plan that the cell was measured with."""
    return traces.fact(", ".join(f"{key} {value}" for key, value in cell.plan.items()), f"{cell.place}.plan")


def overview(cells, comparisons):
    """The sentence above all others: verdict counts of the headline kind, and the roof over its cells."""
    gated = [cell for cell in cells if cell.gated]
    if not gated:
        return "No gated kind was measured, so there is nothing to compare with ReLU."
    weights = headline_weights(gated)
    others = sorted({cell.weights for cell in gated} - {weights})
    every, gated = gated, [cell for cell in gated if cell.weights == weights]
    kind = headline_kind(gated)
    name = subject(kind, weights)
    tolls = [comparison for comparison in comparisons if comparison.what == "budget"
             and (comparison.gated.kind, comparison.gated.weights) == (kind, weights)]
    if tolls:
        counts = {verdict: traces.count(sum(toll.verdict == verdict for toll in tolls), f"budget {verdict} {name}")
                  for verdict in ("tied", "slower", "faster", "inconclusive")}
        text = prose(pooled_sentence(kind, weights, comparisons), "Cell by cell, at equal budget it is tied with ReLU in ",
                     counts["tied"], " of ", traces.count(len(tolls), f"budget any {name}"),
                     " measured cell", "s" if len(tolls) != 1 else "", ", slower in ", counts["slower"], ", faster in ",
                     counts["faster"], ", inconclusive in ", counts["inconclusive"], ".")
    else:
        text = f"{kind_name(kind)} has no ReLU baseline of equal budget in these results."
    fractions = [cell.roof_fraction for cell in gated if cell.kind == kind and cell.roof_fraction is not None]
    if fractions:
        text = prose(text, " It runs at ", traces.roof_range(fractions, name), " of the measured roof, median ",
                     traces.roof_median(fractions, name), ".")
    if others:
        kinds = [headline_kind([cell for cell in every if cell.weights == other]) for other in others]
        text = prose(text, " ", *(pooled_sentence(kind, other, comparisons) for kind, other in zip(kinds, others)))
    return text


def summary(comparisons, notes, files):
    """The document that --json prints."""
    rows = []
    for comparison in comparisons:
        gated, estimate = comparison.gated, comparison.estimate
        rows.append({
            "models": list(gated.models), "d_model": gated.d_model, "d_ff": gated.d_ff, "weights": gated.weights,
            "kind": gated.kind, "baseline": comparison.baseline.kind, "baseline_d_ff": comparison.baseline.d_ff,
            "comparison": comparison.what, "ideal": IDEAL[comparison.what], "isa": gated.isa,
            "threads": gated.threads, "m": gated.m, "ratio": estimate.ratio, "low": estimate.low,
            "high": estimate.high, "pairs": estimate.pairs, "verdict": comparison.verdict, "toll": comparison.toll,
            "cell": gated.name, "baseline_cell": comparison.baseline.name})
    return {"schema": "sluice-report", "schema_version": 1, "comparisons": rows, "missing": notes, "files": files}
