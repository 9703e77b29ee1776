#!/usr/bin/env bash
# Owns: the proof that each ISA object is sealed: it exports one table and nothing weak, and needs only plain C functions from
# outside. An inline function compiled under wide flags and kept by the linker would crash older CPUs.
# Usage: sealed.sh NM OBJECT...
set -euo pipefail

export LC_ALL=C
nm=$1
shift
[ $# -gt 0 ] || { echo 'sealed.sh: no object was given' >&2; exit 2; }

allowed='^(_GLOBAL_OFFSET_TABLE_|fmaf|memcpy|memset|memmove)$'
broken=0
for object in "$@"; do
  symbols=$("$nm" --format=posix "$object")
  defined=$(awk '$2 ~ /^[A-TX-Z]$/' <<<"$symbols")
  weak=$(awk '$2 ~ /^[VvWwui]$/' <<<"$symbols")
  undefined=$(awk '$2 == "U" { print $1 }' <<<"$symbols" | grep -Ev "$allowed" || true)
  exports=$(grep -c . <<<"$defined" || true)
  if [ "$exports" -ne 1 ] || ! awk '$2 !~ /^[DRB]$/ { exit 1 }' <<<"$defined"; then
    printf '%s: expected one exported table, found %s:\n%s\n' "$object" "$exports" "$defined"
    broken=1
  fi
  if [ -n "$weak" ]; then
    printf '%s: weak symbols:\n%s\n' "$object" "$weak"
    broken=1
  fi
  if [ -n "$undefined" ]; then
    printf '%s: needs from outside:\n%s\n' "$object" "$undefined"
    broken=1
  fi
  printf '%s exports %s\n' "$object" "${defined%% *}"
done
exit "$broken"
