"""The flows of a release on one picture: what page one of a report shows.

Arcs bend to the right of their direction, so the two directions of a pair lie side by side. A circle is
movement inside one zone. The picture is a function of the release alone: no clock, no local fonts, no local
matplotlib style.
"""

import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h3
import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import LinearSegmentedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray
from PIL import Image

from jobs.publish.absence import absent_pair
from jobs.publish.card import Card
from jobs.publish.sharing.notice import SharingNote
from jobs.publish.shown import Shown
from jobs.publish.zones import Ring, centre_of, members_of, members_of_units, union_of, zones_in
from privacy.release import Release
from privacy.zoning import AdminUnit, Zoning
from schemas.published import PUBLISHED, RESIDUAL

Points = NDArray[np.float64]

MOST_ARCS: Final = 150
"""Published flows drawn, the largest first: more of them hide each other."""

MOST_RESIDUALS: Final = 60
"""Residual flows drawn beneath, the largest first."""

KM_PER_DEGREE: Final = 111.195
"""Length of a degree of latitude on a sphere of 6,371 km."""

BEND: Final = 0.18
"""Sideways reach of an arc's control point, as a share of the distance between its ends."""

STEPS: Final = 24
"""Straight pieces an arc is made of."""

MAP_WIDTH, SIDE, HEAD, FOOT, DPI = 7.6, 2.1, 0.9, 0.55, 150
"""Inches of the map, of the legend beside it and of the bands above and below; pixels an inch."""

COLOURS: Final = 256
"""Colours of the picture: 99 in 100 pixels keep theirs to within 8 of 255 (octree), in a quarter of the bytes."""

HOW_TO_READ: Final = "An arc bends to the right\nof its direction; width and\ncolour grow with the flow."

LAND, LAND_EDGE, COAST = "#eceae4", "#ffffff", "#9a978e"
RESIDUAL_COLOUR, TEXT, SOFT_TEXT = "#8f9aa3", "#22262a", "#6a7076"
RESIDUAL_DASH: Final = (0, (3, 2))
BASE_END: Final[dict[str, Any]] = {
    "marker": "o", "markersize": 4, "markerfacecolor": TEXT, "markeredgecolor": "white",
    "markeredgewidth": 0.6,
}  # fmt: skip
COARSE_END: Final[dict[str, Any]] = {
    "marker": "h", "markersize": 7, "markerfacecolor": "white", "markeredgecolor": TEXT,
    "markeredgewidth": 1,
}  # fmt: skip

FLOW_COLOURS: Final = LinearSegmentedColormap.from_list("flow", mpl.colormaps["plasma_r"](np.linspace(0.16, 0.98, 256)))
"""Even steps, safe for colour-blind readers; the palest end is dropped, it would vanish on the land."""

_STYLE: Final[Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": TEXT,
    "path.simplify": False,
}


@dataclass(frozen=True)
class Projection:
    """Kilometres east and north of the domain's middle; true to length near it.

    Args:
        longitude: Longitude of the middle, in degrees.
        latitude: Latitude of the middle, in degrees.
    """

    longitude: float
    latitude: float

    def __call__(self, positions: Iterable[tuple[float, float]]) -> Points:
        """Return the positions (longitude, latitude) in kilometres, also across the antimeridian."""
        degrees = np.array(list(positions), dtype=float).reshape(-1, 2)
        east = (degrees[:, 0] - self.longitude + 180) % 360 - 180
        shrink = np.cos(np.radians(self.latitude))
        return np.column_stack([east * shrink, degrees[:, 1] - self.latitude]) * KM_PER_DEGREE


def draw_od_map(release: Release, path: Path) -> None:
    """Draw the release's largest flows as a PNG file, the same bytes on every call."""
    path.write_bytes(od_map_png(release))


def od_map_png(release: Release) -> bytes:
    """Return the map of the release's largest flows as a PNG."""
    return map_png(Shown.of(release))


