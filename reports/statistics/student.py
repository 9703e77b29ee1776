"""Student's t distribution, for any real number of degrees of freedom.

Owns: the two functions that the statistics take from SciPy. Does not own: the tests and intervals made with them
(run_statistics.py, signed_rank.py).

SciPy is loaded at the first call, so that options and bad files need no library. scipy.special loads in a third of a
second; scipy.stats, which adds classes to the same functions, takes three times as long.
"""


def upper_tail(t, freedom):
    """The probability that Student's t is t or more."""
    from scipy.special import stdtr
    return float(stdtr(freedom, -t))


def quantile(tail, freedom):
    """The t >= 0 whose upper tail is `tail`, for 0 < tail <= 0.5."""
    from scipy.special import stdtrit
    return -float(stdtrit(freedom, tail))
