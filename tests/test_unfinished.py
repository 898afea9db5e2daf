"""An interrupted job goes on from what it saved, and ends with the result of one that was not interrupted."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from osgeo import gdal
from same_result import same_model, same_rasters
from test_verbs import OUTPUTS, Chain, Events, chain_of, run, run_chain
from tiny_scene import TinyScene

import bdgf_core.pretrain
from bdgf_core.checkpoint import load_model
from bdgf_core.classify import FURTHER, classify
from bdgf_core.errors import Canceled, ModelFileError
from bdgf_core.files import hidden_folder
from bdgf_core.pretrain import pretrain
from bdgf_core.progress import Progress
from bdgf_core.train import train
from bdgf_core.unfinished import Unfinished, fingerprint

_NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bdgf_core.pretrain, "_RECALIBRATION_BATCHES", 2)
        scene = TinyScene(tmp_path_factory.mktemp("unfinished"))
        chain = chain_of(scene, "whole")
        chain.pretrain = replace(chain.pretrain, steps=4)
        chain.train = replace(chain.train, epochs=2)
        chain.classify = replace(chain.classify, tile=16)
        yield run_chain(chain)


def interrupted(chain: Chain, verb, stop: int, **changes) -> Events:
    """Run the verb under other names, stop it at the ``stop``-th occasion, run it again; the events of the second."""
    config = getattr(chain, verb.__name__)
    names = [name for name in OUTPUTS if hasattr(config, name)]
    again = f"again{next(_NUMBERS)}"
    renamed = {name: getattr(config, name).replace("whole", again) for name in names}
    config = replace(config, **renamed, checkpoint_s=0.0)
    with pytest.raises(Canceled):
        run(verb, config, Events(stop))
    folder = hidden_folder(Path(config.output))
    assert not any(Path(path).exists() for path in renamed.values()) and any(folder.glob("*.bdgf"))
    events = Events()
    run(verb, replace(config, **changes), events)
    assert not folder.exists()
    compare = same_rasters if verb is classify else same_model
    for name in names:
        if name != "report":
            compare(getattr(chain, verb.__name__).__getattribute__(name), renamed[name])
    return events


def test_pretraining_goes_on(chain):
    events = interrupted(chain, pretrain, round(0.65 * chain.events["pretrain"].asked))
    assert any("Going on from step" in text for text in events.texts("message"))


def test_training_goes_on(chain):
    events = interrupted(chain, train, round(0.8 * chain.events["train"].asked))
    assert any("A fit goes on from step" in text for text in events.texts("message"))


def test_mapping_does_not_compute_again_what_is_done(chain, monkeypatch):
    import bdgf_core.classify as module

    done: list[object] = []
    compute = module._found
    monkeypatch.setattr(module, "_found", lambda *a: done.append(a) or compute(*a))
    interrupted(chain, classify, chain.events["classify"].asked - 1)
    assert len(done) == 9


def test_another_job_begins_anew_and_says_so(chain):
    events = interrupted(chain, classify, chain.events["classify"].asked - 1, resume=False)
    assert events.asked == chain.events["classify"].asked


def test_a_damaged_state_is_dropped(tmp_path):
    said: list[str] = []
    progress = Progress(lambda event: said.append(event["text"]))
    folder = hidden_folder(tmp_path / "a.bdgf")
    folder.mkdir()
    with Unfinished(tmp_path / "a.bdgf", "job", resume=True, every_s=0, progress=progress) as unfinished:
        state = unfinished.state("fit")
        state.save({"done": 3}, {"weight": torch.arange(4.0)})
        saved = state.load()
        assert saved is not None and saved.document["done"] == 3 and saved.tensors["weight"].equal(torch.arange(4.0))
        whole = (folder / "fit.bdgf").read_bytes()
        for broken in (whole[:-1], whole[:100], whole[:-1] + b"\xff", b""):
            (folder / "fit.bdgf").write_bytes(broken)
            assert state.load() is None and not (folder / "fit.bdgf").exists()
        state.save({}, {})
        other = Unfinished(tmp_path / "a.bdgf", "another job", resume=True, every_s=0, progress=progress)
        assert other.state("fit").load() is None
    assert len(said) == 2 and not list(folder.iterdir())


def test_a_state_is_no_model(chain):
    folder = hidden_folder(Path(chain.scene.path("none.bdgf")))
    folder.mkdir()
    with Unfinished(chain.scene.path("none.bdgf"), "job", resume=True, every_s=0, progress=Progress()) as unfinished:
        unfinished.state("fit").save({}, {})
        with pytest.raises(ModelFileError, match="interrupted job"):
            load_model(folder / "fit.bdgf", "classifier")
    folder.rmdir()


def test_a_short_job_saves_nothing(chain):
    config = replace(chain.classify, output=chain.scene.path("short.tif"), checkpoint_s=60.0)
    config = replace(config, **dict.fromkeys(FURTHER))
    known = {path.name for path in chain.scene.folder.iterdir()}
    with pytest.raises(Canceled):
        run(classify, config, Events(chain.events["classify"].asked // 2))
    assert not chain.scene.leftovers(known)


def test_the_fingerprint_follows_settings_and_inputs(chain, tmp_path):
    raster = tmp_path / "a.tif"
    raster.write_bytes(b"1")
    first = fingerprint(chain.train, raster, None, "NETCDF:nowhere:x")
    assert first == fingerprint(replace(chain.train, resume=False, device="auto"), raster, None, "NETCDF:nowhere:x")
    others = [
        fingerprint(replace(chain.train, seed=9), raster, None, "NETCDF:nowhere:x"),
        fingerprint(chain.train, raster, None, "NETCDF:nowhere:y"),
        fingerprint(chain.train, raster, None, "NETCDF:nowhere:x", content=[b"labels"]),
    ]
    raster.write_bytes(b"22")
    others.append(fingerprint(chain.train, raster, None, "NETCDF:nowhere:x"))
    assert len({first, *others}) == 5


@pytest.mark.parametrize("what", ["a source of a VRT", "a header", "its nodata value", "statistics"])
def test_the_fingerprint_follows_all_that_gdal_reads(chain, tmp_path, what):
    tile, path = tmp_path / "tile.img", tmp_path / "whole.vrt"
    made = gdal.GetDriverByName("ENVI").Create(str(tile), 4, 4, 1)
    made.SetGeoTransform((0, 1, 0, 0, 0, -1))
    made.GetRasterBand(1).Fill(1)
    made = None  # closed
    made = gdal.BuildVRT(str(path), [str(tile)])
    made = None
    first = fingerprint(chain.train, path)
    if what == "a source of a VRT":
        tile.write_bytes(tile.read_bytes() + b"1")
    elif what == "a header":
        header = tile.with_suffix(".hdr")
        header.write_text(header.read_text() + "data ignore value = 0\n")
    elif what == "its nodata value":
        made = gdal.Open(str(path), gdal.GA_Update)
        made.GetRasterBand(1).SetNoDataValue(1)
    else:  # as QGIS notes them beside a raster that it shows
        made = gdal.Open(str(tile))
        made.GetRasterBand(1).ComputeStatistics(False)
        made = None
        assert list(tmp_path.glob("*.aux.xml"))
    made = None
    assert (fingerprint(chain.train, path) == first) == (what == "statistics")


def test_states_leave_the_disk_to_the_outputs(chain, monkeypatch):
    """Asked for at every tile, none is saved, and the map is made."""
    room = []
    monkeypatch.setattr("bdgf_core.unfinished.Unfinished.has_room", lambda *_: room.append(_) or False)
    config = replace(chain.classify, output=chain.scene.path("room.tif"), checkpoint_s=0.0, **dict.fromkeys(FURTHER))
    known = {path.name for path in chain.scene.folder.iterdir()}
    with pytest.raises(Canceled):
        run(classify, config, Events(chain.events["classify"].asked // 2))
    assert room and not chain.scene.leftovers(known)


def test_a_full_disk_is_told_once(tmp_path):
    events = Events()
    unfinished = Unfinished(tmp_path / "map.tif", "job", resume=True, every_s=0.0, progress=Progress(events))
    hidden_folder(tmp_path / "map.tif").mkdir()
    assert unfinished.has_room(1) and not events.seen
    assert not unfinished.has_room(1 << 60) and not unfinished.has_room(1 << 60)
    assert [event["event"] for event in events.seen] == ["warning"]
