#!/usr/bin/env bash
# The main job from the beginning to the end: sets everything up, then pretrain, train and classify through qgis_process.
#
#   bash scripts/demo.sh                                                   on a simulated scene
#   bash scripts/demo.sh SPECTRAL SECOND POLYGONS CLASS_FIELD SECOND_KIND  on your own files; SECOND may be - for none,
#                                                                          SECOND_KIND is sar_linear, sar_amplitude,
#                                                                          sar_db or other
#
# BDGF_PRESET (quick, standard, paper; default quick), BDGF_OUTPUT (folder of the results; default ./demo_output),
# BDGF_DEVICE (auto, cpu, cuda …; default auto)
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
if [ $# != 0 ] && [ $# != 5 ]; then
    sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"
    exit 2
fi
bash "$root/scripts/setup.sh"
PYTHONPATH="$root" exec "$root/.venv/bin/python" "$root/scripts/demo.py" "$@"
