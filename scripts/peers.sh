#!/usr/bin/env bash
# Owns: the libraries that `sluice bench --peers` measures beside Sluice: installs them and builds the peers.
# Does not own: how each is used (bench/peers/).
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."

# One line for each library, so that one that cannot be had leaves the others.
wheels=('mkl mkl-devel mkl-include' 'onednn onednn-devel tbb-devel' 'openvino numpy' 'onnxruntime onnx numpy')
# The last oneDNN whose wheel computes with OpenMP's threads; the newer one's are SYCL's. It goes to its own folder.
onednn_gomp=(onednn-cpu-gomp==2023.2.0 onednn-devel-cpu-gomp==2023.2.0)
# ggml has no release of its own there; this package's sources hold it. Its interface changes from one to the next.
ggml_package=llama-cpp-python==0.3.36
root=$PWD/build/peers
python=$root/python/bin/python

usage() {
  cat <<END
Usage: ./scripts/peers.sh [--no-install] [--no-python]

Installs the libraries Sluice is compared with, and builds them as peers in build/release, for

  build/release/bin/sluice bench --peers

Debian packages, as root or through sudo: those of \`scripts/dependencies.sh peers\`.
Python wheels, into build/peers, about 3 GB: ${wheels[*]} ${onednn_gomp[*]}
ggml, built there from the sources of: $ggml_package

  --no-install  leave the system's packages alone; a peer whose library is not here is left out
  --no-python   nothing from PyPI: without MKL, the newer oneDNN, OpenVINO, ONNX Runtime and ggml
END
}

install=true
with_python=true
for argument in "$@"; do
  case $argument in
    --no-install) install=false ;;
    --no-python) with_python=false ;;
    -h | --help) usage; exit 0 ;;
    *) echo "peers.sh: $argument: not an option; expected --no-install or --no-python; try --help" >&2; exit 2 ;;
  esac
done

fail() {
  printf 'peers.sh: %s\n' "$2" >&2 || true  # the exit code stands
  exit "$1"
}

# Builds ggml for this processor into $root/ggml.
build_ggml() {
  local work=$root/ggml-build source
  rm -rf "$work" && mkdir -p "$work" || return
  "$python" -m pip download --quiet --disable-pip-version-check --no-deps --no-binary llama-cpp-python \
    --dest "$work" "$ggml_package" || return
  tar -C "$work" -xzf "$work"/llama_cpp_python-*.tar.gz || return
  source=$(echo "$work"/llama_cpp_python-*/vendor/llama.cpp/ggml)
  # The package leaves out the template of a file for pkg-config, without which ggml alone does not configure.
  touch "$source/ggml.pc.in"
  # g++ 12 says of _tile_loadconfig that it reads eight bytes, and so leaves out what is written to the other 56.
  sed -i 's/^ *_tile_loadconfig(&tc);/asm volatile("" : : "r"(\&tc) : "memory"); &/' \
    "$source/src/ggml-cpu/amx/mmq.cpp" || return
  cmake -G Ninja -S "$source" -B "$work/build" -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF -DGGML_NATIVE=ON \
    -DGGML_LLAMAFILE=ON -DGGML_BUILD_TESTS=OFF -DGGML_BUILD_EXAMPLES=OFF -DCMAKE_INSTALL_PREFIX="$root/ggml" &&
    cmake --build "$work/build" && cmake --install "$work/build"
}

if [ "$install" = true ]; then
  ./scripts/dependencies.sh run peers
fi

peers_python=
if [ "$with_python" = true ]; then
  [ -x "$python" ] || /usr/bin/python3 -m venv "$root/python" ||
    fail 4 'no virtual environment could be made; install python3-venv, or use --no-python'
  for library in "${wheels[@]}"; do
    # shellcheck disable=SC2086  # several wheels
    "$python" -m pip install --quiet --disable-pip-version-check $library ||
      echo "peers.sh: without ${library%% *}: pip could not install it; see its message above" >&2
  done
  if [ ! -e "$root/onednn-gomp/lib/libdnnl.so" ]; then
    rm -rf "$root/onednn-gomp"
    "$python" -m pip install --quiet --disable-pip-version-check --no-deps --prefix "$root/onednn-gomp" \
      "${onednn_gomp[@]}" || echo 'peers.sh: without onednn-gomp: pip could not install it' >&2
  fi
  if [ ! -e "$root/ggml/lib/libggml-cpu.a" ]; then
    build_ggml >"$root/ggml.log" 2>&1 || echo "peers.sh: without ggml: it could not be built; see $root/ggml.log" >&2
  fi
  peers_python=$python
fi

cmake --preset release -DSLUICE_PEERS=ON -DSLUICE_PEERS_PYTHON="$peers_python" -DSLUICE_PEERS_GGML="$root/ggml"
cmake --build --preset release
built=$(find build/release/libexec/sluice/peers -maxdepth 1 -type f -perm -u+x -printf '%f\n' | sort | paste -s -d' ')
echo "Built $built; try build/release/bin/sluice bench --peers --model t5-base --kind swiglu --m 1,64"
