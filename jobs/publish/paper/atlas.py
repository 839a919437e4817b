"""What all maps of a paper share: land, names and numbers of zones, classes of colour, a scale bar and legends."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from jobs.publish.od_map import nice_length
from jobs.publish.paper.drawing import Area, Drawing, Label, Line, Mark, Place
from jobs.publish.paper.locales import Locale
from jobs.publish.situation.geometry import Ground, Rings, Sheet, sheet_around

WIDTH, HEIGHT, MARGIN = 560.0, 372.0, 22.0
"""Size of a map, and what is kept free around what it shows, in units."""

SEA, LAND, ZONE_EDGE, INK = "#f4f7fa", "#e6e4de", "#ffffff", "#1d2733"
UNKNOWN: Final = "#cfcdc7"

LABEL: Final = 17.0
"""Height of the letters on a map, in units."""

SWATCH_WIDTH, SWATCH_HEIGHT = 18.0, 14.0
SWATCH: Final = ((0.0, 0.0), (SWATCH_WIDTH, 0.0), (SWATCH_WIDTH, SWATCH_HEIGHT), (0.0, SWATCH_HEIGHT))
"""Size and corners of an entry of a legend, in units."""

Classes = Sequence[tuple[float, str]]
"""Upper limit and colour of each class, in order."""


@dataclass(frozen=True)
class Atlas:
    """What all maps and tables of a paper share, so that a zone has one number and one name everywhere.

    Args:
        ground: The zones on a plane.
        numbers: Numbers of the zones of the lists.
        locale: The language.
    """

    ground: Ground
    numbers: Mapping[str, int]
    locale: Locale

    def name(self, zone: str) -> str:
        """Return what a zone is called: its name and its number on the map, one of them, or else where it lies."""
        name, number = self.ground.names.get(zone), self.numbers.get(zone)
        told = self.locale.inserted(name) if name else ""
        if told and number:
            return self.locale.zone_named.format(name=told, number=number)
        if number:
            return self.locale.zone_number.format(number=number)
        return told or self.position(zone)

    def position(self, zone: str) -> str:
        """Return where the middle of a zone lies."""
        return self.locale.position(*self.ground.position(zone))

    def zone(self, zone: str) -> Rings:
        """Return the rings of a zone; of one that is not drawn, none."""
        return self.ground.rings.get(zone, ())

    def sheet(self, zones: Iterable[str], margin: float = MARGIN) -> Sheet:
        """Return the sheet that shows some zones whole; without zones, the country."""
        box = self.ground.box(list(zones) or self.ground.land)
        return sheet_around(box, width=WIDTH, height=HEIGHT, margin=margin)


def land(atlas: Atlas, sheet: Sheet) -> tuple[Mark, ...]:
    """Return the country and what lies around it."""
    # An edge of its own colour closes the hairlines between neighbours.
    return (Area((_corners(sheet),), SEA), Area(rings_of(atlas.ground.land, sheet, atlas), LAND, LAND, 0.8))


def rings_of(zones: Collection[str], sheet: Sheet, atlas: Atlas) -> tuple[tuple[Place, ...], ...]:
    """Return the rings of several zones as places on a sheet."""
    return tuple(ring for zone in sorted(zones) for ring in sheet.rings(atlas.zone(zone)))


def outlines(zones: Collection[str], sheet: Sheet, atlas: Atlas) -> list[Mark]:
    """Return the borders of several zones."""
    return [Area(rings_of(zones, sheet, atlas), "none", ZONE_EDGE, 0.8)]


def zone_number(zone: str, place: Place, atlas: Atlas) -> Label:
    """Return the number of a zone that stands in a list, at its place."""
    down = round(place[1] + LABEL / 3, 1)
    return Label((place[0], down), str(atlas.numbers[zone]), LABEL, INK, "middle", bold=True, halo=True)


def scale_bar(sheet: Sheet, locale: Locale) -> list[Mark]:
    """Return a bar of a round length, with that length."""
    km = nice_length(sheet.width / sheet.scale / 4)
    y, x, length = sheet.height - 14, 14.0, round(km * sheet.scale, 1)
    text = locale.scale_km.format(km=locale.number(km) if km >= 1 else locale.number(km, 1))
    return [Line(((x, y), (x + length, y)), INK, 3.0), Label((x, y - 7), text, LABEL - 2, INK, "start", halo=True)]


def class_of(number: float, classes: Classes) -> str:
    """Return the colour of the class that a number lies in."""
    return next((colour for limit, colour in classes if number < limit), classes[-1][1])


def legend_of_shares(classes: Classes, locale: Locale) -> tuple[Drawing, ...]:
    """Return colour and limits of each class of shares, in percent."""
    lows = [0.0, *(limit for limit, _ in classes)]
    ends = [
        (locale.number(100 * low), locale.number(100 * high)) for low, (high, _) in zip(lows, classes, strict=False)
    ]
    texts = [locale.percent_range.format(low=low, high=high) for low, high in ends]
    return tuple(swatch(text, Area((SWATCH,), colour)) for text, (_, colour) in zip(texts, classes, strict=True))


def legend_unsure(colour: str, locale: Locale) -> tuple[Drawing, ...]:
    """Return what hatching and grey mean, hatching shown on a colour."""
    return (
        swatch(locale.legend_unsure, Area((SWATCH,), colour, hatched=True)),
        swatch(locale.legend_unknown, Area((SWATCH,), UNKNOWN)),
    )


def swatch(text: str, mark: Mark) -> Drawing:
    """Return an entry of a legend."""
    return Drawing("", text, "", SWATCH_WIDTH, SWATCH_HEIGHT, (mark,))


def _corners(sheet: Sheet) -> tuple[Place, ...]:
    return ((0.0, 0.0), (sheet.width, 0.0), (sheet.width, sheet.height), (0.0, sheet.height))
