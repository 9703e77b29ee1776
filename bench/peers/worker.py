"""Owns: a Python peer's process: its conversation with `sluice bench`, the choice of its best variant, its clock; what
peers/worker.cpp, which documents the conversation, is to C++ peers. Does not own: the library (the peer's file), when
it is its turn (bench/peer_runner/prepared_peer.hpp).

A peer is a file that ends in one call: worker.serve(name, version, note, variants). variants(problem) yields what
computes with weights of the problem's type: a name, a function make(problem) -> forward, where forward(copy) computes
problem.y from problem.x with that copy of the weights, and, if it rounds anything besides its sums in float32, a dict
of what it rounds, as struct Rounding of peers/peer.hpp has it.
"""

import json
import mmap
import os
import sys
import time
from dataclasses import dataclass

import numpy

PLAIN_KINDS = {"relu": "relu", "gelu": "gelu", "gelu_tanh": "gelu_tanh", "silu": "silu"}
GATED_KINDS = {"glu": "sigmoid", "bilinear": "identity", "reglu": "relu", "geglu": "gelu", "geglu_tanh": "gelu_tanh",
               "swiglu": "silu"}


@dataclass
class Codes:
    """A matrix in a type with scales: the same values as its float32 ones, exactly."""

    elements: numpy.ndarray     # [out, in]: int8 integers; of mxfp4 the codes of E2M1; of uint8 and uint4 uint8 ones
    scales: numpy.ndarray       # [out, groups of k]: float16; of mxfp4 bytes of E8M0
    zeros: numpy.ndarray | None     # [out, groups of k]: uint8 zero points; None for types without them
    group: int                  # how many consecutive k share a scale


@dataclass
class Problem:
    """The FFN to compute: the weights are [in, out], without biases; gate is None for a plain kind."""

    weights: str    # the type's element: "f32", "bf16", "f16", "int8", "int4", "mxfp4", "uint8" or "uint4"
    activation: str
    d_model: int
    d_ff: int
    m: int
    threads: int
    copies: int
    gate: numpy.ndarray | None
    up: numpy.ndarray
    down: numpy.ndarray
    x: numpy.ndarray
    y: numpy.ndarray
    codes: dict     # "gate", "up", "down" -> Codes; empty for a type without scales

    @property
    def gated(self):
        return self.gate is not None

    @property
    def inner(self):
        """The matrix inside the activation."""
        return self.gate if self.gated else self.up

    def matrices(self):
        """The products' matrices by what they are: inside the activation, the other factor, the last."""
        names = {"inner": "gate", "factor": "up"} if self.gated else {"inner": "up"}
        return {**names, "down": "down"}


def read_problem(question):
    kind = question["kind"]
    if kind not in {**PLAIN_KINDS, **GATED_KINDS}:
        raise ValueError(f"{kind}: not a kind")
    place = question["memory"]
    with open(place["path"], "r+b") as stream:
        memory = mmap.mmap(stream.fileno(), place["bytes"])
    d_model, d_ff, m = question["d_model"], question["d_ff"], question["m"]

    def array(name, rows, columns, kind=numpy.float32):
        if place[name] is None:
            return None
        return numpy.frombuffer(memory, kind, rows * columns, place[name]).reshape(rows, columns)

    element, group = question["weights"]["element"], question["weights"]["group"]
    codes = {}
    for name, depth, width in (("gate", d_model, d_ff), ("up", d_model, d_ff), ("down", d_ff, d_model)):
        if place[f"{name}_elements"] is None:
            continue
        own = min(group, depth)
        count = -(-depth // own)
        codes[name] = Codes(array(f"{name}_elements", width, depth, numpy.uint8 if element[0] == "u" else numpy.int8),
                            array(f"{name}_scales", width, count, numpy.uint8 if element == "mxfp4" else numpy.float16),
                            array(f"{name}_zeros", width, count, numpy.uint8), own)
    return Problem(element, {**PLAIN_KINDS, **GATED_KINDS}[kind], d_model, d_ff, m, question["threads"],
                   question["copies"], array("gate", d_model, d_ff), array("up", d_model, d_ff),
                   array("down", d_ff, d_model), array("x", m, d_model), array("y", m, d_model), codes)


def timed(forward, copy):
    begin = time.perf_counter_ns()
    forward(copy)
    return time.perf_counter_ns() - begin


def trial(forward, copies, best):
    """As in worker.cpp: the fastest of five runs, and of more within a quarter of a second; of one when hopeless."""
    fastest = float("inf")
    end = time.monotonic() + 0.25
    i = 0
    while i <= 5 or (time.monotonic() < end and i <= 1000):
        ns = timed(forward, i % copies)
        if i > 0:
            fastest = min(fastest, ns)
        if i == 1 and ns > 5 * best:
            break
        i += 1
    return fastest


class Cell:
    def __init__(self, problem, variants):
        self.problem = problem  # libraries keep addresses of its arrays, not the arrays
        self.turn = 0
        self.variants = list(variants(problem))
        self.candidate = self.forward = None
        self.best = float("inf")

    def forms(self):
        return [{"name": name, "rounds": dict(*rounds)} for name, _, *rounds in self.variants]

    def pack(self, form):
        self.candidate = None
        self.candidate = self.variants[form][1](self.problem)
        self.candidate(0)

    def trial(self):
        ns = trial(self.candidate, self.problem.copies, self.best)
        if ns < self.best:
            self.best, self.forward = ns, self.candidate
        self.candidate = None
        return ns

    def next(self):
        self.turn += 1
        return timed(self.forward, self.turn % self.problem.copies)

    def run(self):
        self.candidate = None  # one that was not tried, since its answer was wrong
        self.next()  # a steady stream's: not counted
        return self.next()


def serve(name, version, note, variants):
    # What libraries print must not mix with answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    cell = None
    for line in sys.stdin:
        try:
            question = json.loads(line)
            command = question["command"]
            if command == "describe":
                answer = {"name": name, "version": version, "note": note}
            elif command == "prepare":
                cell = Cell(read_problem(question), variants)
                answer = {"forms": cell.forms()}
            elif command == "pack" and cell is not None:
                cell.pack(question["form"])
                answer = {}
            elif command == "try" and cell is not None:
                answer = {"ns": cell.trial()}
            elif command == "run" and cell is not None:
                answer = {"ns": cell.run()}
            else:
                raise ValueError(f"{command}: not a command, or not prepared")
        except Exception as error:  # the conversation goes on; the benchmark decides
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)
