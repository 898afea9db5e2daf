#!/usr/bin/env bash
# Pictures of the plugin in the real QGIS desktop, without a screen: the dialogs, and a map with its legend.
#
#   bash scripts/screenshots.sh OUTPUT SPECTRAL SECOND POLYGONS CLASS_FIELD [MAP]
#
# OUTPUT is the folder of the pictures; MAP a class raster made by classify. BDGF_LOCALE=de takes them in German, zh-Hans in
# Chinese, which wants a font. Needs QGIS and xvfb-run.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
if [ $# != 5 ] && [ $# != 6 ]; then
    sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"
    exit 2
fi
mkdir -p "$1"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

bash "$root/scripts/dev_plugin.sh" "$work/plugins" > /dev/null
mkdir -p "$work/home/profiles/default/QGIS"
printf '[PythonPlugins]\nbdgf_qgis=true\nprocessing=true\n[core]\nNewsFeed\\disabled=true\n' \
    > "$work/home/profiles/default/QGIS/QGIS3.ini"
if [ -n "${BDGF_LOCALE:-}" ]; then
  printf '[locale]\noverrideFlag=true\nuserLocale=%s\n' "$BDGF_LOCALE" >> "$work/home/profiles/default/QGIS/QGIS3.ini"
fi
export QGIS_PLUGINPATH="$work/plugins" QGIS_CUSTOM_CONFIG_PATH="$work/home" XDG_RUNTIME_DIR="$work"
export BDGF_PYTHON="${BDGF_PYTHON:-$root/.venv/bin/python}" LC_ALL=C.UTF-8
export BDGF_SCREENSHOTS="$1" BDGF_SPECTRAL="$2" BDGF_SECOND="$3" BDGF_POLYGONS="$4" BDGF_FIELD="$5" BDGF_MAP="${6:-}"
export PYTHONPATH="$root/scripts"
unset QT_QPA_PLATFORM
timeout 180 xvfb-run -a -s "-screen 0 1600x1000x24" qgis --nologo --noversioncheck \
    --code "$root/scripts/screenshots.py" > "$work/log" 2>&1 || { cat "$work/log"; exit 1; }
ls "$1"/*.png
