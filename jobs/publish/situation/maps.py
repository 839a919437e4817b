"""The maps: where the away are now, what share of residents left, and how much of the network is down."""

from collections.abc import Collection, Mapping, Sequence
from math import sqrt
from typing import Final

from jobs.publish.od_map import nice_length
from jobs.publish.paper.atlas import (
    HEIGHT,
    INK,
    LABEL,
    SWATCH,
    SWATCH_HEIGHT,
    SWATCH_WIDTH,
    UNKNOWN,
    WIDTH,
    ZONE_EDGE,
    Atlas,
    Classes,
    class_of,
    land,
    legend_of_shares,
    legend_unsure,
    outlines,
    rings_of,
    scale_bar,
    swatch,
    zone_number,
)
from jobs.publish.paper.drawing import Area, Disc, Drawing, Label, Mark
from jobs.publish.paper.locales import Counted, Locale
from jobs.publish.situation.estimate import Estimate, Trust
from jobs.publish.situation.figures import Part
from jobs.publish.situation.geometry import Sheet
from jobs.publish.situation.words import Words

AREA_FILL, AREA_EDGE = "#e3b98f", "#7a3b12"
SURE, HALO = "#0b4f8a", "#6ea8d9"

LEFT_CLASSES: Final[Classes] = (
    (0.05, "#fdf0d5"), (0.1, "#fdd49e"), (0.25, "#fc9a5f"), (0.5, "#dd4a2c"), (1.0, "#8f0f0f"),
)  # fmt: skip
"""Upper limit and colour of the classes of shares: one hue that darkens, so that it also reads without colour."""

DOWN_CLASSES: Final[Classes] = ((0.05, "#efedf5"), (0.25, "#bcbddc"), (0.5, "#807dba"), (1.0, "#4a1486"))
"""As above, for the share of radio cells down."""

LARGEST_DISC: Final = 44.0
SMALLEST_DISC: Final = 2.5
"""Radius of the largest disc, and of the smallest that still shows, in units."""


def members_of(parts: Sequence[Part]) -> dict[str, tuple[str, ...]]:
    """Return the zones that each origin is drawn as."""
    origins = dict.fromkeys(part.origin for part in parts)
    return {o: tuple(zone for part in parts if part.origin == o for zone in part.zones) for o in origins}


def map_here(
    here: Mapping[str, Estimate], area: Collection[str], listed: Sequence[str], atlas: Atlas, words: Words
) -> Drawing:
    """Draw the away where they are: discs as large as their number, the nearly certain part filled.

    Args:
        here: The away by zone, of the zones that are clear of noise.
        area: Zones of the event's area.
        listed: Zones whose numbers are shown.
        atlas: The country.
        words: What readers see.
    """
    sheet = atlas.sheet([*here, *listed, *area], LARGEST_DISC)
    most = max((estimate.ci_high for estimate in here.values()), default=0.0)
    order = sorted(here, key=lambda zone: (-here[zone].value, zone))
    discs = [mark for zone in order for mark in _discs(zone, here[zone], most, sheet, atlas)]
    ground = (*land(atlas, sheet), *outlines(here, sheet, atlas), *_area(area, sheet, atlas))
    text = _told(words.map_here_alt, order, atlas, words)
    numbers = _groups({zone: (zone,) for zone in listed}, sheet, atlas)
    marks = (*ground, *discs, *numbers, *_disc_scale(most, sheet, atlas.locale), *scale_bar(sheet, atlas.locale))
    return Drawing("here", words.map_here, text, WIDTH, HEIGHT, marks)


def map_left(parts: Sequence[Part], atlas: Atlas, words: Words) -> Drawing:
    """Draw the zones of the area by the share of their residents that is away, with the numbers of those listed."""
    members = members_of(parts)
    sheet = atlas.sheet([zone for zones in members.values() for zone in zones])
    pieces = [_piece(part, sheet, atlas) for part in parts]
    known = [part for part in parts if part.share_away.trust is not Trust.NOT]
    order = sorted(known, key=lambda part: (-part.share_away.ci_low, part.zones))
    text = _told(words.map_left_alt, [zone for part in order for zone in part.zones[:1]], atlas, words)
    marks = (*land(atlas, sheet), *pieces, *_groups(members, sheet, atlas), *scale_bar(sheet, atlas.locale))
    return Drawing("left", words.map_left, text, WIDTH, HEIGHT, marks)


