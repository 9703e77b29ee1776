#!/usr/bin/env bash
# Owns: building and running the tests, natively, for AVX-512 under Bochs and for aarch64 under QEMU.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."

usage() {
  cat <<'END'
Usage: ./scripts/test.sh [--quick] [--label LABEL] [--no-install]

Installs the missing Debian packages (as root or through sudo), builds and runs the tests: all of them on this machine,
those of AVX-512 in a machine that Bochs emulates where the CPU has none, the kernels' under AddressSanitizer and
UndefinedBehaviorSanitizer (`ctest --preset sanitize` runs more), and those that do not measure for aarch64 under QEMU.
At its end it says what could not run here. At most 45 minutes on two cores.

  --quick        this machine only, without the tests labelled slow, consumer or avx512
  --label LABEL  only tests with this label: unit, numerics, cli, reports, browser, consumer, slow, avx512, aarch64
  --no-install   leave the system's packages alone
END
}

fail() {
  printf 'test.sh: %s\n' "$2" >&2 || true  # the exit code stands
  exit "$1"
}

quick=false
install=true
label=
while [ $# -gt 0 ]; do
  case $1 in
    --quick) quick=true ;;
    --no-install) install=false ;;
    --label)
      [ $# -gt 1 ] || fail 2 '--label: no label was given; expected one, as in --label unit'
      label=$2
      shift
      ;;
    -h | --help) usage; exit 0 ;;
    *) fail 2 "$1: not an option; expected --quick, --label or --no-install; try --help" ;;
  esac
  shift
done

[ "$install" = false ] || ./scripts/dependencies.sh run test

machine=$(uname -m)
summary=
presets=(release)
if [ "$quick" = false ]; then
  [ "$machine" = x86_64 ] || summary+="avx512    not run: its programs need an x86-64 machine"$'\n'
  presets+=(sanitize)
  [ "$machine" = aarch64 ] || presets+=(aarch64)
fi
# The emulated tests carry labels of their own, which no other build has.
[ "$label" != aarch64 ] || [ "$machine" = aarch64 ] || presets=(aarch64)
if [ "$label" = avx512 ]; then
  [ "$machine" = x86_64 ] || fail 4 '--label avx512: its programs need an x86-64 machine'
  presets=(release)
fi

select=()
[ -z "$label" ] || select+=(--label-regex "^$label\$")
[ "$quick" = false ] || select+=(--label-exclude '^(slow|consumer|avx512)$')

log=$(mktemp)
trap 'rm -f "$log"' EXIT
count=0
failed=false
for preset in "${presets[@]}"; do
  target=all
  [ "$preset" != sanitize ] || target=kernels_tests
  printf '\n== %s\n' "$preset"
  cmake --preset "$preset" >"$log" || { cat "$log"; exit 1; }
  cmake --build --preset "$preset" --target "$target"
  tests=$(ctest --preset "$preset" "${select[@]}" --show-only | sed -n 's/^Total Tests: //p' || true)
  # A label may have no tests in one of the builds; that it has some in one of them is checked at the end.
  [ "${tests:-0}" -gt 0 ] || continue
  ctest --preset "$preset" "${select[@]}" --parallel "$(nproc)" 2>&1 | tee "$log" || failed=true
  labels=$(sed -n 's/^\([a-z0-9_]*\) *= .*(\([0-9]*\) tests*)$/\1 \2/p' "$log" | paste -s -d, | sed 's/,/, /g')
  summary+=$(printf '%-9s %s: %s' "$preset" "$(sed -n 's/\(tests passed.*\)/\1/p' "$log")" "$labels")$'\n'
  # Where each group of avx512 ran, what could not run, and why if a test says so.
  summary+=$(sed -n -E 's/^(ran|skipped): (.*)/          \1: \2/p' "build/$preset/Testing/Temporary/LastTest.log")$'\n'
  summary+=$(sed -n -E 's/^[[:space:]]*[0-9]+ - (.*) \((Skipped|Not Run)\)$/          not run: \1/p' "$log")$'\n'
  count=$((count + tests))
done

printf '\nRan %d tests in %d s\n' "$count" "$SECONDS"
printf '%s' "$summary" | sed '/^$/d'
[ "$count" -gt 0 ] || fail 2 "$label: no test has this label; expected one of those in --help"
[ "$failed" = false ] || fail 1 'a test failed; its output stands above'
