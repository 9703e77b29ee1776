"""Owns: what llvm-mca predicts for the hot loop of each microkernel on each core, and which of its models are right
enough to be asked. Does not own: reading the objects (disassembly.py), building them (analyze.sh), drawing (reports/).

A prediction is not a measurement: llvm-mca sees execution ports, dependences and registers on the stack, but neither
caches nor branches. Its model of a core is asked only after it has given that core's documented rates of FMAs and loads
on loops of nothing else. On a Zen 4 the tallest AVX-512 tiles of both widths, predicted at 99.9 % of the bound, were
measured at 97.5 to 97.7 % of the FMA peak with their operands in L1.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from disassembly import FMA, microkernels, recompile

OK, BELOW, USAGE, CANNOT, FILE_PROBLEM, INTERRUPTED = 0, 1, 2, 4, 5, 130

LANES = {"neon": 4, "avx2": 8, "avx512": 16}
# Enough iterations that the first and last few cycles do not show.
ITERATIONS = 200
# Loops of 24 instructions on registers of their own; a rate within 2 % of the core's is right.
PROBE_LENGTH, PROBE_TOLERANCE = 24, 0.02
# Where a model loads faster than the core does, its answer still holds for tiles whose loads take at most this share of
# the time that their FMAs take.
LOAD_SLACK = 0.75


@dataclass(frozen=True)
class Core:
    """What its maker documents. Rates per cycle, of vectors of the instruction set's width."""

    name: str
    fma: dict           # ISA -> rate
    loads: dict         # ISA -> rate
    width: int | None = None    # instructions per cycle, where the model knows only the wider limit of micro-operations


CORES = (
    Core("haswell", {"avx2": 2}, {"avx2": 2}),
    Core("skylake-avx512", {"avx2": 2, "avx512": 2}, {"avx2": 2, "avx512": 2}),
    Core("icelake-server", {"avx2": 2, "avx512": 2}, {"avx2": 2, "avx512": 2}),
    Core("sapphirerapids", {"avx2": 2, "avx512": 2}, {"avx2": 3, "avx512": 2}),
    Core("znver3", {"avx2": 2}, {"avx2": 2}),
    Core("znver4", {"avx2": 2, "avx512": 1}, {"avx2": 2, "avx512": 1}),
    Core("neoverse-n1", {"neon": 2}, {"neon": 2}, 4),
    Core("neoverse-v1", {"neon": 4}, {"neon": 3}, 8),
    Core("neoverse-v2", {"neon": 4}, {"neon": 3}, 8),
    Core("cortex-a76", {"neon": 2}, {"neon": 2}, 4),
    Core("apple-m1", {"neon": 4}, {"neon": 3}),
)

PROBES = {
    "neon": ("fmla v{0}.4s, v30.4s, v31.4s", "ldr q{0}, [x0, 16]"),
    "avx2": ("vfmadd231ps %ymm14, %ymm15, %ymm{0}", "vmovntdqa 32(%rax), %ymm{0}"),
    "avx512": ("vfmadd231ps %zmm30, %zmm31, %zmm{0}", "vmovntdqa 64(%rax), %zmm{0}"),
}
PROBE_REGISTERS = {"neon": 24, "avx2": 12, "avx512": 24}
REGISTER = re.compile(r"%[xyz]mm(\d+)|\b[vqds](\d+)\b")
PREFETCH = re.compile(r"^(prefetch\w*|prfm|prfum)$")
JUMP = re.compile(r"^(j\w+|b|b\.\w+|cbn?z|tbn?z)$")
# On all of these cores a vector is loaded, or a float broadcast from memory, by the load ports alone. Models of 512-bit
# loads add work on the ports of the FMAs (LLVM 19: znver4's broadcast, every load of skylake-avx512; a Zen 4 measured
# shows none), except for this form, which differs from the others in nothing else.
LOADS, PURE_LOAD = ("vbroadcastss", "vmovups", "vmovaps"), "vmovntdqa"
LABEL = ".Lstart"
PADDING = ("nop", "nopw", "nopl", "cs", "data16", "xchg")


