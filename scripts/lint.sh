#!/usr/bin/env bash
# Owns: style and static analysis: clang-format and clang-tidy over every C++ file of ours.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."

usage() {
  cat <<'END'
Usage: ./scripts/lint.sh [--format-only] [FILE]...

Checks FILEs (default: all C++ files) with clang-format, and the sources among them that build/release compiles with
clang-tidy. Needs clang-format and clang-tidy (scripts/dependencies.sh lint) and build/release
(cmake --preset release && cmake --build --preset release).

  --format-only  skip clang-tidy
END
}

fail() {
  printf 'lint.sh: %s\n' "$2" >&2 || true  # the exit code stands
  exit "$1"
}

tidy=true
files=()
for argument in "$@"; do
  case $argument in
    --format-only) tidy=false ;;
    -h | --help) usage; exit 0 ;;
    -*) fail 2 "$argument: not an option; expected --format-only; try --help" ;;
    *)
      [ -f "$argument" ] || fail 5 "$argument: no such file; expected one as seen from $PWD"
      files+=("$(realpath --relative-to=. -- "$argument")")
      ;;
  esac
done
if [ ${#files[@]} -eq 0 ]; then
  mapfile -t files < <(find kernels tuner bench tests -name '*.[ch]pp' | sort)
fi

programs=(clang-format)
[ "$tidy" = false ] || programs+=(clang-tidy)
for program in "${programs[@]}"; do
  command -v "$program" >/dev/null || fail 4 "no $program here; install it with scripts/dependencies.sh lint"
done
clang-format --dry-run -Werror "${files[@]}"
[ "$tidy" = true ] || exit 0

[ -f build/release/build.ninja ] || fail 5 "build/release is not there; run cmake --preset release first"
# Each file for itself, so that one that does not include what it needs is found.
commands=build/lint/compile_commands.json
cmake --preset release -B build/lint -DSLUICE_FILES_TOGETHER=1 >/dev/null
# clang does not know this option of g++, and what is generated is in the other build.
sed -i "s/ -fno-gnu-unique//g; s|$PWD/build/lint|$PWD/build/release|g" "$commands"
sources=()
for file in "${files[@]}"; do
  # A file of another architecture is not in this build.
  if grep -qF "\"file\": \"$PWD/$file\"" "$commands"; then sources+=("$file"); fi
done
[ ${#sources[@]} -gt 0 ] || exit 0
printf '%s\0' "${sources[@]}" | xargs -0 -n 1 -P "$(nproc)" clang-tidy --quiet -p build/lint
