"""Legends to draw by: classes with their names and colours as published. The names are data and stay untranslated.

Local Climate Zones: names by Stewart & Oke (2012), https://doi.org/10.1175/BAMS-D-11-00019.1; colours of WUDAPT, as in
the palette of the global map by Demuzere et al. (2022), https://doi.org/10.5194/essd-14-3835-2022
(https://developers.google.com/earth-engine/datasets/catalog/RUB_RUBCLIM_LCZ_global_lcz_map_latest).

CORINE: names of the nomenclature, colours of the legend that comes with CLC2018
(https://land.copernicus.eu/en/products/corine-land-cover, file CLC2018_CLC2018_V2018_20_QGIS.txt). It has colours for
the third level only: a group has that of its first class, so 1.2 that of 1.2.1.
"""

from __future__ import annotations

Classes = tuple[tuple[str, str], ...]  # (name, #rrggbb)

LCZ: Classes = (
    ("LCZ 1 Compact high-rise", "#8c0000"),
    ("LCZ 2 Compact midrise", "#d10000"),
    ("LCZ 3 Compact low-rise", "#ff0000"),
    ("LCZ 4 Open high-rise", "#bf4d00"),
    ("LCZ 5 Open midrise", "#ff6600"),
    ("LCZ 6 Open low-rise", "#ff9955"),
    ("LCZ 7 Lightweight low-rise", "#faee05"),
    ("LCZ 8 Large low-rise", "#bcbcbc"),
    ("LCZ 9 Sparsely built", "#ffccaa"),
    ("LCZ 10 Heavy industry", "#555555"),
    ("LCZ A Dense trees", "#006a00"),
    ("LCZ B Scattered trees", "#00aa00"),
    ("LCZ C Bush, scrub", "#648525"),
    ("LCZ D Low plants", "#b9db79"),
    ("LCZ E Bare rock or paved", "#000000"),
    ("LCZ F Bare soil or sand", "#fbf7ae"),
    ("LCZ G Water", "#6a6aff"),
)

CORINE_1: Classes = (
    ("1 Artificial surfaces", "#e6004d"),
    ("2 Agricultural areas", "#ffffa8"),
    ("3 Forest and semi-natural areas", "#80ff00"),
    ("4 Wetlands", "#a6a6ff"),
    ("5 Water bodies", "#00ccf2"),
)
CORINE_2: Classes = (
    ("1.1 Urban fabric", "#e6004d"),
    ("1.2 Industrial, commercial and transport units", "#cc4df2"),
    ("1.3 Mine, dump and construction sites", "#a600cc"),
    ("1.4 Artificial, non-agricultural vegetated areas", "#ffa6ff"),
    ("2.1 Arable land", "#ffffa8"),
    ("2.2 Permanent crops", "#e68000"),
    ("2.3 Pastures", "#e6e64d"),
    ("2.4 Heterogeneous agricultural areas", "#ffe6a6"),
    ("3.1 Forests", "#80ff00"),
    ("3.2 Scrub and/or herbaceous vegetation associations", "#ccf24d"),
    ("3.3 Open spaces with little or no vegetation", "#e6e6e6"),
    ("4.1 Inland wetlands", "#a6a6ff"),
    ("4.2 Maritime wetlands", "#ccccff"),
    ("5.1 Inland waters", "#00ccf2"),
    ("5.2 Marine waters", "#00ffa6"),
)

# The data sets of the paper, Table 1.
BERLIN: Classes = (
    ("Forest", "#1b7837"),
    ("Residential Area", "#d7301f"),
    ("Industrial Area", "#9e5ab5"),
    ("Low Plants", "#a6d96a"),
    ("Soil", "#c9a26b"),
    ("Allotment", "#e6c84b"),
    ("Commercial Area", "#f781bf"),
    ("Water", "#3b7dd8"),
)
AUGSBURG: Classes = tuple(entry for entry in BERLIN if entry[0] != "Soil")
YELLOW_RIVER: Classes = (
    ("Spartina Alterniflora", "#a6d96a"),
    ("Suaeda Salsa", "#c51b7d"),
    ("Tamarix Forest", "#1b7837"),
    ("Tidal Creek", "#3b7dd8"),
    ("Mudflat", "#c9a26b"),
)
# Thirteen of the Local Climate Zones, named as in the paper.
HONG_KONG: Classes = (
    ("Compact High-rise", "#8c0000"),
    ("Compact Mid-rise", "#d10000"),
    ("Compact Low-rise", "#ff0000"),
    ("Open High-rise", "#bf4d00"),
    ("Open Mid-rise", "#ff6600"),
    ("Open Low-rise", "#ff9955"),
    ("Large Low-rise", "#bcbcbc"),
    ("Heavy Industry", "#555555"),
    ("Dense Trees", "#006a00"),
    ("Scattered Trees", "#00aa00"),
    ("Bush and Scrub", "#648525"),
    ("Low Plants", "#b9db79"),
    ("Water", "#6a6aff"),
)

NOMENCLATURES: dict[str, Classes] = {
    "lcz": LCZ,
    "corine1": CORINE_1,
    "corine2": CORINE_2,
    "berlin": BERLIN,
    "augsburg": AUGSBURG,
    "yellow_river": YELLOW_RIVER,
    "hong_kong": HONG_KONG,
}
