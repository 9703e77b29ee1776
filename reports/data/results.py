"""Reads profile.json and results.json and checks them.

Owns: the checks of the two files and their conversion into the records of records.py, which every later module may
trust. Does not own: whether a file is JSON of a known version (documents.py), what the numbers mean (comparison.py) or
how they are shown (figures.py, page.py).

Times are nanoseconds, rates are per second. A file that cannot be trusted raises InputError with one line that names
the value, what was expected and how to mend it. An entry of the results that cannot be trusted is left out; the report
says so and is made from the others.
"""

import math

from reports.data.documents import LARGEST, InputError, WrongValue, check_version, known, read_json, shown
from reports.data.records import GATED_KINDS, PHASES, PLAIN_KINDS, Cell, Micro, Profile, Results, weights_of

NANOSECONDS = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
LARGEST_COUNT = 2**53
LEAST = 1e-30   # of a measured value


def load_profile(path):
    document = read_json(path, "sluice tune")
    if isinstance(document.get("benchmarks"), list):
        raise InputError(f"{path} holds benchmark results, expected a profile; swap --profile and --results")
    if document.get("schema") != "sluice-profile":
        raise InputError(f"{path} has schema {shown(document.get('schema'))}, expected \"sluice-profile\"; "
                         "write one with sluice tune")
    check_version(path, document.get("schema_version"), required=True)
    reader = Reader(path)
    fma_roofs, read_roofs = reader.roofs(document.get("roofs"))
    plans = reader.listed(document, "plans", "", required=True)
    for index, plan in enumerate(plans):
        reader.check_plan(plan, f"plans[{index}]")
        # The sources of the numbers printed from this plan name its place in the file.
        plan["place"] = f"plans[{index}]"
    return Profile(document, reader.mapping(document, "machine", ""), fma_roofs, read_roofs, plans)


def load_results(path):
    document = read_json(path, "sluice bench --out FILE", constant=float)
    if document.get("schema") == "sluice-profile":
        raise InputError(f"{path} holds a profile, expected results of sluice bench; give the other file (were the two "
                         "swapped?)")
    reader = Reader(path)
    context = known(reader.mapping(document, "context", ""))
    for version in (document.get("schema_version"), context.get("schema_version")):
        check_version(path, version, required=False)
    skipped = []
    try:
        fma_roofs, read_roofs = reader.roofs(context.get("roofs"))
    except WrongValue as error:
        fma_roofs, read_roofs = {}, {}
        skipped.append(f"{error.finding}, so the roofs are left out")
    accuracy = []
    try:
        accuracy = reader.accuracies(context)
    except WrongValue as error:
        skipped.append(f"{error.finding}, so the accuracy of the types of weights is left out")
    measurement = reader.mapping(context, "measurement", "context.")
    asked, reported = (reader.count(measurement, name, "context.measurement", 0) if name in measurement else None
                       for name in ("cells", "cells_reported"))
    found = Results(context, reader.mapping(context, "machine", "context."), fma_roofs, read_roofs, [], [], skipped, [],
                    [], [], asked=asked, reported=reported, accuracy=accuracy)
    names, damaged = set(), []
    entries = reader.listed(document, "benchmarks", "", required=True)
    for index, entry in enumerate(entries):
        try:
            reader.read_entry(entry, f"benchmarks[{index}]", found, names)
        except WrongValue as error:
            damaged.append(error)
    if damaged and len(damaged) == len(entries):
        raise damaged[0]
    skipped += [f"{error.finding}, so the entry is left out" for error in damaged]
    return found


