#!/usr/bin/env bash
# Lay the plugin out as QGIS wants it, with links into the sources: FOLDER/bdgf_qgis/{metadata.txt,LICENSE,engine/bdgf_core,…}
#   bash scripts/dev_plugin.sh FOLDER      (for QGIS_PLUGINPATH=FOLDER, or the profile's python/plugins)
# With --copy the files are copied, not linked.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
copy=
if [ "${1:-}" = --copy ]; then copy=1; shift; fi
plugin="${1:?usage: dev_plugin.sh [--copy] FOLDER}/bdgf_qgis"

put() { if [ -n "$copy" ]; then cp -r "$1" "$2"; else ln -s "$1" "$2"; fi; }

rm -rf "$plugin"
mkdir -p "$plugin/engine"
for item in "$root"/bdgf_qgis/* "$root/metadata.txt" "$root/LICENSE"; do
  case "$item" in */__pycache__) ;; *) put "$item" "$plugin/" ;; esac
done
put "$root/bdgf_core" "$plugin/engine/bdgf_core"
put "$root/i18n" "$plugin/i18n"
python="$root/.venv/bin/python"
[ -x "$python" ] || python=python3
"$python" "$root/scripts/help_pages.py" "$plugin/help" || echo "dev_plugin: without help pages" >&2
echo "$plugin"
