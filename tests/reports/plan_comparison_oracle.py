"""What the numbers about a baseline plan must be, computed from the JSON.

Owns: the sources that the sentence about a baseline plan names. Does not own: its table, whose sources are those of any
pair (oracle.py).
"""

import math
import statistics

from paired import estimate, identity


class PlanComparisonOracle:
    """A part of the oracle, which has `own` and `results`."""

    def baseline_plans(self, name):
        """(logarithm of the ratio, verdict, whether the promise is kept) of each cell that was compared with the baseline."""
        found = []
        for own in self.own:
            against = own.get("against") or {}
            if against.get("rival") != name:
                continue
            in_place = (against["promise"] or {}).get("in_place") or {}
            if against["same_plan"]:
                found.append((0.0, "same plan", in_place))
                continue
            baseline = next(entry for entry in self.results["benchmarks"]
                         if entry.get("rival") == name and identity(entry) == identity(own))
            ratio = estimate(own, baseline)
            found.append((ratio.mean, ratio.verdict(), in_place))
        return found

    def of_baseline_plan_mean(self, name):
        return [math.exp(statistics.fmean(mean for mean, _, _ in self.baseline_plans(name) if mean is not None))]

    def of_baseline_plan_kept(self, name):
        return [math.exp(statistics.fmean(math.log(kept["ratio"]) for _, _, kept in self.baseline_plans(name) if kept))]

    def number_baseline_plan_promise(self, name, verdict):
        return sum(kept.get("verdict") == verdict for _, _, kept in self.baseline_plans(name))

    def number_baseline_plan_verdict(self, name, *verdict):
        return sum(" ".join(verdict) in ("any", one) for _, one, _ in self.baseline_plans(name))
