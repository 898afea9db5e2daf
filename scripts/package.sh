#!/usr/bin/env bash
# Build the zip for the QGIS plugin repository.
#   bash scripts/package.sh [ZIP]      by default dist/bdgf_qgis.zip
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
target="${1:-$root/dist/bdgf_qgis.zip}"
stage="$(mktemp -d)"
trap 'rm -rf "$stage"' EXIT

bash "$root/scripts/dev_plugin.sh" --copy "$stage" > /dev/null
rm "$stage"/bdgf_qgis/i18n/*.py
[ -f "$stage/bdgf_qgis/help/index.html" ] || exit 1  # said above
find "$stage" -name __pycache__ -type d -prune -exec rm -rf {} +
mkdir -p "$(dirname "$target")"
rm -f "$target"
python3 - "$stage" "$target" <<'PYTHON'
import pathlib, sys, zipfile

stage, target = map(pathlib.Path, sys.argv[1:])
with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
    for path in sorted(p for p in stage.rglob("*") if p.is_file()):
        entry = zipfile.ZipInfo(path.relative_to(stage).as_posix(), (1980, 1, 1, 0, 0, 0))
        entry.external_attr, entry.compress_type = 0o644 << 16, zipfile.ZIP_DEFLATED
        archive.writestr(entry, path.read_bytes())
PYTHON
echo "$target"
