"""The checks of a day: each looks at its measures, some at earlier days too, and says what it found."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

import numpy as np

from jobs.quality.baseline import Baseline
from jobs.quality.record import RANK, DayRecord, Finding, Hour, Measures, SilentPlace, SimCount, Verdict
from jobs.quality.thresholds import QualityConfig
from privacy.unit import PrivacyMonth

_OURS: Final = "Whimbrel"
_LISTED: Final = "listed on the day's page"
_POISSON_SD: Final = 4.0
"""Standard deviations of pure chance that an hour's rows may be off in any case: nights have few rows."""


@dataclass(frozen=True)
class Judged:
    """What the checks of a day look at.

    Args:
        day: Its measures.
        before: Earlier days of that weekday.
        silent: Places that were silent, judged by them.
        delivered: Days delivered of its privacy month.
        limits: The thresholds.
    """

    day: Measures
    before: Baseline
    silent: tuple[SilentPlace, ...]
    delivered: frozenset[date]
    limits: QualityConfig

    @property
    def read(self) -> int:
        """Rows read of the deliveries for the day."""
        return sum(delivery.read for delivery in self.day.deliveries)

    @property
    def has_baseline(self) -> bool:
        """Whether there are enough earlier days."""
        return len(self.before.days) >= self.limits.baseline_days

    def share(self, rows: int) -> float:
        """Return a part of the day's rows, 0 to 1."""
        return rows / self.day.events if self.day.events else 0.0


@dataclass(frozen=True)
class Look:
    """What a check saw, before it is written down.

    Args:
        found: In words.
        verdict: What follows.
        baseline: Earlier days, in words.
    """

    found: str
    verdict: Verdict
    baseline: str = ""


@dataclass(frozen=True)
class Check:
    """One check.

    Args:
        name: Its name.
        title: What it looks at.
        look: Looks at a day.
        threshold: The threshold in words.
        source: Where it comes from.
        remedy: What to do where it found something.
    """

    name: str
    title: str
    look: Callable[[Judged], Look]
    threshold: Callable[[QualityConfig], str]
    source: str
    remedy: str = field(default="")

    def finding(self, judged: Judged) -> Finding:
        """Return what it found, written down."""
        look = self.look(judged)
        wrong = RANK[look.verdict] > RANK[Verdict.OK]
        return Finding(
            check=self.name,
            title=self.title,
            verdict=look.verdict,
            found=look.found,
            threshold=self.threshold(judged.limits),
            baseline=look.baseline,
            source=self.source,
            remedy=self.remedy if wrong else "",
        )


def record_of(judged: Judged) -> DayRecord:
    """Return a day's record: every check's finding, and the worst of them."""
    findings = tuple(check.finding(judged) for check in CHECKS)
    return DayRecord(
        day=judged.day.day,
        verdict=max((finding.verdict for finding in findings), key=RANK.__getitem__),
        findings=findings,
        hours=_hours(judged),
        baseline_days=tuple(day.day for day in judged.before.days) if judged.has_baseline else (),
        silent=judged.silent,
        measures=judged.day,
    )


def _hours(judged: Judged) -> tuple[Hour, ...]:
    if not judged.has_baseline:
        return tuple(
            Hour(hour=n, rows=rows, usual=None, low=None, high=None) for n, rows in enumerate(judged.day.hours)
        )
    hours = judged.before.hours
    usual, low, high = np.median(hours, axis=0), hours.min(axis=0), hours.max(axis=0)
    return tuple(
        Hour(hour=n, rows=rows, usual=float(usual[n]), low=float(low[n]), high=float(high[n]))
        for n, rows in enumerate(judged.day.hours)
    )


def _percent(share: float) -> str:
    """A share as people read it: never rounded to nothing where there is something."""
    if 0 < share < 0.0001:
        return "less than 0.01 %"
    return f"{share:.2%}".replace("%", " %") if share < 0.1 else f"{share:.1%}".replace("%", " %")


def _whole_percent(share: float) -> str:
    return f"{share * 100:g} %"


