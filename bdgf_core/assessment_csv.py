"""An assessment as a table for spreadsheets."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from .spreadsheet import spreadsheet

_FIGURES = (("overall_accuracy", "Overall accuracy"), ("average_accuracy", "Average accuracy"), ("kappa", "Kappa"))
_BY_CLASS = (("producers_accuracy", "Producer's accuracy"), ("users_accuracy", "User's accuracy"), ("f1", "F1"))


def assessment_csv(document: Mapping[str, Any]) -> bytes:
    """The confusion matrix with its names, the figures, and a line for each class; an empty line between. Intervals
    are those of drawn polygons where there are some."""
    accuracy, areas, clustered = document["accuracy"], document["areas"], bool(document["cluster_intervals"])
    intervals = document["cluster_intervals"] or document["intervals"]
    names = [entry["name"] for entry in document["legend"]]
    rows: list[Sequence[Any]] = [["Reference (down), map (across)", *names, "All"]]
    rows += [[name, *counts, sum(counts)] for name, counts in zip(names, accuracy["confusion"])]
    columns = [sum(column) for column in zip(*accuracy["confusion"])]
    rows += [["All", *columns, sum(columns)], [], ["Figure", "Value", "95 % from", "95 % to"]]
    rows += [[title, accuracy[name], *(intervals[name] or ("", ""))] for name, title in _FIGURES]
    head = ["Class", "Value", "Reference pixels", "Mapped reference pixels"]
    head += [text for _, title in _BY_CLASS for text in (title, "95 % from", "95 % to")]
    if areas:
        unit = areas["unit"]
        head += [f"Mapped area ({unit})", f"Estimated area ({unit})", f"95 % margin ({unit})"]
        head += [f"Polygons: 95 % {way} ({unit})" for way in ("from", "to") if clustered]
    rows += [[], head]
    for index, (entry, found, limits) in enumerate(
        zip(document["legend"], accuracy["per_class"], intervals["per_class"])
    ):
        row = [entry["name"], entry["value"], found["reference"], found["predicted"]]
        for name, _ in _BY_CLASS:
            row += [found[name], *(limits[name] or ("", ""))]
        if areas:
            area = areas["per_class"][index]
            row += [area["mapped"], area["adjusted"], area["margin"]]
            row += (area["cluster_interval"] or ["", ""]) if clustered else []
        rows.append(row)
    return spreadsheet(rows)
