"""What an explorer shows: bundles of one country, read and chosen; of several revisions of a period, the last."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any, Final

import pandas as pd
import pyarrow as pa

from jobs.publish.card import Card
from jobs.publish.explorer.words import PARTS
from jobs.publish.operators import require_one_operator
from jobs.publish.sharing.notice import SharingNote
from jobs.publish.zoned import base_zones_of, rows_of
from privacy.signing import PublicKey
from privacy.unit import Period
from schemas.errors import BundleError, ConfigError

EVENT_PRODUCT: Final = "displacement"
"""The product whose days and weeks are one series, about one event."""


@dataclass(frozen=True)
class Source:
    """One release that the explorer shows.

    Args:
        card: Its card.
        table: Its public table.
        features: Features of its `zones.geojson`; none where its keys are no zones.
        digest: Name of a file and its SHA-256: what a reader compares with the bundle at hand.
        signer: The key that signed its bundle; nothing where a bundle draws its own page, before it is signed.
        sharing: With whom it was shared; none of a published bundle.
    """

    card: Card
    table: pa.Table
    features: tuple[Mapping[str, Any], ...]
    digest: tuple[str, str]
    signer: PublicKey | None = None
    sharing: SharingNote | None = None

    @property
    def slug(self) -> str:
        """Name of the bundle."""
        return self.sharing.slug if self.sharing else self.card.slug

    @cached_property
    def period(self) -> Period:
        """What it describes."""
        return Period.parse(self.card.period)

    @property
    def series(self) -> str:
        """Name of the series that it is a period of: product and length of period, or product and event."""
        event = self.card.event.id if self.card.event else None
        return f"{self.card.product}/{event or self.period.kind}"

    @cached_property
    def rows(self) -> pd.DataFrame:
        """Its table, as `Zoned` has it."""
        return rows_of(self.table)

    @property
    def zones(self) -> Mapping[str, Any]:
        """Its zones."""
        return {"features": self.features}

    @cached_property
    def base_zones(self) -> frozenset[str]:
        """Base cells of its domain, or its units."""
        return base_zones_of(self.card, self.features)


@dataclass(frozen=True)
class Series:
    """The releases of one product that are compared over time, in order.

    Args:
        name: As `Source.series`.
        sources: At least one, each period once.
    """

    name: str
    sources: tuple[Source, ...]

    @property
    def latest(self) -> Source:
        """The last period."""
        return self.sources[-1]


def series_of(sources: Iterable[Source], *, trusted: bool = False) -> tuple[Series, ...]:
    """Return the series of several releases: those of an event first, then by name.

    Args:
        sources: The releases.
        trusted: Whether a list of one operator's keys was given: two of its keys may then have signed.

    Raises:
        BundleError: They are of different countries or operators, or some of them are synthetic and others are not.
        ConfigError: There is none.
    """
    given = list(sources)
    if not given:
        raise ConfigError("No bundle was given.", "at least one published bundle", "name its folder or zip")
    _require_one_kind(given)
    _require_one_country(given)
    signed = [(one.card.slug, one.signer) for one in given if one.signer is not None]
    if signed:
        require_one_operator(signed, trusted=trusted)
    ordered = sorted(given, key=_order)
    return tuple(Series(name, _last_revisions(group)) for name, group in groupby(ordered, key=lambda one: one.series))


def parts_in(series: Iterable[Series]) -> tuple[str, ...]:
    """Return which of `PARTS` the releases are: a page of them says other things of absence, and what it is."""
    notes = [source.sharing for one in series for source in one.sources if source.sharing]
    is_part = dict(zip(PARTS, (bool(notes), any(note.terms.least_quality for note in notes)), strict=True))
    return tuple(part for part in PARTS if is_part[part])


def _order(source: Source) -> tuple[bool, str, int, int, int, str]:
    last, first = source.period.last_day.toordinal(), source.period.first_day.toordinal()
    of_event = source.card.product == EVENT_PRODUCT
    return not of_event, source.series, last, first, source.card.revision, source.digest[1]


def _last_revisions(group: Iterable[Source]) -> tuple[Source, ...]:
    return tuple({source.card.period: source for source in group}.values())


def _require_one_kind(sources: Sequence[Source]) -> None:
    first = sources[0]
    if odd := [one for one in sources if one.card.synthetic != first.card.synthetic]:
        raise _mixed(f"Of {first.slug} and {odd[0].slug} one is synthetic", "all of one kind")


def _require_one_country(sources: Sequence[Source]) -> None:
    """Refuse releases over zones of one system that have not a single zone of their finest level in common."""
    domains: dict[tuple[str, int], tuple[Source, frozenset[str]]] = {}
    for source in sources:
        if source.card.domain is None or not source.features:
            continue
        system = source.card.domain.zoning, source.card.domain.base_resolution
        zones = frozenset(str(feature["properties"]["zone"]) for feature in source.features)
        first, known = domains.setdefault(system, (source, zones))
        if zones.isdisjoint(known):
            found = f"{first.slug} and {source.slug} have no zone in common"
            raise _mixed(found, "bundles of one country")


def _mixed(found: str, expected: str) -> BundleError:
    return BundleError(f"{found}.", expected, "make an explorer of each")