def _counted(count: int, what: str) -> str:
    """A number of things, in words."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _warning(condition: bool) -> Verdict:
    return Verdict.WARNING if condition else Verdict.OK


def _error(condition: bool) -> Verdict:
    return Verdict.ERROR if condition else Verdict.OK


def _no_baseline(judged: Judged) -> Look:
    there, needed = len(judged.before.days), judged.limits.baseline_days
    return Look("nothing to compare with yet", Verdict.NOT_JUDGED, f"{there} of {needed} earlier days of that weekday")


def _set_aside(reason: str) -> Callable[[Judged], Look]:
    def look(judged: Judged) -> Look:
        rows = sum(delivery.quarantined.get(reason, 0) for delivery in judged.day.deliveries)
        share = rows / judged.read if judged.read else 0.0
        found = f"{_counted(rows, 'row')} set aside, {_percent(share)} of those read" if rows else "none"
        return Look(found, _warning(share > judged.limits.reason_rate))

    return look


def _error_rate(judged: Judged) -> Look:
    rows = sum(sum(delivery.quarantined.values()) for delivery in judged.day.deliveries)
    share = rows / judged.read if judged.read else 0.0
    return Look(f"{_percent(share)} of the rows read were set aside", _error(share > judged.limits.error_rate))


def _rows(judged: Judged) -> Look:
    if not judged.has_baseline:
        return _no_baseline(judged)
    usual, limits, rows = judged.before.rows, judged.limits, judged.day.events
    if not usual.middle:
        return Look(_counted(rows, "row"), _warning(rows > 0), "no row on earlier days")
    off = abs(rows - usual.middle) / usual.middle
    spread = max(limits.rows_sd * usual.sd / usual.middle, limits.rows_near)
    direction = "above" if rows > usual.middle else "below"
    found = f"{_counted(rows, 'row')}, {_percent(off)} {direction} the median"
    baseline = f"median {usual.middle:,.0f}, standard deviation {usual.sd:,.0f}, of {len(judged.before.days)} days"
    return Look(found, _warning(off > min(spread, limits.rows_off)), baseline)


def _last_event(judged: Judged) -> Look:
    last = judged.day.last_second
    if last is None:
        return Look("no row at all", Verdict.ERROR)
    found = f"latest event at {last // 3600:02}:{last // 60 % 60:02}"
    return Look(found, _error(last < judged.limits.last_event_hour * 3600))


def _profile(judged: Judged) -> Look:
    if not judged.has_baseline:
        return _no_baseline(judged)
    usual = np.median(judged.before.hours, axis=0)
    off = np.abs(np.array(judged.day.hours) - usual)
    strange = np.flatnonzero((off > judged.limits.hour_off * usual) & (off > _POISSON_SD * np.sqrt(usual + 1)))
    names = ", ".join(f"{hour:02}" for hour in strange)
    found = f"hours off: {names}" if len(strange) else "every hour is as usual"
    return Look(found, _warning(bool(len(strange))), f"medians by hour of {len(judged.before.days)} days")


def _rate(
    rows: Callable[[Measures], int], limit: Callable[[QualityConfig], float], where: str = ""
) -> Callable[[Judged], Look]:
    def look(judged: Judged) -> Look:
        share = judged.share(rows(judged.day))
        found = f"{_counted(rows(judged.day), 'row')}{where}, {_percent(share)}" if rows(judged.day) else "none"
        return Look(found, _warning(share > limit(judged.limits)))

    return look


def _sims(kind: Callable[[Measures], SimCount], limit: Callable[[QualityConfig], float]) -> Callable[[Judged], Look]:
    def look(judged: Judged) -> Look:
        sims = kind(judged.day)
        share = judged.share(sims.events)
        found = f"{_counted(sims.sims, 'SIM')}, {_percent(share)} of the rows" if sims.sims else "none"
        return Look(found, _warning(share > limit(judged.limits)))

    return look


def _week(count: str, limit: Callable[[QualityConfig], float]) -> Callable[[Judged], Look]:
    def look(judged: Judged) -> Look:
        week = judged.day.week
        if week is None:
            return Look("told on the week's last day", Verdict.NOT_JUDGED)
        share = getattr(week, count) / week.sims if week.sims else 0.0
        found = f"{_percent(share)} of the SIMs of {_counted(week.days, 'day')}"
        return Look(found, _warning(share > limit(judged.limits)))

    return look


def _month_days(judged: Judged) -> Look:
    days = PrivacyMonth.of(judged.day.day).days
    share = sum(day in judged.delivered for day in days) / len(days)
    if judged.day.day != days[-1]:
        return Look("told on the month's last day", Verdict.NOT_JUDGED)
    return Look(f"{_whole_percent(round(share, 2))} of its days are there", _warning(share < judged.limits.month_days))


def _month_gap(judged: Judged) -> Look:
    days = PrivacyMonth.of(judged.day.day).days
    longest = longest_gap([day for day in days if day <= judged.day.day], judged.delivered)
    found = f"{_counted(longest, 'day')} missing in a row so far" if longest else "none is missing so far"
    return Look(found, _warning(longest > judged.limits.month_gap_days))


def longest_gap(days: Sequence[date], delivered: frozenset[date]) -> int:
    """Return how many of some days in a row were not delivered, at most."""
    longest = run = 0
    for day in days:
        run = 0 if day in delivered else run + 1
        longest = max(longest, run)
    return longest


def _same(judged: Judged) -> Look:
    if not judged.day.same:
        return Look("none", Verdict.OK)
    pairs = (f"{_percent(pair.share)} of {pair.delivery} stands in {pair.other}" for pair in judged.day.same)
    return Look("; ".join(pairs), Verdict.WARNING)


def _silence(judged: Judged) -> Look:
    if not judged.has_baseline:
        return _no_baseline(judged)
    baseline = f"medians by place and hour of {len(judged.before.days)} days"
    if not judged.silent:
        return Look("none", Verdict.OK, baseline)
    cells = sum(len(place.cells) for place in judged.silent)
    found = f"{_counted(len(judged.silent), 'silence')}, of places with {_counted(cells, 'cell')}"
    return Look(f"{found}, {_LISTED}", Verdict.WARNING, baseline)


def _unknown(judged: Judged) -> Look:
    named, others = judged.day.unknown_cells, judged.day.unknown_other_rows
    rows = sum(cell.rows for cell in named) + others
    share = rows / judged.read if judged.read else 0.0
    found = f"{_counted(len(named), 'cell')} by name, in {_counted(rows, 'row')}, {_LISTED}" if rows else "none"
    return Look(found, _warning(share > judged.limits.reason_rate))


def _unseen(judged: Judged) -> Look:
    cells, unseen = judged.day.cells, len(judged.day.unseen_cells)
    if not cells:
        return Look("there is no table of cells in service", Verdict.NOT_JUDGED)
    share = unseen / cells
    found = f"{unseen:,} of {cells:,} cells stand where nobody was seen"
    return Look(found, _warning(share > judged.limits.unseen_cells))


def _remarks(judged: Judged) -> Look:
    faults = Counter({remark.fault: len(remark.cells) for remark in judged.day.remarks})
    found = "; ".join(f"{_counted(count, 'cell')}: {fault}" for fault, count in faults.items())
    return Look(found or "none", _warning(bool(faults)))


_REASONS: Final = {
    "malformed_row": ("Rows that are malformed", "compare separator and number of fields with the files"),
    "missing_subscriber": ("Rows without a subscriber", "ask which system leaves the number out"),
    "unreadable_time": ("Rows without a readable time", "compare time_format with the files"),
    "time_outside_delivery": (
        "Rows of days that the delivery is not for",
        "compare --days and time_zone with the files",
    ),
    "missing_cell": ("Rows without a cell", "ask which records carry no cell, and whether they are wanted"),
    "unknown_cell": ("Rows of unknown cells", "ask for the present cell table; see the names below"),
    "cell_out_of_service": ("Rows of cells that stood nowhere that day", "correct valid_from and valid_to"),
}


def _at_most(limit: Callable[[QualityConfig], float], of: str) -> Callable[[QualityConfig], str]:
    return lambda limits: f"at most {_whole_percent(limit(limits))} of {of}"


CHECKS: Final = (
    *(
        Check(reason, title, _set_aside(reason), _at_most(lambda q: q.reason_rate, "the rows read"),
              "field practice: the row goes to quarantine", remedy)
        for reason, (title, remedy) in _REASONS.items()
    ),
    Check("error_rate", "Rows set aside in all", _error_rate, _at_most(lambda q: q.error_rate, "the rows read"),
          "multimno", "look at the largest reason; if a mapping is wrong, deliver the files again"),
    Check("rows", "Rows of the day", _rows,
          lambda q: f"within {q.rows_sd:g} standard deviations (or {_whole_percent(q.rows_near)}) and "
                    f"{_whole_percent(q.rows_off)} of the median", "multimno",
          "ask whether the delivery is whole; whether a holiday, an outage or a tariff explains it"),
    Check("last_event", "The day's end", _last_event, lambda q: f"an event at {q.last_event_hour:02}:00 or later",
          "field practice", "the delivery is incomplete: ask for the rest and ingest it"),
    Check("hours", "Hours of the day", _profile,
          lambda q: f"each hour within {_whole_percent(q.hour_off)} of its median and beyond chance", _OURS,
          "hours without rows: ask for the files of these hours; hours moved: compare time_zone"),
    Check("repeated", "Rows that stand twice", _rate(lambda m: m.repeated, lambda q: q.repeated_rate),
          _at_most(lambda q: q.repeated_rate, "the rows"), "FlowKit counts them; the limit is Whimbrel's",
          "ask which system writes events twice; trips are not counted twice for it"),
    Check("two_places", "Same second in two places", _rate(lambda m: m.two_places, lambda q: q.two_places_rate),
          _at_most(lambda q: q.two_places_rate, "the rows"), "FlowKit and multimno; the limit is Whimbrel's",
          "ask whether numbers are shared, or both ends of a call are written under one number"),
    Check("too_fast", "Impossible speeds", _rate(lambda m: m.too_fast, lambda q: q.fast_rate),
          lambda q: f"at most {_whole_percent(q.fast_rate)} of the rows after more than {q.fast_km:g} km at more than "
                    f"{q.fast_m_s:g} m/s", "field practice; the share is Whimbrel's",
          "look for cells with wrong coordinates, and for clocks that are off"),
    Check("machines", "Machines", _sims(lambda m: m.machines, lambda q: q.machine_rate),
          lambda q: f"SIMs with more than {q.machine_events_a_day} events: at most {_whole_percent(q.machine_rate)} of "
                    "the rows", "World Bank; the share is Whimbrel's",
          "products leave them out; ask whether a source holds machines only"),
    Check("sim_boxes", "SIMs that look like SIM boxes", _sims(lambda m: m.still, lambda q: q.sim_box_rate),
          lambda q: f"SIMs with more than {q.sim_box_events} events in one place, at no regular intervals: at most "
                    f"{_whole_percent(q.sim_box_rate)} of the rows", _OURS,
          "tell the fraud team; products leave out SIMs above the daily limit"),
    Check("devices", "Devices that report by themselves", _sims(lambda m: m.devices, lambda q: q.device_rate),
          lambda q: f"SIMs in one place, in {q.device_hours} hours, at regular intervals: at most "
                    f"{_whole_percent(q.device_rate)} of the rows", _OURS,
          "ask for a list of machine-to-machine numbers, and leave them out before delivery"),
    Check("one_second", "Rows with one and the same time", _rate(lambda m: m.one_second, lambda q: q.one_second_rate,
          " in one second"), _at_most(lambda q: q.one_second_rate, "the rows"), _OURS,
          "a system writes its own time, or midnight, in place of the event's"),
    Check("whole_minutes", "Rows on whole minutes",
          _rate(lambda m: m.whole_minutes, lambda q: q.whole_minute_rate),
          _at_most(lambda q: q.whole_minute_rate, "the rows"), _OURS,
          "times were rounded: order within a minute is lost"),
    Check("same_delivery", "Deliveries that repeat each other", _same,
          lambda q: f"less than {_whole_percent(q.same_delivery)} of a delivery's rows in another", _OURS,
          "rows of both were kept: if one corrects the other, ingest it again with --replaces"),
    Check("few_events", "SIMs with few events, in the week", _week("few", lambda q: q.few_events_rate),
          lambda q: f"fewer than {q.few_events} events: at most {_whole_percent(q.few_events_rate)} of the SIMs",
          "World Bank; the share is Whimbrel's", "ask whether a source is missing that week"),
    Check("busy_week", "Machines, in the week", _week("machines", lambda q: q.machine_sim_rate),
          lambda q: f"more than {q.machine_mean_a_day:g} events a day: at most {_whole_percent(q.machine_sim_rate)} of "
                    "the SIMs", "World Bank; the share is Whimbrel's", "ask whether a source holds machines only"),
    Check("month_days", "Days of the privacy month", _month_days,
          lambda q: f"at least {_whole_percent(q.month_days)}", "Flowminder",
          "ingest the missing days; monthly products refuse the month"),
    Check("month_gap", "Days missing in a row", _month_gap, lambda q: f"at most {q.month_gap_days} days", "Flowminder",
          "ingest the missing days; monthly products refuse the month"),
    Check("silent_places", "Places that fell silent", _silence,
          lambda q: f"none for more than {q.silent_hours} h in which {q.silent_expected:g} phones were due",
          "World Bank, by hour and area", "compare with the outage feed; a cell that was moved needs its new place"),
    Check("unknown_cells", "Cells in events, not in the table", _unknown,
          _at_most(lambda q: q.reason_rate, "the rows read"), "field practice",
          "ask for the present cell table; renamed cells: fill renamed_from"),
    Check("unseen_cells", "Cells in the table, not in events", _unseen,
          _at_most(lambda q: q.unseen_cells, "the cells"), _OURS,
          "cells that were switched off need valid_to; names that differ from the events' need renamed_from"),
    Check("cell_table", "Rows of the cell table", _remarks, lambda _: "nothing passed over", _OURS,
          "correct the cell table"),
)  # fmt: skip
"""Every check, in the order of the page."""


def month_so_far(day: date) -> tuple[date, ...]:
    """Return the days of a day's privacy month: what `Judged.delivered` is asked of."""
    return PrivacyMonth.of(day).days


def later_days(first: date, last: date, limits: QualityConfig) -> tuple[date, ...]:
    """Return the days whose records may change when days from first to last do: those, and who looks back at them."""
    reach = max(timedelta(weeks=limits.baseline_weeks), timedelta(35))
    return tuple(first + timedelta(n) for n in range((last + reach - first).days + 1))
