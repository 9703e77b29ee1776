"""Loads matplotlib with its own defaults, whatever settings the user keeps for other drawings.

Owns: what is left out: a matplotlibrc in the working directory, the one of MATPLOTLIBRC, the user's own, MPLBACKEND.
Does not own: the style of the reports (drawing.py), which must be imported after this.
"""

import os


def load():
    os.environ.pop("MPLBACKEND", None)
    os.environ["MATPLOTLIBRC"] = os.devnull
    # A matplotlibrc in the working directory comes first, and one that is no UTF-8 text ends the import.
    here = os.open(".", os.O_RDONLY)
    try:
        os.chdir("/")
        import matplotlib  # pylint: disable=import-outside-toplevel
    finally:
        os.fchdir(here)
        os.close(here)
    return matplotlib


matplotlib = load()
