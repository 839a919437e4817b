"""The planted truth of a synthetic country, and what exact values make of it: pure functions of tables.

Definitions of the truth: docs/methods/synthetic_country.md.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Final

import h3
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jobs.evaluation.findings import EXACT, Finding
from jobs.evaluation.scores import common_part_of_commuters, share_of
from jobs.publish.displacement_series import returns
from jobs.publish.situation.estimate import Estimate
from jobs.publish.situation.figures import Moment
from privacy.unit import Period, PrivacyMonth
from schemas.errors import InputError

REGULAR_SHARE: Final = 0.5
"""Of a month's nights, on which a regular subscriber is seen at least."""

CLOSE: Final = 0.05
"""Relative error up to which a number of people away is right enough to plan relief by."""

CLOSE_DAYS: Final = 2
"""Days up to which a half-life is."""

Pairs = Mapping[tuple[str, str], float]
"""People by zone before and zone now, H3 names of one resolution."""


@dataclass(frozen=True)
class Truth:
    """The truth beside a synthetic country.

    Args:
        folder: Folder of the country.
        by_tower: Whether a person is in the zone of the nearest site, which is what a perfect reader of the network's
            records would find; otherwise in the zone of the place itself, which no record tells.
    """

    folder: Path
    by_tower: bool = True

    def table(self, name: str) -> pa.Table:
        """Read one table of the truth.

        Raises:
            InputError: The country has none.
        """
        path = self._folder(f"{name}.parquet")
        if not path.exists():
            raise InputError(
                f"There is no {path}.",
                "the folder of a synthetic country with a scenario",
                "make one: whimbrel synth COUNTRY --days 63 --scenario flood",
            )
        return pq.read_table(path)

    def homes(self, month: PrivacyMonth) -> pa.Table:
        """Return where each person lived in a privacy month: `msisdn, h3`."""
        table = self.table("homes_by_month")
        return table.filter(pc.equal(table["month"], str(month))).select(["msisdn", "h3"])

    def relocations(self, month: PrivacyMonth, resolution: int) -> Pairs:
        """Return people by home of the month before and home of the month, where these differ."""
        before, now = (self.homes(one).to_pandas() for one in (month.next(-1), month))
        both = before.merge(now, on="msisdn", suffixes=("_before", "_now"))
        return moved(both["h3_before"], both["h3_now"], np.ones(len(both)), resolution)

    def migration(self, resolution: int) -> Pairs:
        """Return people by residence in the first half of the period and in the second, where these differ."""
        table = self.table("migration").to_pandas()
        return moved(table["old_h3"], table["new_h3"], table["people"].to_numpy(float), resolution)

    def away(self) -> pd.Series:
        """Return how many residents of the stricken area, their SIM in use, slept away from home, by day."""
        table = self.table("displaced_stock").to_pandas()
        there = table[(table["status"] == "away") & table["sim_in_use"]]
        days = pd.Index(sorted(set(table["day"])))
        return there.groupby("day")["people"].sum().reindex(days, fill_value=0)

    def all_away(self, onset: date) -> pd.Series:
        """Return how many residents of the stricken area slept away, by day: all whose SIM was in use when it struck.

        Those whose SIM fell silent in the event are people too; who had none to lose is in no network's records.
        """
        days = pa.concat_tables([pq.read_table(path) for path in sorted(self._folder("displaced").glob("*.parquet"))])
        table, without = days.to_pandas(), self._without_sim(onset)
        there = (table["status"] == "away") & ~table["msisdn"].isin(without)
        return there.groupby(table["day"]).sum()

    def _without_sim(self, onset: date) -> set[str]:
        """People whose SIM fell silent for good before an event, or appears after it."""
        churn = pq.read_table(self.folder / "truth" / "churn.parquet").to_pandas()
        gone = (churn["reason"] == "gone") & (churn["silent_from"] <= onset)
        later = (churn["reason"] == "appears_later") & (churn["silent_to"] >= onset)
        return set(churn.loc[gone | later, "msisdn"])

    def _folder(self, name: str) -> Path:
        return self.folder / "truth" / ("by_tower" if self.by_tower else ".") / name

    def followed(self) -> int:
        """Return how many people lived in the stricken area before."""
        table = self.table("displaced_stock").to_pandas()
        return int(table[table["day"] == table["day"].min()]["people"].sum())


