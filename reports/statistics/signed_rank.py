"""Estimates a ratio from pairs that were measured next to each other.

Owns: the Hodges-Lehmann estimate of paired logarithms and the 95 % interval that Wilcoxon's signed-rank distribution
gives it; pure functions over numbers. Does not own: which samples are a pair (comparison.py).

The estimate is the median of all Walsh averages: the means of any two of the logarithms, and of each with itself.
Which of a pair ran first was random, so a disturbance is as likely to favour the one as the other, and the interval
keeps its level whatever the noise looks like (Hollander, Wolfe, Chicken, Nonparametric Statistical Methods, chapter 3).
No pair is left out. Below six pairs the distribution has no 95 % interval; two to five pairs have Student's t around
the same estimate. The benchmark's own tables use the same formulas.
"""

import math
from functools import cache
from statistics import stdev

from reports.statistics.student import quantile

EXACT = 40      # pairs; beyond, the normal approximation differs from the exact bound by one in hundreds
FEWEST = 6      # pairs that a 95 % interval of Wilcoxon's distribution needs
NORMAL = 1.959964


@cache
def t_quantile(freedom):
    """The two-sided 95 % quantile of Student's t for `freedom` >= 1 degrees of freedom."""
    return quantile(0.025, freedom)


@cache
def signed_rank_bound(pairs):
    """The largest k with P(W < k) <= 2.5 % for the signed-rank sum W of so many pairs; 0 below six."""
    mean = pairs * (pairs + 1) / 4
    if pairs > EXACT:
        return int(mean - NORMAL * math.sqrt(mean * (2 * pairs + 1) / 6) + 0.5)
    ways = [1] + [0] * (pairs * (pairs + 1) // 2)     # of choosing ranks that sum up to the index
    for rank in range(1, pairs + 1):
        for total in range(len(ways) - 1, rank - 1, -1):
            ways[total] += ways[total - rank]
    bound, below = 0, ways[0]
    while 40 * below <= 2 ** pairs:
        bound += 1
        below += ways[bound]
    return bound


def averages_up_to(ordered, limit):
    """How many Walsh averages are at most `limit`."""
    count, end = 0, len(ordered)
    for index, value in enumerate(ordered):
        while end > index and (value + ordered[end - 1]) / 2 > limit:
            end -= 1
        if end <= index:
            break
        count += end - index
    return count


def walsh_average(ordered, rank):
    """The Walsh average of this rank, counted from 1. A thousand values have half a million averages, so it bisects."""
    low, high = ordered[0], ordered[-1]
    if averages_up_to(ordered, low) >= rank:
        return low
    middle = (low + high) / 2
    while low < middle < high:
        low, high = (low, middle) if averages_up_to(ordered, middle) >= rank else (middle, high)
        middle = (low + high) / 2
    return high


def centre(values):
    """(estimate, low, high) of the centre of one or more values; low and high are None for one."""
    ordered = sorted(values)
    count = len(ordered)
    total = count * (count + 1) // 2
    middle = (walsh_average(ordered, (total + 1) // 2) + walsh_average(ordered, total // 2 + 1)) / 2
    if count < 2:
        return middle, None, None
    if count >= FEWEST:
        bound = signed_rank_bound(count)
        return middle, walsh_average(ordered, bound), walsh_average(ordered, total + 1 - bound)
    reach = t_quantile(count - 1) * stdev(ordered) / math.sqrt(count)
    return middle, middle - reach, middle + reach
