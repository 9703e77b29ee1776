"""Student's t distribution, for any real number of degrees of freedom.

Owns: the upper tail and its inverse, through the incomplete beta function. Pure functions; what is tested with them is
run_statistics.py's.
"""

import math

TINY = 1e-300       # stands for a zero denominator in the continued fraction
PRECISION = 1e-15


def beta_fraction(a, b, x):
    """The continued fraction of the incomplete beta function (Abramowitz and Stegun 26.5.8), by Lentz's method."""
    numerator, denominator, value = 1.0, 0.0, 1.0
    for index in range(500):
        step = index // 2
        if index == 0:
            term = 1.0
        elif index % 2:
            term = -(a + step) * (a + b + step) * x / ((a + 2 * step) * (a + 2 * step + 1))
        else:
            term = step * (b - step) * x / ((a + 2 * step - 1) * (a + 2 * step))
        denominator = 1 / (1 + term * denominator or TINY)
        numerator = 1 + term / numerator or TINY
        value *= numerator * denominator
        if index and abs(numerator * denominator - 1) < PRECISION:
            break
    return value - 1


def incomplete_beta(a, b, x):
    """I_x(a, b), the regularised incomplete beta function, for 0 <= x <= 1."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    scale = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    # The fraction converges fast on one side of the mean; the other side is its mirror image.
    if x < (a + 1) / (a + b + 2):
        return scale * beta_fraction(a, b, x) / a
    return 1 - scale * beta_fraction(b, a, 1 - x) / b


def upper_tail(t, freedom):
    """The probability that Student's t is t or more."""
    tail = 0.5 * incomplete_beta(freedom / 2, 0.5, freedom / (freedom + t * t))
    return tail if t >= 0 else 1 - tail


def quantile(tail, freedom):
    """The t >= 0 whose upper tail is `tail`, for 0 < tail <= 0.5."""
    low, high = 0.0, 1.0
    while upper_tail(high, freedom) > tail:
        low, high = high, 2 * high
    while high - low > 1e-10 * high:
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if upper_tail(middle, freedom) > tail else (low, middle)
    return (low + high) / 2
