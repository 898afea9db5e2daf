"""The legend inside a raster file: written for programs that read no QGIS style, and read from any."""

from __future__ import annotations

from typing import NamedTuple

from osgeo import gdal

from bdgf_core.errors import one_line
from bdgf_core.legend import Legend


class Entry(NamedTuple):
    """What a file says of a class value; '' for what it does not say."""

    label: str = ""
    name: str = ""
    color: str = ""


def describe_classes(dataset: gdal.Dataset, legend: Legend) -> None:
    """Give band 1 its colour table (one band of 8 or 16 bits), category names (values up to 255) and raster
    attribute table."""
    band = dataset.GetRasterBand(1)
    if dataset.RasterCount == 1 and band.DataType in (gdal.GDT_Byte, gdal.GDT_UInt16):
        colors = gdal.ColorTable()
        for entry in legend.classes:
            colors.SetColorEntry(entry.value, (*entry.rgb, 255))
        band.SetColorTable(colors)
    if max(legend.values) <= 255:
        names = dict(zip(legend.values, map(one_line, legend.names)))
        band.SetCategoryNames([names.get(value, "") for value in range(max(names) + 1)])
    band.SetDefaultRAT(_attribute_table(legend))


def read_classes(band: gdal.Band) -> dict[int, Entry]:
    """The classes by value that the attribute table names, else the category names; in colours of either or of the
    colour table."""
    entries = _entries_of(band.GetDefaultRAT())
    if not entries:
        names = enumerate(band.GetCategoryNames() or ())
        entries = {value: Entry(name=name.strip()) for value, name in names if name.strip()}
    colors = band.GetColorTable()
    for value, entry in entries.items():
        if not entry.color and colors is not None and 0 <= value < colors.GetCount():
            entries[value] = entry._replace(color=_hex(*colors.GetColorEntry(value)[:3]))
    return entries


def _entries_of(table: gdal.RasterAttributeTable | None) -> dict[int, Entry]:
    if table is None:
        return {}
    titles = [table.GetNameOfCol(i).casefold() for i in range(table.GetColumnCount())]
    value = _column(table, gdal.GFU_MinMax, titles, "value")
    name = _column(table, gdal.GFU_Name, titles, "class")
    label = titles.index("label") if "label" in titles else None
    rgb = [table.GetColOfUsage(usage) for usage in (gdal.GFU_Red, gdal.GFU_Green, gdal.GFU_Blue)]
    if value is None or name is None:
        return {}
    return {
        table.GetValueAsInt(row, value): Entry(
            table.GetValueAsString(row, label).strip() if label is not None else "",
            table.GetValueAsString(row, name).strip(),
            _hex(*(table.GetValueAsInt(row, column) for column in rgb)) if min(rgb) >= 0 else "",
        )
        for row in range(table.GetRowCount())
    }


def _column(table: gdal.RasterAttributeTable, usage: int, titles: list[str], title: str) -> int | None:
    column = table.GetColOfUsage(usage)
    return column if column >= 0 else titles.index(title) if title in titles else None


def _hex(*rgb: int) -> str:
    return "#" + "".join(f"{min(max(part, 0), 255):02x}" for part in rgb)


def _attribute_table(legend: Legend) -> gdal.RasterAttributeTable:
    table = gdal.RasterAttributeTable()
    table.SetTableType(gdal.GRTT_THEMATIC)
    table.CreateColumn("Value", gdal.GFT_Integer, gdal.GFU_MinMax)
    table.CreateColumn("Class", gdal.GFT_String, gdal.GFU_Name)
    table.CreateColumn("Label", gdal.GFT_String, gdal.GFU_Generic)
    for name, usage in (("Red", gdal.GFU_Red), ("Green", gdal.GFU_Green), ("Blue", gdal.GFU_Blue)):
        table.CreateColumn(name, gdal.GFT_Integer, usage)
    table.CreateColumn("Alpha", gdal.GFT_Integer, gdal.GFU_Alpha)
    table.SetRowCount(len(legend))
    for row, entry in enumerate(legend.classes):
        table.SetValueAsInt(row, 0, entry.value)
        table.SetValueAsString(row, 1, one_line(entry.name))
        table.SetValueAsString(row, 2, one_line(entry.label))
        for column, value in enumerate((*entry.rgb, 255), start=3):
            table.SetValueAsInt(row, column, value)
    return table
