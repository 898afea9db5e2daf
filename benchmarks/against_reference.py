"""How a map agrees with a reference raster on the same grid.

    PYTHONPATH=. python benchmarks/against_reference.py MAP REFERENCE [--from-column N] [--pair 1=0 --pair 2=1]

``--pair MAP=REFERENCE`` says which map value means which reference value; without it they are the same. Pixels that
the reference marks unknown or that lie left of ``--from-column`` do not count; unmapped ones count as wrong.
"""

from __future__ import annotations

import argparse

import numpy as np
from osgeo import gdal

from bdgf_core.accuracy import Accuracy, confusion_matrix


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("map")
    parser.add_argument("reference")
    parser.add_argument("--unknown", type=int, default=-1)
    parser.add_argument("--from-column", type=int, default=0)
    parser.add_argument("--pair", action="append", default=[])
    arguments = parser.parse_args()
    gdal.UseExceptions()
    mapped = gdal.Open(arguments.map).ReadAsArray()[:, arguments.from_column :].astype(int)
    reference = gdal.Open(arguments.reference).ReadAsArray()[:, arguments.from_column :].astype(int)
    known = reference != arguments.unknown
    pairs = dict((int(value) for value in pair.split("=")) for pair in arguments.pair)
    values = np.unique(reference[known])
    as_reference = {value: pairs.get(value, value) for value in np.unique(mapped)}
    index = {int(value): i for i, value in enumerate(values)}
    found = np.array([index.get(as_reference[value], len(values)) for value in mapped[known]])
    wanted = np.array([index[value] for value in reference[known]])
    accuracy = Accuracy.of(confusion_matrix(wanted, found, len(values) + 1))
    recall = ", ".join(f"{value}: {share:.3f}" for value, share in zip(values, accuracy.producers))
    print(
        f"{int(known.sum())} pixels: OA {accuracy.overall:.4f}, AA {accuracy.average:.4f}, kappa {accuracy.kappa:.4f};"
        f" producer's accuracy {recall}"
    )


if __name__ == "__main__":
    main()
