"""The gate before releases: whether the days of a period look complete, by released counts alone.

Whether a release happens may depend on records only through a mechanism that charged the ledger. So the gate reads the
day's released count of active subscribers, which is noisy and paid for, and never the quality reports, which are exact.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import count, takewhile

from rich import box
from rich.table import Table

from jobs.publish.situation.estimate import Estimate, median_of
from jobs.releases import Desk
from privacy.ledger import ReleaseKey
from privacy.policy import GatePolicy
from privacy.release import Release, sealed_release
from privacy.unit import Period, PeriodKind
from schemas.errors import PrivacyError, QualityGateError, SealLostError

PRODUCT = "active_subscribers"
"""What the gate reads: subscribers seen at all on a day, in the whole country."""


@dataclass(frozen=True)
class DayVerdict:
    """What the gate says of a day.

    Args:
        day: Local day.
        seen: Its released count.
        usual: Median of the released counts of that weekday before; nothing where too few were released.
        least_share: Of the usual, below which a day is incomplete.
    """

    day: date
    seen: Estimate
    usual: Estimate | None
    least_share: float

    @property
    def is_incomplete(self) -> bool:
        """Whether the count lies below the least share of the usual, noise considered: its 95 % interval does."""
        if self.usual is None:
            return False
        least = Estimate(self.least_share * self.usual.value, self.least_share * self.usual.sd)
        return (self.seen - least).ci_high < 0

    @property
    def word(self) -> str:
        """The verdict."""
        if self.usual is None:
            return "not judged"
        return "incomplete" if self.is_incomplete else "complete"


def judged(days: Sequence[date], released: Mapping[date, Estimate], gate: GatePolicy) -> tuple[DayVerdict, ...]:
    """Judge days against the same weekday of the weeks before.

    Args:
        days: Whose counts are all released.
        released: National counts by day; days before that are missing are not compared with.
        gate: The limits.
    """

    def usual(day: date) -> Estimate | None:
        before = (day - timedelta(weeks=back) for back in range(1, gate.look_back_weeks + 1))
        known = [released[earlier] for earlier in before if earlier in released]
        return median_of(known) if len(known) >= gate.least_weeks else None

    return tuple(DayVerdict(day, released[day], usual(day), gate.least_share) for day in days)


def released_counts(desk: Desk, days: Sequence[date]) -> dict[date, Estimate]:
    """Return the national count of each day that has a sealed release, by its newest revision."""
    found = {day: _newest(desk, day) for day in days}
    return {day: _national(made) for day, made in found.items() if made is not None}


def judge_period(desk: Desk, period: Period) -> tuple[DayVerdict, ...]:
    """Judge the days of a period.

    Raises:
        PrivacyError: The counts of some days are not released.
    """
    gate, days = desk.policy.gate, period.days
    reach = [day - timedelta(weeks=back) for back in range(gate.look_back_weeks + 1) for day in days]
    released = released_counts(desk, sorted(set(reach)))
    if missing := [day.isoformat() for day in days if day not in released]:
        raise PrivacyError(
            f"The gate reads {PRODUCT}, which is not released for {', '.join(missing)}.",
            "a sealed release of each day",
            f"run `whimbrel release {PRODUCT} {period} --daily` first",
        )
    return judged(days, released, gate)


def require_complete(verdicts: Sequence[DayVerdict]) -> None:
    """Refuse where a day looks incomplete.

    Raises:
        QualityGateError: It names the days; their counts are released values, and stand in the releases.
    """
    if incomplete := [verdict.day.isoformat() for verdict in verdicts if verdict.is_incomplete]:
        least = next(verdict.least_share for verdict in verdicts)
        raise QualityGateError(
            f"Too few subscribers were seen on {', '.join(incomplete)} for these days to be complete.",
            f"released counts of at least {least:.0%} of the weekday's usual",
            f"ask for the missing rows, ingest them, and repeat `whimbrel release {PRODUCT} DAY --revision 2`; "
            "if the days are right as they are, say so by going on to the releases",
        )


def view(verdicts: Sequence[DayVerdict]) -> Table:
    """A row a day and what the gate says of it; no value, because none has been approved."""
    table = Table(title="Do the days look complete, by released counts?", box=box.SIMPLE)
    table.add_column("day")
    table.add_column("verdict")
    for verdict in verdicts:
        table.add_row(verdict.day.isoformat(), verdict.word)
    return table


def _newest(desk: Desk, day: date) -> Release | None:
    keys = (ReleaseKey(PRODUCT, str(Period.of(PeriodKind.DAY, day)), revision) for revision in count(1))
    reserved = list(takewhile(lambda key: desk.ledger.reserved(key) is not None, keys))
    made = (_sealed(desk, key) for key in reversed(reserved))
    return next((one for one in made if one is not None), None)


def _sealed(desk: Desk, key: ReleaseKey) -> Release | None:
    """A sealed release; none where it is lost, which is no reason to hold others back."""
    try:
        return sealed_release(key, ledger=desk.ledger, vault=desk.vault)
    except SealLostError:
        return None


def _national(made: Release) -> Estimate:
    """The count of the country, whose row has no zone."""
    row = next(row for row in made.table.to_pylist() if row["zone"] is None)
    return Estimate(row["value"], row["noise_sd"])
