#!/usr/bin/env bash
# Owns: building what is analysed. Does not own: the analysis (analysis.py).
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."

usage() {
  cat <<'END'
Usage: ./scripts/analyze.sh [--all] [--out FILE] [--json] [--least PERCENT] [--llvm-mca PROGRAM] [--no-install]

Predicts with llvm-mca how fast the hot loop of each microkernel runs on cores that need not be here: cycles per k step,
share of the core's FMA bound, loads per FMA, registers, references to the stack. By g++ and by clang, for x86-64 and
aarch64. It is no measurement: caches, branches and prefetches of weights are not in it. A core is left out, with the
reason, where this LLVM's model does not give the core's documented rates. Installs the Debian packages it needs (as
root or through sudo) and builds the kernels.

  --all               A in place and wide kernels and every height, not only the tallest packed tile of each width
  --out FILE          write the packed tiles (--all: everything) as JSON, for `sluice report --static FILE`
  --json              print the JSON instead of the table
  --least PERCENT     exit with 1 where a tallest packed tile is predicted below this share of the FMA bound
  --llvm-mca PROGRAM  default: llvm-mca-19, whose models of Neoverse cores are the best of those in Debian 12
  --no-install        leave the system's packages alone

Exit codes: 0 ok, 1 below --least, 2 usage, 4 a program is missing or does not fit, 5 a file cannot be read or written,
130 interrupted.
END
}

fail() {
  printf 'analyze.sh: %s\n' "$2" >&2 || true  # the exit code stands
  exit "$1"
}

install=true
arguments=()
while [ $# -gt 0 ]; do
  case $1 in
    --all | --json) arguments+=("$1") ;;
    --out | --least | --llvm-mca)
      [ -n "${2:-}" ] || fail 2 "$1: no value was given; try --help"
      arguments+=("$1" "$2")
      shift
      ;;
    --no-install) install=false ;;
    -h | --help) usage; exit 0 ;;
    *) fail 2 "$1: not an option; expected --all, --out, --json, --least, --llvm-mca or --no-install; try --help" ;;
  esac
  shift
done

[ "$install" = false ] || ./scripts/dependencies.sh run test analyze

log=$(mktemp)
trap 'rm -f "$log"' EXIT
objects=()
# build PRESET ISA...: the objects of these instruction sets by the preset.
build() {
  local preset=$1 isa
  shift
  if ! { cmake --preset "$preset" && cmake --build --preset "$preset" --target "${@/#/sluice_}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    fail 4 "the kernels of the preset $preset could not be built; see above"
  fi
  for isa in "$@"; do objects+=("build/$preset/kernels/CMakeFiles/sluice_$isa.dir/instruction_sets/$isa.cpp.o"); done
}
case $(uname -m) in
  x86_64)
    build release avx2 avx512
    build aarch64 neon
    ;;
  aarch64 | arm64) build release neon ;;
  *) fail 4 "$(uname -m) has no microkernels of its own; expected x86_64 or aarch64" ;;
esac
if command -v clang++ >/dev/null; then arguments+=(--clang clang++); fi

python3 -B scripts/analysis.py "${arguments[@]}" "${objects[@]}"
