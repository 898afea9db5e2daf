"""Repeats the whole chain, in steps and in one go, for as long as asked: memory must stay flat, nothing be left over.

    python tests/faults/soak.py [--minutes 60]

Verbs run in this one process, every fifth chain in processes of their own, every seventh is canceled on the way and run
again. Prints the resident memory as it goes, and fails where it grew, or where a file or a process is left.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import numpy as np  # noqa: E402
from test_verbs import OUTPUTS, chain_of, run  # noqa: E402
from tiny_scene import Events, TinyScene  # noqa: E402

import bdgf_core.pretrain  # noqa: E402
from bdgf_core.classify import classify  # noqa: E402
from bdgf_core.errors import Canceled  # noqa: E402
from bdgf_core.landcover import LandcoverConfig, landcover, models_folder  # noqa: E402
from bdgf_core.pretrain import pretrain  # noqa: E402
from bdgf_core.suggestsites import SuggestsitesConfig, suggestsites  # noqa: E402
from bdgf_core.train import train  # noqa: E402

VERBS = {
    "pretrain": pretrain, "train": train, "classify": classify, "suggestsites": suggestsites, "landcover": landcover,
}  # fmt: skip
_MOST_GROWTH_MB = 10.0  # between the second and the last quarter


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    minutes = parser.parse_args().minutes
    bdgf_core.pretrain._RECALIBRATION_BATCHES = 2
    with tempfile.TemporaryDirectory() as folder:
        return soak(TinyScene(Path(folder)), minutes)


def jobs_of(scene: TinyScene) -> dict[str, Any]:
    """A config for every verb, in their order; each goes on from what the one before has made."""
    chain = chain_of(scene, "soak")
    mapped = chain.classify
    sites = SuggestsitesConfig(
        mapped.output, scene.path("soak_sites.gpkg"), entropy=mapped.entropy, disagreement=mapped.disagreement,
        ood=mapped.ood, labels=scene.labels, number=3, distance=2,
    )  # fmt: skip
    at_once = LandcoverConfig(
        chain.pretrain.spectral, scene.labels, scene.path("soak_once.tif"), second=chain.pretrain.second,
        second_kind="sar_db", steps=3, epochs=1, report=scene.path("soak_once.html"), device="cpu", memory_mb=1024,
    )  # fmt: skip
    return dict(zip(VERBS, (chain.pretrain, chain.train, mapped, sites, at_once)))


def soak(scene: TinyScene, minutes: float) -> int:
    jobs = jobs_of(scene)
    outputs = [path for job in jobs.values() for name in OUTPUTS if (path := getattr(job, name, None))]
    rasters = [path for path in outputs if path.endswith(".tif")]
    outputs += [str(Path(path).with_suffix(".qml")) for path in rasters] + [path + ".aux.xml" for path in rasters]
    models = models_folder(jobs["landcover"].output)
    before = {path.name for path in scene.folder.iterdir()}
    temporary = set(os.listdir(tempfile.gettempdir()))
    memory: list[float] = []
    end = time.monotonic() + 60 * minutes
    while time.monotonic() < end:
        number = len(memory) + 1
        if number % 5 == 0:
            in_processes(jobs)
        else:
            in_this_process(jobs, interrupted=number % 7 == 0)
        left = scene.leftovers(before) - {Path(path).name for path in (*outputs, models)}
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        strays = {name for name in set(os.listdir(tempfile.gettempdir())) - temporary if "bdgf" in name.lower()}
        if left or children or strays:
            print(f"chain {number} left {sorted(left | strays)}, processes {children}")
            return 1
        for path in outputs:
            Path(path).unlink(missing_ok=True)
        shutil.rmtree(models)
        memory.append(resident_mb())
        if number % 20 == 1:
            print(f"chain {number}: {memory[-1]:.0f} MB", flush=True)
    quarter = max(1, len(memory) // 4)
    growth = float(np.median(memory[-quarter:]) - np.median(memory[quarter : 2 * quarter]))
    print(f"{len(memory)} chains; memory {min(memory):.0f} to {max(memory):.0f} MB, growth {growth:+.1f} MB")
    return int(growth > _MOST_GROWTH_MB)


def in_this_process(jobs: dict[str, Any], *, interrupted: bool) -> None:
    for name, verb in VERBS.items():
        config = jobs[name]
        if interrupted:
            often = replace(config, checkpoint_s=0.0) if hasattr(config, "checkpoint_s") else config
            try:
                run(verb, often, Events(20))
            except Canceled:
                pass
        run(verb, often if interrupted else config)


def in_processes(jobs: dict[str, Any]) -> None:
    for name, config in jobs.items():
        with tempfile.NamedTemporaryFile("w", suffix=".json") as job:
            json.dump(asdict(config), job, default=str)
            job.flush()
            engine = [sys.executable, "-m", "bdgf_core", name, "--job", job.name]
            subprocess.run(engine, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    sys.exit(main())
