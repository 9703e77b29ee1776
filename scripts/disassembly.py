"""Owns: the microkernels of an object file as their machine code: functions, hot loops, references to the stack; and
compiling an object's source again by another compiler. Does not own: what is made of that (tests/spills.py,
analysis.py).
"""

import heapq
import json
import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from complaint import CANNOT, FILE_PROBLEM, Complaint

FUNCTION = re.compile(r"^[0-9a-f]+ <(.*)>:$")
# <Simd, type of weights, rows, vectors, packed, widening>, <Simd, type of weights, rows, vectors, panels> or
# <Simd, dot product, rows, vectors, panels>
KERNEL = re.compile(r"\b(?:panel|few_rows|(dot))_kernel<[^>]*?(\w+), [^,>]*?(\w+), (\d+), (\d+), (\w+)(?:, (\w+))?>")
# <Simd, rows, vectors, panels>
BF16_DOTS = re.compile(r"\bbf16_dots<[^,>]*?\w+, (\d+), (\d+), (\d+)>")
INSTRUCTION = re.compile(r"^\s*([0-9a-f]+):\s+(?:\{vex\}\s+)?(\S+)\s*(.*)$")
FMA = re.compile(r"^(vf(n)?m(add|sub)\w*ps|fmla|fmls)$")
# Of a dot product of integers, which NEON makes of products in 32 bits.
DOT = re.compile(r"^(vpdpbusd|vpdpwssd|vpmaddwd|vpmaddubsw|smull2?|sdot|usdot)$")
JUMP = re.compile(r"^(j\w+|b|b\.\w+|cbn?z|tbn?z)$")
ENDS = ("ret", "retq", "jmp", "jmpq", "b", "br", "ud2")
TARGET = re.compile(r"\b([0-9a-f]+) <")
VECTOR = re.compile(r"%[xyz]mm|\b[sdqv]\d+\b")


@dataclass(frozen=True)
class Microkernel:
    """One instance of a microkernel template; instructions are (address, mnemonic, operands)."""

    # "packed", "in_place", "widening" (packed A; the weights also become floats) or "wide-N", N panels side by side; and
    # the type of the weights, if it is not f32: "packed bf16". Of integer dot products "dot-N", how, and of what:
    # "dot-1 vnni8 int4". Of bf16 "dot-N bf16".
    form: str
    rows: int
    vectors: int    # of a panel
    loops: list     # the instructions of each hot loop, in the order of their addresses
    rounds: list    # of each hot loop, the shortest way round it that passes all its FMAs or dot products
    stack: re.Pattern

    @property
    def stack_references(self):
        """Of each hot loop."""
        return [[" ".join(words) for _, *words in loop if self.stack.search(words[1])] for loop in self.loops]


def functions(listing):
    """(name, [(address, mnemonic, operands)]) of each function of a disassembly."""
    name, body = None, []
    for line in listing.splitlines():
        if start := FUNCTION.match(line):
            if name:
                yield name, body
            name, body = start[1], []
        elif name and (instruction := INSTRUCTION.match(line)):
            body.append(instruction.groups())
    if name:
        yield name, body


def flow(body):
    """The basic blocks, as lists of indices, and the successors of each block."""
    index = {address: position for position, (address, _, _) in enumerate(body)}
    jumps = {}
    for position, (_, mnemonic, operands) in enumerate(body):
        if JUMP.match(mnemonic) or mnemonic in ENDS:
            target = TARGET.search(operands)
            jumps[position] = index.get(target[1]) if target else None
    starts = sorted({0, *(target for target in jumps.values() if target is not None),
                     *(position + 1 for position in jumps if position + 1 < len(body))})
    number = {start: block for block, start in enumerate(starts)}
    blocks = [list(range(start, end)) for start, end in zip(starts, [*starts[1:], len(body)])]
    successors = []
    for block in blocks:
        last = block[-1]
        following = {jumps[last]} if jumps.get(last) is not None else set()
        if last + 1 < len(body) and body[last][1] not in ENDS:
            following.add(last + 1)
        successors.append([number[one] for one in following])
    return blocks, successors


def reachable(successors, start, without=None):
    """What can be reached from `start` on ways around `without`."""
    found, waiting = set(), [start]
    while waiting:
        block = waiting.pop()
        if block not in found and block != without:
            found.add(block)
            waiting += successors[block]
    return found