class Complaint(Exception):
    """One line for the user, and the exit code."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Prediction:
    """One microkernel on one core."""

    core: str
    isa: str
    compiler: str
    form: str
    mr: int
    nr: int
    cycles_per_k: float
    fma_bound_fraction: float   # cycles that the core's FMA rate asks for over the predicted cycles
    loads_per_fma: float
    registers: int
    stack_references: int


@dataclass(frozen=True)
class Silence:
    """Why there is no prediction."""

    core: str
    isa: str
    reason: str


class Mca:
    """llvm-mca as a function from named loops to cycles per iteration."""

    def __init__(self, program):
        self.program = program
        told = self.run(["--version"], "").stdout
        found = re.search(r"LLVM version (\S+)", told)
        if not found:
            raise Complaint(CANNOT, f"{program} does not say its LLVM version; expected llvm-mca of LLVM 16 or newer")
        self.version = found[1]

    def run(self, words, text):
        try:
            return subprocess.run([self.program, *words], input=text, capture_output=True, text=True, check=False)
        except OSError as error:
            raise Complaint(CANNOT, f"{self.program} cannot be run ({error.strerror}); install it with "
                                    "scripts/dependencies.sh analyze, or name one with --llvm-mca") from error

    def cycles(self, isa, core, loops):
        """[cycles per iteration], or None where this LLVM does not know the core."""
        triple = "aarch64-linux-gnu" if isa == "neon" else "x86_64-linux-gnu"
        text = "".join(f"# LLVM-MCA-BEGIN loop{number}\n{loop.replace(LABEL, f'.Lloop{number}')}\n"
                       f"# LLVM-MCA-END\n" for number, loop in enumerate(loops))
        done = self.run([f"-mtriple={triple}", f"-mcpu={core}", f"-iterations={ITERATIONS}", "-json", "-"], text)
        if "not a recognized processor" in done.stderr:
            return None
        try:
            regions = json.loads(done.stdout)["CodeRegions"]
            found = {region["Name"]: region["SummaryView"]["TotalCycles"] / ITERATIONS for region in regions}
            return [found[f"loop{number}"] for number in range(len(loops))]
        except (ValueError, KeyError) as error:
            first = (done.stderr.strip().splitlines() or ["no output"])[0]
            raise Complaint(CANNOT, f"{self.program} cannot read a loop for {core}: {first}") from error


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


def hot_loop(isa, compiler, kernel):
    """Of a kernel's loops the one over whole groups of k; the other is for the rest of k."""
    loop = max(kernel.rounds, key=lambda one: sum(bool(FMA.match(mnemonic)) for _, mnemonic, _ in one))
    panels = int(kernel.form.removeprefix("wide-")) if kernel.form.startswith("wide-") else 1
    per_k = kernel.rows * kernel.vectors * panels
    steps = sum(bool(FMA.match(mnemonic)) for _, mnemonic, _ in loop) / per_k
    stack = sum(bool(kernel.stack.search(operands)) for _, _, operands in loop)
    return Loop(isa, compiler, kernel.form, kernel.rows, kernel.vectors * LANES[isa], assembly(loop), steps, per_k,
                loads(isa, loop) / steps, registers(loop), stack)


def model_rates(mca, core, isa):
    """(FMAs, loads, FMAs with as many loads between them) per cycle of the model; None where LLVM does not know it."""
    fma, load = ([line.format(number % PROBE_REGISTERS[isa]) for number in range(PROBE_LENGTH)] for line in PROBES[isa])
    # Loads into a register that no FMA reads.
    mixed = [line for one in fma for line in (one, PROBES[isa][1].format(PROBE_REGISTERS[isa]))]
    cycles = mca.cycles(isa, core.name, ["\n".join(lines) for lines in (fma, load, mixed)])
    return cycles and [PROBE_LENGTH / one for one in cycles]


