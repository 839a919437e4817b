"""The bundles of one event: verified, of one product and one event, each period once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

import pandas as pd

from jobs.publish.card import Card, EventNote
from jobs.publish.operators import require_one_operator
from jobs.publish.situation.figures import COLUMNS, LEVELS
from jobs.publish.verify import VerificationReport, verified
from privacy.approval import Trust
from privacy.signing import PublicKey
from privacy.unit import Period
from schemas.errors import BundleError, ConfigError

PRODUCT: Final = "displacement"


@dataclass(frozen=True)
class EventBundle:
    """One verified bundle of the event.

    Args:
        report: What was checked, and who signed.
        event: What its card says of the event.
        rows: Its table.
        zones: Features of its `zones.geojson`.
    """

    report: VerificationReport
    event: EventNote
    rows: pd.DataFrame
    zones: tuple[dict[str, Any], ...]

    @property
    def card(self) -> Card:
        """Its card."""
        return self.report.card


@dataclass(frozen=True)
class EventBundles:
    """All periods of one event, in order; of several revisions of a period, the last.

    Args:
        bundles: At least one.
    """

    bundles: tuple[EventBundle, ...]

    @property
    def event(self) -> EventNote:
        """The event."""
        return self.latest.event

    @property
    def latest(self) -> EventBundle:
        """The bundle of the last period."""
        return self.bundles[-1]

    @property
    def rows(self) -> pd.DataFrame:
        """The rows of all periods."""
        return pd.concat([bundle.rows for bundle in self.bundles], ignore_index=True)

    @property
    def zones(self) -> dict[str, Any]:
        """The zones of all bundles as one feature collection; of one that differs, that of the last period."""
        features = {str(feature["properties"]["zone"]): feature for bundle in self.bundles for feature in bundle.zones}
        return {"type": "FeatureCollection", "features": list(features.values())}


def read_event(paths: Iterable[Path], *, key: PublicKey | None = None, trust: Trust | None = None) -> EventBundles:
    """Verify and read the bundles of one event.

    Args:
        paths: Folders or zips.
        key: The publisher's key, known from elsewhere.
        trust: The operator's list of trusted keys, known from elsewhere.

    Raises:
        BundleError: A bundle is damaged or contradicts itself, or they are not of one event and operator.
        ConfigError: There is none.
    """
    return one_of_each_period([_read(path, key, trust) for path in paths], trusted=trust is not None)


def one_of_each_period(bundles: Sequence[EventBundle], *, trusted: bool = False) -> EventBundles:
    """Return verified bundles of one event in order, of several revisions of a period the last.

    Args:
        bundles: The bundles.
        trusted: Whether a list of one operator's keys was given: two of its keys may then have signed.

    Raises:
        BundleError: They are not of one event, of one kind, over the same zones, of one operator.
        ConfigError: There is none.
    """
    if not bundles:
        raise ConfigError("No bundle was given.", "at least one bundle of an event", "name its folder or zip")
    _require_one_event(bundles)
    require_one_operator(((one.card.slug, one.report.signer) for one in bundles), trusted=trusted)
    last = {bundle.card.period: bundle for bundle in sorted(bundles, key=_revision)}
    return EventBundles(tuple(sorted(last.values(), key=_last_day)))


def _read(path: Path, key: PublicKey | None, trust: Trust | None) -> EventBundle:
    report, contents = verified(path, key=key, trust=trust, package=False)
    if contents.card.product != PRODUCT or contents.card.event is None:
        raise BundleError(
            f"{path.name} is a bundle of {contents.card.product}.",
            "bundles of displacement after a declared event",
            "give the bundles that `whimbrel publish displacement` wrote",
        )
    # As floats, so that a missing level equals no other; pandas' own integers would spread their NA into every choice.
    rows = contents.table.select(list(COLUMNS)).to_pandas().astype(dict.fromkeys(LEVELS, float))
    return EventBundle(report, contents.card.event, rows, tuple(contents.zones["features"]))


def _require_one_event(bundles: Sequence[EventBundle]) -> None:
    first = bundles[0]
    for other in bundles[1:]:
        if (other.event.id, other.event.onset) != (first.event.id, first.event.onset):
            raise _mixed(f"{first.card.slug} and {other.card.slug} are of different events", "bundles of one event")
        if other.card.synthetic != first.card.synthetic:
            raise _mixed(f"Of {first.card.slug} and {other.card.slug} one is synthetic", "all of one kind")
        if other.card.domain != first.card.domain:
            raise _mixed(f"{first.card.slug} and {other.card.slug} have other zones", "bundles over the same zones")


def _mixed(found: str, expected: str) -> BundleError:
    return BundleError(f"{found}.", expected, "make a page of each")


def _revision(bundle: EventBundle) -> tuple[int, str]:
    return bundle.card.revision, bundle.report.sha256


def _last_day(bundle: EventBundle) -> date:
    return Period.parse(bundle.card.period).last_day
