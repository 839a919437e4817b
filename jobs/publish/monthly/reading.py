"""The bundles of one month: verified, of one country and one kind, each release in its last revision."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from jobs.publish.archive import read_bundle_files
from jobs.publish.bundle import CARD_NAME
from jobs.publish.card import Card, read_card
from jobs.publish.operators import require_one_operator
from jobs.publish.released import Released
from jobs.publish.verify import VerificationReport, verified
from jobs.publish.zones import LEVEL_COLUMNS
from privacy.approval import Trust
from privacy.signing import PublicKey
from privacy.unit import Period, PeriodKind, PrivacyMonth
from schemas.errors import BundleError, ConfigError

TOLD: Final = (
    "residents", "od_trips", "presence", "home_visits", "relocations", "churn", "active_subscribers",
)  # fmt: skip
"""Products that the report tells of, in its order."""


@dataclass(frozen=True)
class MonthBundle:
    """One verified bundle.

    Args:
        report: What was checked, and who signed.
        rows: Its table.
        zones: Features of its `zones.geojson`; none where its product has no zones.
    """

    report: VerificationReport
    rows: pd.DataFrame
    zones: tuple[dict[str, Any], ...]

    @property
    def card(self) -> Card:
        """Its card."""
        return self.report.card

    @property
    def period(self) -> Period:
        """What it describes."""
        return Period.parse(self.card.period)

    @property
    def released(self) -> Released:
        """The same, as readers of one product hold it."""
        return Released(self.report, self.rows, {"type": "FeatureCollection", "features": list(self.zones)})


@dataclass(frozen=True)
class MonthBundles:
    """The bundles of a month, ordered by product and period; of several revisions of a release, the last.

    Args:
        month: The month.
        bundles: At least one.
        superseded: Slugs of the given bundles that another among them replaces.
    """

    month: PrivacyMonth
    bundles: tuple[MonthBundle, ...]
    superseded: tuple[str, ...] = ()

    def of(self, product: str) -> tuple[MonthBundle, ...]:
        """Return the bundles of a product, in the order of their periods."""
        return tuple(bundle for bundle in self.bundles if bundle.card.product == product)

    def weekly(self, product: str) -> tuple[MonthBundle, ...]:
        """Return those of them that are of a week: what means over weeks are made of."""
        return tuple(bundle for bundle in self.of(product) if bundle.period.kind is PeriodKind.WEEK)

    @property
    def told(self) -> tuple[MonthBundle, ...]:
        """The bundles that the report tells of."""
        return tuple(bundle for product in TOLD for bundle in self.of(product))

    @property
    def others(self) -> tuple[MonthBundle, ...]:
        """The bundles of other products."""
        return tuple(bundle for bundle in self.bundles if bundle.card.product not in TOLD)

    @property
    def country(self) -> str:
        """What the country is called."""
        return self.bundles[0].card.country or ""

    @property
    def zones(self) -> dict[str, Any]:
        """The zones of all bundles as one feature collection."""
        features = {str(one["properties"]["zone"]): one for bundle in self.bundles for one in bundle.zones}
        return {"type": "FeatureCollection", "features": list(features.values())}


def read_month(
    paths: Iterable[Path], month: PrivacyMonth, *, key: PublicKey | None = None, trust: Trust | None = None
) -> MonthBundles:
    """Verify and read the bundles of a month; those of other months are left aside, unread but for their cards.

    Args:
        paths: Folders or zips, of any products and months.
        month: The privacy month.
        key: The publisher's key, known from elsewhere.
        trust: The operator's list of trusted keys, known from elsewhere.

    Raises:
        BundleError: A bundle is damaged, or they are not of one country, kind and operator.
        ConfigError: None is of the month.
    """
    cards = {path: _card(path) for path in paths}
    mine = [path for path, card in cards.items() if Period.parse(card.period).privacy_month == month]
    if not mine:
        found = sorted({str(Period.parse(card.period).privacy_month) for card in cards.values()})
        raise ConfigError(
            f"None of {len(cards)} bundles is of {month}.",
            f"bundles of that month; these are of {', '.join(found) or 'none'}",
            "give the month's bundles, or ask for another month",
        )
    return one_of_each_release([_read(path, key, trust) for path in mine], month, trusted=trust is not None)


def one_of_each_release(bundles: Sequence[MonthBundle], month: PrivacyMonth, *, trusted: bool = False) -> MonthBundles:
    """Return verified bundles of a month in order, of several revisions of a release the last.

    Args:
        bundles: At least one.
        month: The month.
        trusted: Whether a list of one operator's keys was given: two of its keys may then have signed.

    Raises:
        BundleError: They are not of one country, kind and operator.
    """
    _require_one_country(bundles)
    require_one_operator(((one.card.slug, one.report.signer) for one in bundles), trusted=trusted)
    in_order = sorted(bundles, key=lambda bundle: (bundle.card.revision, bundle.report.sha256))
    last = {(bundle.card.product, bundle.card.period): bundle for bundle in in_order}
    kept = sorted(last.values(), key=lambda bundle: (bundle.card.product, bundle.period.last_day, bundle.card.period))
    told = {bundle.report.sha256 for bundle in kept}
    return MonthBundles(
        month, tuple(kept), tuple(sorted({b.card.slug for b in bundles if b.report.sha256 not in told}))
    )


def _card(path: Path) -> Card:
    files = read_bundle_files(path, only={CARD_NAME})
    if CARD_NAME not in files:
        raise BundleError(f"{path.name} has no {CARD_NAME}.", "a whole bundle", "fetch the bundle again")
    return read_card(files[CARD_NAME])


def _read(path: Path, key: PublicKey | None, trust: Trust | None) -> MonthBundle:
    report, contents = verified(path, key=key, trust=trust, package=False)
    levels = [name for name in LEVEL_COLUMNS.values() if name in contents.table.column_names]
    # As floats, so that a missing level equals no other; pandas' own integers would spread their NA into every choice.
    rows = contents.table.to_pandas().astype(dict.fromkeys(levels, float))
    return MonthBundle(report, rows, tuple(contents.zones["features"]) if contents.zones else ())


def _require_one_country(bundles: Sequence[MonthBundle]) -> None:
    first = bundles[0].card
    for other in (bundle.card for bundle in bundles[1:]):
        if other.synthetic != first.synthetic:
            raise _mixed(f"Of {first.slug} and {other.slug} one is synthetic", "all of one kind")
        if other.country != first.country:
            raise _mixed(f"{first.slug} and {other.slug} are of different countries", "bundles of one country")


def _mixed(found: str, expected: str) -> BundleError:
    return BundleError(f"{found}.", expected, "make a report of each")
