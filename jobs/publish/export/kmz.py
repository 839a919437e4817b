"""A bundle as KMZ for Google Earth: a folder a period, in it one a kind, in it a placemark a row.

Source: OGC 12-007r2 (KML 2.3), written by fastkml.
"""

from collections.abc import Iterator
from typing import Any, Final

import pandas as pd
from fastkml import Data, Document, ExtendedData, Folder, Placemark, TimeSpan
from fastkml.enums import Verbosity
from fastkml.geometry import create_kml_geometry
from fastkml.kml import KML
from fastkml.styles import LineStyle, PolyStyle, Style, StyleUrl
from fastkml.times import KmlDateTime

from jobs.publish.archive import packed
from jobs.publish.export.breakdowns import label_text
from jobs.publish.export.classes import FILLS, LINE, UNSURE, WIDTHS_MM, class_numbers, classes_of
from jobs.publish.export.layers import Kind, Layer, layers_of
from jobs.publish.export.notes import facts_of
from jobs.publish.export.plain import unmarked
from jobs.publish.export.source import Source
from jobs.publish.zones import COORDINATE_DECIMALS
from schemas.published import PUBLISHED, RESIDUAL

DOCUMENT: Final = "doc.kml"
"""The name that a reader of KMZ looks for."""

_SAID: Final = ("value", "ci_low", "ci_high", "noise_sd", "quality", "status")
"""Columns that a placemark tells of a row, after its zones and labels."""

_PIXELS_A_MM: Final = 2.5
"""Widths of lines in KML are pixels."""


def kmz_bytes(source: Source) -> bytes:
    """Return the KMZ of a bundle with zones."""
    kml = KML()
    kml.append(_document(source))
    text = kml.to_string(prettyprint=False, precision=COORDINATE_DECIMALS, verbosity=Verbosity.normal)
    return packed({DOCUMENT: b'<?xml version="1.0" encoding="UTF-8"?>\n' + text.encode()})


def _document(source: Source) -> Document:
    facts = facts_of(source)
    told = " ".join(facts[name] for name in ("definition", "absence", "privacy", "shared") if name in facts)
    days = TimeSpan(begin=KmlDateTime(source.period.first_day), end=KmlDateTime(source.period.last_day))
    kinds = [kind for layer in layers_of(source) if layer.kind is not Kind.NOTHING for kind in _kinds(layer, source)]
    for n, kind in enumerate(kinds):
        _show(kind, is_shown=n == 0)
    period = Folder(name=f"{source.card.period}", times=days, features=kinds, isopen=True)
    return Document(
        id="whimbrel",
        name=facts["title"],
        description=told,
        extended_data=ExtendedData(elements=_data(facts.items())),
        styles=[*_styles()],
        features=[period],
        isopen=True,
    )


def _show(kind: Folder, *, is_shown: bool) -> None:
    """Have one kind drawn at first: the polygons of two would lie on top of each other."""
    kind.visibility = is_shown
    for placemark in kind.features:
        placemark.visibility = is_shown


def _kinds(layer: Layer, source: Source) -> Iterator[Folder]:
    """A folder for each value of the labels; of flows, one for published rows and one for residual ones."""
    classes = classes_of(layer.rows)
    rows = layer.rows.assign(class_number=class_numbers(layer.rows, classes))
    if source.has_flows:
        for status in (PUBLISHED, RESIDUAL):
            yield _folder(f"{layer.breakdown.title}: {status}", rows[rows["status"] == status], layer, source)
        return
    for text, part in layer.breakdown.parts():
        title = f"{layer.breakdown.title}: {text}" if text else layer.breakdown.title
        yield _folder(title, rows.loc[_places_in(rows, layer, part)], layer, source)


def _places_in(rows: pd.DataFrame, layer: Layer, part: pd.DataFrame) -> "pd.Series[bool]":
    """Which rows of a layer are those of a part: a layer counts its rows anew."""
    first = part.iloc[0]
    is_part = pd.Series(data=True, index=rows.index)
    for label in layer.breakdown.labels:
        is_part &= rows[label] == first[label]
    return is_part


def _folder(title: str, rows: pd.DataFrame, layer: Layer, source: Source) -> Folder:
    drawn = rows[rows["geometry"].notna()].sort_values("value", ascending=False, kind="stable")
    marks = [_placemark(row, layer, source) for row in drawn.to_dict(orient="records")]
    return Folder(name=unmarked(title), features=marks)


def _placemark(row: dict[str, Any], layer: Layer, source: Source) -> Placemark:
    where = " to ".join(_zone(row, place) for place in layer.breakdown.places)
    drawn = row["geometry"].geoms[0] if len(row["geometry"].geoms) == 1 else row["geometry"]
    return Placemark(
        name=f"{where}: {row['value']:,.0f} ({row['ci_low']:,.0f} to {row['ci_high']:,.0f})",
        times=TimeSpan(begin=KmlDateTime(source.period.first_day), end=KmlDateTime(source.period.last_day)),
        style_url=StyleUrl(url=f"#{_style_id(row, layer.kind)}"),
        extended_data=ExtendedData(elements=_data(_told(row, layer, source))),
        kml_geometry=create_kml_geometry(drawn, tessellate=True),
    )


def _zone(row: dict[str, Any], place: str) -> str:
    """The name of a zone where it has one, and its code."""
    name = row.get(f"{place}_name")
    return unmarked(f"{name} ({row[place]})" if name else str(row[place]))


def _told(row: dict[str, Any], layer: Layer, source: Source) -> Iterator[tuple[str, str]]:
    for place in layer.breakdown.places:
        yield place, _zone(row, place)
    for label in layer.breakdown.labels:
        yield label, label_text(label, row[label])
    for name in _SAID:
        if name in row:
            yield name, f"{row[name]:.3f}" if isinstance(row[name], float) else unmarked(str(row[name]))
    yield "unit", unmarked(source.card.unit_of_value)
    if source.card.synthetic:
        yield "synthetic", "yes: nobody lives here"


def _data(pairs: Any) -> list[Data]:  # noqa: ANN401 - pairs of texts, from a mapping or a generator
    return [Data(name=name, value=value) for name, value in pairs]


def _style_id(row: dict[str, Any], kind: Kind) -> str:
    return f"{kind}-unsure" if row["class_number"] < 0 else f"{kind}-{row['class_number']}"


def _styles() -> Iterator[Style]:
    """A style a class, and one for what cannot be told from zero or is residual."""
    for n, (fill, width_mm) in enumerate(zip(FILLS, WIDTHS_MM, strict=True)):
        yield _style(f"{Kind.ZONES}-{n}", LineStyle(color=_abgr("#666666", 160), width=1), _polygon(fill, 190))
        yield _style(f"{Kind.LINES}-{n}", LineStyle(color=_abgr(LINE, 200), width=width_mm * _PIXELS_A_MM))
    yield _style(f"{Kind.ZONES}-unsure", LineStyle(color=_abgr("#666666", 160), width=1), _polygon(UNSURE, 90))
    yield _style(f"{Kind.LINES}-unsure", LineStyle(color=_abgr(UNSURE, 180), width=WIDTHS_MM[1] * _PIXELS_A_MM))


def _style(name: str, *parts: LineStyle | PolyStyle) -> Style:
    return Style(id=name, styles=parts)


def _polygon(color: str, alpha: int) -> PolyStyle:
    return PolyStyle(color=_abgr(color, alpha), fill=True, outline=True)


def _abgr(color: str, alpha: int) -> str:
    """A colour as KML has it: opacity, blue, green, red."""
    return f"{alpha:02x}{color[5:7]}{color[3:5]}{color[1:3]}"
