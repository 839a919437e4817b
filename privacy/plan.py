"""A plan: all that decides a release but the data. What every product shares stands here; each adds its own part."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from privacy import mechanisms
from privacy.bounding import EVERYTHING, Bounded, LevelBound
from privacy.canonical import JsonValue, canonical_json, sha256_hex
from privacy.hierarchy import ZoneTree
from privacy.ledger import ReleaseKey, Specification
from privacy.policy import EventPolicy, ProductPolicy
from privacy.sensitivity import UNCLASSIFIED, Sensitivity
from privacy.unit import Charge, Period
from schemas.errors import PrivacyError

DELTAS: Final = (1e-6, 1e-9)
"""Deltas at which a card states epsilon: one in a million, and below one over any population."""

CARD_VERSION: Final = 1
"""Version of the card's layout; raised where the meaning of a key changes, not where a key is added."""


SOME_PLACES: Final = (
    "a reviewed list of sensitive places was applied: what is counted at a listed place may be shown only for a "
    "larger zone, or be in no number, national totals included, as if there were no tower. Which places are listed is "
    "not said"
)
"""What a card says where there is a list, whether or not it names a place of this domain."""

_OR_ANOTHER: Final = ", or in another privacy month that is charged"

NO_LIST: Final = "no list of sensitive places was applied"
"""What a card says where there is none."""


