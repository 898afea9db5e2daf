#!/usr/bin/env bash
# Runs the plugin's tests in the QGIS of several Debian releases (3.22, 3.40, 3.44), each in a root of its own, and ends
# with a table of the outcomes.
#
#   bash scripts/test_qgis_versions.sh [SUITE ...] [-- PYTEST ARGUMENTS]     else: bookworm trixie sid -- tests/qgis
#
# Needs root's rights, debootstrap, and 4 GB for each root, which is made once and kept: FOLDER/qgis-SUITE.
#
# BDGF_ROOTS=FOLDER    where the roots lie (default /var/tmp)
# BDGF_MIRROR=URL      the Debian mirror (default http://deb.debian.org/debian)
# BDGF_APT_CONF=FILE   more of apt's configuration, say for a mirror that stands still
# BDGF_WHEELS=FOLDER   wheels for what Debian lacks (bookworm's torch is too old), else they come from pip's index
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
roots="${BDGF_ROOTS:-/var/tmp}"
mirror="${BDGF_MIRROR:-http://deb.debian.org/debian}"

say() { echo "versions: $*"; }
stop() { echo "versions: $*" >&2; exit 1; }

suites=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do suites+=("$1"); shift; done
[ "${1:-}" != -- ] || shift
[ ${#suites[@]} -gt 0 ] || suites=(bookworm trixie sid)
[ $# -gt 0 ] || set -- tests/qgis
[ "$(id -u)" = 0 ] || stop "making a root needs root's rights: run this with sudo."
for tool in debootstrap unshare; do
    command -v $tool >/dev/null || stop "$tool is missing: apt-get install debootstrap util-linux."
done

# In the root $1, with /proc, /dev and the wheels mounted for as long as it takes: nothing has to be unmounted after it.
inside() {
    local root="$1"
    shift
    root="$root" wheels="${BDGF_WHEELS:-}" unshare --mount --propagation private bash -c '
        set -eu
        mount -t proc proc "$root/proc"
        mount --rbind /dev "$root/dev"
        if [ -n "$wheels" ]; then mkdir -p "$root/mnt/wheels"; mount --bind "$wheels" "$root/mnt/wheels"; fi
        exec chroot "$root" /usr/bin/env -i HOME=/root LANG=C.UTF-8 TERM=dumb DEBIAN_FRONTEND=noninteractive \
            PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
            OMP_NUM_THREADS=1 QT_QPA_PLATFORM=offscreen ${wheels:+BDGF_WHEELS=/mnt/wheels} "$@"
    ' inside "$@"
}

make_root() {
    local root="$1" suite="$2" packages
    [ ! -e "$root/made" ] || return 0
    say "making $root (a quarter of an hour or less)"
    if [ ! -d "$root/usr/bin" ] || [ -d "$root/debootstrap" ]; then # the latter is there until it has ended well
        debootstrap --variant=minbase --include=ca-certificates "$suite" "$root" "$mirror" >"$root.log" 2>&1 ||
            stop "debootstrap failed; $root.log says why."
    fi
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" # no services
    chmod +x "$root/usr/sbin/policy-rc.d"
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    [ -z "${BDGF_APT_CONF:-}" ] || cp "$BDGF_APT_CONF" "$root/etc/apt/apt.conf.d/99bdgf"
    packages=(python3-{qgis,gdal,numpy,venv,pytest,hypothesis,sklearn} qgis qgis-providers xvfb xauth procps)
    inside "$root" apt-get -qq update
    # The releases that have safetensors have a torch that is new enough.
    ! inside "$root" apt-cache show python3-safetensors >/dev/null 2>&1 || packages+=(python3-{torch,einops,safetensors})
    inside "$root" apt-get -qq install --no-install-recommends "${packages[@]}" >>"$root.log" 2>&1 ||
        stop "apt-get failed; $root.log says why."
    inside "$root" apt-get clean
    touch "$root/made"
}

# What git knows of this checkout and what is new in it; the environment that is there stays.
copy_sources() {
    local target="$1/srv/bdgf"
    mkdir -p "$target"
    find "$target" -mindepth 1 -maxdepth 1 ! -name .venv -exec rm -rf {} +
    git -C "$here" ls-files -z --cached --others --exclude-standard | (cd "$here" && xargs -0 ls -d 2>/dev/null) |
        tar -C "$here" -cf - -T - | tar -C "$target" -xf -
}

versions='
import sys, numpy
from osgeo import gdal
from qgis.core import Qgis
from qgis.PyQt.QtCore import QT_VERSION_STR
print(f"QGIS {Qgis.QGIS_VERSION.split(chr(45))[0]}, Qt {QT_VERSION_STR}, Python {sys.version.split()[0]},",
      f"GDAL {gdal.__version__}, numpy {numpy.__version__}")
'

status=0
table=()
for suite in "${suites[@]}"; do
    root="$roots/qgis-$suite"
    make_root "$root" "$suite"
    copy_sources "$root"
    say "$suite: testing"
    inside "$root" bash -c 'cd /srv/bdgf && bash scripts/setup.sh' || stop "the engine could not be set up in $suite."
    # An own process group, and no terminal: tests send signals.
    inside "$root" bash -c 'cd /srv/bdgf && exec .venv/bin/python -m pytest -q -p no:cacheprovider "$@"' tests "$@" \
        </dev/null 2>&1 | tee "$root.tests" || status=1
    outcome="$(grep -E '[0-9]+ (passed|failed|error)' "$root.tests" | tail -n 1)" || outcome="see $root.tests"
    table+=("$suite: $(inside "$root" python3 -c "$versions")" "    $outcome")
done
echo
printf '%s\n' "${table[@]}"
exit $status