def times(rate):
    return f"{rate:.2g}"


def predict(mca, core, isa, kernels):
    """(predictions, silences) of the loops of one ISA on one core."""
    rates = model_rates(mca, core, isa)
    name = f"LLVM {mca.version}"
    if rates is None:
        return [], [Silence(core.name, isa, f"{name} does not know the core")]
    fma, load, mixed = rates
    if abs(fma / core.fma[isa] - 1) > PROBE_TOLERANCE:
        return [], [Silence(core.name, isa, f"{name}'s model does {times(fma)} vector FMAs per cycle, the core "
                                            f"{core.fma[isa]}")]
    if load < core.loads[isa] * (1 - PROBE_TOLERANCE):
        return [], [Silence(core.name, isa, f"{name}'s model does {times(load)} vector loads per cycle, the core "
                                            f"{core.loads[isa]}")]
    if mixed < min(core.fma[isa], core.loads[isa]) * (1 - PROBE_TOLERANCE):
        return [], [Silence(core.name, isa, f"{name}'s model does {times(mixed)} vector FMAs per cycle beside as many "
                                            f"loads, the core {min(core.fma[isa], core.loads[isa])}")]
    too_fast = load > core.loads[isa] * (1 + PROBE_TOLERANCE)
    found, left_out = [], []
    for loop, cycles in zip(kernels, mca.cycles(isa, core.name, [one.text for one in kernels])):
        bound = loop.fmas_per_k / core.fma[isa]
        if too_fast and loop.loads_per_k / core.loads[isa] > LOAD_SLACK * bound:
            left_out.append(f"{loop.mr}x{loop.nr}")
            continue
        cycles = max(cycles, loop.text.count("\n") / core.width if core.width else 0) / loop.k_steps
        found.append(Prediction(core.name, isa, loop.compiler, loop.form, loop.mr, loop.nr, cycles, bound / cycles,
                                loop.loads_per_k / loop.fmas_per_k, loop.registers, loop.stack_references))
    if not left_out:
        return found, []
    tiles = ", ".join(dict.fromkeys(left_out))
    return found, [Silence(core.name, isa, f"for {tiles}: {name}'s model does {times(load)} vector loads per cycle, "
                                           f"the core {core.loads[isa]}, which is near what these tiles need")]


def isa_of(path):
    """build/release/kernels/CMakeFiles/sluice_avx2.dir/avx2.cpp.o is avx2's."""
    isa = Path(path).name.split(".")[0]
    if isa not in LANES:
        raise Complaint(USAGE, f"{path} is no object of an instruction set; expected the name {', '.join(LANES)}.cpp.o")
    return isa


def loops_of(options, directory):
    """{isa: [Loop]} of every object by its own compiler, and by the other one if asked for."""
    found = {}
    for path in options.objects:
        isa = isa_of(path)
        objdump = "aarch64-linux-gnu-objdump" if isa == "neon" and os.uname().machine != "aarch64" else "objdump"
        made = [("g++", path)]
        if options.clang:
            database = next((str(folder / "compile_commands.json") for folder in Path(path).resolve().parents
                             if (folder / "compile_commands.json").is_file()), None)
            if database is None:
                raise Complaint(FILE_PROBLEM, f"no compile_commands.json above {path}; configure with a preset")
            made.append((Path(options.clang).name, recompile(options.clang, database, path, directory)))
        for compiler, built in made:
            try:
                kernels = list(microkernels(objdump, built))
            except OSError as error:
                raise Complaint(CANNOT, f"{objdump} cannot be run ({error.strerror}); install binutils") from error
            except subprocess.CalledProcessError as error:
                raise Complaint(FILE_PROBLEM, f"{built} cannot be read: {error.stderr.strip()}") from error
            found.setdefault(isa, []).extend(
                hot_loop(isa, compiler, kernel) for kernel in kernels if options.all or kernel.form == "packed")
    if not any(found.values()):
        raise Complaint(FILE_PROBLEM, f"no microkernel in {' '.join(options.objects)}; expected objects with symbols")
    return found


