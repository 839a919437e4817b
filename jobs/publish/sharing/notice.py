"""`sharing.json`: to whom a bundle was shared, under which agreement, and what of the release it leaves out."""

import json
from datetime import date
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from jobs.publish.card import Card, DomainNote
from jobs.publish.jsontext import json_bytes
from jobs.publish.sharing.agreement import Agreement, first_fault
from schemas.errors import BundleError

SHARING_NAME: Final = "sharing.json"

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class SharingNote(BaseModel):
    """What `sharing.json` says.

    Args:
        schema_version: Of its form.
        agreement: The whole agreement, as it was when this was shared.
        agreement_sha256: Its digest, as the operator's ledger has it.
        release: Name of the published bundle that this is a part of.
        release_sums_sha256: Digest of that bundle's `SHA256SUMS`.
        shared_on: Day of the share, UTC.
        domain: The zones that this bundle draws; none where the product has no zones.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1]
    agreement: dict[str, Any]
    agreement_sha256: Digest
    release: str
    release_sums_sha256: Digest
    shared_on: date
    domain: DomainNote | None

    @property
    def terms(self) -> Agreement:
        """The agreement."""
        return Agreement.of(self.agreement)

    @property
    def slug(self) -> str:
        """Name of the bundle's folder."""
        return f"{self.release}_for_{self.terms.id}"

    def finest(self, card: Card) -> int | None:
        """The finest level that is shown; none where the product has no zones."""
        return self.terms.finest(card.zoning) if self.domain else None


def sharing_bytes(note: SharingNote) -> bytes:
    """Return `sharing.json`."""
    return json_bytes(json.loads(note.model_dump_json(by_alias=True)))


def read_sharing(content: bytes) -> SharingNote:
    """Read `sharing.json`.

    Raises:
        BundleError: It is none, or its agreement is.
    """
    try:
        note = SharingNote.model_validate_json(content)
        agreement = note.terms
    except ValidationError as error:
        raise wrong(f"{first_fault(error)}", "what Whimbrel writes of a share") from None
    if agreement.document != note.agreement or agreement.sha256 != note.agreement_sha256:
        raise wrong("its agreement is not that of its digest", agreement.sha256)
    return note


def as_shown(card: Card, note: SharingNote) -> Card:
    """Return the card as far as a shared bundle's rows go: without the levels and zones that it leaves out."""
    finest = note.finest(card)
    if finest is None:
        return card
    levels = [level for level in card.privacy.levels if level.resolution is None or level.resolution <= finest]
    return card.model_copy(
        update={"privacy": card.privacy.model_copy(update={"levels": levels}), "domain": note.domain}
    )


def wrong(found: str, expected: str) -> BundleError:
    """The refusal of a shared bundle that contradicts itself."""
    return BundleError(
        f"{SHARING_NAME} is refused: {found}.", expected, "do not use the bundle; ask its publisher for another"
    )