def map_png(release: Shown, sharing: SharingNote | None = None) -> bytes:
    """Return the map of the largest flows that a bundle shows, published or shared, as a PNG."""
    card, project = release.card, Projection(*centre_of(release.base_cells))
    places = _places(release, project)
    rows = release.table.select(["origin", "destination", "value", "status"]).to_pandas()
    flows = _largest(rows, PUBLISHED, MOST_ARCS)
    norm = LogNorm(*_ends_of_scale(flows["value"]))
    with mpl.rc_context(mpl.rcParamsDefault), mpl.rc_context(_STYLE):
        figure, axes = _canvas(release, project)
        _draw_land(axes, _land(release, card), project)
        _draw_residuals(axes, _largest(rows, RESIDUAL, MOST_RESIDUALS), places)
        _draw_flows(axes, flows, places, norm)
        _draw_ends(axes, flows, places, _finest_zones(release, card))
        _draw_scale_bar(axes)
        _draw_legend(figure, norm, card.zoning.place(_finest_level(card)), card.unit_of_value.capitalize())
        published = int((rows["status"] == PUBLISHED).sum())
        _write_words(figure, card, sharing, drawn=len(flows), published=published)
        return _png(figure)


def arc(start: Points, end: Points) -> Points:
    """Return the points of an arc that bends to the right of the way from start to end."""
    right = np.array([end[1] - start[1], start[0] - end[0]])
    control = (start + end) / 2 + BEND * right
    t = np.linspace(0, 1, STEPS + 1)[:, None]
    points: Points = (1 - t) ** 2 * start + 2 * t * (1 - t) * control + t**2 * end
    return points


def nice_length(longest: float) -> float:
    """Return the largest of 1, 2, 5, 10, 20, 50, ... that is not above `longest`."""
    power = 10.0 ** np.floor(np.log10(longest))
    return float(max(step * power for step in (1, 2, 5) if step * power <= longest))


def width_of(value: float, norm: Normalize) -> float:
    """Return the width of an arc in points: from 0.7 to 4.5 along the scale, slowly at first."""
    return 0.7 + 3.8 * float(norm(value)) ** 2


def _ends_of_scale(values: pd.Series) -> tuple[float, float]:
    if values.empty:
        return 1.0, 10.0
    return float(values.min()), max(float(values.max()), 1.5 * float(values.min()))


def _places(release: Shown, project: Projection) -> dict[str, Points]:
    zones = zones_in(release.table)
    units = release.units
    members = members_of_units(release.base_cells, units) if units else members_of(release.base_cells, zones)
    return {zone: project([centre_of(members[zone])])[0] for zone in sorted(zones)}


def _largest(rows: pd.DataFrame, status: str, most: int) -> pd.DataFrame:
    chosen = rows[(rows["status"] == status) & (rows["value"] > 0)]
    order = ["value", "origin", "destination"]
    return chosen.sort_values(order, ascending=[False, True, True]).head(most).iloc[::-1]


def _canvas(release: Shown, project: Projection) -> tuple[Figure, Axes]:
    points = project(_extent(release))
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.05 * float((high - low).max()) + 5
    width, height = high - low + 2 * margin
    map_height = MAP_WIDTH * float(np.clip(height / width, 0.6, 1.25))
    figure = Figure(figsize=(MAP_WIDTH + SIDE, map_height + HEAD + FOOT), dpi=DPI, facecolor="white")
    box = (
        0,
        FOOT / (map_height + HEAD + FOOT),
        MAP_WIDTH / (MAP_WIDTH + SIDE),
        map_height / (map_height + HEAD + FOOT),
    )
    axes = figure.add_axes(box)
    axes.set(xlim=(low[0] - margin, high[0] + margin), ylim=(low[1] - margin, high[1] + margin), aspect="equal")
    axes.set_axis_off()
    return figure, axes


def _extent(release: Shown) -> Iterator[tuple[float, float]]:
    """Positions between which all lies that is drawn."""
    if release.units:
        yield from (position for unit in release.units.units for ring in _rings(unit) for position in ring)
    else:
        yield from ((lng, lat) for lat, lng in map(h3.cell_to_latlng, release.base_cells))


def _rings(unit: AdminUnit) -> list[Ring]:
    return [[(longitude, latitude) for longitude, latitude in ring] for polygon in unit.polygons for ring in polygon]