def moved(before: pd.Series, now: pd.Series, people: np.ndarray, resolution: int) -> Pairs:
    """Return people by zone before and zone now at a resolution, where these differ."""
    parents = {cell: h3.cell_to_parent(cell, resolution) for cell in {*before, *now}}
    table = pd.DataFrame({"before": before.map(parents), "now": now.map(parents), "people": people})
    movers = table[table["before"] != table["now"]].groupby(["before", "now"])["people"].sum()
    return {pair: float(n) for pair, n in movers.items()}


def found_findings(linked: pa.Table, nights: int) -> Iterator[Finding]:
    """Tell how many people have a home at all.

    Args:
        linked: As for `home_findings`.
        nights: Nights of the month.
    """
    people = linked.to_pandas()
    yield Finding("share of people with a home", "all", EXACT, float(people["found_h3"].notna().mean()))
    yield Finding("share of people who are regular", "seen on half of the nights", EXACT,
                  len(_regular(people, nights)) / len(people))  # fmt: skip


def home_findings(linked: pa.Table, nights: int, resolutions: Sequence[int], where: str) -> Iterator[Finding]:
    """Compare homes found with those of the truth.

    Args:
        linked: `h3` of the truth, `found_h3` or null where no home was found, `nights` seen in the month.
        nights: Nights of the month.
        resolutions: At which zones are compared.
        where: Whose zone the truth's is: the nearest tower's, or the place's.
    """
    people = linked.to_pandas()
    groups = {"regular": _regular(people, nights), "with a home": people[people["found_h3"].notna()]}
    for resolution in resolutions:
        for who, some in groups.items():
            right = _right(some, resolution)
            yield Finding(
                f"share of homes right, by the zone of the {where}", f"level {resolution}, {who}", EXACT, right
            )


def _regular(people: pd.DataFrame, nights: int) -> pd.DataFrame:
    return people[people["nights"].fillna(0) >= REGULAR_SHARE * nights]


def _right(people: pd.DataFrame, resolution: int) -> float:
    def zone(cell: str | None) -> str:
        return str(h3.cell_to_parent(cell, resolution)) if isinstance(cell, str) else ""

    return float((people["h3"].map(zone) == people["found_h3"].map(zone)).mean())


def move_findings(found: Pairs, truth: Pairs, of: str) -> Iterator[Finding]:
    """Compare moves found with those of the truth."""
    pairs = sorted({*found, *truth})
    estimate, true = ([table.get(pair, 0.0) for pair in pairs] for table in (found, truth))
    yield Finding("movers found over movers planted", of, EXACT, share_of(sum(estimate), sum(true)))
    yield Finding("common part with the planted moves", of, EXACT, common_part_of_commuters(estimate, true))


@dataclass(frozen=True)
class AwayIn:
    """People away in one period, a mean a day.

    Args:
        period: A day or a week of an event's schedule.
        planted: Of the truth.
        exact: As found, without noise.
        released: As found, with noise.
    """

    period: Period
    planted: float
    exact: float
    released: Estimate

    @property
    def relative_error(self) -> float:
        """How far what is released is from the truth, as a share of the truth; NaN where nobody was away."""
        return share_of(self.released.value - self.planted, self.planted)

    @property
    def is_covered(self) -> bool:
        """Whether the interval of what is released holds the truth."""
        return self.released.ci_low <= self.planted <= self.released.ci_high


