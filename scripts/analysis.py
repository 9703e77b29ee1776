"""Owns: the command behind analyze.sh: objects in, predictions as a table and as JSON out. Does not own: reading the
objects (disassembly.py), predicting (prediction.py), building them (analyze.sh), drawing (reports/).
"""

import argparse
import contextlib
import json
import os
import shutil
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from complaint import BELOW, FILE_PROBLEM, INTERRUPTED, OK, USAGE, Complaint
from disassembly import microkernels, recompile
from mca_input import LANES, hot_loop
from prediction import CORES, Mca, predict


def isa_of(path):
    """build/release/kernels/CMakeFiles/sluice_avx2.dir/instruction_sets/avx2.cpp.o is avx2's."""
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
            found.setdefault(isa, []).extend(hot_loop(isa, compiler, kernel) for kernel in microkernels(objdump, built)
                                             if kernel.form == "packed" or options.all and not kernel.form.startswith("dot"))
    if not any(found.values()):
        raise Complaint(FILE_PROBLEM, f"no microkernel in {' '.join(options.objects)}; expected objects with symbols")
    return found


def table(predictions, silences):
    """The text for a terminal."""
    lines = [f"{'core':<15} {'ISA':<7} {'compiler':<9} {'A':<13} {'tile':>6} {'cycles per k':>13} "
             f"{'% of FMA bound':>15} {'loads per FMA':>14} {'registers':>10} {'on the stack':>13}"]
    for one in predictions:
        lines.append(f"{one.core:<15} {one.isa:<7} {one.compiler:<9} {one.form:<13} {f'{one.mr}x{one.nr}':>6} "
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
    """Beside the target, then renamed: never half a file. A link stays a link, a device or pipe is written through."""
    target = os.path.realpath(path)
    try:
        if os.path.exists(target) and not os.path.isfile(target):
            Path(target).write_text(text, encoding="utf-8")
            return
        handle, temporary = tempfile.mkstemp(prefix=".sluice-", suffix=".tmp", dir=os.path.dirname(target))
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
            if os.path.exists(target):
                shutil.copymode(target, temporary)
            else:
                os.chmod(temporary, 0o644)
            os.replace(temporary, target)
        finally:
            Path(temporary).unlink(missing_ok=True)
    except OSError as error:
        raise Complaint(FILE_PROBLEM, f"--out {path} cannot be written ({error.strerror}); choose another place") \
            from error


def parse(words):
    parser = argparse.ArgumentParser(prog="analyze.sh", allow_abbrev=False)
    parser.add_argument("--llvm-mca", default="llvm-mca-19", metavar="PROGRAM")
    parser.add_argument("--clang", metavar="PROGRAM", help="compile each object's source anew by this one too")
    parser.add_argument("--all", action="store_true", help="A in place, wide kernels and other weights than f32 too, and every height")
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
        code = analyze(parse(words))
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # The reader of the table left early.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except Complaint as complaint:
        with contextlib.suppress(OSError):  # what cannot be said is not said; the exit code stands
            print(f"analyze.sh: {complaint}", file=sys.stderr, flush=True)
        return complaint.code
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        try:
            sys.stderr.flush()
        except OSError:     # or Python would try again at its end, and exit with 120
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
