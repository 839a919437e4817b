"""What a release reads: days, and the nights of privacy months, which are built where they are not up to date."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from jobs.config import EngineConfig
from jobs.ingest.cells import ZoneRegister
from jobs.mobility.nights import nights
from jobs.storage import Place, Storage, digest
from privacy.canonical import canonical_json, sha256_hex
from privacy.places import PlaceRule, SensitivePlaces
from privacy.policy import Policy, ResidencePolicy
from privacy.unit import PrivacyMonth
from schemas.errors import InputError
from schemas.nights import NIGHTS
from schemas.subscriber_days import SUBSCRIBER_DAYS


@dataclass(frozen=True)
class NightsOfMonth:
    """What the nights of a privacy month are made of.

    Args:
        month: The month.
        places: Where its delivered days stand.
        unseen: Cell indexes of places that no product shows.
        version: Names all of this, and how a night is found: other days, other version.
    """

    month: PrivacyMonth
    places: tuple[Place, ...]
    unseen: tuple[int, ...]
    version: str


@dataclass(frozen=True)
class Inputs:
    """What a release reads.

    Args:
        cells: One row a cell index: public facts of the network, as the plan wants them.
        days: Where its days stand.
        months: The nights that it reads.
    """

    cells: pa.Table
    days: tuple[Place, ...] = ()
    months: tuple[NightsOfMonth, ...] = ()

    @property
    def versions(self) -> Mapping[PrivacyMonth, str]:
        """Version of each month's nights."""
        return {one.month: one.version for one in self.months}

    @property
    def sha256(self) -> str:
        """Digest of the versions that are read; depends on the data, so it is recorded inside only."""
        days = [[contract.name, version, str(day)] for contract, version, day in self.days]
        return sha256_hex(canonical_json(days + [[NIGHTS.name, one.version, str(one.month)] for one in self.months]))


@dataclass(frozen=True)
class NightsBuilder:
    """Builds the nights of privacy months, once for every state of their days.

    Args:
        storage: Where days and nights stand.
        policy: What a night is, and how many days a month may lack.
        sensitive: What is done about sensitive places.
        engine: How exchanges are cut.
    """

    storage: Storage
    policy: Policy
    sensitive: SensitivePlaces
    engine: EngineConfig

    def of(self, month: PrivacyMonth) -> NightsOfMonth:
        """Say what the nights of a month are made of as things stand.

        Raises:
            InputError: Too many of its days were never delivered; or its nights are still to be found, and days have
                expired.
        """
        found = self.storage.delivered(SUBSCRIBER_DAYS, month.days)
        require_over(month, self.storage.delivered_until)
        require_coverage(month, [day for _, _, day in found], self.policy.residence)
        unseen = self._unseen()
        residence = self.policy.residence
        made_of = {
            "table": NIGHTS.version,
            "days": [[contract.name, version, str(day)] for contract, version, day in found],
            "unseen": unseen,
            "night": [residence.night_from_h, residence.night_to_h, self.policy.mobility.max_events_a_day],
        }
        wanted = NightsOfMonth(month, tuple(found), tuple(unseen), digest(made_of))
        if not self.are_built(wanted):
            self.storage.require_kept([day for _, _, day in found])
        return wanted

    def are_built(self, one: NightsOfMonth) -> bool:
        """Tell whether readers of a month see these nights."""
        return self.storage.nights_version(one.month) == one.version

    def build(self, session: SparkSession, one: NightsOfMonth) -> None:
        """Write the nights of a month and let its readers see them; call it `alone`."""
        made = nights(
            self.storage.read_days(session, one.places),
            one.month,
            residence=self.policy.residence,
            mobility=self.policy.mobility,
            partitions=self.engine.partitions_for(self.storage.bytes_of_days(one.places)),
            unseen=one.unseen,
        )
        self.storage.write_nights(made, one.month, one.version)

    def read(self, session: SparkSession, months: Sequence[NightsOfMonth]) -> DataFrame:
        """Read the nights of months, of which those are built first that are not up to date; call it `alone`."""
        for one in months:
            if not self.are_built(one):
                self.build(session, one)
            self.clear(one)
        return self.storage.read_nights(session, {one.month: one.version for one in months})

    def clear(self, one: NightsOfMonth) -> None:
        """Remove older nights of a month that readers see newer ones of, and what an interrupted run left."""
        self.storage.remove_other_nights(one.month, one.version)

    def _unseen(self) -> list[int]:
        """Cells that no product shows; in what one product hides besides, its residence counts no night."""
        zones = ZoneRegister.load(self.storage.zones).zones
        places = [place for place in self.sensitive.places if place.rule is PlaceRule.WITHHOLD]
        withheld = {cell for place in places for cell in place.base_cells(zones)} if zones else set()
        return [index for index, zone in enumerate(zones) if zone in withheld]


def require_over(month: PrivacyMonth, delivered_until: date | None) -> None:
    """Refuse a month whose last days are still to come: homes of a part of it would be released as those of the whole.

    Raises:
        InputError: It is so.
    """
    if delivered_until is None or delivered_until < month.last_day:
        raise InputError(
            f"{month} is not over: deliveries end on {delivered_until}."
            if delivered_until
            else f"{month} has no delivery.",
            f"deliveries up to {month.last_day}, the last day of the privacy month, or later",
            "ingest the missing deliveries with `whimbrel ingest --days ...`, or wait until the month is over",
        )


def require_coverage(month: PrivacyMonth, delivered: Sequence[date], residence: ResidencePolicy) -> None:
    """Refuse a month of which too many days were never delivered to say where people live.

    Raises:
        InputError: It is so. The message names the days, which are no secret of any subscriber.
    """
    missing = sorted(set(month.days) - set(delivered))
    runs = list(_runs(missing))
    longest = max(((last - first).days + 1 for first, last in runs), default=0)
    if len(delivered) >= residence.min_day_share * len(month.days) and longest <= residence.max_gap_days:
        return
    days = ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in runs)
    raise InputError(
        f"{month} cannot tell where people live: no delivery for {days}.",
        f"{residence.min_day_share:.0%} of the days of the privacy month ({month.first_day} to {month.last_day}), and "
        f"at most {residence.max_gap_days} days missing in a row",
        "ingest the missing deliveries with `whimbrel ingest --days ...`, or wait until the month is over",
    )


def _runs(days: Sequence[date]) -> Iterator[tuple[date, date]]:
    """First and last day of each run of days without a gap."""
    for _, run in groupby(enumerate(days), key=lambda numbered: numbered[1] - timedelta(numbered[0])):
        found = [day for _, day in run]
        yield found[0], found[-1]
