"""The pictures of a month: where people live, where they go, who they are, and when they are there."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from jobs.publish.monthly.figures import Flow, Flows, Residents
from jobs.publish.monthly.words import Words
from jobs.publish.paper.atlas import (
    HEIGHT,
    INK,
    LABEL,
    SWATCH,
    UNKNOWN,
    WIDTH,
    ZONE_EDGE,
    Atlas,
    Classes,
    class_of,
    land,
    legend_unsure,
    rings_of,
    scale_bar,
    swatch,
    zone_number,
)
from jobs.publish.paper.charts import HEIGHT as CHART_HEIGHT
from jobs.publish.paper.charts import WIDTH as CHART_WIDTH
from jobs.publish.paper.charts import nice_top
from jobs.publish.paper.drawing import Area, Disc, Drawing, Label, Line, Mark, Place
from jobs.publish.paper.locales import Counted, Locale
from jobs.publish.situation.estimate import Estimate, Trust
from jobs.publish.situation.geometry import Sheet

BLUES: Final = ("#e4eef7", "#b3d0e8", "#6ea8d9", "#2f79b9", "#0b4f8a")
"""Of the classes of residents, few to many: one hue that darkens, so that it also reads without colour."""

CLASS_LIMITS: Final = (0.01, 0.03, 0.1, 0.3, 1.0)
"""Upper limits of the classes, as shares of the round number above the largest zone: towns outnumber villages."""

FLOW, OTHER_FLOW, SOFT, GRID = "#c4510a", "#e2ab84", "#5b6672", "#dfe3e8"
WIDEST_FLOW, NARROWEST_FLOW, RING = 7.0, 1.2, 6.0
"""Units: width of the largest flow and of the smallest that still shows, and radius of a flow within one zone."""

STEPS_APART: Final = 60
"""Rounds in which numbers move away from each other."""

LEFT_SEX, RIGHT_SEX = "#2f79b9", "#c4743a"
PYRAMID_HEIGHT, AGES, TOP, BOTTOM, SIDE = 330.0, 92.0, 34.0, 30.0, 8.0
"""Units of a pyramid: its height, the gap for age bands in its middle, and what is kept free around it."""

SMALL: Final = 14.5
"""Height of the letters of a chart, in units."""


def residents_map(zones: Mapping[str, Estimate], listed: Sequence[str], atlas: Atlas, words: Words) -> Drawing:
    """Draw zones by their residents, with the numbers of coarser zones that a table lists.

    Args:
        zones: Residents by zone of one level.
        listed: Zones whose borders and numbers are shown.
        atlas: The country.
        words: What readers see.
    """
    sheet, classes = atlas.sheet(zones), classes_of(zones)
    known = {zone: number for zone, number in zones.items() if number.trust is not Trust.NOT}
    order = sorted(known, key=lambda zone: (-known[zone].value, zone))
    pieces = [_piece(zone, number, classes, sheet, atlas) for zone, number in sorted(zones.items())]
    marks = (*land(atlas, sheet), *pieces, *_numbered(listed, sheet, atlas), *scale_bar(sheet, atlas.locale))
    text = _told(words.map_residents_alt, [atlas.name(zone) for zone in order], words)
    return Drawing("residents", words.map_residents, text, WIDTH, HEIGHT, marks)


def classes_of(zones: Mapping[str, Estimate]) -> Classes:
    """Return upper limits and colours of classes that hold the residents of all zones."""
    highest = max((number.value for number in zones.values()), default=0.0)
    top = max(100.0, nice_top(highest))
    return tuple((share * top, colour) for share, colour in zip(CLASS_LIMITS, BLUES, strict=True))


def residents_legend(zones: Mapping[str, Estimate], locale: Locale) -> tuple[Drawing, ...]:
    """Return the legend of the map of residents."""
    classes = classes_of(zones)
    lows = [0.0, *(limit for limit, _ in classes)]
    entries = [
        swatch(locale.interval.format(low=locale.number(low), high=locale.number(high)), Area((SWATCH,), colour))
        for low, (high, colour) in zip(lows, classes, strict=False)
    ]
    return (*entries, *legend_unsure(BLUES[2], locale))


def flows_map(flows: Flows | None, atlas: Atlas, words: Words) -> Drawing:
    """Draw flows as lines between the middles of zones, the wider the larger, and as rings within a zone.

    Those listed are coloured, and their zones numbered.
    """
    drawn, listed = (flows.drawn, flows.flows) if flows else ((), ())
    ends = list(dict.fromkeys(end for flow in drawn for end in (flow.origin, flow.destination)))
    sheet, most = atlas.sheet(ends, 40.0), max((flow.mean.value for flow in drawn), default=1.0)
    ways = [_flow(flow, most, FLOW if flow in listed else OTHER_FLOW, sheet, atlas) for flow in reversed(drawn)]
    names = [
        words.locale.tip.format(
            zone=atlas.name(flow.origin), n=atlas.name(flow.destination), trust=words.locale.told(flow.mean)
        )
        for flow in listed
    ]
    marks = (*land(atlas, sheet), *ways, *_labels(listed, sheet, atlas), *scale_bar(sheet, atlas.locale))
    return Drawing("flows", words.map_flows, _told(words.map_flows_alt, names, words), WIDTH, HEIGHT, marks)


def apart(places: Sequence[Place], distance: float) -> tuple[Place, ...]:
    """Return places moved as little as it takes for no two to be nearer than a distance, as far as that succeeds."""
    moved = np.array(places, dtype=float).reshape(-1, 2)
    for _ in range(STEPS_APART):
        between = moved[:, None, :] - moved[None, :, :]
        far = np.hypot(between[..., 0], between[..., 1])
        np.fill_diagonal(far, np.inf)
        if len(moved) < 2 or far.min() >= distance:
            break
        # Two that lie on one place part along a line that depends on their order alone.
        turn = np.arange(len(moved))[:, None] - np.arange(len(moved))[None, :]
        direction = np.where(far[..., None] > 0.1, between / np.maximum(far, 0.1)[..., None], np.sign(turn)[..., None])
        moved += (np.clip(distance - far, 0.0, None)[..., None] * direction / 2).sum(axis=1) / 2
    return tuple((round(float(x), 1), round(float(y), 1)) for x, y in moved)


def _labels(listed: Sequence[Flow], sheet: Sheet, atlas: Atlas) -> list[Mark]:
    """Numbers of zones, kept apart: a thin line leads to a number that stands aside."""
    zones = list(dict.fromkeys(end for flow in listed for end in (flow.origin, flow.destination)))
    centres = [sheet.place(atlas.ground.centre(zone)) for zone in zones]
    labels = apart(centres, 1.35 * LABEL)
    leaders: list[Mark] = [Line(ends, SOFT, 0.8) for ends in zip(centres, labels, strict=True)]
    return [*leaders, *(zone_number(zone, place, atlas) for zone, place in zip(zones, labels, strict=True))]


def pyramid(residents: Residents, words: Words) -> Drawing | None:
    """Draw residents by sex and age band, men to the left; nothing where two sexes and ages are not held."""
    if len(residents.sexes) != len(_SIDES) or not residents.ages or not residents.strata:
        return None
    sexes = sorted(residents.sexes, reverse=True)
    top = nice_top(max(number.ci_high for number in residents.strata.values()))
    marks: list[Mark] = []
    for sex, side, colour in zip(sexes, _SIDES, (LEFT_SEX, RIGHT_SEX), strict=True):
        marks += _half(sex, side, colour, top, residents, words)
    height = _row_height(residents.ages)
    for number, age in enumerate(reversed(residents.ages)):
        text = words.locale.inserted(age)
        marks.append(Label((WIDTH / 2, TOP + (number + 0.66) * height), text, SMALL, INK, "middle"))
    told = [f"{words.sexes.get(sex, sex)} {age} {words.locale.told(n)}" for (sex, age), n in residents.strata.items()]
    text = words.pyramid_alt.format(
        count=words.locale.number(len(residents.ages)), names=words.locale.list_separator.join(told)
    )
    return Drawing("pyramid", words.pyramid, text, WIDTH, PYRAMID_HEIGHT, tuple(marks))


def presence_chart(bins: Mapping[int, Estimate], hours: int, words: Words) -> Drawing:
    """Draw subscribers present by the time of day, from zero up, with 95 % intervals."""
    left, right, bottom, height = 62.0, 8.0, 28.0, CHART_HEIGHT
    locale, top = words.locale, nice_top(max(number.ci_high for number in bins.values()))
    each, whole = (CHART_WIDTH - left - right) / len(bins), height - bottom - 12.0

    def up(value: float) -> float:
        return round(height - bottom - whole * min(1.0, max(0.0, value / top)), 1)

    marks: list[Mark] = []
    for value in (0.0, top / 2, top):
        marks.append(Line(((left, up(value)), (CHART_WIDTH - right, up(value))), GRID if value else SOFT, 1.0))
        marks.append(Label((left - 6, up(value) + 5), locale.number(value), SMALL, SOFT, "end"))
    for number, (start, estimate) in enumerate(bins.items()):
        x = left + each * (number + 0.5)
        marks += _bar(x, 0.36 * each, up(0.0), up(estimate.value), LEFT_SEX)
        marks.append(Line(((x, up(estimate.ci_low)), (x, up(estimate.ci_high))), INK, 2.0))
        text = locale.inserted(f"{start:02}\u2013{start + hours:02}")
        marks.append(Label((round(x, 1), height - 8), text, SMALL - 2, SOFT, "middle"))
    told = [
        f"{words.hours.format(first=f'{start:02}', last=f'{start + hours:02}')}: {locale.told(one)}"
        for start, one in bins.items()
    ]
    text = words.presence_alt.format(names=locale.list_separator.join(told))
    return Drawing("presence", words.presence, text, CHART_WIDTH, height, tuple(marks))


_SIDES: Final = (-1, 1)
"""Left and right of the middle of a pyramid."""


def _half(sex: str, side: int, colour: str, top: float, residents: Residents, words: Words) -> list[Mark]:
    base, length = WIDTH / 2 + side * AGES / 2, WIDTH / 2 - AGES / 2 - SIDE
    height, foot = _row_height(residents.ages), PYRAMID_HEIGHT - BOTTOM

    def out(value: float) -> float:
        return round(base + side * length * min(1.0, max(0.0, value / top)), 1)

    marks: list[Mark] = [Label((out(top / 2), TOP - 14), words.sexes.get(sex, sex), LABEL, INK, "middle", bold=True)]
    for value in (0.0, top / 2, top):
        marks.append(Line(((out(value), TOP), (out(value), foot)), GRID if value else SOFT, 1.0))
    for value, anchor in ((top / 2, "middle"), (top, "start" if side < 0 else "end")):
        marks.append(Label((out(value), foot + 18), words.locale.number(value), SMALL, SOFT, anchor))  # type: ignore[arg-type] # one of the two words above
    for number, age in enumerate(reversed(residents.ages)):
        estimate = residents.strata.get((sex, age))
        if estimate is None:
            continue
        y = TOP + number * height
        ends = sorted((base, out(estimate.value)))
        box = ((ends[0], y + 2), (ends[1], y + 2), (ends[1], y + height - 2), (ends[0], y + height - 2))
        marks.append(Area((tuple((round(a, 1), round(b, 1)) for a, b in box),), colour))
        middle = round(y + height / 2, 1)
        marks.append(Line(((out(estimate.ci_low), middle), (out(estimate.ci_high), middle)), INK, 2.0))
    return marks


def _row_height(ages: Sequence[str]) -> float:
    return (PYRAMID_HEIGHT - TOP - BOTTOM) / len(ages)


def _bar(x: float, half: float, foot: float, head: float, colour: str) -> list[Mark]:
    left, right = round(x - half, 1), round(x + half, 1)
    return [Area((((left, foot), (right, foot), (right, head), (left, head)),), colour)]


def _piece(zone: str, number: Estimate, classes: Classes, sheet: Sheet, atlas: Atlas) -> Area:
    locale, known = atlas.locale, number.trust is not Trust.NOT
    colour = class_of(number.value, classes) if known else UNKNOWN
    named = f"{atlas.name(zone)}, {locale.inserted(zone)}"
    told = locale.tip.format(zone=named, n=locale.told(number), trust=locale.trust[number.trust])
    hatched = number.trust is Trust.BARELY
    return Area(rings_of([zone], sheet, atlas), colour, ZONE_EDGE, 0.6, hatched=hatched, tip=told)


def _numbered(listed: Sequence[str], sheet: Sheet, atlas: Atlas) -> list[Mark]:
    borders: list[Mark] = [Area(rings_of([zone], sheet, atlas), "none", INK, 1.1) for zone in listed]
    return [*borders, *(zone_number(zone, sheet.place(atlas.ground.centre(zone)), atlas) for zone in listed)]


def _flow(flow: Flow, most: float, colour: str, sheet: Sheet, atlas: Atlas) -> Mark:
    width = max(NARROWEST_FLOW, round(WIDEST_FLOW * flow.mean.value / most, 1))
    start, end = (sheet.place(atlas.ground.centre(zone)) for zone in (flow.origin, flow.destination))
    if start == end:
        return Disc(start, RING + width, "none", colour)
    return Line(_beside(start, end, width), colour, width)


def _beside(start: Place, end: Place, width: float) -> tuple[Place, Place]:
    """The line a little to its right, so that the two directions of a pair lie side by side."""
    across, down = end[0] - start[0], end[1] - start[1]
    length = max(1.0, (across**2 + down**2) ** 0.5)
    right = (-down / length * (width / 2 + 1), across / length * (width / 2 + 1))
    (x1, y1), (x2, y2) = ((x + right[0], y + right[1]) for x, y in (start, end))
    return (round(x1, 1), round(y1, 1)), (round(x2, 1), round(y2, 1))


def _told(text: Counted, names: Sequence[str], words: Words) -> str:
    if not names:
        return words.map_nothing
    return words.locale.counted(text, len(names), names=words.locale.list_separator.join(names[:3]))
