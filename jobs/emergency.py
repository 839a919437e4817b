"""`whimbrel displacement EVENT`: release whatever of an event's schedule can be, and say what it shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from rich import box
from rich.console import Group
from rich.table import Table

from jobs.events import Event, opening_in, registry
from jobs.pipeline import days_read
from jobs.publish.card import is_provisional
from jobs.publish.displacement_series import Returns, StockCheck, excess, returns, stock_checks
from jobs.publish.situation.estimate import Estimate
from jobs.publish.situation.figures import Moment, moment_of, reckoned
from jobs.publish.situation.unseen import share_seen
from jobs.releases import Desk, Progress, Session
from privacy.canonical import JsonValue
from privacy.ledger import Opening
from privacy.plan import Plan
from privacy.release import Release
from privacy.unit import Period
from schemas.errors import PrivacyError, SealLostError, SpecificationChangedError
from schemas.subscriber_days import SUBSCRIBER_DAYS

PROVISIONAL: Final = "provisional"
"""What a release is called that late rows could still have changed when it was made."""

OF_ONE_PERIOD: Final = (SealLostError, SpecificationChangedError)
"""Refusals of one period that say nothing of the others."""


@dataclass(frozen=True)
class EventFigures:
    """What the releases of an event show so far; all of it is released, or follows from what is.

    Args:
        event: The event.
        usual: The week before it; nothing where the schedule has none or its days are missing.
        moments: The periods from the onset on, in order.
        delivered_until: By period: the last day that was delivered when it was released.
        awaited: Periods of the schedule of which days are missing, in order.
        stuck: By period: why it was refused; the others do not wait for it.
    """

    event: Event
    usual: Moment | None
    moments: tuple[Moment, ...]
    delivered_until: dict[str, date]
    awaited: tuple[Period, ...]
    stuck: Mapping[str, PrivacyError]

    @property
    def all_moments(self) -> tuple[Moment, ...]:
        """The week before, and all that follows."""
        return (*([self.usual] if self.usual else []), *self.moments)

    def data_age(self, period: Period) -> int:
        """Days from a period's end to the last day that was delivered when it was released."""
        return (self.delivered_until[str(period)] - period.last_day).days

    def is_provisional(self, period: Period) -> bool:
        """Whether a release was made of days that late rows could still have changed."""
        return is_provisional(period, self.delivered_until[str(period)])

    def excess(self, moment: Moment) -> Estimate | None:
        """People away above the usual number."""
        return excess(moment, self.usual.people_away) if self.usual and moment is not self.usual else None

    @property
    def returns(self) -> Returns | None:
        """The curve of return."""
        return returns(self.moments, self.usual.people_away) if self.usual else None

    @property
    def disagreements(self) -> tuple[StockCheck, ...]:
        """Days of which two releases differ by more than noise."""
        return tuple(check for check in stock_checks(self.moments) if not check.holds)


def release_event(desk: Desk, name: str, session: Session, progress: Progress) -> EventFigures:
    """Release every period of an open event whose days are delivered, in the schedule's order; give what they show.

    Again: nothing is charged and nothing drawn. A period whose artefact is lost, or that was reserved under other
    terms, holds up no other.

    Args:
        desk: The installation.
        name: The event.
        session: Opens an engine, where something has to be aggregated.
        progress: Told what begins.

    Raises:
        ConfigError: The event is not listed, or its area lies elsewhere.
        PrivacyError: It is not open.
        SpecificationChangedError: The event is not what was opened.
        InputError: The month before it cannot tell where people live, or not one period has its days.
    """
    event = registry(desk.config).event(name)
    opening = opening_in(desk.ledger, name)
    event.require_unchanged(opening)
    due, awaited = due_plans(desk, opening)
    made, stuck = _released(desk, due, session, progress)
    return _figures(event, made, awaited, stuck)


def due_plans(desk: Desk, opening: Opening) -> tuple[list[Plan], tuple[Period, ...]]:
    """Plans of the periods whose days are all there, or that are sealed; and the other periods."""
    plans = [desk.plan(opening.product, release.period, 1) for release in opening.schedule]
    due = [plan for plan in plans if desk.ledger.sealed(plan.key) or not _missing(desk, plan)]
    if not due:
        desk.storage.current(SUBSCRIBER_DAYS, days_read(plans[0], desk.policy))  # names the missing days
    return due, tuple(plan.period for plan in plans if plan not in due)


def _missing(desk: Desk, plan: Plan) -> bool:
    days = days_read(plan, desk.policy)
    return len(desk.storage.delivered(SUBSCRIBER_DAYS, days)) < len(days)


def _released(
    desk: Desk, due: Sequence[Plan], session: Session, progress: Progress
) -> tuple[dict[str, Release], dict[str, PrivacyError]]:
    """Releases by period, and refusals by period."""
    made: dict[str, Release] = {}
    stuck: dict[str, PrivacyError] = {}
    for plan in due:
        progress(f"{plan.period}")
        try:
            made[str(plan.period)] = desk.release(plan, session, progress)
        except OF_ONE_PERIOD as error:
            stuck[str(plan.period)] = error
    return made, stuck


