"""The releases of an event as the page holds them: the situation's own figures, period by period.

Nothing is estimated here: all people away, excess, return and what stands out from noise are those of
`jobs.publish.situation`, so that the page and the sheet for the emergency lead say the same.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from math import inf
from typing import Any, Final

import pandas as pd

from jobs.publish.displacement_series import excess, returns
from jobs.publish.explorer.compact import Number, compact, compact_sd, compact_share
from jobs.publish.explorer.inputs import Series
from jobs.publish.explorer.places import Places
from jobs.publish.situation.estimate import Estimate, Share
from jobs.publish.situation.figures import COLUMNS, LEVELS, Figures, Moment, clear_origins, figures_of
from jobs.publish.situation.unseen import share_seen
from privacy.unit import Period

AUTOMATIC: Final = "event"
"""Name of the level that a map of an event is told at: fine where fine zones stand out, coarser where they do not."""

PARTS: Final[Mapping[str, Callable[[Moment], Estimate]]] = {
    "residents": lambda moment: moment.residents,
    "away": lambda moment: moment.away,
    "newly": lambda moment: moment.newly_away,
    "returned": lambda moment: moment.returned,
    "lost": lambda moment: moment.lost,
}
"""What is told of an area or a zone over time."""

Told = Mapping[str, tuple[float, float]]
"""A number and the standard deviation of its error, by zone."""


def event_block(series: Series, places: Places) -> dict[str, Any]:
    """Return the figures of an event."""
    tables = [_rows(source.table) for source in series.sources]
    periods = [source.period for source in series.sources]
    event = series.latest.card.event
    onset = min(date.fromisoformat(event.onset), periods[-1].first_day) if event else periods[0].first_day
    whole = figures_of(pd.concat(tables, ignore_index=True), onset)
    each = [figures_of(rows, min(onset, period.first_day)) for rows, period in zip(tables, periods, strict=True)]
    moments = _moments(whole, each, periods)
    return {
        "flows": [_flows(figures, places) for figures in each],
        "layers": [
            _layer("here", "stock", [_pairs(figures.here) for figures in each], places),
            _layer("left", "share", [_left(figures) for figures in each], places),
        ],
        "area": _area(moments, whole),
        "origins": _origins(each, whole, places),
    }


def _rows(table: Any) -> pd.DataFrame:  # noqa: ANN401 - pyarrow ships no types
    return table.select(list(COLUMNS)).to_pandas().astype(dict.fromkeys(LEVELS, float))


def _moments(whole: Figures, each: Sequence[Figures], periods: Sequence[Period]) -> list[Moment]:
    """The area in every period: after the onset as all releases together tell it, before it by itself."""
    told = {str(moment.period): moment for moment in whole.moments}
    return [told.get(str(period), own.moments[-1]) for period, own in zip(periods, each, strict=True)]


def _area(moments: Sequence[Moment], whole: Figures) -> dict[str, Any]:
    curve = returns(whole.moments, whole.usual) if whole.usual else None
    gone = {str(point.period.period): point.returned for point in curve.points} if curve else {}
    above = [excess(moment, whole.usual) if whole.usual and moment in whole.moments else None for moment in moments]
    return {
        "people": _estimates(moment.people_away for moment in moments),
        **{name: _estimates(part(moment) for moment in moments) for name, part in PARTS.items()},
        "excess": _estimates(above),
        "gone": _shares(gone.get(str(moment.period)) for moment in moments),
        "seen": _shares(share_seen(moment.sights) for moment in moments),
        "reckoned": [moment.all_away is not None for moment in moments],
        "usual": _one(whole.usual),
    }


def _origins(each: Sequence[Figures], whole: Figures, places: Places) -> list[dict[str, Any]]:
    """Every place of origin over all periods; a period in which it was told at another level has a gap."""
    found = sorted({places.numbers[origin.zone] for figures in each for origin in figures.origins})
    usual = {places.numbers[origin.zone]: origin.usual for origin in whole.origins}
    gone = {places.numbers[origin.zone]: _gone(origin.moments, origin.usual) for origin in whole.origins}
    listed = [{places.numbers[origin.zone] for origin in clear_origins(figures.origins)} for figures in each]
    latest = [{places.numbers[o.zone]: o.moments[-1] for o in figures.origins} for figures in each]
    return [
        {
            "z": zone,
            "listed": [zone in clear for clear in listed],
            **{
                name: _estimates(part(own[zone]) if zone in own else None for own in latest)
                for name, part in PARTS.items()
            },
            "usual": _one(usual.get(zone)),
            "gone": _shares(gone.get(zone, {}).get(str(own[zone].period)) if zone in own else None for own in latest),
        }
        for zone in found
    ]


def _gone(moments: Sequence[Moment], usual: Estimate | None) -> dict[str, Share]:
    curve = returns(moments, usual) if usual else None
    return {str(point.period.period): point.returned for point in curve.points} if curve else {}


def _flows(figures: Figures, places: Places) -> dict[str, Any]:
    """From where to where: the pairs that stand out from noise, those that are surely largest first."""
    pairs = figures.pairs
    return {
        "o": [places.numbers[pair.home] for pair in pairs],
        "d": [places.numbers[pair.location] for pair in pairs],
        "v": [compact(pair.away.value, pair.away.sd) for pair in pairs],
        "s": [compact_sd(pair.away.sd) for pair in pairs],
        "t": "p" * len(pairs),
        "all": len(pairs),
        "rest": None,
    }


def _pairs(estimates: Mapping[str, Estimate]) -> dict[str, tuple[float, float]]:
    return {zone: (estimate.value, estimate.sd) for zone, estimate in estimates.items()}


def _left(figures: Figures) -> dict[str, tuple[float, float]]:
    """The share away of each place of origin, in each of the zones that it is drawn as."""
    return {zone: (part.share_away.value, part.share_away.sd) for part in figures.parts for zone in part.zones}


def _layer(name: str, sort: str, told: Sequence[Told], places: Places) -> dict[str, Any]:
    zones = sorted({places.numbers[zone] for one in told for zone in one})
    numbered = [{places.numbers[zone]: pair for zone, pair in one.items()} for one in told]
    short, short_sd = (_share, compact_share) if sort == "share" else (compact, compact_sd)
    cell = {
        "z": zones,
        "v": [[short(*one[zone]) if zone in one else None for zone in zones] for one in numbered],
        "s": [[short_sd(one[zone][1]) if zone in one else None for zone in zones] for one in numbered],
    }
    return {
        "id": name,
        "sort": sort,
        "cut": True,
        "combos": [{"id": "", "parts": []}],
        "cells": {"": {AUTOMATIC: cell}},
    }


def _share(value: float, _sd: float) -> Number | None:
    return compact_share(value)


def _estimates(estimates: Iterable[Estimate | None]) -> dict[str, list[Any]]:
    listed = list(estimates)
    return {
        "v": [None if one is None else compact(one.value, one.sd) for one in listed],
        "s": [None if one is None else compact_sd(one.sd) for one in listed],
    }


def _shares(shares: Iterable[Share | None]) -> dict[str, list[Any]]:
    """Shares that are known: none of the peak at the peak itself, and none where nothing is known of the whole."""
    known = [one if one and 0 < one.sd < inf else None for one in shares]
    return {
        "v": [one and compact_share(one.value) for one in known],
        "s": [one and compact_share(one.sd) for one in known],
    }


def _one(estimate: Estimate | None) -> list[Any] | None:
    return None if estimate is None else [compact(estimate.value, estimate.sd), compact_sd(estimate.sd)]
