"""Student's t distribution, for any real number of degrees of freedom.

Owns: the two questions that the statistics ask of SciPy, which is loaded when the first is asked: options and bad files
need no library. scipy.special has them and loads in a third of a second; scipy.stats, which adds classes to them, takes
three times as long. What is tested with them is run_statistics.py's.
"""


def upper_tail(t, freedom):
    """The probability that Student's t is t or more."""
    from scipy.special import stdtr
    return float(stdtr(freedom, -t))


def quantile(tail, freedom):
    """The t >= 0 whose upper tail is `tail`, for 0 < tail <= 0.5."""
    from scipy.special import stdtrit
    return -float(stdtrit(freedom, tail))