@dataclass(frozen=True)
class _Land:
    """What lies beneath the flows.

    Args:
        zones: Outlines of the smallest zones.
        borders: Rings of the largest zones.
        coast: Rings around all zones.
    """

    zones: list[Ring]
    borders: list[Ring]
    coast: list[Ring]


def _land(release: Shown, card: Card) -> _Land:
    levels = card.zones.resolutions
    if release.units:
        fine, coarse = ([_rings(unit) for unit in release.units.drawn([n])] for n in (max(levels), min(levels)))
        return _Land([ring for rings in fine for ring in rings], [ring for rings in coarse for ring in rings], [])
    cells = release.base_cells
    parents = members_of(cells, {h3.cell_to_parent(cell, min(levels)) for cell in cells}).values()
    return _Land(
        [[(lng, lat) for lat, lng in h3.cell_to_boundary(cell)] for cell in cells],
        [ring for group in parents for polygon in union_of(group) for ring in polygon],
        [ring for polygon in union_of(cells) for ring in polygon],
    )


def _draw_land(axes: Axes, land: _Land, project: Projection) -> None:
    zones, borders, coast = ([project(ring) for ring in rings] for rings in (land.zones, land.borders, land.coast))
    axes.add_collection(PolyCollection(zones, facecolors=LAND, edgecolors=LAND_EDGE, linewidths=0.5, zorder=1))
    axes.add_collection(LineCollection(borders, colors=LAND_EDGE, linewidths=1.8, zorder=2))
    axes.add_collection(LineCollection(coast, colors=COAST, linewidths=0.9, zorder=3))


def _finest_level(card: Card) -> int:
    """Level of the zones that are drawn as points: the base resolution of H3 cells, or the finest admin level."""
    return card.zones.base_resolution if card.zoning is Zoning.H3 else max(card.zones.resolutions)


def _finest_zones(release: Shown, card: Card) -> frozenset[str]:
    if release.units:
        return frozenset(unit.code for unit in release.units.drawn([_finest_level(card)]))
    return frozenset(release.base_cells)


def _draw_residuals(axes: Axes, rows: pd.DataFrame, places: Mapping[str, Points]) -> None:
    between = rows[rows["origin"] != rows["destination"]]
    arcs = [arc(places[o], places[d]) for o, d in zip(between["origin"], between["destination"], strict=True)]
    dashes = LineCollection(arcs, colors=RESIDUAL_COLOUR, linewidths=0.8, linestyles=RESIDUAL_DASH, alpha=0.6, zorder=4)
    axes.add_collection(dashes)


def _draw_flows(axes: Axes, rows: pd.DataFrame, places: Mapping[str, Points], norm: Normalize) -> None:
    # Drawn one by one, smallest first, so that a larger flow covers a smaller one whole.
    flows = zip(rows["origin"], rows["destination"], rows["value"], strict=True)
    for order, (origin, destination, value) in enumerate(flows):
        style: dict[str, Any] = {"color": FLOW_COLOURS(norm(value)), "zorder": 5 + order / len(rows)}
        if origin == destination:
            style |= {"marker": "o", "markersize": 7 + 9 * norm(value), "fillstyle": "none"}
            axes.plot(*places[origin], markeredgewidth=1.4, **style)
        else:
            points = arc(places[origin], places[destination])
            axes.plot(*points.T, linewidth=width_of(value, norm), solid_capstyle="round", **style)


def _draw_ends(axes: Axes, rows: pd.DataFrame, places: Mapping[str, Points], finest: frozenset[str]) -> None:
    between = rows[rows["origin"] != rows["destination"]]
    zones = sorted({*between["origin"], *between["destination"]})
    for is_base, style in ((True, BASE_END), (False, COARSE_END)):
        ends = [places[zone] for zone in zones if (zone in finest) == is_base]
        axes.plot(*np.array(ends).reshape(-1, 2).T, linestyle="", zorder=7, **style)


def _draw_scale_bar(axes: Axes) -> None:
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    length = nice_length((right - left) / 5)
    x, y = left + 0.03 * (right - left), bottom + 0.025 * (top - bottom)
    axes.plot([x, x + length], [y, y], color=TEXT, linewidth=2, solid_capstyle="butt", zorder=8)
    axes.text(x + length / 2, y + 0.008 * (top - bottom), f"{length:g} km", ha="center", va="bottom", fontsize=8)


