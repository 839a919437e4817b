"""From the installation to a plan: the public facts that decide a release, product by product."""

from dataclasses import asdict, dataclass
from typing import Any, Final, cast

from jobs.config import Config
from jobs.ingest.cells import ZoneRegister
from jobs.storage import Storage
from privacy.clipping import Clipping
from privacy.contribution_histogram import ContributionHistogramPlan, bounds_note
from privacy.hierarchy import ZoneTree
from privacy.ledger import Ledger, ReleaseKey
from privacy.od_trips import OdTripsPlan
from privacy.places import NO_GUARD, SensitivePlaces
from privacy.plan import Plan
from privacy.policy import MobilityPolicy, Policy, ProductPolicy
from privacy.release import Release, sealed_release
from privacy.sensitivity import Sensitivity, classified
from privacy.unit import Period, PeriodKind, PrivacyMonth
from privacy.vault import Vault
from schemas.errors import PrivacyError, SealLostError

HISTOGRAM: Final = "contribution_histogram"


@dataclass(frozen=True)
class Planner:
    """What plans are made of.

    Args:
        config: The installation.
        storage: Its two roots.
        policy: What may be released.
        ledger: What was reserved and sealed.
        vault: What was sealed.
        places: What is done about sensitive places.
    """

    config: Config
    storage: Storage
    policy: Policy
    ledger: Ledger
    vault: Vault
    places: SensitivePlaces

    def plan(self, key: ReleaseKey) -> Plan:
        """Say all that decides a release but the data.

        Raises:
            PrivacyError: The policy does not release this product for periods of this kind.
        """
        return self.contribution_histogram(key) if key.product == HISTOGRAM else self.od_trips(key)

    def od_trips(self, key: ReleaseKey) -> OdTripsPlan:
        """Say all that decides a release of trips, and what the newest histogram says of its bounds."""
        product = self._released(key)
        mobility, resolution = self.policy.mobility, self.config.country.base_resolution
        shared = self._shared(key, product)
        return OdTripsPlan(
            **shared,
            definition=f"{_trip(mobility, resolution)} Values are means a day over the period, each subscriber's "
            "trips being scaled down to the contribution bounds.",
            zones=self._zones(key, product),
            clipping=self._clipping(product, Period.parse(key.period).privacy_month, shared["definition_parameters"]),
        )

    def contribution_histogram(self, key: ReleaseKey) -> ContributionHistogramPlan:
        """Say all that decides a histogram of what the bounds of the weekly trips cut off."""
        product, measured = self._released(key), self.policy.product("od_trips", PeriodKind.WEEK)
        mobility, resolution = self.policy.mobility, self.config.country.base_resolution
        return ContributionHistogramPlan(
            **self._shared(key, product),
            definition="Subscribers by their trips a day over the period and by what the contribution bounds of "
            f"weekly {measured.product} cut off of them. {_trip(mobility, resolution)} Each subscriber is counted "
            "once: at the point of the grid below or above its trips, and as kept or cut, both at random with the "
            "probabilities that make sums right in the mean; who travels more than the last point stands there, and "
            "many who travel less than the first are not counted.",
            measured=measured,
            zones=self._zones(key, measured),
        )

    def _released(self, key: ReleaseKey) -> ProductPolicy:
        kind = Period.parse(key.period).kind
        product = self.policy.product(key.product, kind)
        if not product.releases:
            raise PrivacyError(
                f"{key.product} by {kind} is not released yet.",
                ", ".join(f"{p.product} by {p.kind}" for p in self.policy.products if p.releases),
                "choose one of these",
            )
        return product

    def _shared(self, key: ReleaseKey, product: ProductPolicy) -> dict[str, Any]:
        return {
            "key": key,
            "period": Period.parse(key.period),
            "product": product,
            "policy_sha256": self.policy.sha256,
            "country": self.config.country.name,
            "definition_parameters": {
                **asdict(self.policy.mobility),
                "base_resolution": self.config.country.base_resolution,
            },
            "synthetic": self.storage.is_synthetic,
            "places_sha256": self.places.sha256 or None,
            "sensitivity": self._sensitivity(key, product),
        }

    def _sensitivity(self, key: ReleaseKey, product: ProductPolicy) -> Sensitivity:
        period = Period.parse(key.period)
        return classified(
            product.sensitivity,
            self.policy.sensitivity,
            finest_resolution=max((level.resolution for level in product.levels), default=None),
            days=(period.first_day, period.last_day),
            onsets=[opening.onset for opening in self.ledger.openings()],
            has_list=bool(self.places.sha256),
        )

    def _zones(self, key: ReleaseKey, product: ProductPolicy) -> ZoneTree:
        """The zones of a release: those of its reservation, so that a tower built since cannot strand it."""
        zones = ZoneRegister.load(self.storage.zones).zones
        reserved = self.ledger.reserved(key)
        domain = sorted(zones[: cast(int, reserved["zones"])] if reserved else zones)
        resolutions = tuple(level.resolution for level in product.levels)
        return ZoneTree(tuple(domain), resolutions, self.places.guard(domain, resolutions) if domain else NO_GUARD)

    def _clipping(self, product: ProductPolicy, month: PrivacyMonth, definition: dict[str, Any]) -> Clipping | None:
        """What the newest sealed histogram of these bounds says, of the release's month or of one before it."""
        keys = {charge.key for charge in self.ledger.charges() if charge.key.product == HISTOGRAM}
        past = [key for key in keys if PrivacyMonth.parse(key.period) <= month]
        for key in sorted(past, key=lambda key: (key.period, key.revision), reverse=True):
            found = self._opened(key)
            if found and found.card["looks_at"] == bounds_note(product, definition):
                note = cast(dict[str, Any] | None, found.card["clipping"])
                return Clipping.of_note(note) if note else None
        return None

    def _opened(self, key: ReleaseKey) -> Release | None:
        """A sealed release; none where it is lost, which is no reason to hold others back."""
        try:
            return sealed_release(key, ledger=self.ledger, vault=self.vault)
        except SealLostError:
            return None


def _trip(mobility: MobilityPolicy, resolution: int) -> str:
    return (
        f"A trip joins two consecutive records of one subscriber in different H3 cells of resolution {resolution}, at "
        f"most {mobility.max_gap_h:g} h apart, and not faster than {mobility.max_speed_m_s:g} m/s over more than "
        f"{mobility.min_speed_distance_km:g} km. It counts on the day it arrives; "
        f"{_repeats(mobility.max_repeats_a_day)}."
    )


def _repeats(at_most: int) -> str:
    often = "once" if at_most == 1 else f"{at_most} times at most"
    return f"a subscriber's trips from one cell to another on one day count {often}"
