#!/usr/bin/env bash
# Owns: the kernel that the emulated machine boots: `kernel.sh FILE` downloads Debian's cloud kernel, checked by apt,
# and keeps its image as FILE. Nothing is installed and no root is needed. Exit code 77: it cannot be had.
set -euo pipefail
file=$(realpath -m -- "$1")
[ ! -s "$file" ] || exit 0

skip() {
  echo "skipped: no kernel for the emulated machine: $1"
  exit 77
}

for tool in apt-get apt-cache dpkg-deb; do
  command -v "$tool" >/dev/null || skip "$tool is not here; this needs Debian"
done
package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null |
  sed -n 's/^ *Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | head -n 1) || package=
[ -n "$package" ] || skip 'apt-cache knows no linux-image-cloud-amd64; apt-get update on Debian 12 for amd64 helps'
mkdir -p "$(dirname "$file")"
work=$(mktemp -d "$file.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
# The folder need not be one that apt's own user may write to.
apt-get -qq -o APT::Sandbox::User= download "$package" || skip "apt-get could not download $package"
dpkg-deb --fsys-tarfile ./*.deb | tar --extract --wildcards './boot/vmlinuz-*'
mv boot/vmlinuz-* "$file"
