#!/usr/bin/env bash
# Owns: the proof that what is written for macOS compiles there as far as a machine without Apple's SDK can tell: clang
# checks, for an Apple CPU, every file of ours that asks which system it is on. In the SDK's place stand the C library of
# this system and `include/`, which declares what only macOS has and refuses what only Linux has.
# Usage: syntax.sh CLANG GXX SOURCE    GXX: a compiler for aarch64 Linux, whose headers are used
# Exit codes: 0 ok, 1 a file does not compile, 77 there is no such clang or compiler here.
set -euo pipefail

clang=$1
gxx=$2
source=$3
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")

skip() {
  echo "left out: $1"
  exit 77
}
command -v "$clang" >/dev/null || skip 'no clang++ here (scripts/dependencies.sh lint installs it)'
command -v "$gxx" >/dev/null || skip 'no compiler for aarch64 here, whose headers are needed (scripts/dependencies.sh test)'

# The directories that GXX searches, except those of its own intrinsics; clang has others.
mapfile -t found < <("$gxx" -xc++ -E -v /dev/null 2>&1 >/dev/null |
  sed -n '/^#include <\.\.\.>/,/^End of search/s/^ //p' | xargs -r realpath | grep -v '/lib/gcc')
[ ${#found[@]} -gt 0 ] || skip "$gxx does not say where its headers are"

options=(--target=arm64-apple-macos13 -std=c++20 -fsyntax-only -Wall -Wextra -Werror
         -Wno-pragma-once-outside-header -nostdinc++ -nostdlibinc
         # What this C library expects of its compiler: a macro with its name, and the driver's default for C++.
         -U__nonnull -D_GNU_SOURCE -include "$here/include/not_linux.hpp"
         -I"$source" -I"$source/kernels/include" -isystem "$here/include")
for directory in "${found[@]}"; do options+=(-isystem "$directory"); done
# The libraries' headers, which do not depend on the architecture. Those that do are found above first.
options+=(-idirafter /usr/include)

cd "$source"
mapfile -t files < <(grep -rlE --include='*.cpp' --include='*.hpp' '__(APPLE|linux)__' kernels tuner bench | sort)
grep -q __APPLE__ "${files[@]}" || { echo 'no file is written for macOS; what is there to check?'; exit 1; }
broken=0
for file in "${files[@]}"; do
  "$clang" "${options[@]}" -xc++ "$file" || { echo "$file: not for macOS"; broken=1; }
done
echo "checked ${files[*]}"
exit "$broken"