@dataclass(frozen=True, kw_only=True)
class Plan(ABC):
    """All that decides a release but the data; public.

    A product's plan adds a public domain of keys, the bounds that a subscriber's contribution keeps over it, how it is
    measured, and what it says of itself.

    Args:
        key: Which release.
        period: Its period.
        product: Its policy.
        policy_sha256: Digest of the policy file.
        country: Name shown to readers.
        definition: One sentence that says what is counted.
        definition_parameters: The numbers of that definition.
        synthetic: Whether the data come from the synthetic country.
        zones: Public tree of the zones that subscribers are seen in.
        places_sha256: Digest of the list of sensitive places; none where there is no list.
        sensitivity: Who should hold it. It looks at declared events, so it is no term of the release.
        purpose: What for and on what legal basis it is made, where the installation says; fixed at the reservation.
    """

    key: ReleaseKey
    period: Period
    product: ProductPolicy | EventPolicy
    policy_sha256: str
    country: str
    definition: str
    definition_parameters: Mapping[str, JsonValue]
    synthetic: bool
    zones: ZoneTree
    places_sha256: str | None = None
    sensitivity: Sensitivity = UNCLASSIFIED
    purpose: Mapping[str, JsonValue] | None = None

    @property
    @abstractmethod
    def bounds(self) -> tuple[LevelBound, ...]:
        """The bound on one subscriber at each level, coarse to fine, for totals over the period."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Key columns that contributions have to have, coarse to fine."""
        return tuple(bound.key for bound in self.bounds if bound.key != EVERYTHING)

    @property
    @abstractmethod
    def charges(self) -> tuple[Charge, ...]:
        """What the release costs, by month: every month that it depends on."""

    @property
    def paid_by(self) -> str | None:
        """The declared event whose opening has paid for the release; none: it is charged itself."""
        return None

    @property
    @abstractmethod
    def title(self) -> str:
        """What a reader sees first."""

    @property
    @abstractmethod
    def _parameters(self) -> Mapping[str, JsonValue]:
        """What of this product the ledger fixes at the reservation, besides what all products fix."""

    @property
    @abstractmethod
    def _mechanism(self) -> Mapping[str, JsonValue]:
        """The part of the card's privacy note that is this product's: mechanism, levels, interval, ..."""

    @property
    @abstractmethod
    def _subject(self) -> Mapping[str, JsonValue]:
        """The part of the card beside the privacy note that is this product's, such as its domain of zones."""

    @abstractmethod
    def _measured(self, bounded: Bounded) -> bytes:
        """Draw the noise of a release and return what is sealed."""

    @property
    def specification(self) -> Specification:
        """What the ledger fixes when the release is reserved."""
        return Specification(
            self.key,
            self.charges,
            {
                "policy_sha256": self.policy_sha256,
                "definition_id": self.product.definition_id,
                "definition": {**self.definition_parameters},
                "country": self.country,
                "synthetic": self.synthetic,
                "zones": len(self.zones.base_cells),
                "base_cells_sha256": sha256_hex("\n".join(self.zones.base_cells).encode()),
                **self.zones.terms,
                **({"places_sha256": self.places_sha256} if self.places_sha256 else {}),
                **self._stated_purpose,
                **self._parameters,
            },
            self.paid_by,
        )

    @property
    def card(self) -> dict[str, JsonValue]:
        """What a reader has to know of the release, and of its privacy; sealed with the measurements."""
        month = self.period.privacy_month
        return {
            "schema_version": CARD_VERSION,
            "product": self.key.product,
            "period": self.key.period,
            "revision": self.key.revision,
            "supersedes": self._supersedes(),
            "title": self.title,
            "country": self.country,
            "synthetic": self.synthetic,
            "definition_id": self.product.definition_id,
            "definition": self.definition,
            "definition_parameters": {**self.definition_parameters},
            "unit_of_value": self.product.unit,
            "unit_of_privacy": f"all records of one subscriber in privacy month {month} "
            f"({month.first_day} to {month.last_day}){_OR_ANOTHER if len(self.charges) > 1 else ''}",
            "neighbours": "two data sets that differ by one such unit, present or absent",
            "sensitive_places": SOME_PLACES if self.places_sha256 else NO_LIST,
            "not_before": self.not_before,
            "sensitivity": self.sensitivity.note,
            **self._stated_purpose,
            "privacy": self._privacy(),
            **self._subject,
        }

    @property
    def _stated_purpose(self) -> dict[str, JsonValue]:
        return {"purpose": {**self.purpose}} if self.purpose else {}

    def _supersedes(self) -> str | None:
        if self.key.revision == 1:
            return None
        return ReleaseKey(self.key.product, self.key.period, self.key.revision - 1).slug

    @property
    def not_before(self) -> str | None:
        """The first day on which anything of the release may leave, where a place of its domain delays it."""
        days = self.zones.guard.delay_days
        return (self.period.last_day + timedelta(days)).isoformat() if days else None

    def _privacy(self) -> dict[str, JsonValue]:
        rho, most = self.product.micro_rho, max(charge.micro_rho for charge in self.charges)
        return {
            "micro_rho": rho,
            **({"most_micro_rho": most} if most > rho else {}),
            "epsilon": [{"delta": delta, "epsilon": mechanisms.epsilon(most, delta)} for delta in DELTAS],
            "charges": self.specification.body["charges"],
            "policy_sha256": self.policy_sha256,
            **self._mechanism,
        }

    def draw(self, bounded: Bounded) -> bytes:
        """Measure exact totals once, and return what is sealed: noisy values, and all that is needed to read them.

        Raises:
            PrivacyError: The totals keep other bounds than the plan.
        """
        if bounded.bounds != self.bounds:
            raise PrivacyError(
                "The totals keep other bounds than the release declares.",
                "totals bounded under the plan",
                "aggregate them again",
            )
        return self._measured(bounded)

    def has_the_terms_of(self, card: Mapping[str, JsonValue]) -> bool:
        """Tell whether a release was sealed under the terms of this plan: the same policy, domain and definition.

        What a card says of other releases is no term: a histogram that was sealed in between changes no release.
        """
        sealed = {name: card.get(name) for name in self.card}
        return canonical_json(_terms(self.card)) == canonical_json(_terms(sealed))


@dataclass(frozen=True, kw_only=True)
class PeriodicPlan(Plan):
    """A release of a product that is released period after period, and charged itself."""

    product: ProductPolicy

    @property
    def charges(self) -> tuple[Charge, ...]:
        """What the release costs, by month."""
        return self.product.charges(self.period)


_FINDINGS: Final = frozenset({"clipping", "clipping_bias", "sensitivity", "delivered_until", "purpose"})
"""What a card knows from other releases, from declared events and from deliveries; and why a release is made, which
changes no value."""


def _terms(card: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """The card without its findings."""
    terms = {name: value for name, value in card.items() if name not in _FINDINGS}
    privacy = terms.get("privacy")
    if isinstance(privacy, Mapping):
        terms["privacy"] = {name: value for name, value in privacy.items() if name not in _FINDINGS}
    return terms
