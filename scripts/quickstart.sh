#!/usr/bin/env bash
# Owns: the way from a fresh clone to a tuned profile, results, a report and an export for this machine.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."

usage() {
  cat <<'END'
Usage: ./scripts/quickstart.sh [--fresh] [--no-install]

Installs the missing Debian packages (as root or through sudo), builds, tunes the models tinyllama and t5-base for this
machine, measures every gated kind against the ReLU baseline, and leaves

  out/profile.json              the tuned plans
  out/results.json              the measurements
  out/report/index.html         the report
  out/export/sluice_profile.hpp the plans as a C++ header

A second run keeps a profile and results that this version made on this machine.

  --fresh       tune and measure again
  --no-install  leave the system's packages alone
END
}

fresh=false
install=true
for argument in "$@"; do
  case $argument in
    --fresh) fresh=true ;;
    --no-install) install=false ;;
    -h | --help) usage; exit 0 ;;
    *) echo "quickstart.sh: $argument: not an option; expected --fresh or --no-install; try --help" >&2; exit 2 ;;
  esac
done

step() { printf '\n== %s\n' "$*" >&2; }

sluice=$PWD/build/release/bin/sluice
profile=out/profile.json
results=out/results.json
cells=(--model 'tinyllama,t5-base' --equal 'width,budget' --m '1,8,64,256' --threads '1,all')
# One kind of each width of gate is tuned; the others differ in the activation alone and borrow its plans.
tune=(tune "${cells[@]}" --kind 'swiglu,relu' --budget 120 --profile "$profile")
bench=(bench "${cells[@]}" --kind 'relu,glu,bilinear,reglu,geglu,swiglu' --budget 120 --phases
       --profile "$profile" --out "$results")

# state FILE COMMAND...: what FILE is to this run: missing; foreign (damaged, or of another machine); stale (of this
# machine, but made by another command or version); same.
state() {
  [ -e "$1" ] || { echo missing; return; }
  # From elsewhere, so that a damaged out/profile.json is no matter.
  (cd / && "$sluice" info --json) | python3 -c '
import json, sys
here = json.load(sys.stdin)
try:
    with open(sys.argv[1], encoding="utf-8") as file:
        made = json.load(file)
    made = made.get("context", made)
    if made["machine"]["fingerprint"] != here.get("machine", here)["fingerprint"]:
        print("foreign")
    elif made["command"][1:] == sys.argv[3:] and made["sluice_version"] == sys.argv[2]:
        print("same")
    else:
        print("stale")
except (OSError, ValueError, KeyError, TypeError, AttributeError):
    print("foreign")' "$1" "$("$sluice" --version | cut -d' ' -f2)" "${@:2}"
}

if [ "$install" = true ]; then
  step 'Packages'
  ./scripts/dependencies.sh run
fi

step 'Build (build/release)'
cmake --preset release >&2
cmake --build --preset release --target sluice_tuner_program sluice_bench_program >&2

mkdir -p out/export
step 'Tune'
found=$(state "$profile" "${tune[@]}")
if [ "$found" = same ] && [ "$fresh" = false ]; then
  echo "$profile is of this machine; kept (--fresh tunes again)" >&2
else
  if [ "$found" = foreign ]; then
    aside=out/profile.$(date +%Y%m%d-%H%M%S).json
    mv "$profile" "$aside"
    echo "$profile was damaged or of another machine; moved to $aside" >&2
  fi
  "$sluice" "${tune[@]}"
fi

step 'Measure'
found=$(state "$results" "${bench[@]}")
if [ "$found" = same ] && [ "$results" -nt "$profile" ] && [ "$fresh" = false ]; then
  echo "$results is of this machine and profile; kept (--fresh measures again)" >&2
else
  [ ! -e "$results" ] || mv "$results" "$results.old"
  status=0
  "$sluice" "${bench[@]}" || status=$?
  # What was measured is reported all the same where some cells could not be (exit code 4): the report names them.
  if [ "$status" -ne 0 ] && ! { [ "$status" -eq 4 ] && [ -e "$results" ]; }; then
    [ ! -e "$results.old" ] || mv "$results.old" "$results"
    exit "$status"
  fi
  rm -f "$results.old"
fi

step 'Report and export'
"$sluice" export --format header --profile "$profile" --out out/export/sluice_profile.hpp
python3 -c '
import json, sys
with open(sys.argv[1], encoding="utf-8") as file:
    cells = [cell for cell in json.load(file)["benchmarks"] if "flops" in cell and cell.get("kind") == "swiglu"
             and "peer" not in cell]
print("\nswiglu       M  threads        ms   GFLOP/s  of the roof that binds")
for cell in sorted(cells, key=lambda cell: (cell["models"], cell["d_model"], cell["threads"], cell["m"])):
    print("{:<10} {:>3} {:>8} {:>9.3f} {:>9.1f}  {:>5.1f} % of {}".format(
        ",".join(cell["models"]), cell["m"], cell["threads"], cell["real_time"] / 1e6, cell["flops"] / 1e9,
        100 * cell["roof_fraction"], {"fma": "the FMA peak", "read": "the read bandwidth"}[cell["roof"]]))
print()' "$results"
# Ends with the answer and the path of the report.
"$sluice" report --profile "$profile" --results "$results" --out "$PWD/out/report"
