#!/usr/bin/python3
"""A peer for tests, in plain Python: it speaks the protocol of bench/peers/worker.cpp and behaves as its name says:
right, wrong, half (precise), late (wrong from its second run on), crashing, hanging, babbling, leaving, refusing,
revealing (the names in its environment)."""

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


class Cell:
    def __init__(self, question):
        self.kind, self.d_model, self.d_ff, self.m = (question[key] for key in ("kind", "d_model", "d_ff", "m"))
        self.place = question["memory"]
        with open(self.place["path"], "r+b") as stream:
            self.memory = mmap.mmap(stream.fileno(), self.place["bytes"])
        self.runs = 0

    def read(self, name, rows, columns):
        values = struct.unpack_from(f"{rows * columns}f", self.memory, self.place[name])
        return [values[i * columns:(i + 1) * columns] for i in range(rows)]

    def forward(self):
        act = ACTIVATIONS[self.kind]
        if MODE == "half":
            act = lambda z, exact=act: half(exact(z))
        gated = self.place["gate"] is not None
        gate = self.read("gate" if gated else "up", self.d_model, self.d_ff)
        up = self.read("up", self.d_model, self.d_ff)
        down = self.read("down", self.d_ff, self.d_model)
        y = []
        for row in self.read("x", self.m, self.d_model):
            inner, factor = ([sum(x * w[j] for x, w in zip(row, matrix)) for j in range(self.d_ff)]
                             for matrix in (gate, up))
            h = [act(g) * (u if gated else 1.0) for g, u in zip(inner, factor)]
            y += [sum(value * w[j] for value, w in zip(h, down)) for j in range(self.d_model)]
        if MODE == "wrong" or (MODE == "late" and self.runs > 1):
            y[-1] += 0.5
        struct.pack_into(f"{len(y)}f", self.memory, self.place["y"], *y)
        self.runs += 1


def answer(question, cells):
    if question["command"] == "describe":
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
    if question["command"] == "prepare":
        cells.append(Cell(question))
        cells[0].forward()
        return {"variant": "the only one"}
    cells[0].forward()
    return {"ns": "soon" if MODE == "babbling" else 5e4}


def main():
    cells = []
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line), cells)), flush=True)


if __name__ == "__main__":
    main()