class Reader:
    """Reads checked values out of one parsed file and names the place of a wrong one."""

    def __init__(self, path):
        self.path = path

    def fail(self, place, value, expected):
        raise WrongValue(self.path, f"{place} is {shown(value)}, expected {expected}")

    def mapping(self, parent, key, place):
        value = parent.get(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.fail(place + key, value, "an object")
        return value

    def listed(self, parent, key, place, required=False):
        value = parent.get(key)
        if value is None and not required:
            return []
        if not isinstance(value, list):
            self.fail(place + key, value, "a list")
        return value

    def text(self, parent, key, place, default=None):
        value = parent.get(key, default)
        if not isinstance(value, str) or not value:
            self.fail(f"{place}.{key}", value, "a string")
        return value

    def count(self, parent, key, place, least=1):
        value = parent.get(key)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= LARGEST_COUNT:
            self.fail(f"{place}.{key}", value, f"a whole number from {least} to 2^53")
        return value

    def positive(self, value, place):
        # The comparison comes before the conversion, because float() fails for an integer beyond the doubles.
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not LEAST <= value <= LARGEST:
            self.fail(place, value, f"a number from {LEAST:g} to {LARGEST:g}")
        return float(value)

    def fraction(self, parent, key, place):
        value = parent.get(key)
        return None if value is None else self.positive(value, f"{place}.{key}")

    def roofs(self, value):
        if value is None:
            return {}, {}
        if not isinstance(value, dict):
            self.fail("roofs", value, "an object")
        fma, read, footprints = {}, {}, {}
        for index, entry in enumerate(self.listed(value, "fma", "roofs.")):
            place = f"roofs.fma[{index}]"
            if not isinstance(entry, dict):
                self.fail(place, entry, "an object")
            fma[self.text(entry, "isa", place), self.count(entry, "threads", place)] = self.positive(
                entry.get("flops"), place + ".flops")
        for index, entry in enumerate(self.listed(value, "read", "roofs.")):
            place = f"roofs.read[{index}]"
            if not isinstance(entry, dict):
                self.fail(place, entry, "an object")
            threads = self.count(entry, "threads", place)
            rate = self.positive(entry.get("bytes_per_second"), place + ".bytes_per_second")
            # Hot cells have a roof for each footprint; the largest one is memory's.
            footprint = self.count(entry, "footprint_bytes", place) if "footprint_bytes" in entry else 1
            if footprint >= footprints.get(threads, 0):
                footprints[threads], read[threads] = footprint, rate
        return fma, read

    def check_plan(self, plan, place):
        if not isinstance(plan, dict):
            self.fail(place, plan, "an object")
        for key in ("isa", "kind"):
            self.text(plan, key, place)
        for key in ("d_model", "d_ff", "m", "max_threads"):
            self.count(plan, key, place)
        self.mapping(plan, "plan", place + ".")
        measured = self.mapping(plan, "measured", place + ".")
        for key in ("ratio_to_default", "ratio_low", "ratio_high"):
            if measured:
                self.positive(measured.get(key), f"{place}.measured.{key}")

    def read_entry(self, entry, place, found, names):
        """Puts the entry where it belongs in `found`; `names` holds the identities of the entries before it."""
        if not isinstance(entry, dict):
            self.fail(place, entry, "an object")
        name = self.text(entry, "name", place)
        if entry.get("micro") is not None:
            if not entry.get("error"):
                found.micros.append(self.read_micro(entry, name, place))
            return
        if entry.get("run_type", "iteration") != "iteration" or not name.startswith("ffn/"):
            found.skipped.append(f"{name} is not a measurement of Sluice's own FFN and is left out")
            return
        if entry.get("kind") not in PLAIN_KINDS + GATED_KINDS:
            found.skipped.append(f"{name} has the kind {shown(entry.get('kind'))}, which this report does not know")
            return
        cell = self.read_cell(entry, name, place)
        good, bad = (found.peers, found.failed_peers) if cell.peer else (found.cells, found.failed)
        if cell.rival:
            good = found.baseline_plan_cells
        if cell.error:
            bad.append(cell)
            return
        identity = (cell.peer, cell.rival, cell.key)
        if identity in names:
            found.skipped.append(f"{name} appears more than once; the last entry counts")
            good[:] = [other for other in good if (other.peer, other.rival, other.key) != identity]
        names.add(identity)
        good.append(cell)

    def read_micro(self, entry, name, place):
        unit = self.unit(entry, place)
        words = {key: None if entry.get(key) is None else self.text(entry, key, place) for key in ("tile", "operands")}
        return Micro(
            name=name, place=place, group=self.text(entry, "micro", place), isa=self.text(entry, "isa", place, "any"),
            threads=self.count(entry, "threads", place), **words,
            time_ns=self.positive(entry.get("real_time"), place + ".real_time") * unit,
            **{key: self.fraction(entry, key, place) for key in ("fma_fraction", "bytes_per_second", "ns_per_element")})

    def unit(self, entry, place):
        unit = entry.get("time_unit", "ns")
        if not isinstance(unit, str) or unit not in NANOSECONDS:
            self.fail(place + ".time_unit", unit, "ns, us, ms or s")
        return NANOSECONDS[unit]

    def phases(self, entry, place):
        """{phase: share}, or None when phases were not measured."""
        shares = entry.get("phases")
        if shares is None:
            return None
        if not isinstance(shares, dict):
            self.fail(place + ".phases", shares, "an object")
        for name in PHASES:
            share = shares.get(name)
            if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share <= 1.0001:
                self.fail(f"{place}.phases.{name}", share, "a share of 0 to 1")
        if abs(sum(shares[name] for name in PHASES) - 1) > 0.01:
            self.fail(place + ".phases", sum(shares[name] for name in PHASES), "shares whose sum is 1")
        return {name: float(shares[name]) for name in PHASES}

    def accuracies(self, context):
        """What the run says of the accuracy of its types of weights, checked, each with its place."""
        found = []
        for index, one in enumerate(self.listed(context, "accuracy", "context.")):
            place = f"context.accuracy[{index}]"
            if not isinstance(one, dict):
                self.fail(place, one, "an object")
            for key in ("kind", "weights"):
                self.text(one, key, place)
            by = self.text(one, "by", place, "f32")     # which older results do not say
            if one.get("operands") not in ("normal", "heavy_tailed", "outlier_channels"):
                self.fail(f"{place}.operands", one.get("operands"), '"normal", "heavy_tailed" or "outlier_channels"')
            for key in ("arithmetic", "rounded_weights", "quantised_activations"):
                value = one.get(key, 0 if key == "quantised_activations" else None)
                if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e9:
                    self.fail(f"{place}.{key}", value, "a number from 0 on")
            found.append({**one, "place": place,
                          "weights": weights_of({**one, "arithmetic": by})})
        return found

    def weights(self, entry, place):
        for key in ("weights", "arithmetic"):
            self.text(entry, key, place, "f32")     # which older results do not say
        return weights_of(entry)

    def read_cell(self, entry, name, place):
        models = self.listed(entry, "models", place + ".")
        if not all(isinstance(model, str) for model in models):
            self.fail(place + ".models", models, "a list of strings")
        identity = dict(
            name=name, place=place, kind=entry["kind"], isa=self.text(entry, "isa", place),
            weights=self.weights(entry, place), d_model=self.count(entry, "d_model", place),
            d_ff=self.count(entry, "d_ff", place), m=self.count(entry, "m", place),
            threads=self.count(entry, "threads", place), models=tuple(models),
            **{key: None if entry.get(key) is None else self.text(entry, key, place)
               for key in ("peer", "peer_version", "peer_variant", "peer_arithmetic", "rival", "plan_origin")})
        if entry.get("error") or entry.get("error_occurred"):
            reason = entry.get("error") or entry.get("error_message") or "no reason given"
            return Cell(**identity, error=str(reason))
        unit = self.unit(entry, place)
        if entry.get("roof") not in (None, "fma", "dot", "read"):
            self.fail(place + ".roof", entry["roof"], "\"fma\", \"dot\" or \"read\"")
        return Cell(
            **identity, time_ns=self.positive(entry.get("real_time"), place + ".real_time") * unit,
            flops=self.positive(entry.get("flops"), place + ".flops"),
            bytes_per_second=self.positive(entry.get("bytes_per_second"), place + ".bytes_per_second"),
            roof_fraction=self.fraction(entry, "roof_fraction", place), roof=entry.get("roof"),
            samples=self.by_round(entry, "samples_ns", "sample_rounds", place), **self.marks(entry, place),
            portions=self.count(entry, "portions", place) if "portions" in entry else 1,
            wholes=self.by_round(entry, "wholes_ns", "whole_rounds", place),
            probes=self.probes(entry, place), contended=entry.get("contended") is True, plan=entry.get("plan"),
            phases=self.phases(entry, place), against=self.against(entry, place))

    def against(self, entry, place):
        """What the entry says of its baseline plan, checked; None when it was compared with none."""
        if entry.get("against") is None:
            return None
        value = self.mapping(entry, "against", place + ".")
        place += ".against"
        self.text(value, "rival", place)
        if not isinstance(value.get("same_plan"), bool):
            self.fail(place + ".same_plan", value.get("same_plan"), "true or false")
        if value["same_plan"] and value.get("ratio") != 1:
            self.fail(place + ".ratio", value.get("ratio"), "1, since the plans are the same")
        promise = self.mapping(value, "promise", place + ".")
        place += ".promise"
        for key in ("ratio_to_default", "roof_in_place") if promise else ():
            self.positive(promise.get(key), f"{place}.{key}")
        in_place = self.mapping(promise, "in_place", place + ".")
        for key in ("ratio", "low", "high") if in_place else ():
            self.positive(in_place.get(key), f"{place}.in_place.{key}")
        if in_place and in_place.get("verdict") not in ("kept", "broken", "inconclusive"):
            self.fail(f"{place}.in_place.verdict", in_place.get("verdict"), '"kept", "broken" or "inconclusive"')
        return value

    def marks(self, entry, place):
        """Counts the contended samples. Files without a mark on each sample keep them in a list of their own."""
        if entry.get("sample_contended") is None:
            count = len(self.listed(entry, "contended_samples_ns", place + "."))
            return {"contended_samples": count, "left_out": count}
        marks = self.listed(entry, "sample_contended", place + ".")
        taken = len(self.listed(entry, "samples_ns", place + "."))
        if len(marks) != taken or not all(isinstance(mark, bool) for mark in marks):
            self.fail(place + ".sample_contended", marks, f"true or false for each of {taken} samples")
        return {"contended_samples": sum(marks)}

    def probes(self, entry, place):
        logs = []
        for index, pair in enumerate(self.listed(entry, "sample_probes", place + ".")):
            if not isinstance(pair, list) or len(pair) != 2:
                self.fail(f"{place}.sample_probes[{index}]", pair, "the speeds before and after the sample")
            before, after = (self.positive(speed, f"{place}.sample_probes[{index}]") for speed in pair)
            logs.append((math.log(before) + math.log(after)) / 2)
        return tuple(logs)

    def by_round(self, entry, times_key, rounds_key, place):
        """{round: ns}."""
        times = self.listed(entry, times_key, place + ".")
        rounds = self.listed(entry, rounds_key, place + ".")
        if len(times) != len(rounds):
            self.fail(f"{place}.{rounds_key}", len(rounds), f"one round for each of {len(times)} samples")
        for index, number in enumerate(rounds):
            if isinstance(number, bool) or not isinstance(number, int) or number < 0:
                self.fail(f"{place}.{rounds_key}[{index}]", number, "a round number of 0 or more")
        if len(set(rounds)) != len(rounds):
            self.fail(f"{place}.{rounds_key}", rounds, "each round at most once")
        return {number: self.positive(time, f"{place}.{times_key}[{index}]")
                for index, (number, time) in enumerate(zip(rounds, times))}
