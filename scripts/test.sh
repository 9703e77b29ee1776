#!/usr/bin/env bash
# Owns: building and running the tests, natively and for aarch64 under QEMU.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."

usage() {
  cat <<'END'
Usage: ./scripts/test.sh [--quick] [--label LABEL] [--within MINUTES] [--no-install]

Installs the missing Debian packages (as root or through sudo), builds and runs the tests: all of them on this machine,
those that do not measure for aarch64 under QEMU, and, if less than seven minutes have passed by then, the kernels'
under AddressSanitizer and UndefinedBehaviorSanitizer (`ctest --preset sanitize` runs more). Eleven to fifteen minutes
on two cores.

  --quick           this machine only, without the tests labelled slow or consumer
  --label LABEL     only tests with this label: unit, numerics, cli, reports, browser, consumer, slow, aarch64
  --within MINUTES  leave out the emulated tests where fewer than five of these minutes are left
  --no-install      leave the system's packages alone
END
}

fail() {
  printf 'test.sh: %s\n' "$2" >&2 || true  # the exit code stands
  exit "$1"
}

quick=false
install=true
label=
within=
while [ $# -gt 0 ]; do
  case $1 in
    --quick) quick=true ;;
    --within)
      [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || fail 2 "--within ${2:-}: expected a number of minutes, as in --within 15"
      within=$2
      shift
      ;;
    --no-install) install=false ;;
    --label)
      [ $# -gt 1 ] || fail 2 '--label: no label was given; expected one, as in --label unit'
      label=$2
      shift
      ;;
    -h | --help) usage; exit 0 ;;
    *) fail 2 "$1: not an option; expected --quick, --label, --within or --no-install; try --help" ;;
  esac
  shift
done

[ "$install" = false ] || ./scripts/dependencies.sh run test

presets=(release)
if [ "$quick" = false ]; then
  [ "$(uname -m)" = aarch64 ] || presets+=(aarch64)
  presets+=(sanitize)
fi
# The emulated tests carry a label of their own, which no other build has.
[ "$label" != aarch64 ] || [ "$(uname -m)" = aarch64 ] || presets=(aarch64)

select=()
[ -z "$label" ] || select+=(--label-regex "^$label\$")
[ "$quick" = false ] || select+=(--label-exclude '^(slow|consumer)$')

log=$(mktemp)
trap 'rm -f "$log"' EXIT
summary=
count=0
failed=false
for preset in "${presets[@]}"; do
  target=all
  if [ "$preset" = sanitize ]; then
    target=kernels_tests
    if [ "$SECONDS" -gt 420 ]; then
      summary+="sanitize  left out after $SECONDS s; cmake --preset sanitize, build and ctest run it"$'\n'
      continue
    fi
  fi
  if [ "$preset" = aarch64 ] && [ -n "$within" ] && [ "$SECONDS" -gt $((within * 60 - 300)) ]; then
    summary+="aarch64   left out after $SECONDS s, for --within $within; --label aarch64 runs it"$'\n'
    continue
  fi
  printf '\n== %s\n' "$preset"
  cmake --preset "$preset" >"$log" || { cat "$log"; exit 1; }
  cmake --build --preset "$preset" --target "$target"
  tests=$(ctest --preset "$preset" "${select[@]}" --show-only | sed -n 's/^Total Tests: //p' || true)
  # A label may have no tests in one of the builds; that it has some in one of them is checked at the end.
  [ "${tests:-0}" -gt 0 ] || continue
  ctest --preset "$preset" "${select[@]}" --parallel "$(nproc)" 2>&1 | tee "$log" || failed=true
  labels=$(sed -n 's/^\([a-z0-9_]*\) *= .*(\([0-9]*\) tests*)$/\1 \2/p' "$log" | paste -s -d, | sed 's/,/, /g')
  summary+=$(printf '%-9s %s: %s' "$preset" "$(sed -n 's/\(tests passed.*\)/\1/p' "$log")" "$labels")$'\n'
  count=$((count + tests))
done

printf '\nRan %d tests in %d s\n%s' "$count" "$SECONDS" "$summary"
[ "$count" -gt 0 ] || fail 2 "$label: no test has this label; expected one of those in --help"
[ "$failed" = false ] || fail 1 'a test failed; its output stands above'
