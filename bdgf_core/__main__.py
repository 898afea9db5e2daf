"""``python -m bdgf_core VERB --job FILE|-``: a job in, events out as JSON lines; or options and text for people.

With ``--job -`` the job is one line on standard input; afterwards the line ``cancel`` or the end of the input asks
for a stop, as SIGINT and SIGTERM do in any mode. The exit status is 0, 1 after an error, 130 after a stop.
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
import threading
import traceback
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, BinaryIO, Callable, NoReturn, Optional, Sequence

from . import __version__
from .console import Console
from .errors import BdgfError, Canceled, InputError, ResourceError
from .event_lines import EventLines
from .job import parse_job, read_job
from .options import parse_options
from .processes import ALONE, Lost, Processes, is_of_another
from .progress import Event, Progress
from .pulse import Pulse
from .stop import stop_on_signals
from .translation import tr

VERBS = {
    "checkinputs": "Tell what is wrong with rasters and labels before any work, and how to mend it.",
    "trainingsummary": "Tell what drawn polygons are worth, before training on them.",
    "pretrain": "Learn the look of a scene from its rasters, without labels.",
    "train": "Train a land-cover classifier from a pretrained model and labelled polygons or points.",
    "classify": "Map a scene with a trained classifier.",
    "landcover": "Pretrain, train and classify in one go: from rasters and polygons to a map.",
    "assess": "Hold a map against reference polygons, points or a reference raster.",
    "suggestsites": "Suggest where to draw next, from a map and the rasters beside it.",
    "info": "Tell what a model file holds.",
    "environment": "Tell what the engine runs on, what is missing, and whether its parts work.",
}
TOGETHER = ("pretrain", "train", "classify", "landcover")  # verbs that the processes of torchrun share


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run one verb and return the exit status."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if not arguments or arguments[0] not in VERBS:
        if arguments == ["--version"]:
            print(__version__)
            return 0
        print(_usage())
        return 0 if arguments in ([], ["-h"], ["--help"]) else 2
    verb, rest = arguments[0], arguments[1:]
    # OpenMP threads that spin while they wait stall each other where a core is shared: many times slower beside any
    # other program, and hardly faster alone. Read when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    stop = stop_on_signals()
    place = _job_place(rest)
    processes = Processes.here()
    if not processes.is_first:
        return _end(_run_beside(verb, rest if place is None else None, stop, processes)) if verb in TOGETHER else 0
    if verb not in TOGETHER:
        processes = ALONE
    if place is None:
        emit, job_for = Console(stop).emit, _options(verb, rest)
    else:
        emit, job_for = EventLines.instead_of_stdout(stop).emit, lambda _: _take_job(place, stop)
    status = _run(verb, job_for, emit, stop, processes)
    return status if processes.count == 1 else _end(status)


def _run(
    verb: str,
    job_for: Callable[[type], dict[str, Any]],
    emit: Callable[[Event], None],
    stop: threading.Event,
    processes: Processes,
) -> int:
    pulse = Pulse(stop, emit)
    try:
        processes.join(stop)
        module = _import(verb)
        config_type = getattr(module, f"{verb.capitalize()}Config")
        config = read_job(config_type, processes.agree(job_for(config_type)))
        work, progress = getattr(module, verb), Progress(emit, pulse)
        result = work(config, progress) if processes.count == 1 else work(config, progress, processes=processes)
        pulse.end()
        emit({"event": "result", **result})
        processes.leave()
        return 0
    except Exception as error:
        pulse.end()
        kind, text = processes.failure or _told(error, several=processes.count > 1)
        processes.failed(kind, text)
        emit({"event": "error", "kind": kind, "text": text})
        return 130 if kind == Canceled.__name__ else 1


def _run_beside(verb: str, options: Optional[Sequence[str]], stop: threading.Event, processes: Processes) -> int:
    """Work as one of the processes that the first one speaks for."""
    os.dup2(2, 1)  # standard output is the first one's
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
        job_for = (lambda _: {}) if options is None else _options(verb, options)

        def quietly(config: type) -> dict[str, Any]:
            with redirect_stderr(nowhere):
                return job_for(config)

        return _run(verb, quietly, lambda event: None, stop, processes)


def _end(status: int) -> NoReturn:
    """End one of several processes at once: a thread of gloo that still holds a tensor when the interpreter is taken
    down aborts it, and torchrun would call a job failed that went well."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _options(verb: str, arguments: Sequence[str]) -> Callable[[type], dict[str, Any]]:
    return lambda config: parse_options(verb, config, VERBS[verb], arguments)


