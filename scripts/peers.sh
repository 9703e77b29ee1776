#!/usr/bin/env bash
# Owns: the libraries that `sluice bench --peers` measures beside Sluice: installs them and builds the peers.
# Does not own: how each is used (bench/peers/).
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."

# One line for each library, so that one that cannot be had leaves the others.
wheels=('mkl mkl-devel mkl-include' 'onednn onednn-devel' 'openvino numpy' 'onnxruntime onnx numpy')
# The last oneDNN whose wheel computes with OpenMP's threads; the newer one's are SYCL's. It goes to its own folder.
onednn_gomp=(onednn-cpu-gomp==2023.2.0 onednn-devel-cpu-gomp==2023.2.0)
root=$PWD/build/peers
python=$root/python/bin/python

usage() {
  cat <<END
Usage: ./scripts/peers.sh [--no-install] [--no-python]

Installs the libraries Sluice is compared with, and builds them as peers in build/release, for

  build/release/bin/sluice bench --peers

Debian packages, as root or through sudo: those of \`scripts/dependencies.sh peers\`.
Python wheels, into build/peers, about 3 GB: ${wheels[*]} ${onednn_gomp[*]}

  --no-install  leave the system's packages alone; a peer whose library is not here is left out
  --no-python   no wheels: without MKL, the newer oneDNN, OpenVINO and ONNX Runtime
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
  peers_python=$python
fi

cmake --preset release -DSLUICE_PEERS=ON -DSLUICE_PEERS_PYTHON="$peers_python"
cmake --build --preset release
built=$(find build/release/libexec/sluice/peers -maxdepth 1 -type f -perm -u+x -printf '%f\n' | sort | paste -s -d' ')
echo "Built $built; try build/release/bin/sluice bench --peers --model t5-base --kind swiglu --m 1,64"
