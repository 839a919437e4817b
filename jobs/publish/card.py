"""The card of a release: what is protected, how, and what it cost, as read back from `card.json`."""

from datetime import date, timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from privacy.clipping import Clipping
from privacy.plan import CARD_VERSION
from privacy.sensitivity import MEANING, SensitivityClass
from privacy.unit import Period
from privacy.zoning import Zoning
from schemas.errors import BundleError

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
PositiveInt = Annotated[int, Field(gt=0, lt=2**63)]
MicroRho = Annotated[int, Field(gt=0, le=10**9)]
"""A loss in millionths of rho; above a thousand rho nothing is private, and conversions overflow."""

LATE: Final = timedelta(days=7)
"""How long after a day records of it still come: a day closes then. Fixed, so that whoever holds a card can tell."""

Resolution = Annotated[int, Field(ge=0, le=15)]


class _Part(BaseModel):
    """Unknown keys are ignored: a later version may add some, never change the meaning of these."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class EpsilonAt(_Part):
    """The conversion of the release's rho to epsilon at one delta."""

    delta: Annotated[float, Field(gt=0, lt=1)]
    epsilon: Annotated[float, Field(ge=0, allow_inf_nan=False)]


class ChargeNote(_Part):
    """What the release took from one pool of one privacy month."""

    pool: str
    privacy_month: str
    micro_rho: MicroRho


class LevelNote(_Part):
    """Bound and noise of the measurements at one resolution, or of one table; at none, where the keys are no zones.

    Sigma and the root of c2 are in the unit of the value; the squared bound is in that unit over
    `fixed_point`, squared.
    """

    resolution: Resolution | None
    by: list[str] | None = None
    micro_rho: MicroRho
    c2: Positive
    squared_l2_bound: PositiveInt
    fixed_point: PositiveInt
    sigma: Positive

    def place(self, zoning: Zoning = Zoning.H3) -> str:
        """Where it stands, for a sentence."""
        at = None if self.resolution is None else f"at {zoning.place(self.resolution)}"
        if self.by is None:
            return at or "of the counts"
        by = f"by {' and '.join(self.by).replace('_', ' ')}" if self.by else "as a whole"
        return " ".join(filter(None, (by, at)))


class ShareNote(_Part):
    """A share of trips that bounds cut off, 0 to 1, with its 95 % interval."""

    share: Annotated[float, Field(ge=0, le=1)]
    ci_low: Annotated[float, Field(ge=0, le=1)]
    ci_high: Annotated[float, Field(ge=0, le=1)]


class ClassNote(ShareNote):
    """The share cut off for subscribers who travel about so much."""

    trips_a_day: Positive


class ClippingNote(ShareNote):
    """What a histogram release says of the bounds: of the country's trips, and by how much subscribers travel."""

    release: str
    period: str
    classes: list[ClassNote]


class PrivacyNote(_Part):
    """Mechanism, cost and cut of a release."""

    mechanism: str
    micro_rho: MicroRho
    most_micro_rho: MicroRho | None = None
    epsilon: Annotated[list[EpsilonAt], Field(min_length=1)]
    charges: Annotated[list[ChargeNote], Field(min_length=1)]
    levels: Annotated[list[LevelNote], Field(min_length=1)]
    expand_sigma: Positive | None
    publish_sigma: Positive | None
    interval: str
    clipping_bias: str
    clipping: ClippingNote | None = None
    policy_sha256: str

    @property
    def claimed_micro_rho(self) -> int:
        """The most that the release costs one privacy month: what its epsilon is about."""
        return self.most_micro_rho or self.micro_rho


class SensitivityNote(_Part):
    """Who should hold the release: its class, and the one that it has from a day on."""

    now: Annotated[Literal["public", "restricted", "internal"], Field(alias="class")]
    until: str | None
    then: Literal["public", "restricted", "internal"] | None
    reasons: list[str]

    @property
    def text(self) -> str:
        """The class with its meaning, in one sentence."""
        now = f"{self.now} ({MEANING[SensitivityClass(self.now)]})"
        return f"{now} until {self.until}, then {self.then}" if self.then else now


class DomainNote(_Part):
    """The public domain of zones: H3 cells, or administrative units to which base cells were assigned.

    Where zones are units, resolutions are admin levels, and the note seals the layer that the bundle draws.
    """

    base_resolution: Resolution
    resolutions: Annotated[list[Resolution], Field(min_length=1)]
    zones: PositiveInt
    zoning: Literal["h3", "admin"] = "h3"
    units: PositiveInt | None = None
    units_sha256: str | None = None


