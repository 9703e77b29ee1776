#!/usr/bin/env bash
# Owns: the Debian packages Sluice needs. Installs those that are missing and touches nothing else.
set -euo pipefail

run_packages=(g++ cmake ninja-build pkg-config libxsimd-dev libhwloc-dev libfmt-dev libcli11-dev nlohmann-json3-dev
              libbenchmark-dev python3 python3-matplotlib python3-jinja2 python3-scipy)
test_packages=(libgtest-dev binutils make python3-jsonschema qemu-user llvm-19)
# The llvm-mca of llvm-19 predicts how fast the compiled microkernels are. QEMU models processors that are not here. The
# kernels for aarch64 are cross-compiled for it, unless this is such a machine.
case $(uname -m) in
  aarch64 | arm64) ;;
  *) test_packages+=(googletest g++-aarch64-linux-gnu) ;;
esac
# AVX-512 is tested in a machine that Bochs emulates; tests/emulated/kernel.sh downloads the kernel that this boots.
[ "$(uname -m)" != x86_64 ] || test_packages+=(bochs bochs-term)
# A browser that opens the report; its tests are left out where it is not installed.
browser_packages=(chromium chromium-driver python3-selenium)
lint_packages=(clang clang-format clang-tidy)
# Of libraries with several variants the OpenMP ones: their thread count can be set, and the gate uses the same threads.
peers_packages=(libopenblas-openmp-dev libblis-openmp-dev libeigen3-dev libxsmm-dev libdnnl-dev python3-torch
                python3-venv)
analyze_packages=(llvm-19 clang binutils)

usage() {
  cat <<END
Usage: scripts/dependencies.sh [run|test|browser|lint|peers|analyze]...

Installs the missing Debian packages of the named groups with apt-get, as root or through sudo. Default: run.

  run      what scripts/quickstart.sh needs: ${run_packages[*]}
  test     what scripts/test.sh needs besides: ${test_packages[*]}
  browser  what the tests of the report in a browser need besides: ${browser_packages[*]}
  lint     what scripts/lint.sh needs besides: ${lint_packages[*]}
  peers    what scripts/peers.sh needs besides: ${peers_packages[*]}
  analyze  what scripts/analyze.sh needs besides: ${analyze_packages[*]}
END
}

fail() {
  printf 'dependencies.sh: %s\n' "$2" >&2 || true  # the exit code stands
  exit "$1"
}

[ $# -gt 0 ] || set -- run
packages=()
for group in "$@"; do
  case $group in
    run) packages+=("${run_packages[@]}") ;;
    test) packages+=("${test_packages[@]}") ;;
    browser) packages+=("${browser_packages[@]}") ;;
    lint) packages+=("${lint_packages[@]}") ;;
    peers) packages+=("${peers_packages[@]}") ;;
    analyze) packages+=("${analyze_packages[@]}") ;;
    -h | --help) usage; exit 0 ;;
    *) fail 2 "$group: not a group; expected run, test, browser, lint, peers or analyze; try --help" ;;
  esac
done

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
  fail 4 "no apt-get here; install what your system calls ${packages[*]}, then run again with --no-install"
fi

missing=()
for package in "${packages[@]}"; do
  # shellcheck disable=SC2016  # the ${} is dpkg-query's
  state=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null) || state=absent
  [ "$state" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null ||
    fail 4 "missing packages and neither root nor sudo; ask for: apt-get install ${missing[*]}"
  as_root=(sudo)
fi
as_root+=(env DEBIAN_FRONTEND=noninteractive)
apt_get=(apt-get -o DPkg::Lock::Timeout=300 -qq)

echo "Installing ${#missing[@]} packages: ${missing[*]}" >&2
"${as_root[@]}" "${apt_get[@]}" update >&2 ||
  echo 'dependencies.sh: apt-get update failed; trying with the package lists that are here' >&2
"${as_root[@]}" "${apt_get[@]}" install --yes --no-install-recommends "${missing[@]}" >&2 ||
  fail 4 "apt-get could not install ${missing[*]}; see its message above (no network, or not Debian 12?)"
