#!/usr/bin/env bash
# Sets everything up and runs the everyday tests: ruff, mypy, pytest.
#
#   bash scripts/test.sh [--long] [PYTEST ARGUMENTS]     --long adds the tests that take minutes
#
# BDGF_DATA names the folder of real data; the tests that need it are left out where it is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
selection=(-m "not long")
if [ "${1:-}" = --long ]; then
    selection=()
    shift
fi
bash scripts/setup.sh --tests
export QT_QPA_PLATFORM=offscreen PYTHONDONTWRITEBYTECODE=1
status=0
.venv/bin/python -m ruff check . || status=1
.venv/bin/python -m mypy || status=1
.venv/bin/python -m pytest -q -n 2 --dist loadfile ${selection[@]+"${selection[@]}"} "$@" || status=1
exit $status
