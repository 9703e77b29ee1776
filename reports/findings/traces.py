"""Writes numbers so that each can be followed back to the file it came from.

Owns: the text of the numbers of tables and tiles, and their sources. A source is the place of a value in results.json,
"benchmarks[3].m" (of the profile: "profile.plans[0].measured.pairs"), or the name of a formula and the entries it is
computed from, "ratio benchmarks[3] benchmarks[0]". The page carries it as data-source; tests/reports/test_traces.py
computes each formula anew from the files. Does not own: the statistics (comparison.py).
"""

import math
from statistics import median

from reports.findings.prose import prose
from reports.statistics.comparison import IDEAL


class Traced(str):
    """A printed number, the value behind it, and its source."""

    source: str
    value: object

    def __new__(cls, text, source, value):
        self = super().__new__(cls, text)
        self.source, self.value = source, value
        return self


def signed(value, digits=1):
    """A number with a true minus sign; a rounded zero has no sign."""
    text = f"{value:+.{digits}f}".replace("-", "−")
    return text[1:] if float(f"{value:.{digits}f}") == 0 else text


def percent(value, digits=1):
    return "–" if value is None else f"{100 * value:.{digits}f} %"


def signed_percent(value):
    return f"{signed(100 * value)} %"


def toll_interval_text(estimate):
    return f"[{signed(100 * (estimate.low - 1))}, {signed(100 * (estimate.high - 1))}] %"


def ratio_interval(estimate):
    return f"[{estimate.low:.3f}, {estimate.high:.3f}]"


def plain(cell, name):
    """A whole number of the entry as it stands there."""
    value = getattr(cell, name)
    return Traced(str(value), f"{cell.place}.{name}", value)


def threads_name(threads):
    return "1 thread" if threads == 1 else f"{threads} threads"


def threads(cell):
    return Traced(threads_name(cell.threads), f"{cell.place}.threads", cell.threads)


def shape(cell):
    return Traced(f"{cell.d_model}×{cell.d_ff}", f"shape {cell.place}", cell.d_model * cell.d_ff)


def label(workload):
    """The name of a workload, as Workload.label has it."""
    size = f"{workload.d_model}×{workload.d_ff}"
    known = prose(Traced(size, f"shape {workload.place}", size), "" if workload.weights == "f32" else
                  f" {workload.weights}")
    return prose(", ".join(workload.models), " (", known, ")") if workload.models else known


def gflops(cell):
    return Traced(f"{cell.flops / 1e9:.1f}", f"giga {cell.place}.flops", cell.flops / 1e9)


def gigabytes(cell):
    return Traced(f"{cell.bytes_per_second / 1e9:.2f}", f"giga {cell.place}.bytes_per_second",
                  cell.bytes_per_second / 1e9)


def us_per_call(cell):
    return Traced(f"{cell.time_ns / 1e3:.1f}", f"us_per_call {cell.place}", cell.time_ns / 1e3)


def us_per_token(cell):
    return Traced(f"{cell.ns_per_token / 1e3:.2f}", f"us_per_token {cell.place}", cell.ns_per_token / 1e3)


def intensity(cell):
    value = cell.flops / cell.bytes_per_second
    return Traced(f"{value:.3g}", f"intensity {cell.place}", value)


def roof_share(cell, digits=1):
    return share(cell.roof_fraction, f"{cell.place}.roof_fraction", digits)


def share(value, source, digits=1):
    """A fraction as per cent; one that is not known has no source and sorts first."""
    return "–" if value is None else Traced(percent(value, digits), f"percent {source}", value)


def phase_share(cell, phase):
    return share(cell.phases[phase], f"{cell.place}.phases.{phase}")


def sample_count(cell):
    """The number of samples that ratios are made from."""
    return Traced(str(len(cell.samples)), f"count {cell.place}.samples_ns", len(cell.samples))


def contended_count(cell):
    return Traced(str(cell.contended_samples), f"contended {cell.place}", cell.contended_samples)


def contended_share(cell):
    return Traced(percent(cell.contended_share, 0), f"contended_share {cell.place}", cell.contended_share)


def wholes(estimate):
    return Traced(f"{estimate.ratio:.3f}", "wholes all", estimate.ratio)


def wholes_interval(estimate):
    return Traced(ratio_interval(estimate), "wholes_interval all", estimate.low)


def paired(name, text, value, numerator, denominator):
    return Traced(text, f"{name} {numerator.place} {denominator.place}", value)


def ratio(estimate, numerator, denominator):
    if estimate.ratio is None:
        return "–"
    return paired("ratio", f"{estimate.ratio:.3f}", estimate.ratio, numerator, denominator)


def of_ideal(estimate, numerator, denominator):
    if estimate.ratio is None:
        return "–"
    value = estimate.ratio / IDEAL["width"]
    return paired("of_ideal", f"{value:.3f}", value, numerator, denominator)