def map_down(down: Mapping[str, float], area: Collection[str], atlas: Atlas, words: Words) -> Drawing:
    """Draw zones by the share of their radio cells that is down: public, so without an error."""
    drawn = {zone: share for zone, share in down.items() if zone in atlas.ground.rings}
    sheet = atlas.sheet(area or drawn)
    zones = [_down_zone(zone, share, sheet, atlas) for zone, share in sorted(drawn.items())]
    order = sorted((zone for zone in drawn if drawn[zone] > 0), key=lambda zone: (-drawn[zone], zone))
    text = _told(words.network_alt, order, atlas, words)
    marks = (*land(atlas, sheet), *zones, *_border(area, sheet, atlas), *scale_bar(sheet, atlas.locale))
    return Drawing("network", words.network, text, WIDTH, HEIGHT, marks)


def legend_here(words: Words) -> tuple[Drawing, ...]:
    """Return the legend of the map of where the away are."""
    x, y = SWATCH_WIDTH / 2, SWATCH_HEIGHT / 2
    return (
        swatch(words.legend_sure, Disc((x, y), 5.0, SURE)),
        swatch(words.legend_halo, Disc((x, y), 6.5, HALO, opacity=0.45)),
        swatch(words.legend_area, Area((SWATCH,), AREA_FILL, AREA_EDGE, 1.0, opacity=0.4)),
    )


def legend_left(locale: Locale) -> tuple[Drawing, ...]:
    """Return the legend of the map of shares away."""
    return (*legend_of_shares(LEFT_CLASSES, locale), *legend_unsure(LEFT_CLASSES[2][1], locale))


def _area(area: Collection[str], sheet: Sheet, atlas: Atlas) -> list[Mark]:
    return [Area(rings_of(area, sheet, atlas), AREA_FILL, AREA_EDGE, 0.9, opacity=0.4)]


def _border(area: Collection[str], sheet: Sheet, atlas: Atlas) -> list[Mark]:
    return [Area(rings_of(area, sheet, atlas), "none", AREA_EDGE, 1.2)]


def _discs(zone: str, estimate: Estimate, most: float, sheet: Sheet, atlas: Atlas) -> list[Mark]:
    place, locale = sheet.place(atlas.ground.centre(zone)), atlas.locale
    outer, inner = (LARGEST_DISC * sqrt(max(0.0, end) / most) for end in (estimate.ci_high, estimate.ci_low))
    tip = locale.tip.format(zone=atlas.name(zone), n=locale.estimated(estimate), trust=locale.trust[estimate.trust])
    halo = Disc(place, max(SMALLEST_DISC, outer), HALO, opacity=0.45, tip=tip)
    return [halo, Disc(place, max(SMALLEST_DISC / 2, inner), SURE, "#ffffff", opacity=0.9, tip=tip)]


def _piece(part: Part, sheet: Sheet, atlas: Atlas) -> Area:
    share, locale = part.share_away, atlas.locale
    known = share.trust is not Trust.NOT
    colour = class_of(share.value, LEFT_CLASSES) if known else UNKNOWN
    name = atlas.name(part.zones[0] if len(part.zones) == 1 else part.origin)
    tip = locale.tip.format(zone=name, n=locale.shared(share), trust=locale.trust[share.trust]) if known else name
    edge = ZONE_EDGE if len(part.zones) == 1 else colour
    hatched = share.trust is Trust.BARELY
    return Area(rings_of(part.zones, sheet, atlas), colour, edge, 0.8, hatched=hatched, tip=tip)


def _groups(members: Mapping[str, Sequence[str]], sheet: Sheet, atlas: Atlas) -> list[Mark]:
    """Border and number of each zone that is listed."""
    listed = {zone: zones for zone, zones in members.items() if zone in atlas.numbers}
    borders: list[Mark] = [Area(sheet.rings(atlas.ground.border(zones)), "none", INK, 1.1) for zones in listed.values()]
    places = {zone: sheet.place(atlas.ground.middle_of(zones)) for zone, zones in listed.items()}
    return [*borders, *(zone_number(zone, place, atlas) for zone, place in places.items())]


def _down_zone(zone: str, share: float, sheet: Sheet, atlas: Atlas) -> Area:
    tip = atlas.locale.in_percent(share)
    return Area(sheet.rings(atlas.zone(zone)), class_of(share, DOWN_CLASSES), ZONE_EDGE, 1.2, tip=tip)


def _disc_scale(most: float, sheet: Sheet, locale: Locale) -> list[Mark]:
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
        label = locale.number(value, 0 if value >= 1 else 1)
        marks.append(Label((across, down - 2 * radius - 4), label, LABEL - 3, INK, "middle", halo=True))
    return marks


def _told(text: Counted, order: Sequence[str], atlas: Atlas, words: Words) -> str:
    if not order:
        return words.map_nothing
    names = atlas.locale.list_separator.join(atlas.name(zone) for zone in order[:3])
    return atlas.locale.counted(text, len(order), names=names)
