#!/usr/bin/env bash
# Makes this checkout ready to run: QGIS from the system's packages (Debian, Ubuntu) and a Python environment in .venv
# with what the engine needs. Skips what is there already.
#
#   bash scripts/setup.sh [--tests]      --tests adds what the tests need
#
# BDGF_WHEELS=FOLDER   installs Python packages from that folder only, without any package index
set -euo pipefail
cd "$(dirname "$0")/.."

tests=0
[ "${1:-}" = "--tests" ] && tests=1
python=/usr/bin/python3   # the interpreter that the system's QGIS is built for
venv=.venv/bin/python

say() { echo "setup: $*"; }
stop() { echo "setup: $*" >&2; exit 1; }

system_packages() {
    local packages=() root=()
    [ -x "$python" ] || packages+=(python3)
    importable qgis || packages+=(python3-qgis)
    importable osgeo || packages+=(python3-gdal)
    importable numpy || packages+=(python3-numpy)
    importable ensurepip || packages+=(python3-venv)
    command -v qgis_process >/dev/null || packages+=(qgis qgis-providers)
    [ $tests = 0 ] || command -v xvfb-run >/dev/null || packages+=(xvfb xauth)
    [ ${#packages[@]} -gt 0 ] || return 0

    command -v apt-get >/dev/null || stop "this machine has no apt-get: install QGIS 3.22 or newer with its Python bindings, GDAL for" \
        "Python, numpy and venv for $python by hand (missing here: ${packages[*]}), then run this again."
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || stop "as root, run 'apt-get update && apt-get install ${packages[*]}', then run this again."
        root=(sudo)
    fi
    say "installing from the system's packages (minutes, where QGIS is among them): ${packages[*]}"
    "${root[@]}" apt-get update -qq || say "the package lists could not be renewed; going on with those at hand"
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null ||
        stop "apt-get could not install ${packages[*]}; its message stands above."
}

importable() { [ -x "$python" ] && "$python" -c "import importlib.util as u, sys; sys.exit(u.find_spec('$1') is None)"; }

python_packages() {
    if ! "$venv" -c 'import pip, numpy, osgeo' 2>/dev/null; then
        say "creating .venv with $("$python" --version), which sees the system's QGIS and GDAL"
        "$python" -m venv --clear --system-site-packages .venv
    fi
    local extras=() missing=() i
    [ $tests = 0 ] || extras=(test)
    mapfile -t missing < <("$venv" scripts/missing.py ${extras[@]+"${extras[@]}"})
    [ ${#missing[@]} -gt 0 ] || return 0

    # QGIS and GDAL are compiled against the system's numpy: it stays.
    "$venv" -c 'import numpy; print("numpy==" + numpy.__version__)' > .venv/constraints.txt
    export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
    local options=(--constraint .venv/constraints.txt)
    if [ -n "${BDGF_WHEELS:-}" ]; then
        [ -d "$BDGF_WHEELS" ] || stop "BDGF_WHEELS names no folder: $BDGF_WHEELS"
        say "Python packages come from the wheel folder $BDGF_WHEELS only"
        options+=(--no-index --find-links "$BDGF_WHEELS")
    else
        for i in "${!missing[@]}"; do
            [[ ${missing[i]} == torch[\>=]* ]] && choose_torch "$i"
        done
    fi
    say "installing Python packages into .venv: ${missing[*]}"
    "$venv" -m pip install -qq "${options[@]}" "${missing[@]}" ||
        stop "pip could not install ${missing[*]}; its message stands above. Without a network, point BDGF_WHEELS to a folder of wheels."
}

# Plain torch brings gigabytes of CUDA on Linux: where there is no NVIDIA GPU, take the newest CPU build that pip finds as it
# is configured, else the one in PyTorch's own index of CPU builds, else plain torch. Changes `missing` and `options`.
choose_torch() {
    if nvidia-smi -L >/dev/null 2>&1; then
        say "there is an NVIDIA GPU: torch comes with CUDA, from pip as configured"
        return
    fi
    local index=https://download.pytorch.org/whl/cpu version
    if version=$(newest_cpu_torch); then
        say "no NVIDIA GPU: the CPU build of torch, from pip as configured"
    elif version=$(newest_cpu_torch --extra-index-url "$index"); then
        say "no NVIDIA GPU: the CPU build of torch, from $index"
        options+=(--extra-index-url "$index")
    else
        say "no NVIDIA GPU, but no CPU build of torch was found: plain torch from pip as configured (large)"
        return
    fi
    missing[$1]+=",==$version"
}

newest_cpu_torch() {
    "$venv" -m pip index versions torch --timeout 10 --retries 1 "$@" 2>/dev/null | grep -oE '[0-9.]+\+cpu' | head -n 1 | grep .
}

system_packages
python_packages
say "ready: $("$venv" scripts/missing.py --versions)"