def away_findings(periods: Sequence[AwayIn], onset: date, what: str, data: str) -> Iterator[Finding]:
    """Compare people away with the truth, period by period, and how long half of them stayed away.

    Args:
        periods: In order, the usual week first.
        onset: Day of the event.
        what: Whom they count.
        data: Name of the released data.
    """
    for one in periods:
        of = str(one.period)
        yield Finding(f"{what}, planted", of, EXACT, one.planted)
        for name, found in ((EXACT, one.exact), (data, one.released.value)):
            yield Finding(f"{what}, found", of, name, found)
            yield Finding(f"{what}, relative error", of, name, share_of(found - one.planted, one.planted))
        yield Finding(f"{what}, standard deviation", of, data, one.released.sd)
    series = {
        ("planted", EXACT): [Estimate(one.planted, 0.0) for one in periods],
        ("found", EXACT): [Estimate(one.exact, 0.0) for one in periods],
        ("found", data): [one.released for one in periods],
    }
    for (how, name), away in series.items():
        days = _half_life([one.period for one in periods], away, onset)
        yield Finding(f"days until half were away no longer: {what}, {how}", "the event", name, days)


def draw_findings(draws: Sequence[Sequence[AwayIn]], onset: date, what: str, data: str) -> Iterator[Finding]:
    """Tell how far releases of the same exact values are from the truth, over several draws of the noise.

    Args:
        draws: Each with the same periods.
        onset: Day of the event; periods that began by then are left out.
        what: Whom they count.
        data: Name of the released data.
    """
    for drawn in zip(*draws, strict=True):
        if drawn[0].period.first_day <= onset:
            continue
        of, errors = str(drawn[0].period), np.array([one.relative_error for one in drawn])
        yield Finding(f"{what}, mean relative error over {len(draws)} draws", of, data, float(errors.mean()))
        yield Finding(f"{what}, standard deviation of the relative error", of, data, float(errors.std()))
        within = float((np.abs(errors) <= CLOSE).mean())
        yield Finding(f"{what}, share of draws within {CLOSE:.0%} of the planted number", of, data, within)


def half_life_findings(draws: Sequence[Sequence[AwayIn]], onset: date, what: str, data: str) -> Iterator[Finding]:
    """Tell how far the half-life of people away is from the planted one, over several draws; as `draw_findings`."""
    periods = [one.period for one in draws[0]]
    planted = _half_life(periods, [Estimate(one.planted, 0.0) for one in draws[0]], onset)
    days = np.array([_half_life(periods, [one.released for one in draw], onset) for draw in draws])
    name = f"days until half were away no longer: {what}"
    yield Finding(f"{name}, mean over {len(draws)} draws", "the event", data, float(days.mean()))
    yield Finding(f"{name}, standard deviation", "the event", data, float(days.std()))
    within = float((np.abs(days - planted) <= CLOSE_DAYS).mean())
    yield Finding(f"{name}, share of draws within {CLOSE_DAYS} days of the planted number", "the event", data, within)


def coverage_finding(draws: Sequence[Sequence[AwayIn]], onset: date, what: str, data: str) -> Finding:
    """Tell how often the interval of a release from the onset on holds the truth, over several draws of the noise."""
    held = [one.is_covered for draw in draws for one in draw if one.period.first_day > onset]
    measure = f"{what}, share of 95 % intervals after the onset's day that hold the planted number"
    return Finding(measure, f"{len(draws)} draws", data, share_of(sum(held), len(held)))


def _half_life(periods: Sequence[Period], away: Sequence[Estimate], onset: date) -> float:
    """Days from the peak until half of the excess is left; NaN where it never was."""
    moments = [replace(_NOBODY, period=period, all_away=one) for period, one in zip(periods, away, strict=True)]
    usual = next((one.people_away for one in moments if one.period.last_day < onset), _NOBODY.away)
    found = returns([one for one in moments if one.period.first_day >= onset], usual)
    days = found.half_life.days if found else None
    return float("nan") if days is None else days


_NOTHING: Final = Estimate(0.0, 0.0)
_NOBODY: Final = Moment(
    Period.parse("2000-01-01"), _NOTHING, _NOTHING, _NOTHING, _NOTHING, _NOTHING, _NOTHING, _NOTHING, _NOTHING
)
"""A moment of which only the people away matter."""
