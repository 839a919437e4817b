"""From the installation to a plan: the public facts that decide a release, product by product."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, cast

from jobs import definitions
from jobs.boundaries import admin_units
from jobs.config import Config
from jobs.events import home_resolutions, opening_for, registry
from jobs.ingest.cells import ZoneRegister
from jobs.population import window_months
from jobs.storage import Storage
from privacy.canonical import JsonValue
from privacy.clipping import Clipping
from privacy.contribution_histogram import ContributionHistogramPlan, bounds_note
from privacy.displaced import DisplacementPlan
from privacy.hierarchy import ZoneTree
from privacy.ledger import Ledger, Opening, ReleaseKey
from privacy.marginals import (
    ActiveSubscribersPlan,
    ChurnPlan,
    PresencePlan,
    ResidentsPlan,
    RoamingCountries,
    RoamingPlan,
)
from privacy.od_trips import OdTripsPlan
from privacy.pairs import HomeVisitsPlan, MigrationPlan, RelocationsPlan
from privacy.places import NO_GUARD, SensitivePlaces
from privacy.plan import Plan
from privacy.policy import EventPolicy, Policy, ProductPolicy
from privacy.release import Release, sealed_release
from privacy.sensitivity import Sensitivity, classified
from privacy.unit import Period, PeriodKind, PrivacyMonth
from privacy.vault import Vault
from privacy.zoning import AdminUnits, Zoning
from schemas.errors import ConfigError, PrivacyError, SealLostError

HISTOGRAM: Final = "contribution_histogram"

ReleasedPolicy = ProductPolicy | EventPolicy
"""The policy of what is released period after period, or for an event."""

_SCALED: Final = "each subscriber's contribution being scaled down to the contribution bounds"


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
        makers: dict[str, Callable[[ReleaseKey], Plan]] = {
            HISTOGRAM: self.contribution_histogram,
            "presence": self.presence,
            "roaming": self.roaming,
            "active_subscribers": self.active_subscribers,
            "residents": self.residents,
            "home_visits": self.home_visits,
            "relocations": self.relocations,
            "churn": self.churn,
            "migration": self.migration,
            "displacement": self.displacement,
        }
        return makers.get(key.product, self.od_trips)(key)

    def od_trips(self, key: ReleaseKey) -> OdTripsPlan:
        """Say all that decides a release of trips, and what the newest histogram says of its bounds."""
        product = self._released(key)
        shared = self._shared(key, product, asdict(self.policy.mobility))
        return OdTripsPlan(
            **shared,
            definition=f"{self._trip} Values are means a day over the period, each subscriber's trips being scaled "
            "down to the contribution bounds.",
            zones=self._zones(key, product),
            clipping=self._clipping(product, Period.parse(key.period).privacy_month, shared["definition_parameters"]),
        )

    def contribution_histogram(self, key: ReleaseKey) -> ContributionHistogramPlan:
        """Say all that decides a histogram of what the bounds of the weekly trips cut off."""
        product, measured = self._released(key), self.policy.product("od_trips", PeriodKind.WEEK)
        return ContributionHistogramPlan(
            **self._shared(key, product, asdict(self.policy.mobility)),
            definition="Subscribers by their trips a day over the period and by what the contribution bounds of "
            f"weekly {measured.product} cut off of them. {self._trip} Each subscriber is counted "
            "once: at the point of the grid below or above its trips, and as kept or cut, both at random with the "
            "probabilities that make sums right in the mean; who travels more than the last point stands there, and "
            "many who travel less than the first are not counted.",
            measured=measured,
            zones=self._zones(key, measured),
        )

    def presence(self, key: ReleaseKey) -> PresencePlan:
        """Say all that decides a release of who is where at which hours."""
        definition = f"{definitions.presence(self.policy.mobility)} Values are means a day over the period, {_SCALED}."
        return PresencePlan(**self._of_days(key, definition), countries=self._countries)

    def roaming(self, key: ReleaseKey) -> RoamingPlan:
        """Say all that decides a release of visitors from abroad and of residents abroad.

        Raises:
            ConfigError: The installation does not say its country.
        """
        if self._countries.home is None:
            raise ConfigError(
                "The installation does not say its country: who comes from abroad cannot be told.",
                "`code` in [country], and a source that maps sim_country or visited_country",
                "add them; see docs/operator-guide.md, roaming",
            )
        definition = f"{definitions.roaming(self.policy.mobility)} Values are means a day over the period."
        return RoamingPlan(**self._of_days(key, definition), countries=self._countries)

    def active_subscribers(self, key: ReleaseKey) -> ActiveSubscribersPlan:
        """Say all that decides a release of how many were seen on a day."""
        return ActiveSubscribersPlan(**self._of_days(key, definitions.active_subscribers(self.policy.mobility)))

    def residents(self, key: ReleaseKey) -> ResidentsPlan:
        """Say all that decides a release of who lives where."""
        return ResidentsPlan(**self._of_nights(key, definitions.RESIDENT), strata=self.policy.strata)

    def home_visits(self, key: ReleaseKey) -> HomeVisitsPlan:
        """Say all that decides a release of the places that people visit, by where they live."""
        counted = f"{definitions.visit(self._resolution)} Values count visits in the week, {_SCALED}."
        return HomeVisitsPlan(**self._of_nights(key, counted))

    def relocations(self, key: ReleaseKey) -> RelocationsPlan:
        """Say all that decides a release of who lives elsewhere than in the month before."""
        return RelocationsPlan(**self._of_nights(key, definitions.RELOCATION))

    def churn(self, key: ReleaseKey) -> ChurnPlan:
        """Say all that decides a release of who has a home in one of two months only."""
        return ChurnPlan(**self._of_nights(key, definitions.CHURN))

    def migration(self, key: ReleaseKey) -> MigrationPlan:
        """Say all that decides a release of who lives elsewhere than in the window of months before."""
        n = window_months(self._released(key))
        return MigrationPlan(**self._of_nights(key, definitions.migrant(n), months=n))

    def displacement(self, key: ReleaseKey) -> DisplacementPlan:
        """Say all that decides a release of where the residents of an event's area are."""
        opening = opening_for(self.ledger, key)
        event = registry(self.config).event(opening.event)
        event.require_unchanged(opening)
        product = self.policy.event(key.product)
        limits = {**asdict(self.policy.residence), **asdict(self.policy.away)}
        levels = home_resolutions(self.policy, product)
        has_feed = self.config.network is not None
        parameters = {
            "max_events_a_day": self.policy.mobility.max_events_a_day,
            "home_resolutions": levels,
            "outage_feed": has_feed,
        }
        zones = self._zones(self._first_reserved(opening, key), product)
        homes = event.homes(zones.base_cells)
        return DisplacementPlan(
            **self._shared(key, product, limits | parameters),
            definition=definitions.displacement(self.policy, has_feed=has_feed),
            zones=zones,
            event=event.id,
            name=event.name,
            hazard=event.hazard,
            onset=event.onset,
            area_sha256=event.area.sha256,
            homes=homes,
            home_guard=self.places.guard(homes, product.resolutions),
            delivered_until=self.storage.delivered_until,
        )

    def _first_reserved(self, opening: Opening, key: ReleaseKey) -> ReleaseKey:
        """The first release of an event that was reserved: a tower built since changes neither zones nor area."""
        keys = (ReleaseKey(key.product, str(foreseen.period)) for foreseen in opening.schedule)
        return next((one for one in keys if self.ledger.reserved(one)), key)

    def _of_days(self, key: ReleaseKey, definition: str) -> dict[str, Any]:
        product = self._released(key)
        parameters = {"max_events_a_day": self.policy.mobility.max_events_a_day}
        shared = self._shared(key, product, parameters)
        return {**shared, "definition": definition, "zones": self._zones(key, product)}

    def _of_nights(self, key: ReleaseKey, counted: str, months: int = 1) -> dict[str, Any]:
        product, mobility = self._released(key), self.policy.mobility
        limits = {**asdict(self.policy.residence), "max_events_a_day": mobility.max_events_a_day}
        shared = self._shared(key, product, {**limits, "window_months": months})
        definition = f"{counted} {definitions.home(self.policy.residence, mobility, months)}"
        return {**shared, "definition": definition, "zones": self._zones(key, product)}

    @property
    def _trip(self) -> str:
        return definitions.trip(self.policy.mobility, self._resolution)

    @property
    def _countries(self) -> RoamingCountries:
        return RoamingCountries.of(self.policy.strata, self.config.country.code)

    @property
    def _resolution(self) -> int:
        return self.config.country.base_resolution

    def _released(self, key: ReleaseKey) -> ProductPolicy:
        period = Period.parse(key.period)
        kind = period.kind
        product = self.policy.product(key.product, kind)
        if not product.releases:
            raise PrivacyError(
                f"{key.product} by {kind} is not released yet.",
                ", ".join(f"{p.product} by {p.kind}" for p in self.policy.products if p.releases),
                "choose one of these",
            )
        if period not in product.periods(period.privacy_month):
            raise PrivacyError(
                f"{key.product} is not released for {key.period}.",
                f"a month of the year that the policy names: {', '.join(map(str, product.calendar_months))}",
                "choose one of these; other months have no room reserved for it",
            )
        return product

    def _shared(self, key: ReleaseKey, product: ReleasedPolicy, parameters: Mapping[str, JsonValue]) -> dict[str, Any]:
        return {
            "key": key,
            "period": Period.parse(key.period),
            "product": product,
            "policy_sha256": self.policy.sha256,
            "country": self.config.country.name,
            "definition_parameters": {**parameters, "base_resolution": self._resolution},
            "synthetic": self.storage.is_synthetic,
            "places_sha256": self.places.sha256 or None,
            "sensitivity": self._sensitivity(key, product),
            "purpose": self.config.purpose and self.config.purpose.model_dump(mode="json"),
        }

    def _sensitivity(self, key: ReleaseKey, product: ReleasedPolicy) -> Sensitivity:
        period = Period.parse(key.period)
        return classified(
            product.sensitivity,
            self.policy.sensitivity,
            finest_resolution=max(product.resolutions, default=None),
            days=(period.first_day, period.last_day),
            onsets=[opening.onset for opening in self.ledger.openings()],
            has_list=bool(self.places.sha256),
            zoning=product.zoning,
        )

    def _zones(self, key: ReleaseKey, product: ReleasedPolicy) -> ZoneTree:
        """The zones of a release: those of its reservation, so that a tower built since cannot strand it."""
        zones = ZoneRegister.load(self.storage.zones).zones
        reserved = self.ledger.reserved(key)
        domain = sorted(zones[: cast(int, reserved["zones"])] if reserved else zones)
        resolutions = product.resolutions
        units = self._units(product, domain) if domain else None
        guard = self.places.guard(domain, resolutions, units) if domain else NO_GUARD
        return ZoneTree(tuple(domain), resolutions, guard, units)

    def _units(self, product: ReleasedPolicy, domain: Sequence[str]) -> AdminUnits | None:
        """The administrative units of a domain, where the product's zones are units."""
        if product.zoning is Zoning.H3:
            return None
        if self.config.boundaries is None:
            raise ConfigError(
                f"The zones of {product.product} are administrative units, and there are none.",
                "a section [boundaries] in whimbrel.toml",
                "add it; see docs/operator-guide.md, administrative boundaries",
            )
        return admin_units(self.config.boundaries, self.config.cells, self.storage.units, domain)

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
