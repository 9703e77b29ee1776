"""The values that the report is made from.

Owns: what a measured cell, a micro benchmark, the results and the profile consist of. Does not own: reading and
checking them (results.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field

PLAIN_KINDS = ("relu", "gelu", "gelu_tanh", "silu")
GATED_KINDS = ("swiglu", "geglu", "geglu_tanh", "reglu", "glu", "bilinear")
PHASES = ("pack", "up", "gate", "down", "unpack", "wait", "call")


def weights_of(record):
    """The type of a record's weights and, if it is not float32, the arithmetic: "int8:32", "int8:32/int16"."""
    weights, arithmetic = record.get("weights", "f32"), record.get("arithmetic", "f32")
    return weights if arithmetic == "f32" else f"{weights}/{arithmetic}"


@dataclass(frozen=True)
class Cell:
    """One measured benchmark: a kind, a shape, an ISA and a thread count."""

    name: str
    kind: str
    isa: str
    weights: str                    # as weights_of() has it
    d_model: int
    d_ff: int
    m: int
    threads: int
    models: tuple
    time_ns: float = 0.0            # median of one forward call; 0 when error is set
    flops: float = 0.0              # FLOP/s
    bytes_per_second: float = 0.0
    roof_fraction: float | None = None
    roof: str | None = None         # "fma", "dot" (of integers) or "read": the roof that binds
    samples: dict = field(default_factory=dict, hash=False)  # round -> ns; older files hold only uncontended ones here
    contended_samples: int = 0
    left_out: int = 0               # contended ones that `samples` does not hold: in older files all
    probes: tuple = field(default=(), hash=False)   # per sample: log of the geometric mean of its two probes' speeds
    portions: int = 1               # n > 1: a sample is one of n portions, its time scaled to the whole
    wholes: dict = field(default_factory=dict, hash=False)  # round -> ns of whole forwards sampled beside the portions
    contended: bool = False         # every sample was contended
    plan_origin: str | None = None
    plan: dict | None = field(default=None, hash=False)     # as in the file
    phases: dict | None = field(default=None, hash=False)   # phase -> share of the time of all threads
    peer: str | None = None         # the library that was measured; None: Sluice
    peer_version: str | None = None
    peer_variant: str | None = None
    peer_arithmetic: str | None = None  # what the variant rounds besides its sums in float32
    # Whose baseline plan the cell was measured with: "default" or the file of a profile. None: its own plan.
    rival: str | None = None
    # For a cell with its own plan: what the benchmark says of the baseline plan.
    against: dict | None = field(default=None, hash=False)
    error: str | None = None
    place: str = field(default="", compare=False)   # in the file, "benchmarks[3]"

    @property
    def gated(self):
        return self.kind in GATED_KINDS

    @property
    def key(self):
        return (self.d_model, self.d_ff, self.weights, self.kind, self.isa, self.threads, self.m)

    @property
    def bytes(self):
        """Of the weights in their type, x and y, once each."""
        return self.bytes_per_second * self.time_ns * 1e-9

    @property
    def ns_per_token(self):
        return self.time_ns / self.m

    @property
    def contended_share(self):
        total = len(self.samples) + self.left_out
        return self.contended_samples / total if total else None


@dataclass(frozen=True)
class Micro:
    """One micro benchmark: a part of a forward, measured alone."""

    name: str
    group: str
    isa: str
    threads: int
    tile: str | None                # of a microkernel, "13x32"
    operands: str | None            # the cache level they were in, "L1" or "L2"
    time_ns: float = 0.0
    fma_fraction: float | None = None
    bytes_per_second: float | None = None
    ns_per_element: float | None = None
    place: str = field(default="", compare=False)


@dataclass(frozen=True)
class Results:
    context: dict
    machine: dict
    fma_roofs: dict     # (isa, threads) -> FLOP/s
    read_roofs: dict    # threads -> bytes/s, of the largest memory read
    cells: list         # measured, of a known kind
    failed: list        # cells with an error
    skipped: list       # sentences about entries that are not cells
    peers: list         # cells of other libraries
    failed_peers: list  # those with an error
    micros: list
    baseline_plan_cells: list = field(default_factory=list)  # cells with a baseline plan
    asked: int | None = None     # how many cells the run was to measure
    reported: int | None = None  # how many of them it reported
    # Of types of weights: dicts of kind, weights, operands, and the errors `arithmetic` and `rounded_weights`.
    accuracy: list = field(default_factory=list)


@dataclass(frozen=True)
class Profile:
    document: dict
    machine: dict
    fma_roofs: dict
    read_roofs: dict
    plans: list         # dicts as in the file, checked
