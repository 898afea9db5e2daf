"""kill -9 at any moment: no half output, and the same job run again ends as if nothing had happened."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import dying
import pytest
from same_result import same_model, same_rasters
from test_verbs import OUTPUTS, Chain, chain_of
from tiny_scene import TinyScene

from bdgf_core.files import hidden_folder

_COMMON = [  # moment, before or after it, the how manyth
    ("claim", "after", 1),
    ("progress", "before", 2),
    ("read", "before", 2),
    ("state", "before", 1),
    ("state", "after", 1),
    ("state", "before", 2),
    ("fsync", "before", 1),
    ("fsync", "before", 3),
    ("rename", "before", 1),
    ("rename", "after", 1),
    ("rename", "before", 2),
    ("remove states", "before", 1),
    ("remove states", "after", 1),
    ("clear", "before", 2),
]
MOMENTS = {
    "pretrain": [*_COMMON, ("progress", "before", 7), ("state", "after", 3), ("rename", "after", 4)],
    "train": [*_COMMON, ("progress", "before", 9), ("state", "after", 6), ("rename", "before", 7)],
    "classify": [
        *_COMMON, ("write", "before", 1), ("write", "after", 9), ("rename", "before", 7), ("rename", "after", 10),
        ("rename", "after", 11), ("fsync", "before", 20),
    ],
}  # fmt: skip
EVERYDAY = {("pretrain", "state", "after", 3), ("train", "state", "after", 6), ("classify", "rename", "after", 10)}
CASES = [
    pytest.param(verb, *case, marks=() if (verb, *case) in EVERYDAY else pytest.mark.long)
    for verb, cases in MOMENTS.items()
    for case in cases
]


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    chain = chain_of(TinyScene(tmp_path_factory.mktemp("kill")), "whole")
    chain.pretrain = replace(chain.pretrain, steps=4)
    chain.train = replace(chain.train, epochs=1)
    chain.classify = replace(chain.classify, tile=20, memory_mb=None)
    for verb in ("pretrain", "train", "classify"):
        assert dying.run(verb, getattr(chain, verb)) == 0
    return chain


@pytest.mark.parametrize(("verb", "moment", "when", "nth"), CASES)
def test_killed_and_run_again(chain: Chain, verb: str, moment: str, when: str, nth: int):
    config, outputs = renamed(getattr(chain, verb), f"{moment}_{when}_{nth}".replace(" ", "_"))
    known = {path.name for path in chain.scene.folder.iterdir()}
    code = dying.run(verb, config, moment, when, nth)
    assert code == -9, f"{verb} ended with {code} and never came to the moment"
    for name, path in outputs.items():
        if Path(path).exists() and name != "report":
            same(verb, getattr(getattr(chain, verb), name), path)  # whole, if it is there
    paths = [Path(path) for path in outputs.values()]
    allowed = {p.name for path in paths for p in (path, path.with_suffix(".qml"), hidden_folder(path))}
    allowed |= {f"{path.name}.aux.xml" for path in paths}
    assert chain.scene.leftovers(known) <= allowed
    assert dying.run(verb, config) == 0
    for name, path in outputs.items():
        if name != "report":
            same(verb, getattr(getattr(chain, verb), name), path)
    assert not {name for name in chain.scene.leftovers(known) if name.startswith(".")}


def renamed(config: Any, mark: str) -> tuple[Any, dict[str, str]]:
    """The config with outputs of its own, saving its state at every step, and these outputs."""
    there = [name for name in OUTPUTS if getattr(config, name, None)]
    outputs = {name: getattr(config, name).replace("whole", mark) for name in there}
    return replace(config, **outputs, checkpoint_s=0.0), outputs


def same(verb: str, one: str, other: str) -> None:
    (same_rasters if verb == "classify" else same_model)(one, other)
