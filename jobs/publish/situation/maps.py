"""The maps: where the away are now, what share of residents left, and how much of the network is down."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final

from jobs.publish.od_map import nice_length
from jobs.publish.situation.drawing import Area, Disc, Drawing, Label, Line, Mark, Place
from jobs.publish.situation.estimate import Estimate, Trust
from jobs.publish.situation.figures import Part
from jobs.publish.situation.geometry import Ground, Rings, Sheet, sheet_around
from jobs.publish.situation.words import Words

WIDTH, HEIGHT, MARGIN = 560.0, 372.0, 22.0
"""Size of a map, and what is kept free around what it shows, in units."""

SEA, LAND, ZONE_EDGE, INK = "#f4f7fa", "#e6e4de", "#ffffff", "#1d2733"
AREA_FILL, AREA_EDGE = "#e3b98f", "#7a3b12"
SURE, HALO = "#0b4f8a", "#6ea8d9"
UNKNOWN: Final = "#cfcdc7"

LEFT_CLASSES: Final = ((0.05, "#fdf0d5"), (0.1, "#fdd49e"), (0.25, "#fc9a5f"), (0.5, "#dd4a2c"), (1.0, "#8f0f0f"))
"""Upper limit and colour of the classes of shares: one hue that darkens, so that it also reads without colour."""

DOWN_CLASSES: Final = ((0.05, "#efedf5"), (0.25, "#bcbddc"), (0.5, "#807dba"), (1.0, "#4a1486"))
"""As above, for the share of radio cells down."""

LARGEST_DISC: Final = 44.0
SMALLEST_DISC: Final = 2.5
"""Radius of the largest disc, and of the smallest that still shows, in units."""

LABEL: Final = 17.0

SWATCH_WIDTH, SWATCH_HEIGHT = 18.0, 14.0
_SWATCH: Final = ((0.0, 0.0), (SWATCH_WIDTH, 0.0), (SWATCH_WIDTH, SWATCH_HEIGHT), (0.0, SWATCH_HEIGHT))


@dataclass(frozen=True)
class Atlas:
    """What all maps and tables of a page share, so that a zone has one number and one name everywhere.

    Args:
        ground: The zones on a plane.
        numbers: Numbers of the zones of the lists.
        words: What readers see.
    """

    ground: Ground
    numbers: Mapping[str, int]
    words: Words

    def name(self, zone: str) -> str:
        """Return what a zone is called: its name and its number on the map, one of them, or else where it lies."""
        name, number = self.ground.names.get(zone), self.numbers.get(zone)
        if name and number:
            return self.words.zone_named.format(name=name, number=number)
        if number:
            return self.words.zone_number.format(number=number)
        return name or self.position(zone)

    def position(self, zone: str) -> str:
        """Return where the middle of a zone lies."""
        return self.words.position(*self.ground.position(zone))

    def members(self, parts: Sequence[Part]) -> dict[str, tuple[str, ...]]:
        """Return the zones that each origin is drawn as."""
        origins = dict.fromkeys(part.origin for part in parts)
        return {o: tuple(zone for part in parts if part.origin == o for zone in part.zones) for o in origins}

    def zone(self, zone: str) -> Rings:
        """Return the rings of a zone; of one that is not drawn, none."""
        return self.ground.rings.get(zone, ())


def map_here(here: Mapping[str, Estimate], area: Collection[str], listed: Sequence[str], atlas: Atlas) -> Drawing:
    """Draw the away where they are: discs as large as their number, the nearly certain part filled.

    Args:
        here: The away by zone, of the zones that are clear of noise.
        area: Zones of the event's area.
        listed: Zones whose numbers are shown.
        atlas: The country.
    """
    sheet = _sheet(atlas, [*here, *listed, *area], margin=LARGEST_DISC)
    most = max((estimate.ci_high for estimate in here.values()), default=0.0)
    order = sorted(here, key=lambda zone: (-here[zone].value, zone))
    discs = [mark for zone in order for mark in _discs(zone, here[zone], most, sheet, atlas)]
    ground = (*_land(atlas, sheet), *_outlines(here, sheet, atlas), *_area(area, sheet, atlas))
    text = _told(atlas.words.map_here_alt, order, atlas)
    numbers = _groups({zone: (zone,) for zone in listed}, sheet, atlas)
    marks = (*ground, *discs, *numbers, *_disc_scale(most, sheet, atlas.words), *_scale_bar(sheet, atlas.words))
    return Drawing("here", atlas.words.map_here, text, WIDTH, HEIGHT, marks)


def map_left(parts: Sequence[Part], atlas: Atlas) -> Drawing:
    """Draw the zones of the area by the share of their residents that is away, with the numbers of those listed."""
    members = atlas.members(parts)
    sheet = _sheet(atlas, [zone for zones in members.values() for zone in zones])
    pieces = [_piece(part, sheet, atlas) for part in parts]
    known = [part for part in parts if part.share_away.trust is not Trust.NOT]
    order = sorted(known, key=lambda part: (-part.share_away.ci_low, part.zones))
    text = _told(atlas.words.map_left_alt, [zone for part in order for zone in part.zones[:1]], atlas)
    marks = (*_land(atlas, sheet), *pieces, *_groups(members, sheet, atlas), *_scale_bar(sheet, atlas.words))
    return Drawing("left", atlas.words.map_left, text, WIDTH, HEIGHT, marks)


def map_down(down: Mapping[str, float], area: Collection[str], atlas: Atlas) -> Drawing:
    """Draw zones by the share of their radio cells that is down: public, so without an error."""
    words = atlas.words
    drawn = {zone: share for zone, share in down.items() if zone in atlas.ground.rings}
    sheet = _sheet(atlas, area or drawn)
    zones = [_down_zone(zone, share, sheet, atlas) for zone, share in sorted(drawn.items())]
    order = sorted((zone for zone in drawn if drawn[zone] > 0), key=lambda zone: (-drawn[zone], zone))
    text = _told(words.network_alt, order, atlas)
    marks = (*_land(atlas, sheet), *zones, *_border(area, sheet, atlas), *_scale_bar(sheet, words))
    return Drawing("network", words.network, text, WIDTH, HEIGHT, marks)


def class_of(share: float, classes: Sequence[tuple[float, str]]) -> str:
    """Return the colour of the class that a share lies in."""
    return next((colour for limit, colour in classes if share < limit), classes[-1][1])


def legend_here(words: Words) -> tuple[Drawing, ...]:
    """Return the legend of the map of where the away are."""
    x, y = SWATCH_WIDTH / 2, SWATCH_HEIGHT / 2
    return (
        _swatch(words.legend_sure, Disc((x, y), 5.0, SURE)),
        _swatch(words.legend_halo, Disc((x, y), 6.5, HALO, opacity=0.45)),
        _swatch(words.legend_area, Area((_SWATCH,), AREA_FILL, AREA_EDGE, 1.0, opacity=0.4)),
    )


def legend_left(words: Words) -> tuple[Drawing, ...]:
    """Return the legend of the map of shares away."""
    unsure = Area((_SWATCH,), LEFT_CLASSES[2][1], hatched=True)
    unknown = Area((_SWATCH,), UNKNOWN)
    return (
        *legend_of(LEFT_CLASSES, words), _swatch(words.legend_unsure, unsure), _swatch(words.legend_unknown, unknown),
    )  # fmt: skip


def legend_of(classes: Sequence[tuple[float, str]], words: Words) -> tuple[Drawing, ...]:
    """Return colour and limits of each class."""
    lows = [0.0, *(limit for limit, _ in classes)]
    ends = [(words.number(100 * low), words.number(100 * high)) for low, (high, _) in zip(lows, classes, strict=False)]
    texts = [words.percent.format(value=words.interval.format(low=low, high=high)) for low, high in ends]
    return tuple(_swatch(t, Area((_SWATCH,), colour)) for t, (_, colour) in zip(texts, classes, strict=True))


def _swatch(text: str, mark: Mark) -> Drawing:
    return Drawing("", text, "", SWATCH_WIDTH, SWATCH_HEIGHT, (mark,))


def _sheet(atlas: Atlas, zones: Collection[str], margin: float = MARGIN) -> Sheet:
    box = atlas.ground.box(zones or atlas.ground.land)
    return sheet_around(box, width=WIDTH, height=HEIGHT, margin=margin)


def _land(atlas: Atlas, sheet: Sheet) -> tuple[Mark, ...]:
    # An edge of its own colour closes the hairlines between neighbours.
    return (Area((_corners(sheet),), SEA), Area(_rings_of(atlas.ground.land, sheet, atlas), LAND, LAND, 0.8))


def _corners(sheet: Sheet) -> tuple[Place, ...]:
    return ((0.0, 0.0), (sheet.width, 0.0), (sheet.width, sheet.height), (0.0, sheet.height))


def _rings_of(zones: Collection[str], sheet: Sheet, atlas: Atlas) -> tuple[tuple[Place, ...], ...]:
    return tuple(ring for zone in sorted(zones) for ring in sheet.rings(atlas.zone(zone)))


def _outlines(zones: Collection[str], sheet: Sheet, atlas: Atlas) -> list[Mark]:
    return [Area(_rings_of(zones, sheet, atlas), "none", ZONE_EDGE, 0.8)]


def _area(area: Collection[str], sheet: Sheet, atlas: Atlas) -> list[Mark]:
    return [Area(_rings_of(area, sheet, atlas), AREA_FILL, AREA_EDGE, 0.9, opacity=0.4)]


def _border(area: Collection[str], sheet: Sheet, atlas: Atlas) -> list[Mark]:
    return [Area(_rings_of(area, sheet, atlas), "none", AREA_EDGE, 1.2)]


def _discs(zone: str, estimate: Estimate, most: float, sheet: Sheet, atlas: Atlas) -> list[Mark]:
    place, words = sheet.place(atlas.ground.centre(zone)), atlas.words
    outer, inner = (LARGEST_DISC * sqrt(max(0.0, end) / most) for end in (estimate.ci_high, estimate.ci_low))
    tip = words.tip.format(zone=atlas.name(zone), n=words.estimated(estimate), trust=words.trust[estimate.trust])
    halo = Disc(place, max(SMALLEST_DISC, outer), HALO, opacity=0.45, tip=tip)
    return [halo, Disc(place, max(SMALLEST_DISC / 2, inner), SURE, "#ffffff", opacity=0.9, tip=tip)]


def _piece(part: Part, sheet: Sheet, atlas: Atlas) -> Area:
    share, words = part.share_away, atlas.words
    known = share.trust is not Trust.NOT
    colour = class_of(share.value, LEFT_CLASSES) if known else UNKNOWN
    name = atlas.name(part.zones[0] if len(part.zones) == 1 else part.origin)
    tip = words.tip.format(zone=name, n=words.shared(share), trust=words.trust[share.trust]) if known else name
    edge = ZONE_EDGE if len(part.zones) == 1 else colour
    hatched = share.trust is Trust.BARELY
    return Area(_rings_of(part.zones, sheet, atlas), colour, edge, 0.8, hatched=hatched, tip=tip)


def _groups(members: Mapping[str, Sequence[str]], sheet: Sheet, atlas: Atlas) -> list[Mark]:
    """Border and number of each zone that is listed."""
    listed = {zone: zones for zone, zones in members.items() if zone in atlas.numbers}
    borders: list[Mark] = [Area(sheet.rings(atlas.ground.border(zones)), "none", INK, 1.1) for zones in listed.values()]
    places = {zone: sheet.place(atlas.ground.middle_of(zones)) for zone, zones in listed.items()}
    return [*borders, *(_number(zone, place, atlas) for zone, place in places.items())]


def _down_zone(zone: str, share: float, sheet: Sheet, atlas: Atlas) -> Area:
    tip = atlas.words.percent.format(value=atlas.words.number(100 * share))
    return Area(sheet.rings(atlas.zone(zone)), class_of(share, DOWN_CLASSES), ZONE_EDGE, 1.2, tip=tip)


def _number(zone: str, place: Place, atlas: Atlas) -> Label:
    down = round(place[1] + LABEL / 3, 1)
    return Label((place[0], down), str(atlas.numbers[zone]), LABEL, INK, "middle", bold=True, halo=True)


def _disc_scale(most: float, sheet: Sheet, words: Words) -> list[Mark]:
    """Two discs of round numbers in the corner, the smaller within the larger."""
    if not most:
        return []
    large, across, down = nice_length(most), sheet.width - LARGEST_DISC - 12, sheet.height - 8
    left, top = across - LARGEST_DISC - 6, down - 2 * LARGEST_DISC - 26
    plate = ((left, top), (sheet.width, top), (sheet.width, sheet.height), (left, sheet.height))
    marks: list[Mark] = [Area((plate,), "#ffffff", opacity=0.8)]
    for value in (large, large / 10):
        radius = round(LARGEST_DISC * sqrt(value / most), 1)
        marks.append(Disc((across, down - radius), radius, "none", INK))
        label = words.number(value, 0 if value >= 1 else 1)
        marks.append(Label((across, down - 2 * radius - 4), label, LABEL - 3, INK, "middle", halo=True))
    return marks


def _scale_bar(sheet: Sheet, words: Words) -> list[Mark]:
    km = nice_length(sheet.width / sheet.scale / 4)
    y, x, length = sheet.height - 14, 14.0, round(km * sheet.scale, 1)
    text = words.scale_km.format(km=words.number(km) if km >= 1 else words.number(km, 1))
    return [Line(((x, y), (x + length, y)), INK, 3.0), Label((x, y - 7), text, LABEL - 2, INK, "start", halo=True)]


def _told(text: str, order: Sequence[str], atlas: Atlas) -> str:
    if not order:
        return atlas.words.map_nothing
    names = atlas.words.list_separator.join(atlas.name(zone) for zone in order[:3])
    return text.format(count=atlas.words.number(len(order)), names=names)
