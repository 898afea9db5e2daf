"""Which of the packages that pyproject.toml asks for are not there yet, one requirement a line.

``missing.py [EXTRA ...]`` adds optional groups; ``missing.py --versions`` names what the engine will run with instead.
"""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

from pip._vendor.packaging.requirements import Requirement

try:
    import tomllib
except ImportError:  # Python 3.9 and 3.10
    from pip._vendor import tomli as tomllib

PROJECT = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def version(name: str) -> str:
    """The installed version, or an empty text where there is none."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def main(arguments: list[str]) -> None:
    if arguments == ["--versions"]:
        names = (Requirement(text).name for text in PROJECT["dependencies"])
        print(f"Python {sys.version.split()[0]}, " + ", ".join(f"{name} {version(name)}" for name in names))
        return
    wanted = PROJECT["dependencies"] + [text for extra in arguments for text in PROJECT["optional-dependencies"][extra]]
    for text in wanted:
        requirement = Requirement(text)
        found = version(requirement.name)
        if not found or not requirement.specifier.contains(found, prereleases=True):
            print(text)


if __name__ == "__main__":
    main(sys.argv[1:])
