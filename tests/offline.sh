#!/usr/bin/env bash
# Owns: the proof that the cross build goes on without the libraries for its architecture: where no package can be
# downloaded, configuring says so in one line and leaves the tests of the kernels to build.
# Usage: offline.sh CMAKE SOURCE PRESET
set -euo pipefail

cmake=$1
source=$2
preset=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"
printf '#!/bin/sh\necho "E: no network" >&2\nexit 100\n' >"$work/bin/apt-get"
chmod +x "$work/bin/apt-get"

fail() {
  cat "$work/log"
  echo "offline.sh: $1"
  exit 1
}

cd "$source"
PATH=$work/bin:$PATH "$cmake" --preset "$preset" -B "$work/build" -DSLUICE_SYSROOT="$work/sysroot" \
  -DCMAKE_FIND_ROOT_PATH="$work/sysroot;/usr/aarch64-linux-gnu" >"$work/log" 2>&1 || fail 'configuring failed'
told=$(grep -c 'only the kernels and their tests are built' "$work/log" || true)
[ "$told" = 1 ] || fail "expected one line that says what is left out, found $told"
"$cmake" --build "$work/build" --target help >"$work/log"
grep -q '^kernels_numerics_test:' "$work/log" || fail 'the tests of the kernels are not built'
! grep -Eq '^(sluice_tuner_program|sluice_bench_program|tuner_tests):' "$work/log" || fail 'the tuner would be built'
echo 'without packages: the kernels and their tests'
