"""Owns: a group of the tests avx512.*: which programs it runs, natively where the processor has AVX-512, else emulated.

group.py --programs FOLDER --kernel FILE --work FOLDER GROUP. With SLUICE_EMULATE=always in the environment the emulated
machine is used everywhere. Exit code 77: the group could not run, and the line "skipped: " says why.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import time

import machine

SKIPPED = 77
EMULATED = "emulated by Bochs"
OF_AVX512 = "*avx512*"
PLAIN = ("--gtest_brief=1", "--gtest_color=no")

# Each group is one boot, so there are few, of about equal length.
GROUPS = {
    "numerics": [("numerics", OF_AVX512), ("guard_pages", OF_AVX512), ("activations", OF_AVX512),
                 ("verification", OF_AVX512), ("plans", OF_AVX512), ("plan_choice", OF_AVX512), ("pack", "*")],
    "one_chain": [("one_chain", "*Digests*avx512*"), ("one_chain", "*OneChain*avx512_relu:*OneChain*avx512_swiglu"),
                  ("allocation", OF_AVX512), ("phases", OF_AVX512), ("portion", OF_AVX512), ("forward", "*"),
                  ("share", "*"), ("thread_pool", "*"), ("kinds", "*")],
    "mutations": [("mutations", OF_AVX512), ("weight_types", OF_AVX512), ("dots", OF_AVX512),
                  ("random_cases", "*RandomCases*")],
}

# What the operating system keeps from programs although CPUID shows it: [(kernel options, features without state, the
# instruction set that is right then)].
KEPT_BACK = [("noxsave", (), "scalar"), ("", ("avx",), "scalar"), ("", ("avx512f",), "avx2")]


def here(commands):
    """[(exit code, output)] of programs that this processor runs itself, in brief, as in the emulated machine."""
    results, environment = [], {**os.environ, "SLUICE_BRIEF_TESTS": "1"}
    for command in commands:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                              env=environment)
        results.append((done.returncode, done.stdout))
    return results


def faults(commands, results):
    """What each program did wrong. A filter that finds no case is a fault: GoogleTest would be content with it."""
    found = []
    for command, (code, output) in zip(commands, results):
        name = " ".join([pathlib.Path(command[0]).name, *command[1:]])
        print(f"== {name}\n{output}", flush=True)
        cases = re.search(r"^\[==========\] (\d+) tests? from .* ran\.", output, re.MULTILINE)
        if code != 0:
            found.append(f"{name}: exit code {code}")
        elif cases is None or int(cases[1]) == 0:
            found.append(f"{name}: no case was run")
    return found


def emulated(asked, commands, options="", without=()):
    reason = machine.lacking()
    if not reason and not asked.kernel.exists():
        reason = "the machine's kernel is not here; the test avx512.kernel says why"
    if reason:
        raise LookupError(reason)
    return machine.run(commands, asked.kernel, asked.work, options, without)


def run_group(asked):
    commands = [[str(asked.programs / f"kernels_{program}_test"), f"--gtest_filter={cases}", *PLAIN]
                for program, cases in GROUPS[asked.group]]
    chosen = here([[str(asked.programs / "kernels_chosen")]])[0][1]
    if "chosen: avx512\n" in chosen and os.environ.get("SLUICE_EMULATE") != "always":
        return "natively", faults(commands, here(commands))
    return EMULATED, faults(commands, emulated(asked, commands))


def run_kept_back(asked):
    """Dispatch, and one forward on what it chose, under operating systems that do not save all registers."""
    found = []
    chosen = str(asked.programs / "kernels_chosen")
    # Few cases: those of the scalar kernels take minutes under the emulator.
    forward = [str(asked.programs / "kernels_forward_test"),
               "--gtest_filter=Forwarding.*:Forward.WithActivation*", *PLAIN]
    for options, without, right in KEPT_BACK:
        (code, output), *rest = emulated(asked, [[chosen], forward], options, without)
        print(f"== kernel options: {options or 'clearcpuid=' + ','.join(without)}\n{output}", flush=True)
        if code != 0 or "processor: avx yes, avx2 yes, avx512f yes\n" not in output:
            found.append("the emulated processor should have AVX-512, or this proves nothing")
        if f"chosen: {right}\n" not in output:
            found.append(f"expected the choice to be {right}")
        found += faults([forward], rest)
    return EMULATED, found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--programs", type=pathlib.Path, required=True)
    parser.add_argument("--kernel", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("group", choices=[*GROUPS, "kept_back"])
    asked = parser.parse_args()
    started = time.monotonic()
    try:
        how, found = run_kept_back(asked) if asked.group == "kept_back" else run_group(asked)
    except LookupError as error:
        print(f"skipped: avx512.{asked.group}: {error}")
        return SKIPPED
    except machine.Failure as failure:
        how, found = EMULATED, [str(failure)]
    print(f"ran: avx512.{asked.group} {how} in {time.monotonic() - started:.0f} s")
    for fault in found:
        print(f"fault: {fault}")
    return 1 if found else 0


sys.exit(main())
