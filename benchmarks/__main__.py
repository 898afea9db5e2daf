"""``python -m benchmarks VERB``: measure, and make the page of what was measured.

    run SCENE ... --configuration NAME ... | --suite NAME   [--protocol P ...] [--seeds 0-2]
    confirm SCENE ... --screened SCENE                      the best variants of a screening again, with five seeds
    cost                                                    parameters and GFLOPs as in Table 9
    embed SCENE --configuration NAME                        t-SNE of branch and diffusion features (Figs. 4 and 8)
    speed                                                   how near each stage is to what the machine can do
    map-speed SCENE --classifier FILE                       whole maps of it and of mosaics of it
    side-by-side SCENE      time and accuracy beside Orfeo ToolBox's forest
    sample SCENE --configuration NAME                       images out of the denoiser's reverse process
    page                    docs/results.md and .html from the ledger alone
    list                    scenes, configurations and suites by name

SCENE is a known one below the folder that BDGF_DATA names, or a .json file that describes one; SCENE/spectral and
SCENE/second have one sensor only. What the ledger holds already is not run again. PRESET+A+B joins variants.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Optional, Sequence

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the engine does, before torch is loaded

from bdgf_core.console import Console  # noqa: E402
from bdgf_core.device import choose_device  # noqa: E402
from bdgf_core.errors import BdgfError, Canceled, InputError  # noqa: E402
from bdgf_core.files import check_writable, write_whole  # noqa: E402
from bdgf_core.memory import memory_bound  # noqa: E402
from bdgf_core.network.config import PATCH  # noqa: E402
from bdgf_core.pretrain import PRESETS as PRETRAINING  # noqa: E402
from bdgf_core.progress import Progress  # noqa: E402
from bdgf_core.stop import stop_on_signals  # noqa: E402

from .configurations import RIVALS, SUITES, Configuration, find_configuration, suite  # noqa: E402
from .cost import table9  # noqa: E402
from .embedding import embed  # noqa: E402
from .ledger import LEDGER, ROOT, Entry, Ledger  # noqa: E402
from .mapping import map_speed, mapped_table  # noqa: E402
from .measure import Workshop, known_key, lacks, measure  # noqa: E402
from .open_scene import open_scene  # noqa: E402
from .page import table_as_markdown, write_page  # noqa: E402
from .protocols import Protocol  # noqa: E402
from .sampling import sample  # noqa: E402
from .scenes import SCENES, find_scene  # noqa: E402
from .screening import best_variants  # noqa: E402
from .side_by_side import as_table, side_by_side  # noqa: E402
from .speed import Subject, as_tables, speed  # noqa: E402
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


def protocol(text: str) -> Protocol:
    try:
        return Protocol.parse(text)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


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
    where = argparse.ArgumentParser(add_help=False)
    where.add_argument("--ledger", type=Path, default=LEDGER)
    how = argparse.ArgumentParser(add_help=False)
    how.add_argument("--pretrain-anew", action="store_true", help="for every seed; else once, with seed 0")
    how.add_argument("--device", default="auto")
    how.add_argument("--memory-mb", type=int)
    how.add_argument("--cache", type=Path, default=ROOT / "build" / "benchmarks")
    many = argparse.ArgumentParser(add_help=False, parents=[where, how])
    many.add_argument("scenes", nargs="+", metavar="SCENE")
    many.add_argument("--preset", default="quick", help="of the suites, default quick")
    many.add_argument("--protocol", action="append", type=protocol, help="polygons:F, pixels:N or apart")
    many.add_argument("--blank", action="store_true", help="measure with each sensor hidden as well")
    many.add_argument("--again", action="store_true", help="also what the ledger holds already")
    one = argparse.ArgumentParser(add_help=False, parents=[how])
    one.add_argument("scene", metavar="SCENE")
    one.add_argument("--configuration", default="quick", metavar="NAME")
    one.add_argument("--seed", type=int, default=0)

    run = verbs.add_parser("run", parents=[many], help="measure configurations on scenes, adding to the ledger")
    run.set_defaults(verb=_run)
    run.add_argument("--configuration", action="append", default=[], metavar="NAME")
    run.add_argument("--suite", action="append", default=[], choices=SUITES)
    run.add_argument("--label-counts", action="store_true", help="pixels:N with the scene's numbers (Fig. 14)")
    run.add_argument("--seeds", type=seeds, default=[0, 1, 2])
    confirm = verbs.add_parser("confirm", parents=[many], help="measure the best variants of a screening again")
    confirm.set_defaults(verb=_confirm, label_counts=False)
    confirm.add_argument("--screened", default="lcz_hong_kong", metavar="SCENE", help="where they were screened")
    confirm.add_argument("--screened-by", type=protocol, default=Protocol("polygons", 3), metavar="PROTOCOL")
    confirm.add_argument("--best", type=int, default=5, metavar="N")
    confirm.add_argument("--seeds", type=seeds, default=[0, 1, 2, 3, 4])
    embedding = verbs.add_parser("embed", parents=[one], help="t-SNE of branch and diffusion features")
    embedding.set_defaults(verb=_embed)
    embedding.add_argument("--per-class", type=int, default=50)
    embedding.add_argument("--output", type=Path, required=True, metavar="FOLDER")
    sampling = verbs.add_parser("sample", parents=[one], help="images out of the denoiser's reverse process")
    sampling.set_defaults(verb=_sample)
    sampling.add_argument("--count", type=int, default=4)
    sampling.add_argument("--side", type=int, default=32)
    sampling.add_argument("--output", type=Path, required=True, metavar="FILE.tif")
    fast = verbs.add_parser("speed", help="how near each stage is to what the machine can do, dense against patchwise")
    fast.set_defaults(verb=_speed)
    fast.add_argument("--classifier", type=Path, metavar="FILE.bdgf", help="default: untrained networks")
    fast.add_argument("--preset", default="quick", choices=PRETRAINING)
    fast.add_argument("--device", default="auto")
    fast.add_argument("--tile", type=int, default=128, metavar="N", help="pixels a side, default 128")
    fast.add_argument("--sampled", type=int, default=2048, metavar="N", help="pixels patch by patch, default 2048")
    fast.add_argument("--repeats", type=int, default=3, metavar="N")
    fast.add_argument("--output", type=Path, metavar="FILE.md", help="and FILE.json beside it")
    mapping = verbs.add_parser("map-speed", help="whole maps of a scene and of mosaics of it: speed and memory")
    mapping.set_defaults(verb=_map_speed)
    mapping.add_argument("scene", metavar="SCENE")
    mapping.add_argument("--classifier", type=Path, required=True, metavar="FILE.bdgf")
    mapping.add_argument("--mosaic", type=int, nargs="*", default=[], metavar="N", help="pixels a side")
    mapping.add_argument("--rows", type=int, metavar="N", help="of a mosaic only its first and last so many")
    mapping.add_argument("--sampled", type=int, default=2048, metavar="N", help="pixels patch by patch, default 2048")
    mapping.add_argument("--memory-mb", type=int, metavar="N")
    mapping.add_argument("--device", default="auto")
    mapping.add_argument("--cache", type=Path, default=ROOT / "build" / "benchmarks")
    beside = verbs.add_parser("side-by-side", parents=[where], help="a map by this and by Orfeo ToolBox's forest")
    beside.set_defaults(verb=_side_by_side)
    beside.add_argument("scene", metavar="SCENE")
    beside.add_argument("--preset", default="quick", choices=PRETRAINING)
    beside.add_argument("--cache", type=Path, default=ROOT / "build" / "benchmarks")
    verbs.add_parser("cost", help="parameters and GFLOPs as in Table 9").set_defaults(verb=_cost)
    page = verbs.add_parser("page", parents=[where], help="make the results page from the ledger")
    page.set_defaults(verb=_page)
    page.add_argument("--output", type=Path, default=ROOT / "docs" / "results.md")
    page.add_argument("--html", type=Path)
    page.add_argument("--csv", type=Path)
    page.add_argument("--json", type=Path)
    listing = verbs.add_parser("list", help="scenes, configurations and suites by name")
    listing.set_defaults(verb=_list)
    listing.add_argument("--preset", default="quick")
    return parser


def _run(options: argparse.Namespace, progress: Progress) -> None:
    names = [*options.configuration, *(name for key in options.suite for name in suite(key, options.preset))]
    if not names:
        raise InputError("Say what to measure: --configuration NAME or --suite NAME.")
    _measure(names, options, progress)


def _confirm(options: argparse.Namespace, progress: Progress) -> None:
    entries = Ledger(options.ledger).entries()
    best = best_variants(entries, options.screened, str(options.screened_by), options.preset, options.best)
    progress.message(f"To be confirmed: {', '.join(best) or 'nothing, no variant gained'}.")
    _measure([options.preset, *best], options, progress)


def _measure(names: Sequence[str], options: argparse.Namespace, progress: Progress) -> None:
    """Whatever of it is not in the ledger yet."""
    configurations = sorted(map(find_configuration, dict.fromkeys(names)), key=_order)  # neighbours share their patches
    shop, ledger = _workshop(options), Ledger(options.ledger)
    for scene in list(map(find_scene, options.scenes)):
        protocols = list(options.protocol or ())
        if options.label_counts:
            protocols += [Protocol("pixels", number) for number in scene.per_class]
        with open_scene(scene, options.cache, progress) as opened:
            for protocol in protocols or [Protocol("apart") if opened.apart.any() else Protocol("polygons", 3)]:
                known = set() if options.again else ledger.keys()
                work = [(configuration, seed) for configuration in configurations for seed in options.seeds]
                for done, (configuration, seed) in enumerate(work, start=1):
                    progress.check_canceled()
                    at = f"{scene.name}, {protocol}, {configuration.name}, seed {seed} ({done} of {len(work)})"
                    missing = lacks(opened, configuration)
                    if missing:
                        progress.message(f"{at}: left out, it needs {missing}.")
                    elif known_key(opened, protocol, configuration, seed, shop) in known:
                        progress.message(f"{at}: is in the ledger.")
                    else:
                        entry = measure(opened, protocol, configuration, seed, shop, progress.silent())
                        ledger.append(entry)
                        progress.message(f"{at}: {_figures(entry)}")


def _figures(entry: Entry) -> str:
    found = entry.accuracy
    figures = zip(("OA", "AA", "kappa"), (found.overall, found.average, found.kappa))
    return (
        ", ".join(f"{name} {value:.4f}" for name, value in figures if value is not None) + f"; {entry.seconds:.0f} s."
    )


def _workshop(options: argparse.Namespace) -> Workshop:
    seed = None if options.pretrain_anew else 0
    device, memory = choose_device(options.device), memory_bound(options.memory_mb)
    return Workshop(options.cache, device, memory, seed, getattr(options, "blank", False))


def _embed(options: argparse.Namespace, progress: Progress) -> None:
    configuration = _network(options.configuration)
    options.output.mkdir(parents=True, exist_ok=True)
    with open_scene(find_scene(options.scene), options.cache, progress) as opened:
        scores = embed(
            opened, configuration, per_class=options.per_class, seed=options.seed, shop=_workshop(options),
            folder=options.output, progress=progress,
        )  # fmt: skip
    for name, score in scores.items():
        progress.message(f"{name}: silhouette of the classes {score:+.3f}")


def _sample(options: argparse.Namespace, progress: Progress) -> None:
    configuration = _network(options.configuration)
    if options.count < 1 or options.side < 1:
        raise InputError("At least one image of one pixel is made.")
    check_writable(options.output)
    with open_scene(find_scene(options.scene), options.cache, progress) as opened:
        rows = sample(
            opened, configuration, count=options.count, side=options.side, seed=options.seed, shop=_workshop(options),
            output=options.output, progress=progress,
        )  # fmt: skip
    for row in rows:
        progress.message(f"band {row['band']}: quartiles sampled {row['sampled']}, real {row['real']}")


def _network(name: str) -> Configuration:
    configuration = find_configuration(name)
    if configuration.rival or configuration.build not in ("group", "pixel-tokens", "shared-tokenizers"):
        raise InputError(f"{name} has no branches and no denoiser to look at; name a preset or a variant of one.")
    return configuration


def _cost(options: argparse.Namespace, progress: Progress) -> None:
    print(f"{'':24}{'parameters':>12}{'GFLOPs':>10}{'GMAC':>10}")
    for name, phase, cost in table9():
        line = f"{cost.parameters / 1e6:10.2f} M{cost.counted / 1e9:10.2f}{cost.macs / 1e9:10.2f}"
        print(f"{f'{name} ({phase})':24}{line}")
    print("GFLOPs as the paper counts them, GMAC as they are; P: 8 patches of 32 pixels, T: 64 patches of 9.")


def _speed(options: argparse.Namespace, progress: Progress) -> None:
    if min(options.tile, options.sampled, options.repeats) < 1:
        raise InputError("A tile has at least one pixel, and so much must be sampled and repeated.")
    if options.output:
        check_writable(options.output)
    preset = options.preset
    subject = Subject.of_file(options.classifier, preset) if options.classifier else Subject.random(preset)
    device = choose_device(options.device)
    progress.message(device.told)
    figures = {"side": options.tile, "sampled": options.sampled, "repeats": options.repeats}
    found = speed(subject, device, **figures, progress=progress)
    told = "\n\n".join(map(table_as_markdown, as_tables(found))) + "\n"
    print(told)
    if options.output:
        write_whole(options.output, told.encode())
        write_whole(options.output.with_suffix(".json"), json.dumps(found, indent=1).encode())


def _map_speed(options: argparse.Namespace, progress: Progress) -> None:
    device = choose_device(options.device)
    progress.message(device.told)
    with open_scene(find_scene(options.scene), options.cache, progress) as opened:
        found = map_speed(
            opened, options.classifier, options.mosaic, device, rows=options.rows, sampled=options.sampled,
            memory_mb=options.memory_mb, progress=progress,
        )  # fmt: skip
    print(table_as_markdown(mapped_table(found)))


def _side_by_side(options: argparse.Namespace, progress: Progress) -> None:
    protocol = Protocol("polygons", 3)
    with open_scene(find_scene(options.scene), options.cache, progress) as opened:
        sides = side_by_side(opened, options.preset, progress)
        entries = Ledger(options.ledger).entries()
        there = [e for e in entries if (e.scene_identity, e.protocol) == (opened.identity, str(protocol))]
    print(table_as_markdown(as_table(sides, there)))


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