def _draw_legend(figure: Figure, norm: Normalize, finest: str, unit: str) -> None:
    values = np.geomspace(norm.vmin or 1, norm.vmax or 1, 5)[::-1]
    flows: list[Artist] = [
        Line2D([], [], color=FLOW_COLOURS(norm(v)), linewidth=width_of(v, norm), label=f"{_two_digits(v):,.0f}")
        for v in values
    ]
    others: list[Artist] = [
        Line2D([], [], linestyle="", label=f"zone of {finest}", **BASE_END),
        Line2D([], [], linestyle="", label="coarser zone, its middle", **COARSE_END),
        Line2D([], [], color=FLOW_COLOURS(0.5), marker="o", fillstyle="none", linestyle="", markersize=9,
               markeredgewidth=1.4, label="inside one zone"),
        Line2D([], [], color=RESIDUAL_COLOUR, linewidth=0.9, linestyle=RESIDUAL_DASH,
               label="rest of a coarser pair,\nnot to scale"),
        Patch(facecolor=LAND, edgecolor=COAST, label="zones with radio cells"),
    ]  # fmt: skip
    style: dict[str, Any] = {
        "frameon": False,
        "alignment": "left",
        "loc": "upper left",
        "fontsize": 8.5,
        "title_fontproperties": {"weight": "bold", "size": 9},
        "handlelength": 2.4,
        "labelspacing": 0.8,
    }
    height = figure.get_figheight()
    left, top = MAP_WIDTH / (MAP_WIDTH + SIDE), 1 - HEAD / height
    figure.legend(handles=flows, title=unit, bbox_to_anchor=(left, top), **style)
    figure.legend(handles=others, title="Also shown", bbox_to_anchor=(left, top - 1.6 / height), **style)
    figure.text(left + 0.012, top - 3.55 / height, HOW_TO_READ, va="top", fontsize=8, color=SOFT_TEXT)


def _write_words(figure: Figure, card: Card, sharing: SharingNote | None, *, drawn: int, published: int) -> None:
    height = figure.get_figheight()
    of = "all" if drawn == published else f"the {drawn} largest of"
    kind = "Synthetic data. " if card.synthetic else ""
    title_size = _fitting(card.title, 17, letter=0.68)
    figure.text(0.025, 1 - 0.18 / height, card.title, fontsize=title_size, weight="bold", va="top")
    unit = f"Mean {card.unit_of_value}" if card.unit_of_value.endswith("a day") else card.unit_of_value.capitalize()
    subtitle = f"{kind}{unit}; {of} {published:,} published flows"
    figure.text(0.025, 1 - 0.53 / height, subtitle, fontsize=10, color=SOFT_TEXT, va="top")
    absent = absent_pair(None, sharing).rstrip(".")
    note = f"The table gives 95 % intervals. {absent}: that is not zero."
    figure.text(0.025, 0.40 / height, note, fontsize=8.5, va="center")
    slug = sharing.slug if sharing else card.slug
    source = f"Whimbrel, {slug}, {card.definition_id}. Protects {card.unit_of_privacy}: {card.epsilon_text}."
    figure.text(
        0.025,
        0.19 / height,
        source,
        fontsize=_fitting(source, 7.5, letter=0.56),
        color=SOFT_TEXT,
        va="center",
    )


def _fitting(text: str, size: float, *, letter: float) -> float:
    """Return at most `size` points, so that a line fits whose letters are `letter` sizes wide."""
    return min(size, 72 * 0.95 * (MAP_WIDTH + SIDE) / (letter * len(text)))


def _two_digits(value: float) -> float:
    return float(f"{value:.1e}")


def _png(figure: Figure) -> bytes:
    """The figure in few colours: a bundle is fetched over slow lines, and the picture is most of it."""
    drawn, sink = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DPI, metadata={"Software": None})
    octree = Image.Quantize.FASTOCTREE
    few = Image.open(drawn).convert("RGB").quantize(COLOURS, method=octree, dither=Image.Dither.NONE)
    few.save(sink, format="png", optimize=True, dpi=(DPI, DPI))
    return sink.getvalue()
