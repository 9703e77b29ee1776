"""Owns: the proof that no microkernel keeps a vector of its hot loop on the stack: a tile that outgrows the registers
would lose a tenth of its speed without a word. Does not own: the kernels' numbers (tests/kernels).

Usage: spills.py OBJDUMP OBJECT...
       spills.py OBJDUMP --with CLANG DATABASE OBJECT...
The second form compiles the source of each object anew by CLANG, with the options that the compilation database has.

A hot loop is an innermost loop that holds FMAs. A vector on the stack is a failure. Addresses and counters on the stack
cost a load each, which a loop that waits for FMAs hides; `allowed_addresses` says how many may be there.
"""

import json
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

FUNCTION = re.compile(r"^[0-9a-f]+ <(.*)>:$")
KERNEL = re.compile(r"\b(panel_kernel|wide_kernel)<[^>]*?, (\d+), (\d+), (\w+)>")
INSTRUCTION = re.compile(r"^\s*([0-9a-f]+):\s+(\S+)\s*(.*)$")
FMA = re.compile(r"^(vf(n)?m(add|sub)\w*ps|fmla|fmls)$")
JUMP = re.compile(r"^(j\w+|b|b\.\w+|cbn?z|tbn?z)$")
ENDS = ("ret", "retq", "jmp", "jmpq", "b", "br", "ud2")
TARGET = re.compile(r"\b([0-9a-f]+) <")
VECTOR = re.compile(r"%[xyz]mm|\b[sdqv]\d+\b")

# (object, form, rows) -> vectors on the stack that are known and borne.
# clang 14 loads four steps of each row in place at once: six registers more than there are beside 6 x 4 accumulators.
KNOWN_VECTORS = {("neon by clang++", "in_place", 6): 25}


def allowed_addresses(form, rows):
    """Stack references by general registers that a kernel may have in its hot loop of four k steps.

    Packed and wide: a counter or a pointer, twice. In place: g++ 12 and clang 14 run out of registers for the addresses
    of the rows from about five rows on; each row is broadcast four times.
    """
    return 4 * rows if form == "in_place" else 2


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


def hot_loops(body):
    """The innermost natural loops with FMAs, as sets of indices. Not ranges of addresses: compilers move the blocks of
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
    hot = [loop for loop in sets if any(FMA.match(body[position][1]) for position in loop)]
    return [loop for loop in hot if not any(other < loop for other in hot)]


def on_stack(body):
    """What a reference to the stack looks like in this function: rbp counts only where it is the frame pointer."""
    framed = any(mnemonic == "mov" and operands == "%rsp,%rbp" for _, mnemonic, operands in body)
    return re.compile(r"\((%rsp|%rbp)[,)]|\[sp\b" if framed else r"\(%rsp[,)]|\[sp\b")


def kernels(objdump, path):
    """(form, rows, vectors, number of hot loops, references to the stack in them) of each microkernel of the object."""
    listing = subprocess.run([objdump, "-d", "-C", "--no-show-raw-insn", path], check=True, capture_output=True,
                             text=True).stdout
    for name, body in functions(listing):
        kernel = KERNEL.search(name)
        # One without FMAs of its own is a jump to its twin.
        if not kernel or not any(FMA.match(mnemonic) for _, mnemonic, _ in body):
            continue
        rows, vectors, form = kernel.group(2, 3, 4)
        stack, loops = on_stack(body), hot_loops(body)
        yield ({"true": "packed", "false": "in_place"}.get(form, f"wide-{form}"), int(rows), int(vectors), len(loops),
               [" ".join(body[position][1:]) for loop in loops for position in sorted(loop)
                if stack.search(body[position][2])])


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
        subprocess.run([compiler, *architecture, *words[1:], "-w"], check=True, cwd=entry["directory"])
        return target
    sys.exit(f"spills.py: {built} is not in {database}; configure with CMAKE_EXPORT_COMPILE_COMMANDS")


def check(title, found):
    """Prints what stands on the stack; whether all of it is allowed and there is something to prove."""
    good = bool(found)
    for form, rows, vectors, loops, references in found:
        spilled = [reference for reference in references if VECTOR.search(reference)]
        addresses, allowed = len(references) - len(spilled), allowed_addresses(form, rows)
        known = KNOWN_VECTORS.get((title, form, rows), 0)
        kernel = f"{title}: {form} {rows} rows x {vectors} vectors"
        if references:
            print(f"{kernel}: on the stack {len(spilled)} vectors, {addresses} addresses "
                  f"(allowed {known} and {allowed})")
        for reference in spilled[:4]:
            print(f"    {reference}")
        if not loops:
            print(f"{kernel}: no hot loop was found, so nothing is proven")
        good = good and loops > 0 and len(spilled) <= known and addresses <= allowed
    clean = sum(not references for *_, references in found)
    print(f"{title}: {len(found)} microkernels, {clean} without a reference to the stack in a hot loop")
    return good


def main(words):
    if len(words) < 2 or (words[1] == "--with" and len(words) < 5):
        print("spills.py: expected OBJDUMP [--with CLANG DATABASE] OBJECT...", file=sys.stderr)
        return 2
    objdump, objects, compiler = words[0], words[1:], None
    if objects[0] == "--with":
        compiler, database, objects = objects[1], objects[2], objects[3:]
    good = True
    with tempfile.TemporaryDirectory() as directory:
        for built in objects:
            made = recompile(compiler, database, built, directory) if compiler else built
            title = Path(built).name.split(".")[0] + (f" by {Path(compiler).name}" if compiler else "")
            good &= check(title, list(kernels(objdump, made)))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
