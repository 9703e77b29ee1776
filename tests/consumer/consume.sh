#!/usr/bin/env bash
# Owns: the proof that a user's project can use Sluice in each of the documented ways.
#   consume.sh install WORK BUILD        installs BUILD, moves the prefix, exports the plans from there
#   consume.sh package WORK              builds and runs the consumer with find_package(sluice)
#   consume.sh pkg_config WORK           … with pkg-config alone
#   consume.sh subdirectory WORK SOURCE  … with add_subdirectory by Makefiles, in a project without optimisation,
#                                        exceptions and run-time types that asks for unity builds, optimisation of the
#                                        whole program, absolute directories, and flags that would change the answer if
#                                        they leaked
#   consume.sh versions WORK SOURCE      configures with packages of xsimd and fmt that only say a version: any major
#                                        version from the oldest on is taken, older ones are refused with the version
#                                        that is needed
# CXX and CMAKE name the tools.
set -euo pipefail
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
mode=$1
work=$2
source=${3:-}
prefix=$work/moved
profile=$work/include

generator=Ninja
build() {
  "$CMAKE" -G "$generator" -S "$here" -B "$work/$mode" -DCMAKE_CXX_COMPILER="$CXX" -DPROFILE_DIR="$profile" "$@"
  "$CMAKE" --build "$work/$mode"
}

expect_same_digest() {
  local digest expected
  digest=$("$1")
  expected=$(cat "$work/digest" 2>/dev/null || echo "$digest")
  echo "digest $digest"
  [ "$digest" = "$expected" ] || { echo "expected $expected, as another way of building gave"; exit 1; }
  echo "$digest" >"$work/digest"
}

# configures_with NAME TARGET NEEDED 'REFUSED...' 'TAKEN...' [OPTION...]: each version as a package that only says it.
configures_with() {
  local name=$1 target=$2 needed=$3 refused=$4 taken=$5 version package code
  shift 5
  for version in $refused $taken; do
    package=$work/$name-$version
    mkdir -p "$package"
    echo "add_library($target INTERFACE IMPORTED)" >"$package/${name}Config.cmake"
    # As xsimd's own: every other major version is called incompatible.
    cat >"$package/${name}ConfigVersion.cmake" <<END
set(PACKAGE_VERSION $version)
if(PACKAGE_FIND_VERSION_MAJOR STREQUAL "${version%%.*}" OR NOT PACKAGE_FIND_VERSION)
  set(PACKAGE_VERSION_COMPATIBLE TRUE)
endif()
END
    rm -rf "${work:?}/$mode"
    code=0
    "$CMAKE" -G "$generator" -S "$here" -B "$work/$mode" -DCMAKE_CXX_COMPILER="$CXX" -DSLUICE_SOURCE_DIR="$source" \
      "-D${name}_DIR=$package" "$@" >"$work/$mode.log" 2>&1 || code=$?
    case " $refused " in
      *" $version "*)
        [ "$code" -ne 0 ] && tr -s ' \n' ' ' <"$work/$mode.log" | grep -q "$version in .* needs $needed "
        ;;
      *) [ "$code" -eq 0 ] ;;
    esac || { echo "$name $version: exit code $code"; cat "$work/$mode.log"; exit 1; }
  done
}

case $mode in
  install)
    rm -rf "$work"
    mkdir -p "$profile"
    "$CMAKE" --install "$3" --prefix "$work/prefix"
    mv "$work/prefix" "$prefix"
    "$prefix/bin/sluice" export --format header --profile "$here/profile.json" --out "$profile/sluice_profile.hpp"
    "$prefix/bin/sluice" report --help >/dev/null
    "$prefix/bin/sluice" export --format schema | cmp - "$prefix/share/sluice/profile.schema.json"
    ;;
  package)
    build -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$prefix"
    expect_same_digest "$work/$mode/consumer"
    ;;
  pkg_config)
    PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name sluice.pc)")
    export PKG_CONFIG_PATH
    read -ra flags <<<"$(pkg-config --cflags sluice)"
    read -ra libraries <<<"$(pkg-config --libs sluice)"
    "$CXX" -std=c++20 -O2 -I"$profile" "${flags[@]}" "$here/consumer.cpp" -o "$work/$mode" "${libraries[@]}"
    expect_same_digest "$work/$mode"
    ;;
  subdirectory)
    generator='Unix Makefiles'
    # Debug information alone would take a third of the compiler's time.
    build -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG= -DSLUICE_SOURCE_DIR="$3" -DCMAKE_UNITY_BUILD=ON \
      -DSLUICE_INSTALL=ON \
      -DCMAKE_CXX_FLAGS='-march=native -ffast-math -fno-exceptions -fno-rtti' -DPARENT_SWITCHES=ON \
      -DCMAKE_INSTALL_LIBDIR="$work/absolute/lib"
    expect_same_digest "$work/$mode/consumer"
    pc=$(find "$work/$mode" -name sluice.pc)
    [ "$(PKG_CONFIG_PATH=$(dirname "$pc") pkg-config --variable=libdir sluice)" = "$work/absolute/lib" ] ||
      { echo "$pc: expected libdir=$work/absolute/lib"; exit 1; }
    ;;
  versions)
    configures_with xsimd xsimd 8.1 '7.6.0 8.0.5' '8.1.0 9.0.1 14.1.0'
    configures_with fmt fmt::fmt 9 '7.1.3 8.1.1' '9.0.0 10.2.1 12.1.0' -DSLUICE_BUILD_TUNER=ON
    ;;
  *)
    echo "consume.sh: $mode: not a mode; expected install, package, pkg_config, subdirectory or versions" >&2
    exit 2
    ;;
esac