def table(predictions, silences):
    """The text for a terminal."""
    lines = [f"{'core':<15} {'ISA':<7} {'compiler':<9} {'A':<9} {'tile':>6} {'cycles per k':>13} "
             f"{'% of FMA bound':>15} {'loads per FMA':>14} {'registers':>10} {'on the stack':>13}"]
    for one in predictions:
        lines.append(f"{one.core:<15} {one.isa:<7} {one.compiler:<9} {one.form:<9} {f'{one.mr}x{one.nr}':>6} "
                     f"{one.cycles_per_k:>13.2f} {100 * one.fma_bound_fraction:>15.1f} {one.loads_per_fma:>14.2f} "
                     f"{one.registers:>10} {one.stack_references:>13}")
    lines += [""] if silences else []
    return "\n".join(lines + [f"no usable model of {one.core} for {one.isa}: {one.reason}" for one in silences])


def tallest(predictions):
    """The tallest packed tile of each width."""
    best = {}
    for one in predictions:
        key = (one.core, one.isa, one.compiler, one.nr)
        if one.form == "packed" and (key not in best or best[key].mr < one.mr):
            best[key] = one
    return list(best.values())


def write(path, text):
    """Beside the target, then renamed: never half a file."""
    try:
        directory = Path(path).resolve().parent
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=directory, delete=False) as stream:
            stream.write(text)
        os.chmod(stream.name, 0o644)
        os.replace(stream.name, path)
    except OSError as error:
        raise Complaint(FILE_PROBLEM, f"--out {path} cannot be written ({error.strerror}); choose another place") \
            from error


def parse(words):
    parser = argparse.ArgumentParser(prog="analyze.sh", allow_abbrev=False)
    parser.add_argument("--llvm-mca", default="llvm-mca-19", metavar="PROGRAM")
    parser.add_argument("--clang", metavar="PROGRAM", help="compile each object's source anew by this one too")
    parser.add_argument("--all", action="store_true", help="A in place and wide kernels too, and every height")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--out", metavar="FILE")
    parser.add_argument("--least", type=float, metavar="PERCENT", help="fail where a tallest packed tile stays below")
    parser.add_argument("objects", nargs="+", metavar="OBJECT")
    return parser.parse_args(words)


def analyze(options):
    mca = Mca(options.llvm_mca)
    predictions, silences = [], []
    with tempfile.TemporaryDirectory() as directory:
        loops = loops_of(options, directory)
    for core in CORES:
        for isa in core.fma:
            if loops.get(isa):
                found, unknown = predict(mca, core, isa, loops[isa])
                predictions += found
                silences += unknown
    document = json.dumps({
        "schema": "sluice-static", "schema_version": 1, "predictor": f"llvm-mca {mca.version}",
        "predictions": [asdict(one) for one in predictions],
        "no_usable_model": [asdict(one) for one in silences]}, indent=2, allow_nan=False) + "\n"
    if options.out:
        write(options.out, document)
    if options.json:
        sys.stdout.write(document)
    else:
        print(table(predictions if options.all else tallest(predictions), silences))
    below = [one for one in tallest(predictions) if options.least and 100 * one.fma_bound_fraction < options.least]
    for one in below:
        print(f"analyze.sh: {one.mr}x{one.nr} by {one.compiler} is predicted to reach "
              f"{100 * one.fma_bound_fraction:.1f} % of {one.core}'s FMA bound; expected {options.least:g}",
              file=sys.stderr)
    return BELOW if below else OK


def main(words):
    try:
        return analyze(parse(words))
    except Complaint as complaint:
        print(f"analyze.sh: {complaint}", file=sys.stderr)
        return complaint.code
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
