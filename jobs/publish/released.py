"""Published bundles as a reader holds them: verified, each release once, all of one country and one operator."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import pandas as pd

from jobs.publish.card import Card
from jobs.publish.operators import require_one_operator
from jobs.publish.verify import VerificationReport, verified
from jobs.publish.zoned import base_zones_of, rows_of
from privacy.approval import Trust
from privacy.signing import PublicKey
from privacy.unit import Period
from privacy.zoning import Zoning
from schemas.errors import BundleError, ConfigError

PAIRS: Final = frozenset({"od_trips", "home_visits", "relocations", "migration"})
"""Products whose rows are of pairs of zones."""


@dataclass(frozen=True)
class Released:
    """One verified bundle.

    Args:
        report: What was checked, and who signed.
        rows: Its table; levels of zones are floats, missing where there is no zone.
        zones: Its `zones.geojson`.
    """

    report: VerificationReport
    rows: pd.DataFrame
    zones: dict[str, Any]

    @property
    def card(self) -> Card:
        """Its card."""
        return self.report.card

    @property
    def product(self) -> str:
        """Its product."""
        return self.card.product

    @cached_property
    def period(self) -> Period:
        """What it describes."""
        return Period.parse(self.card.period)

    @property
    def has_pairs(self) -> bool:
        """Whether its rows are of pairs of zones, at the finest level that is clear of noise."""
        return self.product in PAIRS

    @property
    def base_zones(self) -> frozenset[str]:
        """Base cells of its domain, or its units: what says whether two bundles are over the same zones."""
        return base_zones_of(self.card, self.zones["features"])


def read_released(
    paths: Iterable[Path], *, key: PublicKey | None = None, trust: Trust | None = None
) -> tuple[Released, ...]:
    """Verify and read bundles, by product and period; of several revisions of a release, the last.

    Args:
        paths: Folders or zips.
        key: The publisher's key, known from elsewhere.
        trust: The operator's list of trusted keys, known from elsewhere.

    Raises:
        BundleError: A bundle is damaged or contradicts itself; or synthetic and real data, different zones or
            different operators are mixed.
        ConfigError: There is none.
    """
    found = [_read(path, key, trust) for path in paths]
    if not found:
        raise ConfigError("No bundle was given.", "at least one", "name its folder or zip")
    require_alike(found, trusted=trust is not None)
    last = {(one.product, one.card.period): one for one in sorted(found, key=_revision)}
    return tuple(sorted(last.values(), key=lambda one: (one.product, one.period.last_day, one.card.period)))


def require_alike(bundles: Sequence[Released], *, trusted: bool = False) -> None:
    """Refuse bundles that cannot be used together.

    Args:
        bundles: At least one.
        trusted: Whether a list of one operator's keys was given: two of its keys may then have signed.

    Raises:
        BundleError: They mix synthetic and real data, zones, or operators.
    """
    first = bundles[0]
    for other in bundles[1:]:
        names = f"{first.card.slug} and {other.card.slug}"
        if other.card.synthetic != first.card.synthetic:
            raise BundleError(f"Of {names} one is synthetic and one is real.", "bundles of one kind", "take one kind")
        if _zoning(other) != _zoning(first):
            raise BundleError(
                f"{names} are over different zones.", "bundles over one layer of zones", "take bundles of one zoning"
            )
    require_one_operator(((one.card.slug, one.report.signer) for one in bundles), trusted=trusted)


def only(bundles: Sequence[Released], product: str) -> list[Released]:
    """Return the bundles of a product, in order of their periods."""
    return [one for one in bundles if one.product == product]


def one_released(path: Path, *, key: PublicKey | None = None, trust: Trust | None = None) -> Released:
    """Verify and read one bundle; see `read_released`."""
    return read_released([path], key=key, trust=trust)[0]


def _read(path: Path, key: PublicKey | None, trust: Trust | None) -> Released:
    report, contents = verified(path, key=key, trust=trust, package=False)
    if contents.zones is None:
        raise BundleError(
            f"{path.name} is a bundle of {contents.card.product}, which has no zones.",
            "a product of zones",
            "leave it out",
        )
    return Released(report, rows_of(contents.table), dict(contents.zones))


def _revision(one: Released) -> tuple[int, str]:
    return one.card.revision, one.report.sha256


def _zoning(one: Released) -> tuple[Zoning, int, frozenset[str]]:
    """What must be equal of bundles that are used together; units are drawn at a product's own levels only."""
    cells = one.base_zones if one.card.zoning is Zoning.H3 else frozenset[str]()
    return one.card.zoning, one.card.zones.zones, cells
