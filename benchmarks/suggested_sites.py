"""What labels at suggested sites gain over as many labels at random sites, on a scene whose truth is known.

    PYTHONPATH=.:scripts python benchmarks/suggested_sites.py [--classifier forest] [--seeds 10]

For every seed: a few of the simulated scene's polygons train a first classifier; its map and the rasters beside it give
the suggested sites. Every site is labelled with its true class over the pixels of that class in 5 × 5 around it, as one
would draw, a second classifier is trained with these polygons too, and its map is held against the truth where none
of the classifiers compared had a label. Random sites lie as far from each other and from the first polygons.

The classifier is the engine's, which takes hours of a core, or a random forest on each band's centre, mean and
deviation in 9 × 9 pixels, which takes seconds: its entropy is that of its trees' votes, and it has no branches.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from osgeo import gdal, ogr
from scene import simulate_scene
from scene.classes import CLASSES
from sklearn.ensemble import RandomForestClassifier

from bdgf_core.accuracy import Accuracy, confusion_matrix
from bdgf_core.classify import ClassifyConfig, classify
from bdgf_core.inputs import MARGIN
from bdgf_core.legend import LandCoverClass, Legend
from bdgf_core.map_writers import normalized_entropy
from bdgf_core.network.config import PATCH
from bdgf_core.network.image_patches import gather_patches
from bdgf_core.network.statistics import patch_statistics
from bdgf_core.ood import OutOfDistribution
from bdgf_core.pretrain import PretrainConfig, pretrain
from bdgf_core.progress import Progress
from bdgf_core.raster.grid import Grid
from bdgf_core.raster.labels import LabelSource, rasterize_labels
from bdgf_core.raster.stack import RasterSource, RasterStack
from bdgf_core.raster.writer import create_raster
from bdgf_core.samples.patches import PatchSamples
from bdgf_core.site_candidates import REACH
from bdgf_core.suggestsites import SuggestsitesConfig, suggestsites
from bdgf_core.train import TrainConfig, train

VALUES = {c.value: c.name for c in CLASSES}
BATCH, TREES = 64, 100


class Forest:
    """The forest in place of the network; it writes the same rasters, but for the disagreement."""

    def __init__(self, rasters: dict, grid: Grid) -> None:
        self.grid = grid
        sources = {name: rasters[name] for name in ("spectral", "second")}
        with RasterStack.open(sources) as stack:
            image = np.concatenate(list(stack.read(grid.window.expand(MARGIN)).arrays.values()))
        inner = image[:, MARGIN:-MARGIN, MARGIN:-MARGIN]
        self.there = np.isfinite(inner).mean(0) >= 0.5
        mean, deviation = (figure(image, axis=(1, 2), keepdims=True) for figure in (np.nanmean, np.nanstd))
        self.image = torch.from_numpy(np.nan_to_num((image - mean) / deviation).astype(np.float32))
        self.features = patch_statistics(self.image[None], None, PATCH).numpy()

    def mapped(self, polygons: list[np.ndarray], classes: list[int], path: str, seed: int) -> dict[str, str]:
        pixels, sizes = np.concatenate(polygons), list(map(len, polygons))
        labels = np.repeat(classes, sizes)
        forest = RandomForestClassifier(TREES, class_weight="balanced", random_state=seed)
        forest.fit(self.features[pixels], labels)
        votes = forest.predict_proba(self.features).T.astype(np.float32)
        row, col = (torch.from_numpy(at) for at in np.divmod(pixels, self.grid.width))
        patches = gather_patches(self.image, row, col, PATCH)
        index = torch.from_numpy(np.searchsorted(forest.classes_, labels))
        groups = np.repeat(np.arange(len(polygons), dtype=np.int32), sizes)
        ood = OutOfDistribution.of(PatchSamples(patches, None, None, index), groups).score(self.image, None)
        shape = self.there.shape
        rasters = {
            "output": forest.classes_[votes.argmax(0)].astype(np.uint8).reshape(shape),
            "entropy": normalized_entropy(votes).reshape(shape), "ood": ood.numpy(),
        }  # fmt: skip
        legend = Legend(tuple(LandCoverClass(c.value, c.name, c.name, c.color) for c in CLASSES))
        for name, values in rasters.items():
            how = {"dtype": "uint8", "nodata": 255, "legend": legend} if name == "output" else {"dtype": "float32"}
            with create_raster(f"{path}_{name}.tif", self.grid, **{"nodata": -1.0, **how}) as writer:
                writer.write(self.grid.window, np.where(self.there, values, 255 if name == "output" else np.nan))
        return {name: f"{path}_{name}.tif" for name in rasters}


class Experiment:
    """One scene in a folder, pretrained once."""

    def __init__(self, folder: Path, arguments: argparse.Namespace) -> None:
        self.folder, self.steps, self.sites = folder, arguments.steps, arguments.sites
        simulate_scene(folder, size=arguments.size)
        bands = tuple(range(1, 37, arguments.every))
        self.rasters = {"spectral": RasterSource(self.path("hyperspectral.tif"), bands), "device": "cpu"}
        self.rasters["second"] = RasterSource(self.path("sar.tif"))
        self.grid = Grid.of(self.path("hyperspectral.tif"))
        self.truth = gdal.Open(self.path("truth.tif")).ReadAsArray()
        self.forest = Forest(self.rasters, self.grid) if arguments.classifier == "forest" else None
        self.pretrained = self.path("pretrained.bdgf")
        if self.forest is None:
            config = PretrainConfig(
                output=self.pretrained, second_kind="sar_linear", steps=arguments.pretrain_steps, **self.rasters
            )
            pretrain(config, Progress())

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def first_polygons(self, per_class: int, rng: np.random.Generator) -> list[np.ndarray]:
        """The pixels (row · width + column) of a few random polygons of every class."""
        drawn = rasterize_labels(LabelSource(self.path("training_polygons.gpkg"), "class"), self.grid)
        pixels = drawn.rows.astype(np.int64) * self.grid.width + drawn.cols
        chosen = []
        for k in range(len(drawn.legend)):
            polygons = np.unique(drawn.groups[drawn.classes == k])
            chosen += [pixels[drawn.groups == g] for g in rng.permutation(polygons)[:per_class]]
        return chosen

    def around(self, row: int, col: int) -> np.ndarray:
        """The pixels of the site's true class within 5 × 5."""
        rows, cols = np.mgrid[row - 2 : row + 3, col - 2 : col + 3].reshape(2, -1)
        inside = (rows >= 0) & (cols >= 0) & (rows < self.grid.height) & (cols < self.grid.width)
        rows, cols = rows[inside], cols[inside]
        alike = self.truth[rows, cols] == self.truth[row, col]
        return rows[alike] * self.grid.width + cols[alike]

    def mapped(self, polygons: list[np.ndarray], mark: str, seed: int) -> dict[str, str]:
        """The rasters of a classifier that is trained on these polygons."""
        labels = LabelSource(self.path(f"{mark}.gpkg"), "class")
        self.write(polygons, str(labels.path))
        if self.forest is not None:
            classes = [int(self.truth.flat[pixels[0]]) for pixels in polygons]
            return self.forest.mapped(polygons, classes, self.path(mark), seed)
        samples = sum(map(len, polygons))
        model = self.path(f"{mark}.bdgf")
        train(
            TrainConfig(
                self.pretrained, labels=labels, output=model, validation="none", seed=seed, minimum_pixels=1,
                epochs=max(1, round(self.steps * BATCH / samples)), **self.rasters,
            ),
            Progress(),
        )  # fmt: skip
        names = ("output", "entropy", "disagreement", "ood")
        outputs = {name: self.path(f"{mark}_{name}.tif") for name in names}
        classify(ClassifyConfig(model, **outputs, **self.rasters), Progress())
        return outputs

    def write(self, polygons: list[np.ndarray], path: str) -> None:
        """Each as a multipolygon of its pixels."""
        dataset = ogr.GetDriverByName("GPKG").CreateDataSource(path)
        layer = dataset.CreateLayer("training", self.grid.crs, ogr.wkbMultiPolygon)
        layer.CreateField(ogr.FieldDefn("class", ogr.OFTString))
        for pixels in polygons:
            shape = ogr.Geometry(ogr.wkbMultiPolygon)
            for row, col in zip(*np.divmod(pixels, self.grid.width)):
                corners = np.array([col, col + 1, col + 1, col, col]), np.array([row, row, row + 1, row + 1, row])
                ring = ogr.Geometry(ogr.wkbLinearRing)
                for x, y in zip(*self.grid.to_world(*corners)):
                    ring.AddPoint_2D(float(x), float(y))
                square = ogr.Geometry(ogr.wkbPolygon)
                square.AddGeometry(ring)
                shape.AddGeometry(square)
            feature = ogr.Feature(layer.GetLayerDefn())
            feature["class"] = VALUES[int(self.truth.flat[pixels[0]])]
            feature.SetGeometry(shape)
            layer.CreateFeature(feature)

    def suggested(self, outputs: dict[str, str], labels: str, mark: str) -> tuple[list[tuple[int, int]], int]:
        """The sites, and how far they lie from each other."""
        config = SuggestsitesConfig(
            outputs["output"], self.path(f"{mark}_sites.gpkg"), number=self.sites, labels=LabelSource(labels, "class"),
            **{name: path for name, path in outputs.items() if name != "output"},
        )  # fmt: skip
        distance = suggestsites(config, Progress())["distance"]
        dataset = gdal.OpenEx(config.output)
        points = [feature.GetGeometryRef().GetPoint() for feature in dataset.GetLayer(0)]
        cols, rows = self.grid.to_pixel(*np.array(points)[:, :2].T)
        return list(zip(rows.astype(int).tolist(), cols.astype(int).tolist())), distance

    def random(self, mapped: np.ndarray, taken: np.ndarray, distance: int, rng: np.random.Generator) -> list:
        sites: list[tuple[int, int]] = []
        rows, cols = np.divmod(taken, self.grid.width)
        for row, col in rng.permutation(np.argwhere(mapped)).tolist():
            far = all(np.hypot(row - r, col - c) >= distance for r, c in sites)
            if far and np.maximum(abs(rows - row), abs(cols - col)).min() > REACH:
                sites.append((row, col))
            if len(sites) == self.sites:
                break
        return sites

    def compare(self, seed: int, per_class: int) -> dict[str, Accuracy]:
        rng = np.random.default_rng(seed)
        first = self.first_polygons(per_class, rng)
        before = self.mapped(first, f"first_{seed}", seed)
        suggested, distance = self.suggested(before, self.path(f"first_{seed}.gpkg"), f"first_{seed}")
        mapped = (gdal.Open(before["output"]).ReadAsArray() != 255) & (self.truth > 0)
        arms = {
            "suggested": [site for site in suggested if mapped[site]],
            "random": self.random(mapped, np.concatenate(first), distance, rng),
        }
        drawn = {name: [self.around(*site) for site in sites] for name, sites in arms.items()}
        maps = {"first": before}
        for name, polygons in drawn.items():
            maps[name] = self.mapped([*first, *polygons], f"{name}_{seed}", seed)
            print(f"seed {seed}, {name}: {len(polygons)} sites of {sum(map(len, polygons))} pixels", flush=True)
        apart = mapped.ravel().copy()
        apart[np.concatenate([*first, *(p for polygons in drawn.values() for p in polygons)])] = False
        return {name: self.accuracy(outputs["output"], apart) for name, outputs in maps.items()}

    def accuracy(self, land_cover: str, apart: np.ndarray) -> Accuracy:
        dataset = gdal.Open(land_cover)
        dataset.GetMetadata()  # GDAL 3.6 reads the side file, where the names are, no sooner
        names = dataset.GetRasterBand(1).GetCategoryNames()
        number = {name: i for i, name in enumerate(VALUES.values())}
        as_number = np.array([number.get(name, -1) for name in names])
        reference = np.array([number[VALUES[value]] for value in self.truth.ravel()[apart]])
        found = as_number[dataset.ReadAsArray().ravel()[apart]]
        return Accuracy.of(confusion_matrix(reference, found, len(number)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("size", 160), ("sites", 20), ("seeds", 3), ("steps", 80), ("per-class", 1), ("every", 4)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--classifier", choices=("network", "forest"), default="network")
    parser.add_argument("--pretrain-steps", type=int, default=4)
    arguments = parser.parse_args()  # every: of so many bands one, which spares time; so do few steps
    gdal.UseExceptions()
    with tempfile.TemporaryDirectory() as folder:
        experiment = Experiment(Path(folder), arguments)
        gains: dict[str, list[tuple[float, float]]] = {"suggested": [], "random": []}
        for seed in range(arguments.seeds):
            found = experiment.compare(seed, arguments.per_class)
            figures = {name: (100 * a.overall, 100 * a.average) for name, a in found.items()}
            print(f"seed {seed}: " + "; ".join(f"{n} OA {oa:.1f}, AA {aa:.1f} %" for n, (oa, aa) in figures.items()))
            for name, gain in gains.items():
                gain.append(tuple(np.subtract(figures[name], figures["first"])))
    for name, gain in gains.items():
        mean, spread = np.mean(gain, 0), np.std(gain, 0, ddof=1 if len(gain) > 1 else 0)
        print(f"{name}: OA {mean[0]:+.1f} ± {spread[0]:.1f}, AA {mean[1]:+.1f} ± {spread[1]:.1f} percentage points")


if __name__ == "__main__":
    main()