def _figures(
    event: Event, made: Mapping[str, Release], awaited: tuple[Period, ...], stuck: Mapping[str, PrivacyError]
) -> EventFigures:
    moments = [moment_of(release.table.to_pandas(), Period.parse(period)) for period, release in made.items()]
    before = [moment for moment in moments if moment.period.last_day < event.onset]
    after = [moment for moment in moments if moment.period.last_day >= event.onset]
    reckoning, usual = reckoned(after, before[-1] if before else None)
    return EventFigures(
        event=event,
        usual=usual,
        moments=reckoning,
        delivered_until={p: date.fromisoformat(str(r.card["delivered_until"])) for p, r in made.items()},
        awaited=awaited,
        stuck=stuck,
    )


_NUMBERS: Final = ("away, in all", "last seen away", "newly away", "returned", "lost", "silent", "excess")
_MARK: Final = "*"
"""Marks a provisional row: the table has to fit 80 columns."""


def view(figures: EventFigures) -> Group:
    """A table for people: a row a period, and what follows from all of them."""
    table = Table(
        title=f"{figures.event.name}: residents of the area, by phone",
        caption="subscribers; ± half the width of a 95 % interval; weeks: means a day. In all: whom the night did not "
        "show is taken to be away as often as those it showed. Excess: over the usual, that of the week before. "
        f"A SIM is not a person. {_MARK} {PROVISIONAL}: late rows were still to come",
        box=box.SIMPLE,
        padding=0,
        show_edge=False,
    )
    for heading in ("period", "data age"):
        table.add_column(heading, no_wrap=True)
    for heading in _NUMBERS:
        table.add_column(heading, justify="right", overflow="fold")
    for moment in figures.all_moments:
        table.add_row(*_cells(figures, moment))
    return Group(table, *_sentences(figures))


def _cells(figures: EventFigures, moment: Moment) -> list[str]:
    age = f"{figures.data_age(moment.period)} days{_MARK if figures.is_provisional(moment.period) else ' '}"
    in_all = _with_half_width(moment.all_away) if moment.all_away else "-"
    seen = (moment.away, moment.newly_away, moment.returned, moment.lost, moment.silent)
    return [str(moment.period), age, in_all, *(f"{one.value:,.0f}" for one in seen), _excess_cell(figures, moment)]


def _excess_cell(figures: EventFigures, moment: Moment) -> str:
    if moment is figures.usual:
        return "usual"
    above = figures.excess(moment)
    return _with_half_width(above) if above else "-"


def _with_half_width(estimate: Estimate) -> str:
    return f"{estimate.value:,.0f} ±{estimate.ci_high - estimate.value:,.0f}"


def _sentences(figures: EventFigures) -> list[str]:
    found = []
    curve = figures.returns
    if curve and curve.peak is not figures.moments[-1]:  # at the peak the share is zero by definition
        last, half = curve.points[-1].returned, curve.half_life
        share = f"{last.value:.0%} ({last.ci_low:.0%} to {last.ci_high:.0%})"
        found.append(
            f"No longer displaced since the peak of {curve.peak.period}: {share}; half of them {_when(half.days)}."
        )
    days = ", ".join(str(check.day.period) for check in figures.disagreements)
    if days:
        found.append(f"More rows came late than noise explains: the stock before {days} differs between two releases.")
    if figures.awaited:
        found.append(f"Waiting for days: {len(figures.awaited)} periods, the next {figures.awaited[0]}.")
    return found


def _when(days: float | None) -> str:
    return "not yet" if days is None else f"within {days:.1f} days of it"


def told_stuck(figures: EventFigures) -> str:
    """The periods that were refused, each with the reason."""
    return "\n".join(f"{period} was not released. {error}" for period, error in figures.stuck.items())


def as_json(figures: EventFigures) -> dict[str, JsonValue]:
    """The same for machines; every number is released or follows from released ones."""
    curve = figures.returns
    return {
        "event": {"id": figures.event.id, "name": figures.event.name, "onset": figures.event.onset.isoformat()},
        "periods": [_period_json(figures, moment) for moment in figures.all_moments],
        "returns": _returns_json(curve) if curve else None,
        "disagreements": [str(check.day.period) for check in figures.disagreements],
        "awaited": [str(period) for period in figures.awaited],
        "stuck": list(figures.stuck),
    }


def _period_json(figures: EventFigures, moment: Moment) -> dict[str, JsonValue]:
    names = ("residents", "away", "silent", "newly_away", "reappeared", "returned", "lost")
    above, seen = figures.excess(moment), share_seen(moment.sights)
    return {
        "period": str(moment.period),
        "delivered_until": figures.delivered_until[str(moment.period)].isoformat(),
        "data_age_days": figures.data_age(moment.period),
        "provisional": figures.is_provisional(moment.period),
        **{name: _estimate_json(getattr(moment, name)) for name in names},
        "all_away": _estimate_json(moment.all_away) if moment.all_away else None,
        "share_seen": seen.value if seen else None,
        "excess": _estimate_json(above) if above else None,
    }


def _returns_json(curve: Returns) -> dict[str, JsonValue]:
    half = curve.half_life
    points: Sequence[JsonValue] = [
        {"period": str(one.period.period), "days": one.days, "returned": one.returned.value,
         "ci_low": one.returned.ci_low, "ci_high": one.returned.ci_high}
        for one in curve.points
    ]  # fmt: skip
    return {
        "peak": str(curve.peak.period),
        "points": points,
        "half_life_days": half.days,
        "half_life_earliest": half.earliest,
        "half_life_latest": half.latest,
    }


def _estimate_json(estimate: Estimate) -> dict[str, JsonValue]:
    return {"value": estimate.value, "ci_low": estimate.ci_low, "ci_high": estimate.ci_high}
