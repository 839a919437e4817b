"""What an explorer shows: bundles of one country, read and chosen; of several revisions of a period, the last."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any, Final

import pandas as pd
import pyarrow as pa

from jobs.publish.card import Card
from jobs.publish.zoned import base_zones_of, rows_of
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
    """

    card: Card
    table: pa.Table
    features: tuple[Mapping[str, Any], ...]
    digest: tuple[str, str]

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


def series_of(sources: Iterable[Source]) -> tuple[Series, ...]:
    """Return the series of several releases: those of an event first, then by name.

    Raises:
        BundleError: They are of different countries, or some of them are synthetic and others are not.
        ConfigError: There is none.
    """
    given = list(sources)
    if not given:
        raise ConfigError("No bundle was given.", "at least one published bundle", "name its folder or zip")
    _require_one_kind(given)
    _require_one_country(given)
    ordered = sorted(given, key=_order)
    return tuple(Series(name, _last_revisions(group)) for name, group in groupby(ordered, key=lambda one: one.series))


def _order(source: Source) -> tuple[bool, str, int, int, int]:
    last, first = source.period.last_day.toordinal(), source.period.first_day.toordinal()
    return source.card.product != EVENT_PRODUCT, source.series, last, first, source.card.revision


def _last_revisions(group: Iterable[Source]) -> tuple[Source, ...]:
    return tuple({source.card.period: source for source in group}.values())


def _require_one_kind(sources: Sequence[Source]) -> None:
    first = sources[0]
    if odd := [one for one in sources if one.card.synthetic != first.card.synthetic]:
        raise _mixed(f"Of {first.card.slug} and {odd[0].card.slug} one is synthetic", "all of one kind")


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
            found = f"{first.card.slug} and {source.card.slug} have no zone in common"
            raise _mixed(found, "bundles of one country")


def _mixed(found: str, expected: str) -> BundleError:
    return BundleError(f"{found}.", expected, "make an explorer of each")