class EventNote(_Part):
    """The declared event that a release is about."""

    id: str
    name: str
    hazard: str
    onset: str
    baseline: str
    area_sha256: str | None


class PurposeNote(_Part):
    """What for and on what ground a release was made, as the operator recorded it before the run."""

    purpose: str
    legal_basis: str
    controller: str
    contact: str
    reviewed_on: str


class Card(_Part):
    """What `card.json` of a bundle says."""

    schema_version: int
    product: str
    period: str
    revision: PositiveInt
    title: str
    country: str | None = None
    definition_id: str
    definition: str
    definition_parameters: dict[str, Any] = {}
    unit_of_value: str
    unit_of_privacy: str
    neighbours: str
    synthetic: bool
    sensitivity: SensitivityNote
    sensitive_places: str
    not_before: str | None
    purpose: PurposeNote | None = None
    privacy: PrivacyNote
    domain: DomainNote | None = None
    grid: Annotated[list[Positive], Field(min_length=1)] | None = None
    clipping: ClippingNote | None = None
    event: EventNote | None = None
    homes: Annotated[list[str], Field(min_length=1)] | None = None
    delivered_until: date | None = None
    sex: list[str] | None = None
    age_bands: list[str] | None = None
    countries: list[str] | None = None
    ledger_head: str
    sealed_on: str

    @property
    def slug(self) -> str:
        """Name of the bundle's folder."""
        return f"{self.product}_{self.period}_r{self.revision}"

    @property
    def is_provisional(self) -> bool:
        """Whether late records of the period were still to be expected when it was released."""
        return self.delivered_until is not None and is_provisional(Period.parse(self.period), self.delivered_until)

    @property
    def may_change(self) -> bool:
        """Whether a later revision may differ: it is provisional, or nobody says until when records were delivered."""
        return self.is_provisional or self.delivered_until is None

    @property
    def resolutions(self) -> list[int]:
        """Resolutions that were measured, finest first; none where the keys are no zones."""
        return sorted((n.resolution for n in self.privacy.levels if n.resolution is not None), reverse=True)

    @property
    def finest_resolution(self) -> int:
        """The finest resolution that was measured; 0, the coarsest of all, where the keys are no zones."""
        return max(self.resolutions, default=0)

    @property
    def finding(self) -> str:
        """What is known of the share of trips that bounds cut off, in one sentence."""
        return Clipping.of_note(self.clipping.model_dump()).sentence if self.clipping else self.privacy.clipping_bias

    @property
    def zones(self) -> DomainNote:
        """The domain of a product that has zones.

        Raises:
            BundleError: The card states none.
        """
        if self.domain is None:
            raise _lacks("a domain of zones")
        return self.domain

    @property
    def zoning(self) -> Zoning:
        """What its zones are."""
        return Zoning(self.domain.zoning) if self.domain else Zoning.H3

    @property
    def cut(self) -> float:
        """Standard deviations from which a row is published, of a product that cuts.

        Raises:
            BundleError: The card states none.
        """
        if self.privacy.publish_sigma is None:
            raise _lacks("a cut")
        return self.privacy.publish_sigma

    @property
    def epsilon_text(self) -> str:
        """The conversions in one line."""
        return ", ".join(f"ε = {e.epsilon:.2f} at δ = {_power(e.delta)}" for e in self.privacy.epsilon)


def is_provisional(period: Period, delivered_until: date) -> bool:
    """Tell whether late records of a period were still to be expected, by the last day that was delivered."""
    return delivered_until < period.last_day + LATE


def _lacks(what: str) -> BundleError:
    return BundleError(f"card.json lacks {what}.", "the card of a product that has one", "fetch the bundle again")


def _power(delta: float) -> str:
    return f"{delta:g}".replace("e-0", "e-")


def read_card(content: bytes | str) -> Card:
    """Read a card.

    Raises:
        BundleError: It is no JSON, lacks what a card must say, or is of a later version.
    """
    try:
        card = Card.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the text"
        raise BundleError(
            f"card.json cannot be used: {place}: {first['msg']}.", "a Whimbrel card", "fetch the bundle again"
        ) from error
    if card.schema_version > CARD_VERSION:
        raise BundleError(
            f"card.json is of schema version {card.schema_version}.",
            f"at most {CARD_VERSION}, which this version of Whimbrel reads",
            "read the bundle with a later version of Whimbrel",
        )
    return card