def toll(estimate, numerator, denominator):
    if estimate.ratio is None:
        return "–"
    return paired("toll", signed_percent(estimate.ratio - 1), estimate.ratio - 1, numerator, denominator)


def interval(estimate, numerator, denominator):
    if estimate.half_width is None:
        return "–"
    return paired("interval", ratio_interval(estimate), estimate.low, numerator, denominator)


def toll_interval(estimate, numerator, denominator):
    if estimate.half_width is None:
        return "–"
    return paired("toll_interval", toll_interval_text(estimate), estimate.low, numerator, denominator)


def half_width(estimate, numerator, denominator):
    return paired("half_width", percent(estimate.half_width, 2), estimate.half_width, numerator, denominator)


def pairs(estimate, numerator, denominator):
    return paired("pairs", str(estimate.pairs), estimate.pairs, numerator, denominator)


def count(number, source):
    """A count of cells or comparisons; the source says of which."""
    return Traced(str(number), f"number {source}", number)


def pooled(estimate, what, kind):
    """Over all cells of a kind: the toll in per cent, or the ratio at equal width."""
    text = signed_percent(estimate.ratio - 1) if what == "budget" else f"{estimate.ratio:.3f}"
    return Traced(text, f"pooled_{what} {kind}", estimate.ratio)


def pooled_interval(estimate, what, kind):
    text = toll_interval_text(estimate) if what == "budget" else ratio_interval(estimate)
    return Traced(text, f"pooled_{what}_interval {kind}", estimate.low)


def pooled_spread(pool, what, kind):
    return Traced(percent(math.expm1(pool.spread)), f"pooled_{what}_spread {kind}", pool.spread)


def roof_range(fractions, kind):
    return Traced(f"{percent(min(fractions), 0)} to {percent(max(fractions), 0)}", f"roof_range {kind}", min(fractions))


def roof_median(fractions, kind):
    return Traced(percent(median(fractions), 0), f"roof_median {kind}", median(fractions))


def peer_mean(mean):
    return Traced(f"{mean.ratio:.3f}", f"peer_mean {mean.weights} {mean.m or 'all'}", mean.ratio)


def peer_least(mean):
    return Traced(f"{mean.least:.3f}", f"peer_least {mean.weights} {mean.m or 'all'}", mean.least)


def peer_count(mean, verdict):
    return Traced(str(mean.verdicts[verdict]), f"peer_verdict {mean.weights} {mean.m or 'all'} {verdict}", mean.verdicts[verdict])


def bytes_ratio(cell, same):
    value = cell.bytes / same.bytes
    return paired("bytes_ratio", f"{value:.3f}", value, cell, same)


def stops_paying(cell, m):
    """The first measured M from which on smaller weights are not proven faster than float32 ones."""
    return Traced(str(m), f"stops_paying {cell.kind} {cell.isa} {cell.d_model} {cell.d_ff} {cell.weights} "
                          f"{cell.threads}", m)


def speedup(many, one):
    value = one.time_ns / many.time_ns
    return paired("speedup", f"{value:.2f}", value, many, one)


def efficiency(many, one):
    value = one.time_ns / many.time_ns / many.threads
    return paired("efficiency", percent(value, 0), value, many, one)


def parts_per_million(value, place):
    return Traced(f"{1e6 * value:.3f}", f"ppm {place}", value)


def plan_cell(plan, words):
    """What a plan is for, in words that hold its shape, its M and its threads."""
    return Traced(words, f"plan_cell profile.{plan['place']}", words)


def plan_shape(plan):
    words = f"{plan['d_model']}×{plan['d_ff']}"
    return Traced(words, f"shape profile.{plan['place']}", words)


def fact(words, source):
    """A value of a file in words: a whole plan, a machine's caches."""
    return Traced(words, f"fact {source}", words)


def word(text, source):
    """A text of a file as it stands there: a version, a date."""
    return Traced(text, f"word {source}", text)


def command(text, source):
    return Traced(text, f"command {source}", text)


def journal_plans(landscape):
    return Traced(str(len(landscape.plans)), f"journal_plans {landscape.key}", len(landscape.plans))


def plan_value(plan, name, digits=None):
    """A number of a plan's measurement: plain, or with digits."""
    value = plan["measured"].get(name)
    if value is None:
        return "–"
    return Traced(str(value) if digits is None else f"{value:.{digits}f}",
                  f"profile.{plan['place']}.measured.{name}", value)


def plan_share(plan, name, digits=1):
    return share(plan["measured"].get(name), f"profile.{plan['place']}.measured.{name}", digits)


def plan_interval(plan):
    low, high = plan["measured"]["ratio_low"], plan["measured"]["ratio_high"]
    return Traced(f"[{low:.3f}, {high:.3f}]", f"plan_interval profile.{plan['place']}.measured", low)
