"""What the numbers about a rival's plans must be, computed from the JSON.

Owns: the sources that the sentence about a rival names. Does not own: its table, whose sources are those of any pair
(oracle.py).
"""

import math
import statistics

from paired import estimate, identity


class RivalOracle:
    """A part of the oracle: knows `own` and `results`."""

    def rivals(self, name):
        """(logarithm of the ratio, verdict, what became of the promise) of each cell that met the rival."""
        found = []
        for own in self.own:
            against = own.get("against") or {}
            if against.get("rival") != name:
                continue
            in_place = (against["promise"] or {}).get("in_place") or {}
            if against["same_plan"]:
                found.append((0.0, "same plan", in_place))
                continue
            rival = next(entry for entry in self.results["benchmarks"]
                         if entry.get("rival") == name and identity(entry) == identity(own))
            ratio = estimate(own, rival)
            found.append((ratio.mean, ratio.verdict(), in_place))
        return found

    def of_rival_mean(self, name):
        return [math.exp(statistics.fmean(mean for mean, _, _ in self.rivals(name) if mean is not None))]

    def of_rival_kept(self, name):
        return [math.exp(statistics.fmean(math.log(kept["ratio"]) for _, _, kept in self.rivals(name) if kept))]

    def number_rival_promise(self, name, verdict):
        return sum(kept.get("verdict") == verdict for _, _, kept in self.rivals(name))

    def number_rival_verdict(self, name, *verdict):
        return sum(" ".join(verdict) in ("any", one) for _, one, _ in self.rivals(name))