def hot_loops(body, multiply=FMA):
    """The innermost natural loops with FMAs or the like, as sets of indices. Not ranges of addresses: compilers move the blocks of
    a loop behind the function's end and its exit into the middle."""
    blocks, successors = flow(body)
    predecessors = [[] for _ in blocks]
    for block, following in enumerate(successors):
        for one in following:
            predecessors[one].append(block)
    everything, loops = reachable(successors, 0), {}
    for head in everything:
        before = reachable(successors, 0, head)
        for block in everything - before:
            # A back edge leads to a block that every way to its start has passed.
            if head in successors[block]:
                loops.setdefault(head, {head}).update(reachable(predecessors, block, head) & everything)
    sets = [{position for block in loop for position in blocks[block]} for loop in loops.values()]
    hot = [loop for loop in sets if any(multiply.match(body[position][1]) for position in loop)]
    return [loop for loop in hot if not any(other < loop for other in hot)]


def shortest_round(body, loop, multiply=FMA):
    """The instructions of the shortest way round a loop that passes each block with FMAs or the like: a prefetch that may have
    nothing to do is left out."""
    blocks, successors = flow(body)
    inside = {block for block, positions in enumerate(blocks) if positions[0] in loop}
    stops = [block for block in sorted(inside) if any(multiply.match(body[position][1]) for position in blocks[block])]

    def way(start, goal):
        """The blocks after `start` up to `goal`, the fewest instructions."""
        waiting, seen = [(0, start, ())], set()
        while waiting:
            length, block, passed = heapq.heappop(waiting)
            if passed and block == goal:
                return passed
            if block not in seen or not passed:
                seen.add(block)
                for one in set(successors[block]) & inside:
                    heapq.heappush(waiting, (length + len(blocks[one]), one, (*passed, one)))
        return ()

    order = [block for start, goal in zip(stops, [*stops[1:], stops[0]]) for block in way(start, goal)]
    # From the first stop on, so that the last jump leads back to it.
    return [body[position] for block in [*order[-1:], *order[:-1]] for position in blocks[block]]


def on_stack(body):
    """What a reference to the stack looks like in this function: rbp counts only where it is the frame pointer."""
    framed = any(mnemonic == "mov" and operands == "%rsp,%rbp" for _, mnemonic, operands in body)
    return re.compile(r"\((%rsp|%rbp)[,)]|\[sp\b" if framed else r"\(%rsp[,)]|\[sp\b")


def run(words, directory=None):
    """What the program writes to stdout."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=directory)
    except OSError as error:
        raise Complaint(CANNOT, f"{words[0]} cannot be run ({error.strerror}); install it with "
                                "scripts/dependencies.sh analyze") from error
    if done.returncode != 0:
        first = (done.stderr.strip().splitlines() or ["no message"])[0]
        raise Complaint(FILE_PROBLEM, f"{words[0]} fails on {words[-1]}: {first}")
    return done.stdout


def microkernels(objdump, path):
    """Each microkernel of an object file."""
    for name, body in functions(run([objdump, "-d", "-C", "--no-show-raw-insn", path])):
        kernel = KERNEL.search(name)
        bf16 = BF16_DOTS.search(name)
        multiply = DOT if kernel and kernel[1] else FMA
        # One without FMAs of its own is a jump to its twin.
        if not (kernel or bf16) or not any(multiply.match(mnemonic) for _, mnemonic, _ in body):
            continue
        if bf16:
            rows, vectors, panels = bf16.groups()
            form = f"dot-{panels} bf16"
        else:
            dot, before, weights, rows, vectors, form, widening = kernel.groups()
            form = f"dot-{form}" if dot else "widening" if widening == "true" else {"true": "packed", "false": "in_place"}.get(form, f"wide-{form}")
            form += f" {before.lower()}" if dot else ""
            form += "" if weights == "F32" else f" {weights.lower()}"
        loops = hot_loops(body, multiply)
        yield Microkernel(form, int(rows), int(vectors),
                          [[body[position] for position in sorted(loop)] for loop in loops],
                          [shortest_round(body, loop, multiply) for loop in loops], on_stack(body))


def recompile(compiler, database, built, directory):
    """The object that `compiler` makes of the source of `built`."""
    for entry in json.loads(Path(database).read_text(encoding="utf-8")):
        words = shlex.split(entry["command"])
        output = words[words.index("-o") + 1]
        if (Path(entry["directory"]) / output).resolve() != Path(built).resolve():
            continue
        target = Path(directory) / Path(built).name
        words[words.index("-o") + 1] = str(target)
        # -w: warnings are lint's business, and this compiler may not know the options of the other.
        architecture = ["--target=aarch64-linux-gnu"] if "aarch64" in Path(words[0]).name else []
        run([compiler, *architecture, "-w", *words[1:]], entry["directory"])
        return target
    raise Complaint(FILE_PROBLEM, f"{built} is not in {database}; configure with a preset and build again")