def _import(verb: str) -> Any:
    try:
        return importlib.import_module(f"{__package__}.{verb}")
    except (ImportError, OSError) as error:  # OSError: a DLL of torch that Windows cannot load
        traceback.print_exc()
        raise BdgfError(
            tr(
                "The engine's packages are missing or broken in {python} ({reason}); please install them again.",
                python=sys.executable,
                reason=error,
            )
        ) from None


def _told(error: Exception, *, several: bool = False) -> tuple[str, str]:
    """Kind and sentence of an error, which may be that another of ``several`` processes is gone."""
    if several and is_of_another(error):
        error = Lost()
    return _kind(error), _sentence(error)


def _kind(error: Exception) -> str:
    if isinstance(error, BdgfError):
        return type(error).__name__
    return ResourceError.__name__ if _is_out_of_memory(error) or _is_disk_full(error) else "InternalError"


def _sentence(error: Exception) -> str:
    if isinstance(error, BdgfError):
        return str(error)
    traceback.print_exception(type(error), error, error.__traceback__)
    if _is_out_of_memory(error):
        return tr("The memory ran out; close other programs, or choose a smaller preset, tile or memory limit.")
    if _is_disk_full(error):
        return tr("The disk is full; please free some space or write to another disk.")
    return tr(
        "The engine failed unexpectedly: {kind}: {reason} (please report).",
        kind=type(error).__name__,
        reason=str(error)[:300],
    )


def _is_out_of_memory(error: Exception) -> bool:
    # by name: torch's own class must not be imported for the sake of a verb that did without torch
    named = type(error).__name__ == "OutOfMemoryError" or "DefaultCPUAllocator" in str(error)
    return isinstance(error, MemoryError) or named or getattr(error, "errno", None) == errno.ENOMEM


def _is_disk_full(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def _job_place(arguments: Sequence[str]) -> Optional[str]:
    if len(arguments) == 2 and arguments[0] == "--job":
        return arguments[1]
    if len(arguments) == 1 and arguments[0].startswith("--job="):
        return arguments[0][len("--job=") :]
    return None


def _take_job(place: str, stop: threading.Event) -> dict[str, Any]:
    if place != "-":
        try:
            return parse_job(Path(place).read_bytes())
        except OSError as error:
            raise InputError(
                tr("The job file {path} cannot be read ({reason}).", path=place, reason=error.strerror)
            ) from None
    # unbuffered: a thread that waits in sys.stdin would hold its lock while the interpreter shuts down
    stdin = open(0, "rb", buffering=0, closefd=False)
    job = parse_job(stdin.readline())
    threading.Thread(target=_watch, args=(stdin, stop), daemon=True).start()
    return job


def _watch(stdin: BinaryIO, stop: threading.Event) -> None:
    """Until the line ``cancel`` or the end, which says that whoever started this process is gone."""
    for line in iter(stdin.readline, b""):
        if line.strip() == b"cancel":
            break
    stop.set()


def _usage() -> str:
    verbs = "\n".join(f"  {verb:16}{about}" for verb, about in VERBS.items())
    return f"usage: python -m bdgf_core VERB [options]\n\n{verbs}\n\nVERB --help lists the options of a verb."


if __name__ == "__main__":
    sys.exit(main())
