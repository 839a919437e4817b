"""Return share and half-life of an event, from the series of its displacement releases."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date

from jobs.publish.displacement_series import returns
from jobs.publish.indicators.definitions import HALF_LIFE, RETURN_SHARE
from jobs.publish.indicators.figure import Figure, Told
from jobs.publish.released import Released
from jobs.publish.situation.estimate import Share
from jobs.publish.situation.figures import COLUMNS, figures_of
from jobs.publish.situation.reading import EventBundle, one_of_each_period
from schemas.errors import BundleError

NO_PEAK = "no release shows more people away than usual, noise considered"
NO_USUAL = "the release of the week before the event was not given, so what is usual is not known"


def away_figures(bundles: Sequence[Released]) -> Iterator[Figure]:
    """Yield the share that is no longer away, period by period from the peak on, and the days until it is one half.

    Args:
        bundles: Bundles of displacement; of one event.

    Raises:
        BundleError: They are of several events.
    """
    event = one_of_each_period([_event_bundle(one) for one in bundles])
    figures = figures_of(event.rows, date.fromisoformat(event.event.onset))
    last = event.latest.card.period
    blank = Figure(definition=RETURN_SHARE, product="displacement", period=last, part=event.event.id)
    curve = returns(figures.moments, figures.usual) if figures.usual else None
    if curve is None:
        reason = NO_PEAK if figures.usual else NO_USUAL
        yield from (replace(blank, definition=one).told(reason) for one in (RETURN_SHARE, HALF_LIFE))
        return
    for point in curve.points:
        yield replace(blank, period=str(point.period.period)).told(_per_cent(point.returned))
    found = curve.half_life
    if found.days is None:
        yield replace(blank, definition=HALF_LIFE).told("fewer than half have returned so far")
    else:
        yield replace(blank, definition=HALF_LIFE, value=found.days, ci_low=found.earliest, ci_high=found.latest)


def _per_cent(share: Share) -> Told:
    return Told.normal(100 * share.value, 100 * share.sd)


def _event_bundle(one: Released) -> EventBundle:
    if one.card.event is None:
        raise BundleError(
            f"The card of {one.card.slug} names no event.", "the event that it is about", "fetch it again"
        )
    return EventBundle(one.report, one.card.event, one.rows[list(COLUMNS)], tuple(one.zones["features"]))
