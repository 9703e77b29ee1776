#!/usr/bin/python3
"""A peer for tests, in plain Python: it speaks the protocol of bench/peers/worker.cpp and behaves as its name says:
right, wrong, half (precise), late (wrong from its second run on), crashing, hanging, babbling, leaving, refusing,
revealing (the names in its environment), talking (of a precision that is none); coded (computes with elements and scales instead of values), plain (knows
float32 weights only), quantising (rounds x to 8 bits by 32 and says so), lying (does the same and does not say so),
truncating (weights to bf16, and says so), choosy (has a quick form that is wrong, one that it refuses, one that is
right), fragile (has two forms that are right and one in which it ends, between them)."""

import json
import math
import mmap
import os
import struct
import sys
import time

MODE = os.path.basename(sys.argv[0])
ACTIVATIONS = {
    "relu": lambda z: max(z, 0.0), "reglu": lambda z: max(z, 0.0), "bilinear": lambda z: z,
    "swiglu": lambda z: z / (1 + math.exp(-z)), "silu": lambda z: z / (1 + math.exp(-z)),
}


def half(value):
    return struct.unpack("e", struct.pack("e", value))[0]


def bfloat(value):
    (bits,) = struct.unpack("I", struct.pack("f", value))
    return struct.unpack("f", struct.pack("I", bits & 0xffff0000))[0]


def quantised(row, group=32):
    """The row as integers of 8 bits times a scale for each group."""
    found = []
    for begin in range(0, len(row), group):
        part = row[begin:begin + group]
        scale = max(map(abs, part)) / 127
        found += [round(value / scale) * scale for value in part]
    return found


INT8 = {"inputs": "int8", "group": 32}
FORMS = {
    "plain": [], "quantising": [("x int8", INT8)], "truncating": [("weights bf16", {"weights": "bf16"})],
    "choosy": [("quick", {}), ("refused", {}), ("right", {})], "talking": [("odd", {"inputs": "f8"})],
    "fragile": [("slow", {}), ("quick", {}), ("deadly", {}), ("last", {})],
}


class Cell:
    def __init__(self, question):
        self.kind, self.d_model, self.d_ff, self.m = (question[key] for key in ("kind", "d_model", "d_ff", "m"))
        self.element, self.group = question["weights"]["element"], question["weights"]["group"]
        self.place = question["memory"]
        with open(self.place["path"], "r+b") as stream:
            self.memory = mmap.mmap(stream.fileno(), self.place["bytes"])
        self.runs = 0
        self.forms = FORMS.get(MODE, [("the only one", {})])
        if MODE == "plain" and self.element == "f32":
            self.forms = [("float32", {})]
        self.form = ""

    def read(self, name, rows, columns):
        if MODE == "coded" and name in ("gate", "up", "down"):
            return self.decoded(name, rows, columns)
        values = struct.unpack_from(f"{rows * columns}f", self.memory, self.place[name])
        if MODE == "truncating" and name in ("gate", "up", "down"):
            values = [bfloat(value) for value in values]
        return [values[i * columns:(i + 1) * columns] for i in range(rows)]

    def decoded(self, name, depth, width):
        """[depth, width] of the elements and scales, which are stored column by column."""
        group = min(self.group, depth)
        count = -(-depth // group)
        signed = "B" if self.element[0] == "u" else "b"
        elements = struct.unpack_from(f"{depth * width}{signed}", self.memory, self.place[f"{name}_elements"])
        if self.element == "mxfp4":
            table = (0, 0.5, 1, 1.5, 2, 3, 4, 6)
            elements = [table[code % 8] * (-1 if code > 7 else 1) for code in elements]
            scales = [2.0 ** (code - 127) for code in
                      struct.unpack_from(f"{width * count}B", self.memory, self.place[f"{name}_scales"])]
        else:
            scales = struct.unpack_from(f"{width * count}e", self.memory, self.place[f"{name}_scales"])
        zeros = [0] * (width * count)
        if self.place[f"{name}_zeros"] is not None:
            zeros = struct.unpack_from(f"{width * count}B", self.memory, self.place[f"{name}_zeros"])

        def value(k, n):
            at = n * count + k // group
            return (elements[n * depth + k] - zeros[at]) * scales[at]
        return [[value(k, n) for n in range(width)] for k in range(depth)]

    def forward(self):
        act = ACTIVATIONS[self.kind]
        if MODE == "half":
            act = lambda z, exact=act: half(exact(z))
        gated = self.place["gate"] is not None
        gate = self.read("gate" if gated else "up", self.d_model, self.d_ff)
        up = self.read("up", self.d_model, self.d_ff)
        down = self.read("down", self.d_ff, self.d_model)
        rounded = quantised if MODE in ("quantising", "lying") else list
        y = []
        for row in map(rounded, self.read("x", self.m, self.d_model)):
            inner, factor = ([sum(x * w[j] for x, w in zip(row, matrix)) for j in range(self.d_ff)]
                             for matrix in (gate, up))
            h = rounded([act(g) * (u if gated else 1.0) for g, u in zip(inner, factor)])
            y += [sum(value * w[j] for value, w in zip(h, down)) for j in range(self.d_model)]
        if MODE == "wrong" or (MODE == "choosy" and self.form == "quick") or (MODE == "late" and self.runs > 1):
            y[-1] += 0.5
        struct.pack_into(f"{len(y)}f", self.memory, self.place["y"], *y)
        self.runs += 1


def answer(question, cells):
    command = question["command"]
    if command == "describe":
        return {"name": MODE, "version": "1.0", "note": "fake"}
    if MODE == "crashing":
        print("about to crash", file=sys.stderr, flush=True)
        os.abort()
    if MODE == "hanging":
        time.sleep(3600)
    if MODE == "leaving":
        sys.exit(3)
    if MODE == "refusing":
        return {"error": "no such kind here"}
    if MODE == "revealing":
        return {"error": " ".join(sorted(os.environ))}
    if command == "prepare":
        cells.append(Cell(question))
        return {"forms": [{"name": name, "rounds": rounds} for name, rounds in cells[0].forms]}
    cell = cells[0]
    if command == "pack":
        cell.form = cell.forms[question["form"]][0]
        if cell.form == "deadly":
            os.abort()
        if cell.form == "refused":
            return {"error": "no kernel for this"}
        cell.forward()
        return {}
    if command == "run":
        cell.forward()
    if MODE == "babbling" and command == "run":
        return {"ns": "soon"}
    return {"ns": 5e4 if cell.form != "slow" else 9e4}


def main():
    cells = []
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line), cells)), flush=True)


if __name__ == "__main__":
    main()
