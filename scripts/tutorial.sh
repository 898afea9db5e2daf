#!/usr/bin/env bash
# Does what docs/tutorial.md tells, in the real QGIS desktop on a screen that nobody sees, and takes its pictures.
#
#   bash scripts/tutorial.sh [--trial | --dialogs] [PICTURES]      PICTURES is docs/images where it is left out
#
# --trial trains for a moment only: the map is bad, the pictures are for a look. --dialogs runs nothing. BDGF_WORK names
# the folder of the scene and of what is made (default /tmp/tutorial); BDGF_PRETRAINED a model of an earlier run, to save
# that step and its pictures. Needs QGIS, xvfb-run, chromium and pngquant.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
case "${1:-}" in -h | --help) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"; exit 2 ;; esac
mode=run
case "${1:-}" in --trial | --dialogs) mode="${1#--}"; shift ;; esac
pictures="${1:-$root/docs/images}"
work="${BDGF_WORK:-/tmp/tutorial}"
python="$root/.venv/bin/python"
profile="$(mktemp -d)"
trap 'rm -rf "$profile"' EXIT

rm -rf "$work"
mkdir -p "$work" "$pictures"
pictures="$(cd "$pictures" && pwd)"
"$python" "$root/scripts/simulate_scene.py" "$work" > /dev/null
[ -z "${BDGF_PRETRAINED:-}" ] || cp "$BDGF_PRETRAINED" "$work/scene.bdgf"
(cd "$root/scripts" && "$python" tutorial_hand.py "$work") > "$profile/hand.json"
bash "$root/scripts/dev_plugin.sh" --copy "$profile/plugins" > /dev/null
mkdir -p "$profile/home/profiles/default/QGIS"
printf '[PythonPlugins]\nbdgf_qgis=true\nprocessing=true\n[core]\nNewsFeed\\disabled=true\n' \
    > "$profile/home/profiles/default/QGIS/QGIS3.ini"
export QGIS_PLUGINPATH="$profile/plugins" QGIS_CUSTOM_CONFIG_PATH="$profile/home" XDG_RUNTIME_DIR="$profile"
export BDGF_PYTHON="${BDGF_PYTHON:-$python}" LC_ALL=C.UTF-8 BDGF_HAND="$profile/hand.json"
export TMPDIR="$profile"  # QGIS marks layers in it as temporary
export BDGF_MODE=$mode BDGF_WORK="$work" BDGF_PICTURES="$pictures"
export PYTHONPATH="$root/scripts"
unset QT_QPA_PLATFORM
timeout 7200 xvfb-run -a -s "-screen 0 1280x860x24" qgis --nologo --noversioncheck \
    --code "$root/scripts/tutorial.py" > "$work/log.txt" 2>&1 || { tail -n 30 "$work/log.txt" >&2; exit 1; }

for report in check summary accuracy map assessment; do
    [ -f "$work/$report.html" ] || continue
    chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=1100,1250 \
        --screenshot="$pictures/report_$report.png" "file://$work/$report.html" > /dev/null 2>&1
done
pngquant --force --ext .png --skip-if-larger 256 "$pictures"/*.png || true  # 98: one is small already
ls "$pictures"
