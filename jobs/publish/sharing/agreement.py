"""A sharing agreement: who may hold which part of which releases, what for, on what ground and until when."""

import json
import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.dataclasses import dataclass as validated

from jobs.publish.card import Card
from jobs.publish.forms import FORMS
from privacy.canonical import canonical_json, sha256_hex
from privacy.sensitivity import MEANING, SensitivityClass
from privacy.zoning import MOST_ADMIN_LEVELS, Zoning
from schemas.errors import ConfigError, PrivacyError

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
"""A sentence of the agreement, on one line."""

AgreementId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
"""Names the agreement, its file and the bundles made under it."""

Quality = Literal["A", "B"]
"""The least grade of a row: noise below 5 % of the value, or below 15 %."""

_FLOWS: Final = frozenset(product for product, form in FORMS.items() if form.has_map)
"""Products of pairs: what is withheld of one is counted in a coarser pair or in the remainder."""


@validated(frozen=True, config=ConfigDict(extra="forbid"))
class Agreement:
    """Reviewed data: what one recipient may hold.

    Args:
        version: Of the file's form.
        id: Its short name; the file bears it too.
        recipient: Who receives.
        contact: Whom to ask there.
        purpose: What the recipient may use it for.
        legal_basis: On what ground it is handed out.
        valid_from: First day, UTC, on which something may be shared under it.
        valid_until: Last such day.
        products: What may be shared.
        sensitivity: The most sensitive class that may be shared; `internal` never leaves.
        finest_resolution: The finest H3 resolution; left out: nothing whose zones are H3 cells.
        finest_admin_level: The finest admin level; left out: nothing whose zones are administrative units.
        least_quality: Flows of a worse grade are counted in coarser ones; of flows only, because a flat table has a
            row for every zone, so that none is chosen by its value.
    """

    version: Literal[1]
    id: AgreementId
    recipient: Line
    contact: Line
    purpose: Line
    legal_basis: Line
    valid_from: date
    valid_until: date
    products: Annotated[tuple[str, ...], Field(min_length=1)]
    sensitivity: Literal["public", "restricted"] = "public"
    finest_resolution: Annotated[int, Field(ge=0, le=15, strict=True)] | None = None
    finest_admin_level: Annotated[int, Field(ge=1, le=MOST_ADMIN_LEVELS, strict=True)] | None = None
    least_quality: Quality | None = None

    @field_validator("recipient", "contact", "purpose", "legal_basis")
    @classmethod
    def _is_one_line(cls, text: str) -> str:
        if not text.isprintable():
            raise ValueError("it is not one line of printable text")
        return text

    @field_validator("products")
    @classmethod
    def _are_products(cls, products: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := sorted(set(products) - FORMS.keys()):
            raise ValueError(f"{unknown[0]!r} is no product; there are {', '.join(FORMS)}")
        if list(products) != sorted(set(products)):
            raise ValueError("the products are not sorted, or one stands twice")
        return products

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        if self.valid_until < self.valid_from:
            raise ValueError(f"it ends on {self.valid_until}, before it begins on {self.valid_from}")
        if self.least_quality and (flat := sorted(set(self.products) - _FLOWS)):
            raise ValueError(f"least_quality chooses rows by their value: of flows only, not of {flat[0]}")
        return self

    @classmethod
    def load(cls, path: Path) -> "Agreement":
        """Read and validate an agreement's file.

        Raises:
            ConfigError: It is missing, is not TOML, contradicts itself, or bears another name than its id.
        """
        try:
            agreement = cls.of(tomllib.loads(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise _unusable(path.name, f"cannot be read: {error.strerror}") from None
        except ValidationError as error:
            raise _unusable(path.name, f"is refused: {first_fault(error)}") from None
        except ValueError as error:
            raise _unusable(path.name, f"is not TOML: {error}") from None
        if path.stem != agreement.id:
            raise _unusable(path.name, f"names itself {agreement.id}")
        return agreement

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Agreement":
        """Read what TOML or `document` gave.

        Raises:
            ValidationError: It is no agreement.
        """
        return TypeAdapter(cls).validate_python(document)

    @property
    def document(self) -> dict[str, Any]:
        """All of it as JSON holds it."""
        document: dict[str, Any] = json.loads(TypeAdapter(Agreement).dump_json(self))
        return document

    @property
    def sha256(self) -> str:
        """Digest of all of it."""
        return sha256_hex(canonical_json(self.document))

    def finest(self, zoning: Zoning) -> int | None:
        """The finest level that may be shared of zones of a kind; none: nothing of them."""
        return self.finest_resolution if zoning is Zoning.H3 else self.finest_admin_level

    def require_covers(self, card: Card, today: date) -> None:
        """Refuse a release that may not be shared under it on a day.

        Raises:
            PrivacyError: The agreement has ended or not begun, names other products, or allows no such class.
        """
        if not self.valid_from <= today <= self.valid_until:
            when = "ended" if today > self.valid_until else "has not begun"
            found = f"The agreement {self.id} with {self.recipient} {when} on {today}."
            raise _refused(found, f"a day from {self.valid_from} to {self.valid_until}", "agree anew, under another id")
        if card.product not in self.products:
            found = f"The agreement {self.id} with {self.recipient} does not name {card.product}."
            raise _refused(found, f"one of {', '.join(self.products)}", "share these, or agree anew under another id")
        if (found := class_on(card, today)) not in self.classes:
            raise _refused(
                f"{card.slug} is {found} ({MEANING[found]}); the agreement {self.id} is not for that.",
                f"a release that is {' or '.join(self.classes)}",
                "wait until it is, where its card says when, or agree anew under another id",
            )

    @property
    def classes(self) -> tuple[SensitivityClass, ...]:
        """Classes that may be shared under it."""
        public = (SensitivityClass.PUBLIC,)
        return public if self.sensitivity == "public" else (*public, SensitivityClass.RESTRICTED)


def class_on(card: Card, day: date) -> SensitivityClass:
    """Return the class of a release on a day: what is fresh may be another later."""
    note = card.sensitivity
    is_later = note.until is not None and note.then is not None and day >= date.fromisoformat(note.until)
    return SensitivityClass(note.then if is_later and note.then else note.now)


def first_fault(error: ValidationError) -> str:
    """Return the first fault of a document and its place, on one line."""
    fault = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, fault["loc"])) or "file"
    return f"[{place}] {fault['msg'].removeprefix('Value error, ')}"


def _refused(found: str, expected: str, remedy: str) -> PrivacyError:
    return PrivacyError(found, expected, f"{remedy}; nothing was shared")


def _unusable(name: str, found: str) -> ConfigError:
    return ConfigError(
        f"The agreement {name} {found}.",
        "an agreement as docs/sharing.md has one, under the name of its id",
        "correct it, and have it reviewed",
    )
