"""Owns: what llvm-mca predicts for a loop on each core, and which of its models are right enough to be asked.
Does not own: the loops (mca_input.py), the command (analysis.py).

A prediction is not a measurement: llvm-mca sees execution ports, dependences and registers on the stack, but neither
caches nor branches. Its model of a core is asked only after it has given that core's documented rates of FMAs and loads
on loops of nothing else. On a Zen 4 the tallest AVX-512 tiles of both widths, predicted at 99.9 % of the bound, were
measured at 97.5 to 97.7 % of the FMA peak with their operands in L1.
"""

import json
import re
import subprocess
from dataclasses import dataclass

from complaint import CANNOT, Complaint
from mca_input import LABEL

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
