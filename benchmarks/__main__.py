"""``python -m benchmarks VERB``: measure, and make the page of what was measured.

    run SCENE ... --configuration NAME ... | --suite NAME   [--protocol P ...] [--seeds 0-2]
    page                    docs/results.md and .html from the ledger alone
    list                    scenes, configurations and suites by name

SCENE is a known one below the folder that BDGF_DATA names, or a .json file that describes one. What the ledger holds
already is not run again.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import deque
from pathlib import Path
from typing import Optional, Sequence

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the engine does, before torch is loaded

from bdgf_core.console import Console  # noqa: E402
from bdgf_core.device import choose_device  # noqa: E402
from bdgf_core.errors import BdgfError, Canceled, InputError  # noqa: E402
from bdgf_core.files import write_whole  # noqa: E402
from bdgf_core.memory import memory_bound  # noqa: E402
from bdgf_core.network.group import PATCH  # noqa: E402
from bdgf_core.progress import Progress  # noqa: E402
from bdgf_core.stop import stop_on_signals  # noqa: E402

from .configurations import RIVALS, SUITES, Configuration, find_configuration, suite  # noqa: E402
from .ledger import LEDGER, ROOT, Ledger  # noqa: E402
from .measure import Workshop, known_key, lacks, measure  # noqa: E402
from .open_scene import open_scene  # noqa: E402
from .page import write_page  # noqa: E402
from .protocols import Protocol  # noqa: E402
from .scenes import SCENES, find_scene  # noqa: E402
from .tables import as_csv, as_json  # noqa: E402
from .variants import variants_of  # noqa: E402


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """The exit status: 0, 1 after an error, 130 after a stop."""
    options = _parser().parse_args(arguments)
    stop = stop_on_signals()
    console = Console(stop)
    try:
        options.verb(options, Progress(console.emit, stop.is_set))
        return 0
    except BdgfError as error:
        console.emit({"event": "error", "text": str(error)})
        return 130 if isinstance(error, Canceled) else 1


def seeds(text: str) -> list[int]:
    """``0-4,7`` as a list."""
    found: list[int] = []
    try:
        for part in text.split(","):
            low, _, high = part.partition("-")
            found.extend(range(int(low), int(high or low) + 1))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of seeds such as 0-4,7") from None
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    run = verbs.add_parser("run", help="measure configurations on scenes, adding to the ledger")
    run.set_defaults(verb=_run)
    run.add_argument("scenes", nargs="+", metavar="SCENE")
    run.add_argument("--configuration", action="append", default=[], metavar="NAME")
    run.add_argument("--suite", action="append", default=[], choices=SUITES)
    run.add_argument("--preset", default="quick", help="of the suites, default quick")
    run.add_argument("--protocol", action="append", type=Protocol.parse, help="polygons:F, pixels:N or apart")
    run.add_argument("--label-counts", action="store_true", help="pixels:N with the scene's numbers (Fig. 14)")
    run.add_argument("--seeds", type=seeds, default=[0, 1, 2])
    run.add_argument("--sensors", choices=("both", "spectral", "second"), default="both")
    run.add_argument("--blank", action="store_true", help="measure with each sensor hidden as well")
    run.add_argument("--pretrain-anew", action="store_true", help="for every seed; else once, with seed 0")
    run.add_argument("--again", action="store_true", help="also what the ledger holds already")
    run.add_argument("--device", default="auto")
    run.add_argument("--memory-mb", type=int)
    run.add_argument("--cache", type=Path, default=ROOT / "build" / "benchmarks")
    page = verbs.add_parser("page", help="make the results page from the ledger")
    page.set_defaults(verb=_page)
    page.add_argument("--output", type=Path, default=ROOT / "docs" / "results.md")
    page.add_argument("--html", type=Path)
    page.add_argument("--csv", type=Path)
    page.add_argument("--json", type=Path)
    listing = verbs.add_parser("list", help="scenes, configurations and suites by name")
    listing.set_defaults(verb=_list)
    listing.add_argument("--preset", default="quick")
    for verb in (run, page):
        verb.add_argument("--ledger", type=Path, default=LEDGER)
    return parser


def _run(options: argparse.Namespace, progress: Progress) -> None:
    names = [*options.configuration, *(name for key in options.suite for name in suite(key, options.preset))]
    configurations = [find_configuration(name) for name in dict.fromkeys(names)]
    if not configurations:
        raise InputError("Say what to measure: --configuration NAME or --suite NAME.")
    for configuration in configurations:
        if not configuration.rival:
            configuration.settings()  # refused now rather than after hours
    shop = Workshop(
        options.cache, choose_device(options.device), memory_bound(options.memory_mb),
        None if options.pretrain_anew else 0, options.blank,
    )  # fmt: skip
    ledger = Ledger(options.ledger)
    scenes = [find_scene(name).with_sensors(options.sensors) for name in options.scenes]
    for scene in scenes:
        protocols = list(options.protocol or ())
        if options.label_counts:
            protocols += [Protocol("pixels", number) for number in scene.per_class]
        with open_scene(scene, options.cache, progress) as opened:
            for protocol in protocols or [Protocol("apart") if opened.apart.any() else Protocol("polygons", 3)]:
                done = set() if options.again else ledger.keys()
                # Neighbours share their pretraining and patches.
                work = deque((c, seed) for c in sorted(configurations, key=_order) for seed in options.seeds)
                total = len(work)
                while work:
                    progress.check_canceled()
                    configuration, seed = work.popleft()
                    at = f"{scene.name}, {protocol}, {configuration.name}, seed {seed} ({total - len(work)} of {total})"
                    missing = lacks(opened, configuration)
                    if missing:
                        progress.message(f"{at}: left out, it needs {missing}.")
                    elif known_key(opened, protocol, configuration, seed, shop) in done:
                        progress.message(f"{at}: is in the ledger.")
                    else:
                        entry = measure(opened, protocol, configuration, seed, shop, progress.silent())
                        ledger.append(entry)
                        found = entry.accuracy
                        figures = f"OA {found.overall:.4f}, AA {found.average:.4f}, kappa {found.kappa or 0:.4f}"
                        progress.message(f"{at}: {figures}, {entry.seconds:.0f} s.")


def _order(configuration: Configuration) -> str:
    if configuration.rival:
        return ""
    settings = configuration.settings().to_json()
    return json.dumps([settings["pretraining"], settings["features"], settings["network"].get("patch", PATCH)])


def _page(options: argparse.Namespace, progress: Progress) -> None:
    entries = Ledger(options.ledger).entries()
    write_page(entries, options.output, options.html or options.output.with_suffix(".html"))
    if options.csv:
        write_whole(options.csv, as_csv(entries).encode())
    if options.json:
        write_whole(options.json, json.dumps(as_json(entries), indent=1).encode())
    progress.message(f"{len(entries)} measurements: {options.output}")


def _list(options: argparse.Namespace, progress: Progress) -> None:
    find_configuration(options.preset)
    print("Scenes:", ", ".join(SCENES))
    for name, about in SUITES.items():
        print(f"\nSuite {name}: {about}")
        if name == "rivals":
            print("\n".join(f"  {key:32}{about}" for key, (about, _) in RIVALS.items()))
            continue
        for key, variant in variants_of(options.preset).items():
            if name in variant.suites:
                print(f"  {options.preset + '+' + key:32}{variant.about}")


if __name__ == "__main__":
    sys.exit(main())
