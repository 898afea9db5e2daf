"""The steps of an installation: look, choose, check, let pip work apart, verify, and switch at one stroke."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from typing import Any, Optional

from qgis.core import QgsProcessingException, QgsProcessingFeedback, QgsProcessingMultiStepFeedback

from bdgf_qgis import engine, interpreter, packages
from bdgf_qgis.interpreter import Interpreter
from bdgf_qgis.translation import tr

from . import builds, failures, pip
from .builds import Build
from .work import Work

_STEPS = 10  # a tenth to look, the last one to verify, pip in between
_LONGEST = 175  # characters of a path in torch's wheels
_PIP_ADDS = 35  # characters of pip's own folder in its temporary one
_WINDOWS_PATH = 259
_QGIS_OWN = ("numpy", "osgeo", "qgis")


@dataclass(frozen=True)
class Request:
    """``build`` is one of ``builds.WANTED``; ``wheels`` a folder to take wheels from instead of the network; ``proxy``
    variables of the environment."""

    build: str = builds.AUTO
    wheels: Optional[str] = None
    proxy: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Installed:
    """The folder in use, and torch's version in it."""

    folder: str
    torch: str


def install(request: Request, feedback: QgsProcessingFeedback) -> Installed:
    """Install the engine's packages for QGIS's own Python into the profile, unless they are there and work.

    Raises QgsProcessingException with a sentence; then, and when canceled, everything is as it was before.
    """
    try:
        with packages.installing() as mine:
            if not mine:
                raise QgsProcessingException(
                    tr("Another QGIS is installing the engine into {folder}; wait for it.", folder=packages.home())
                )
            return _install(request, feedback)
    except OSError as error:
        said = f"{type(error).__name__}: {error}"
        raise QgsProcessingException(
            failures.sentence(said) or tr("The engine could not be installed: {reason}.", reason=error)
        ) from error


def _install(request: Request, feedback: QgsProcessingFeedback) -> Installed:
    packages.remove_unused()
    python = interpreter.own()
    document = _environment(python, {"test": False}, _Quiet(feedback))
    build = builds.choose(document, request.build)
    feedback.pushInfo(
        tr("torch {version} ({reason}) for {path}", version=build.torch, reason=build.reason, path=python.path)
    )
    present = packages.in_use()
    if present and packages.record().get("torch") == build.torch and _works(present, build, feedback):
        feedback.pushInfo(tr("The engine is installed already, and works."))
        return Installed(present, build.torch)
    command = pip.find(python, request.wheels)
    folder = packages.new_folder()
    scratch = ""
    try:
        scratch = packages.scratch_folder(folder)
        _refuse_narrow(build, folder, scratch)
        hint = pip.download_hint(document, build)
        work = Work(command, build, folder, scratch, request.wheels, request.proxy, hint)
        work.run(pip.constraints(document, build, wheels=request.wheels), feedback, part=(1 / _STEPS, 1 - 1 / _STEPS))
        _leave_numpy_to_qgis(document, folder)
        version = _verify(request, build, folder, feedback)
        final = packages.switch(folder, {"torch": build.torch, "installed": version})
    except BaseException:
        packages.remove(folder)
        raise
    finally:
        packages.remove(scratch)
        interpreter.forget()
    for old in packages.remove_unused():
        feedback.pushInfo(tr("A job still uses {folder}, which is removed by the next installation.", folder=old))
    return Installed(final, version)


def _leave_numpy_to_qgis(document: dict[str, Any], folder: str) -> None:
    """pip's --target sees its own packages only: scikit-learn makes it bring along the numpy that QGIS has already."""
    own = next((p["version"] for p in document["packages"] if p["name"] == "numpy"), None)
    if own and os.path.isdir(os.path.join(folder, f"numpy-{own}.dist-info")):
        for name in ("numpy", "numpy.libs", f"numpy-{own}.dist-info"):
            packages.remove(os.path.join(folder, name))


def _refuse_narrow(build: Build, folder: str, scratch: str) -> None:
    """Too little space on the disk, or in a path."""
    for place in {os.stat(path).st_dev: path for path in (scratch, folder)}.values():
        free = shutil.disk_usage(place).free >> 20
        if free < build.megabytes:
            raise QgsProcessingException(
                tr(
                    "The engine's packages need {needed} MB, and {free} MB are free in {folder}; free some space.",
                    needed=build.megabytes,
                    free=free,
                    folder=os.path.dirname(place),
                )
            )
    longest = max(len(folder), len(scratch) + _PIP_ADDS) + _LONGEST
    if os.name == "nt" and longest > _WINDOWS_PATH and not _long_paths():
        raise QgsProcessingException(failures.sentence("WinError 206"))


def _long_paths() -> bool:
    """Whether Windows lets paths be longer than 260 characters."""
    import winreg

    place = r"SYSTEM\CurrentControlSet\Control\FileSystem"
    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, place) as key:  # type: ignore[attr-defined,unused-ignore]
            return bool(winreg.QueryValueEx(key, "LongPathsEnabled")[0])  # type: ignore[attr-defined,unused-ignore]
    except OSError:
        return False


def _verify(request: Request, build: Build, folder: str, feedback: QgsProcessingFeedback) -> str:
    """The version of torch that works in ``folder``. A GPU that does not work is an error where it was asked for."""
    for name in _QGIS_OWN:
        if os.path.exists(os.path.join(folder, name)):
            raise QgsProcessingException(
                tr("The wheels bring {module} along, which must stay QGIS's own; use other wheels.", module=name)
            )
    device = "cuda" if request.build == builds.CUDA else "auto" if build.cuda else "cpu"
    document = _test(folder, device, feedback)
    if not document["ok"] and device == "auto":  # the GPU may be what does not work
        feedback.pushWarning(tr("The GPU does not work with this torch; the engine will use the processor."))
        document = _test(folder, "cpu", feedback)
    if not document["ok"]:
        reasons = " ".join(document["problems"])
        raise QgsProcessingException(
            failures.sentence(reasons)
            or tr("The packages do not work here, and were removed: {reason}", reason=reasons)
        )
    return next(str(p["version"]) for p in document["packages"] if p["name"] == "torch")


def _works(folder: str, build: Build, feedback: QgsProcessingFeedback) -> bool:
    return bool(_environment(interpreter.own(folder), {"device": "cpu"}, _Quiet(feedback))["ok"])


def _test(folder: str, device: str, feedback: QgsProcessingFeedback) -> dict[str, Any]:
    """The engine's self-test with the packages in ``folder``, in a process of its own."""
    step = _Step(feedback)
    step.setCurrentStep(_STEPS - 1)
    document = _environment(interpreter.own(folder), {"device": device}, step)
    for check in document["self_test"]:
        feedback.pushInfo(tr("Self-test {name}: {detail}", name=check["title"], detail=check["detail"]))
    return document


def _environment(python: Interpreter, job: dict[str, Any], feedback: QgsProcessingFeedback) -> dict[str, Any]:
    document: dict[str, Any] = engine.run("environment", job, feedback, python=python)["document"]
    return document


class _Step(QgsProcessingMultiStepFeedback):
    def __init__(self, feedback: QgsProcessingFeedback) -> None:
        super().__init__(_STEPS, feedback)
        if feedback.isCanceled():  # QGIS passes on only what comes from now on
            self.cancel()


class _Quiet(_Step):
    """Passes a wish to cancel on, and says nothing: what is missing before an installation is no news."""

    def pushWarning(self, warning: str) -> None:  # noqa: N802
        pass
