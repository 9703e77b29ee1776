"""Owns: the hot loop of a microkernel as llvm-mca reads it, and what can be counted in it without llvm-mca.
Does not own: finding the loop (disassembly.py), what llvm-mca says of it (prediction.py).
"""

import re
from dataclasses import dataclass

from disassembly import FMA, JUMP

LANES = {"neon": 4, "avx2": 8, "avx512": 16}
REGISTER = re.compile(r"%[xyz]mm(\d+)|\b[vqds](\d+)\b")
PREFETCH = re.compile(r"^(prefetch\w*|prfm|prfum)$")
# On all of these cores a vector is loaded, or a float broadcast from memory, by the load ports alone. Models of 512-bit
# loads add work on the ports of the FMAs (LLVM 19: znver4's broadcast, every load of skylake-avx512; a Zen 4 measured
# shows none), except for this form, which differs from the others in nothing else.
LOADS, PURE_LOAD = ("vbroadcastss", "vmovups", "vmovaps"), "vmovntdqa"
LABEL = ".Lstart"
PADDING = ("nop", "nopw", "nopl", "cs", "data16", "xchg")


@dataclass(frozen=True)
class Loop:
    """A microkernel's hot loop with what can be counted in it."""

    isa: str
    compiler: str
    form: str
    mr: int
    nr: int
    text: str
    k_steps: float
    fmas_per_k: int
    loads_per_k: float
    registers: int
    stack_references: int


def assembly(loop):
    """The way round a hot loop as llvm-mca reads it. Jumps lead to its start: it does not care where they go."""
    lines = [f"{LABEL}:"]
    for _, mnemonic, operands in loop:
        operands = re.sub(r"\s*//.*$", "", operands)
        if JUMP.match(mnemonic):
            operands = re.sub(r"\b[0-9a-f]+ <.*>", LABEL, operands)
        if mnemonic in LOADS and operands.startswith(("(", "-", "0x")):
            mnemonic = PURE_LOAD
        if mnemonic not in PADDING:
            lines.append(f"{mnemonic} {operands}")
    return "\n".join(lines)


def loads(isa, loop):
    """Loads of the loop; a pair counts twice, a prefetch not at all."""
    count = 0
    for _, mnemonic, operands in loop:
        if mnemonic in PADDING:
            continue
        if isa == "neon":
            if re.match(r"^(ld|ldu)", mnemonic):
                count += 2 if mnemonic.startswith("ldp") else 1
        elif "(" in operands and not PREFETCH.match(mnemonic) and not mnemonic.startswith("lea"):
            stores = operands.rstrip().endswith(")") and not mnemonic.startswith(("cmp", "test"))
            count += not stores
    return count


def registers(loop):
    """Vector registers that the loop names."""
    return len({next(filter(None, found.groups())) for _, mnemonic, operands in loop
                for found in REGISTER.finditer(operands.split("<")[0]) if not JUMP.match(mnemonic)})


def hot_loop(isa, compiler, kernel):
    """Of a kernel's loops the one over whole groups of k; the other is for the rest of k."""
    loop = max(kernel.rounds, key=lambda one: sum(bool(FMA.match(mnemonic)) for _, mnemonic, _ in one))
    form = kernel.form.split()[0]
    panels = int(form.removeprefix("wide-")) if form.startswith("wide-") else 1
    per_k = kernel.rows * kernel.vectors * panels
    steps = sum(bool(FMA.match(mnemonic)) for _, mnemonic, _ in loop) / per_k
    stack = sum(bool(kernel.stack.search(operands)) for _, _, operands in loop)
    return Loop(isa, compiler, kernel.form, kernel.rows, kernel.vectors * LANES[isa], assembly(loop), steps, per_k,
                loads(isa, loop) / steps, registers(loop), stack)
