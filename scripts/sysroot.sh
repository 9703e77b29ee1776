#!/usr/bin/env bash
# Owns: the libraries of another architecture that a cross build of the tuner and the benchmark links: downloads
# Debian's packages and unpacks them into a directory. Installs nothing and adds no architecture to the system.
set -euo pipefail

packages=(libhwloc-dev libhwloc15 libudev1 libfmt-dev libfmt9 libbenchmark-dev libbenchmark1debian libcli11-dev
          nlohmann-json3-dev)

usage() {
  cat <<END
Usage: scripts/sysroot.sh ARCHITECTURE DIRECTORY

Unpacks Debian's packages for ARCHITECTURE (arm64) into DIRECTORY, unless it holds them already: ${packages[*]}
Uses this system's package sources and keys, with lists and a cache of its own beside DIRECTORY.

Exit codes: 0 ok, 2 usage, 4 the packages cannot be downloaded here.
END
}

fail() {
  printf 'sysroot.sh: %s\n' "$2" >&2 || true  # the exit code stands
  exit "$1"
}

case ${1:-} in -h | --help) usage; exit 0 ;; esac
[ $# -eq 2 ] || fail 2 "$# arguments; expected an architecture and a directory; try --help"
architecture=$1
target=$(realpath -m -- "$2")
[ ! -e "$target/complete" ] || exit 0
for program in apt-get dpkg-deb; do command -v "$program" >/dev/null || fail 4 "no $program here"; done

work=$target.download
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/packages"
cat >"$work/apt.conf" <<END
APT::Architecture "$architecture";
APT::Architectures { "$architecture"; };
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "1";
Acquire::http::Timeout "20";
Dir::Cache "$work/cache";
Dir::State "$work";
Dir::State::lists "$work/lists";
Dir::State::status "/dev/null";
END
export APT_CONFIG=$work/apt.conf
apt-get -qq update >&2 || fail 4 'apt-get update failed; see its message above'
(cd "$work/packages" && apt-get -qq download "${packages[@]}" >&2) || fail 4 "${packages[*]} cannot be downloaded"
rm -rf "$target"
for package in "$work"/packages/*.deb; do dpkg-deb --extract "$package" "$target"; done
rm -rf "$work"
touch "$target/complete"
