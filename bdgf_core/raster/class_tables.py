"""The legend inside a raster file, for programs that read no QGIS style."""

from __future__ import annotations

from osgeo import gdal

from bdgf_core.errors import one_line
from bdgf_core.legend import Legend


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
