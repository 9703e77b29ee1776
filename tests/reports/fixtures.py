"""Makes profile.json and results.json documents for the tests from a simple time model and seeded noise.

The numbers are invented and exist only while a test runs: they are never shipped as a report of a real machine.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import mock

REPORTS = Path(__file__).resolve().parents[2] / "reports"
sys.path.insert(0, str(REPORTS.parent))

GATED = ("swiglu", "geglu", "geglu_tanh", "reglu", "glu", "bilinear")
FMA = {("avx2", 1): 6e10, ("avx2", 2): 1.16e11, ("avx512", 1): 1e11, ("avx512", 2): 1.95e11}
READ = {1: 2.2e10, 2: 3.4e10}
MACHINE = {
    "fingerprint": "0123456789abcdef", "vendor": "TestVendor", "cpu": "Test CPU <1 & 2>", "family": 1, "model": 2,
    "stepping": 3, "isas": ["scalar", "avx2", "avx512"], "caches": {"l1d": 32768, "l2": 1048576, "l3": None},
    "cores": 2, "cpus": 2, "available_threads": 2, "cgroup_quota": None, "numa_nodes": 1, "memory_bytes": 8589934592,
    "os": "Linux 6.1.0", "compiler": "GNU 12.2.0", "governor": None, "hypervisor": True}


def roofs():
    return {"fma": [{"isa": isa, "threads": threads, "flops": flops} for (isa, threads), flops in FMA.items()],
            "read": [{"threads": threads, "bytes_per_second": rate, "footprint_bytes": 2**28}
                     for threads, rate in READ.items()]}


def cell(kind="swiglu", d_model=2048, d_ff=5632, m=64, isa="avx512", threads=1, models=("tinyllama",), factor=1.0,
         noise=0.004, rounds=24, contended=0.15, seed=0, speeds=None, old=False, weights="f32"):
    """One benchmark entry. `factor` multiplies its time, `speeds` is the machine's level in each round. An old entry is
    from a file that lists its contended samples separately."""
    chance = random.Random(f"{seed}/{kind}/{d_ff}/{m}/{isa}/{threads}")
    gated = kind in GATED
    matrices = 3 if gated else 2
    work = 2 * matrices * m * d_model * d_ff
    size = {"f32": 4, "bf16": 2, "f16": 2}[weights] * matrices * d_model * d_ff + 4 * 2 * m * d_model
    limits = {"fma": work / FMA[isa, threads], "read": size / READ[threads]}
    roof = max(limits, key=limits.get)
    ideal_ns = 1e9 * limits[roof]
    base = ideal_ns * factor / (0.97 if roof == "read" else 0.85 + 0.01 * min(m.bit_length(), 9))
    samples, numbers, marks, probes, disturbed = [], [], [], [], []
    for number in range(rounds):
        level = speeds[number] if speeds else 1.0
        time = base * level * chance.lognormvariate(0, noise)
        mark = chance.random() < contended
        if mark and old:
            disturbed.append(time * 1.6)
            continue
        samples.append(time * 1.03 if mark else time)
        numbers.append(number)
        marks.append(mark)
        probes.append([1e9 * work / ideal_ns / level * (0.6 if mark else 1)] * 2)
    counted = sorted(samples or disturbed)
    time = counted[len(counted) // 2]
    name = f"ffn/{kind}/{isa}/{d_model}x{d_ff}/M{m}/t{threads}" + ("" if weights == "f32" else f"/{weights}")
    entry = {
        "name": name, "run_name": name, "run_type": "iteration", "repetitions": 1, "repetition_index": 0,
        "threads": threads, "iterations": len(counted), "real_time": time, "cpu_time": time, "time_unit": "ns",
        "kind": kind, "isa": isa, "weights": weights, "d_model": d_model, "d_ff": d_ff, "m": m, "models": list(models),
        "flops": work / time * 1e9, "bytes_per_second": size / time * 1e9,
        "fma_fraction": limits["fma"] * 1e9 / time, "read_fraction": limits["read"] * 1e9 / time,
        "roof_fraction": ideal_ns / time, "roof": roof, "samples_ns": samples, "sample_rounds": numbers,
        **({"contended_samples_ns": disturbed} if old else {"sample_contended": marks, "sample_probes": probes}), "plan": {"nr": 32, "mr": 13}, "plan_origin": "exact"}
    if all(marks):
        entry["contended"] = True
    return entry


def group(d_model, d_ff, m, isa, threads, kinds, models, toll=0.003, **options):
    """Gated kinds and both ReLU baselines. The machine has one level per round, as for interleaved samples."""
    chance = random.Random(f"{d_model}/{m}/{isa}/{threads}")
    speeds = [1 + 0.2 * chance.random() for _ in range(options.get("rounds", 24))]
    shared = dict(d_model=d_model, m=m, isa=isa, threads=threads, models=models, speeds=speeds, **options)
    entries = [cell("relu", d_ff=d_ff, **shared), cell("relu", d_ff=d_ff * 3 // 2, **shared)]
    return entries + [cell(kind, d_ff=d_ff, factor=1 + toll * (1 + index), **shared)
                      for index, kind in enumerate(kinds)]


def phases(gate=0.01, wait=0.0):
    """Shares of the time; what is left after gate and wait goes to the two products, two to one."""
    rest = 1 - gate - wait - 0.04
    return {"pack": 0.02, "up": rest * 2 / 3, "gate": gate, "down": rest / 3, "unpack": 0.01, "wait": wait,
            "call": 0.01}


def peer(own, library, factor, noise=0.003, **change):
    """The entry of another library for the cell `own`: in each of its rounds `factor` times as slow."""
    chance = random.Random(f"{library}/{own['name']}")
    samples = [time * factor * chance.lognormvariate(0, noise) for time in own["samples_ns"]]
    entry = {key: value for key, value in own.items() if key not in ("plan", "plan_origin")}
    return entry | {
        "name": f"{own['name']}/peer:{library}", "run_name": f"{own['name']}/peer:{library}", "peer": library,
        "peer_version": "1.2", "peer_variant": "two calls", "samples_ns": samples,
        "real_time": own["real_time"] * factor, "flops": own["flops"] / factor} | change


def promise(ratio=0.871, in_place=0.993, verdict="kept"):
    """What a profile promised for a cell; in_place None: it cannot be told here."""
    here = None if in_place is None else {
        "ratio": in_place, "low": in_place * 0.99, "high": in_place * 1.01, "verdict": verdict}
    return {"roof_fraction": 0.9, "roof_in_place": 0.981, "ratio_to_default": ratio, "low": ratio * 0.99,
            "high": ratio * 1.01, "in_place": here}


def against(name, own, factor=None, promise=None):
    """[own] if the baseline of this name has the same plan, else [own, the entry of a plan `factor` times as slow]."""
    tiling = plan()["plan"]
    own = own | {"plan": tiling, "against": {
        "rival": name, "same_plan": factor is None, "ratio": 1.0 if factor is None else 1 / factor, "low": 0.5,
        "high": 2.0, "pairs": 0, "verdict": "same plan" if factor is None else "tied", "promise": promise}}
    if factor is None:
        return [own]
    chance = random.Random(own["name"])
    baseline = {key: value for key, value in own.items() if key != "against"} | {
        "name": own["name"] + "/rival", "rival": name, "plan": tiling | {"kc": 96}, "plan_origin": "analytical",
        "samples_ns": [time * factor * chance.lognormvariate(0, 0.002) for time in own["samples_ns"]],
        "real_time": own["real_time"] * factor, "flops": own["flops"] / factor}
    return [own, baseline]


def micro(group, place, **values):
    name = f"micro/{group}/{place}"
    return {"name": name, "run_name": name, "run_type": "iteration", "threads": 1, "micro": group, "isa": "avx512",
            "real_time": 1000.0, "cpu_time": 1000.0, "time_unit": "ns"} | values


def results(benchmarks, **context):
    return {"context": {
        "date": "2026-11-21T21:36:25Z", "host_name": "test", "num_cpus": 2, "library_build_type": "release",
        "sluice_version": "0.1.0", "command": ["sluice", "bench", "--model", "tinyllama"], "machine": dict(MACHINE),
        "roofs": roofs(),
        "profile": {"path": "out/profile.json", "fingerprint": MACHINE["fingerprint"], "matches_machine": True},
        "measurement": {"clock": "steady_clock", "cold": True, "seed": 1, "contended_share": 0.15}} | context,
        "benchmarks": benchmarks}


def plan(ratio=0.97, half=0.01, verdict="faster", m=64, threads=1, measured=True, kind="swiglu", shape=(2048, 5632)):
    return {"isa": "avx512", "kind": kind, "d_model": shape[0], "d_ff": shape[1], "m": m, "max_threads": threads,
            "plan": {"nr": 32, "mr": 13, "kc": 128, "mc": 256, "nc": 512, "fc": 4608, "prefetch": 2048,
                     "pack_x": True, "schedule": "split_columns", "threads": threads},
            "measured": {"ratio_to_default": ratio, "ratio_low": ratio - half, "ratio_high": ratio + half,
                         "verdict": verdict, "pairs": 12, "trials": 14, "roof_fraction": 0.91,
                         "contended_share": 0.1} if measured else None}


def profile(plans=None):
    return {"schema": "sluice-profile", "schema_version": 1, "sluice_version": "0.1.0",
            "created": "2026-11-21T21:36:25Z", "command": ["sluice", "tune", "--model", "tinyllama"],
            "machine": dict(MACHINE), "roofs": roofs(), "plans": [plan()] if plans is None else plans}


def full_documents():
    """Two models, both vector ISAs for one of them, two thread counts, every gated kind for one."""
    benchmarks, plans = [], []
    for m in (1, 16, 256):
        for threads in (1, 2):
            benchmarks += group(2048, 5632, m, "avx512", threads, GATED, ("tinyllama",), toll=0.02 / m)
            benchmarks += group(768, 2048, m, "avx512", threads, ("swiglu", "reglu"), ("t5-base",), toll=0.008)
            if threads == 1:
                benchmarks += group(768, 2048, m, "avx2", threads, ("swiglu",), ("t5-base",), noise=0.03, rounds=8)
            for shape in ((2048, 5632), (768, 2048)):
                plans.append(plan(0.9 + 0.02 * m.bit_length(), 0.012, "faster", m, threads, shape=shape))
    return profile(plans), results(benchmarks)


def bare_documents():
    """Documents for a page without pictures, which take most of the time."""
    return profile([]), results([])


def small_benchmarks():
    return [entry for m in (1, 64) for entry in group(2048, 5632, m, "avx512", 1, ("swiglu",), ("tinyllama",))]


class Desk:
    """A temporary directory with the two input files, in which the command runs as a user runs it."""

    def __init__(self, profile_document=None, results_document=None):
        self.keeper = tempfile.TemporaryDirectory()
        self.root = Path(self.keeper.name)
        self.out = self.root / "out" / "report"
        (self.root / "out").mkdir()
        self.write("profile.json", profile() if profile_document is None else profile_document)
        self.write("results.json", results(small_benchmarks()) if results_document is None else results_document)

    def write(self, name, document):
        text = document if isinstance(document, str) else json.dumps(document)
        (self.root / "out" / name).write_text(text, encoding="utf-8")

    def run(self, *words, verb="report", python=(), environment=None):
        """Runs the command in the directory, with the default paths."""
        return subprocess.run([sys.executable, *python, str(REPORTS), *([verb] if verb else []), *words],
                              cwd=self.root, capture_output=True, text=True, encoding="utf-8",
                              env=dict(os.environ) | (environment or {}), timeout=300, check=False)

    def undrawn(self):
        """The page without the pictures, which take most of the time. It is made here, not by the command."""
        from reports.pages import page
        from reports.statistics.comparison import compare, workloads
        from reports.findings.gaps import doubts, missing_parts
        from reports.data.results import load_profile, load_results

        read, results = (load(str(self.root / "out" / name)) for load, name in (
            (load_profile, "profile.json"), (load_results, "results.json")))
        comparisons = compare(results.cells)
        with mock.patch("reports.figures.drawing.pictures", return_value=('<svg viewBox="0 0 1 1"></svg>', b"")):
            files = page.build(read, results, workloads(results.cells), comparisons,
                               missing_parts(read, results, results.cells, comparisons), doubts(read, results))
        return files["index.html"].decode()

    def page(self):
        return (self.out / "index.html").read_text(encoding="utf-8")

    def close(self):
        self.keeper.cleanup()
