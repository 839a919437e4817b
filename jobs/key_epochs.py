"""Where the pseudonym keys are, and for which privacy months each of them holds: `[pseudonyms]` of whimbrel.toml."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from privacy.unit import PrivacyMonth
from schemas.errors import ConfigError, PrivacyError

if TYPE_CHECKING:
    from privacy.policy import Policy

EPOCH_MONTHS: Final = 24
"""How long a key should live: as long as the longest look-back (migration), and no longer."""

_PLACES: Final = ("key_file", "key_variable", "key_command")
_ONE_PLACE: Final = f"give exactly one of {', '.join(_PLACES)}"


def _month(value: object) -> PrivacyMonth:
    try:
        return value if isinstance(value, PrivacyMonth) else PrivacyMonth.parse(str(value))
    except ConfigError as error:
        raise ValueError(str(error)) from error


class KeyPlace(BaseModel):
    """Where one secret key is: hexadecimal, 32 bytes.

    Args:
        key_file: A file with mode 600.
        key_variable: An environment variable.
        key_command: A command of a secrets backend that prints the key, in words, run without a shell.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    key_file: Path | None = None
    key_variable: str | None = None
    key_command: Annotated[tuple[str, ...], Field(min_length=1)] | None = None

    @property
    def given(self) -> list[str]:
        """Which places are named."""
        return [name for name in _PLACES if getattr(self, name) is not None]

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        self._require_place()
        return self

    def _require_place(self) -> None:
        if len(self.given) != 1:
            raise ValueError(_ONE_PLACE)

    def anchored(self, folder: Path) -> Self:
        """Return it with a relative key file under a folder."""
        return self.model_copy(update={"key_file": self.key_file and folder / self.key_file})


class EpochConfig(KeyPlace):
    """A key with the first privacy month in which it holds.

    Args:
        first: That month; `from` in the file.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_name=True, validate_by_alias=True)

    first: Annotated[
        PrivacyMonth,
        BeforeValidator(_month),
        WithJsonSchema({"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}$"}),
        Field(alias="from"),
    ]


class PseudonymConfig(KeyPlace):
    """The keys of an installation: one without end, or one an epoch.

    Args:
        epochs: Keys with the months from which they hold, in order. A key beside them holds before the first.
    """

    epochs: tuple[EpochConfig, ...] = ()

    def _require_place(self) -> None:
        if len(self.given) > 1 or not (self.given or self.epochs):
            raise ValueError(f"{_ONE_PLACE}, or epochs")
        if any(later.first <= earlier.first for earlier, later in pairwise(self.epochs)):
            raise ValueError("the epochs do not begin one after the other")

    @property
    def in_order(self) -> "tuple[KeyEpoch, ...]":
        """The epochs, each up to the month before the next."""
        begun = [KeyEpoch(self, None, None)] if self.given else []
        begun += [KeyEpoch(epoch, epoch.first, None) for epoch in self.epochs]
        ends = [later.first.next(-1) for later in begun[1:] if later.first is not None]
        return tuple(KeyEpoch(one.place, one.first, end) for one, end in zip(begun, [*ends, None], strict=True))

    def epoch_of(self, month: PrivacyMonth) -> "KeyEpoch":
        """Return the epoch that a month lies in.

        Raises:
            ConfigError: It lies before the first.
        """
        if found := [epoch for epoch in self.in_order if epoch.holds(month)]:
            return found[0]
        raise ConfigError(
            f"No pseudonym key holds in {month}.",
            f"days from {self.in_order[0].first_day} on, where the first key epoch begins",
            "deliver such days, or name the key of earlier ones beside [[pseudonyms.epochs]]",
        )

    def anchored(self, folder: Path) -> Self:
        """Return it with relative key files under a folder."""
        epochs = tuple(epoch.anchored(folder) for epoch in self.epochs)
        return super().anchored(folder).model_copy(update={"epochs": epochs})


@dataclass(frozen=True)
class KeyEpoch:
    """The privacy months in which one key holds.

    Args:
        place: Where its key is.
        first: First month; nothing where it holds from the beginning.
        last: Last month; nothing where it has no end.
    """

    place: KeyPlace
    first: PrivacyMonth | None
    last: PrivacyMonth | None

    @property
    def first_day(self) -> date:
        """First day on which it holds."""
        return self.first.first_day if self.first else date.min

    @property
    def last_day(self) -> date:
        """Last day on which it holds."""
        return self.last.last_day if self.last else date.max

    def holds(self, month: PrivacyMonth) -> bool:
        """Tell whether it holds in a month."""
        return (self.first is None or self.first <= month) and (self.last is None or month <= self.last)

    @property
    def months(self) -> int | None:
        """How many months it lasts; nothing where it has no beginning or no end."""
        if self.first is None or self.last is None:
            return None
        return 12 * (self.last.year - self.first.year) + self.last.month - self.first.month + 1


def require_one_epoch(what: str, months: Collection[PrivacyMonth], config: PseudonymConfig) -> None:
    """Refuse to follow subscribers over the border of two key epochs: each of them is somebody else there.

    Raises:
        PrivacyError: The months lie in several epochs. Nothing was charged.
    """
    epochs = {config.epoch_of(month) for month in months}
    if len(epochs) > 1:
        borders = sorted(str(epoch.first) for epoch in epochs if epoch.first is not None)[-(len(epochs) - 1) :]
        raise PrivacyError(
            f"{what} would follow subscribers over the beginning of a key epoch in {', '.join(borders)}.",
            "months of one key epoch, in which a subscriber keeps its pseudonym",
            "release it for a later period; a border that no delivered day lies behind can still be moved in "
            "[[pseudonyms.epochs]]",
        )


def lost_releases(config: PseudonymConfig, policy: "Policy", months: Iterable[PrivacyMonth]) -> list[tuple[str, str]]:
    """Return the releases of the policy in these months that a border of key epochs forbids: product and period."""
    return [
        (product.product, str(period))
        for month in months
        for product in policy.products
        for period in product.periods(month)
        if len({_position(config, PrivacyMonth.parse(charge.privacy_month)) for charge in product.charges(period)}) > 1
    ]


def _position(config: PseudonymConfig, month: PrivacyMonth) -> int:
    return sum(epoch.first is not None and epoch.first <= month for epoch in config.in_order)
