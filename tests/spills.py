"""Owns: the proof that no microkernel keeps a vector of its hot loop on the stack. A tile that outgrows the registers
would silently lose a tenth of its speed. Does not own: the kernels' numbers (tests/kernels).

Usage: spills.py OBJDUMP OBJECT...
       spills.py OBJDUMP --with CLANG DATABASE OBJECT...
The second form compiles the source of each object again with CLANG and the options of the compilation database.

A hot loop is an innermost loop that holds FMAs. A vector on the stack is a failure. Addresses and counters on the stack
cost a load each, which a loop that waits for FMAs hides; `allowed_addresses` says how many may be there.
"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from disassembly import VECTOR, microkernels, recompile  # noqa: E402

# (object, form, rows, vectors) -> vectors on the stack that are known and accepted.
# clang 14 loads some floats of the next step of each row in place too early for 6 x 4 accumulators.
KNOWN_VECTORS = {("neon by clang++", "in_place", 6, 4): 6,
                 # Of one row tile in many.
                 ("avx2 by clang++", "widening f16", 6, 2): 6}


def allowed_addresses(form, rows):
    """Stack references by general registers that a kernel may have in a hot loop, of four k steps or one.

    Packed, widening and wide: a counter or a pointer, twice. In place: g++ 12 and clang 14 run out of registers for the addresses
    of the rows from about five rows on; each row is broadcast four times. Dot products: pointers of some panels; of
    several panels side by side for each of two steps.
    """
    if form.startswith("in_place"):
        return 4 * rows
    return 4 if form.startswith("dot-1 ") else 8 if form.startswith("dot") else 2


def check(title, found):
    """Prints what is on the stack. Returns whether all of it is allowed and at least one kernel was found."""
    good = bool(found)
    for kernel in found:
        form, rows = kernel.form, kernel.rows
        references = [reference for loop in kernel.stack_references for reference in loop]
        spilled = [reference for reference in references if VECTOR.search(reference)]
        addresses = max((sum(not VECTOR.search(reference) for reference in loop) for loop in kernel.stack_references),
                        default=0)
        allowed = allowed_addresses(form, rows)
        known = KNOWN_VECTORS.get((title, form, rows, kernel.vectors), 0)
        label = f"{title}: {form} {rows} rows x {kernel.vectors} vectors"
        if references:
            print(f"{label}: on the stack {len(spilled)} vectors, at most {addresses} addresses in a loop "
                  f"(allowed {known} and {allowed})")
        for reference in spilled[:4]:
            print(f"    {reference}")
        if not kernel.loops:
            print(f"{label}: no hot loop was found, so nothing is proven")
        good = good and bool(kernel.loops) and len(spilled) <= known and addresses <= allowed
    clean = sum(not any(kernel.stack_references) for kernel in found)
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
            good &= check(title, list(microkernels(objdump, made)))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
