"""The card of a release: what is protected, how, and what it cost, as read back from `card.json`."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.errors import BundleError

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
PositiveInt = Annotated[int, Field(gt=0, lt=2**63)]
MicroRho = Annotated[int, Field(gt=0, le=10**9)]
"""A loss in millionths of rho; above a thousand rho nothing is private, and conversions overflow."""

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
    """Bound and noise of the measurements at one resolution.

    Sigma and the root of c2 are in the unit of the value; the squared bound is in that unit over
    `fixed_point`, squared.
    """

    resolution: Resolution
    micro_rho: MicroRho
    c2: Positive
    squared_l2_bound: PositiveInt
    fixed_point: PositiveInt
    sigma: Positive


class PrivacyNote(_Part):
    """Mechanism, cost and cut of a release."""

    mechanism: str
    micro_rho: MicroRho
    epsilon: Annotated[list[EpsilonAt], Field(min_length=1)]
    charges: Annotated[list[ChargeNote], Field(min_length=1)]
    levels: Annotated[list[LevelNote], Field(min_length=1)]
    expand_sigma: Positive
    publish_sigma: Positive
    interval: str
    clipping_bias: str


class DomainNote(_Part):
    """The public domain of zones."""

    base_resolution: Resolution
    resolutions: Annotated[list[Resolution], Field(min_length=1)]
    zones: PositiveInt


class Card(_Part):
    """What `card.json` of a bundle says."""

    schema_version: int
    product: str
    period: str
    revision: PositiveInt
    title: str
    definition_id: str
    definition: str
    unit_of_value: str
    unit_of_privacy: str
    neighbours: str
    synthetic: bool
    privacy: PrivacyNote
    domain: DomainNote
    ledger_head: str
    sealed_on: str

    @property
    def slug(self) -> str:
        """Name of the bundle's folder."""
        return f"{self.product}_{self.period}_r{self.revision}"

    @property
    def resolutions(self) -> list[int]:
        """Resolutions that were measured, finest first."""
        return sorted((level.resolution for level in self.privacy.levels), reverse=True)

    @property
    def epsilon_text(self) -> str:
        """The conversions in one line."""
        return ", ".join(f"ε = {e.epsilon:.2f} at δ = {_power(e.delta)}" for e in self.privacy.epsilon)


def _power(delta: float) -> str:
    return f"{delta:g}".replace("e-0", "e-")


def read_card(content: bytes | str) -> Card:
    """Read a card.

    Raises:
        BundleError: It is no JSON, or lacks what a card must say.
    """
    try:
        return Card.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the text"
        raise BundleError(
            f"card.json cannot be used: {place}: {first['msg']}.", "a Whimbrel card", "fetch the bundle again"
        ) from error
