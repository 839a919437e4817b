"""The bundle of a share: the part of a published release that one agreement lets through, signed for its recipient."""

import json
from dataclasses import dataclass
from datetime import date

from jobs.publish.approvals import Clearance
from jobs.publish.bundle import CARD_NAME, Files, data_files, require_cleared, signed_files
from jobs.publish.card import read_card
from jobs.publish.jsontext import json_bytes
from jobs.publish.sharing.agreement import Agreement
from jobs.publish.sharing.extract import extract
from jobs.publish.sharing.notice import SHARING_NAME, SharingNote, as_shown, sharing_bytes
from jobs.publish.shown import Shown
from privacy.canonical import canonical_json
from privacy.release import Release


@dataclass(frozen=True)
class Terms:
    """What decides a shared bundle besides the release.

    Args:
        agreement: Under which it is shared.
        shared_on: Day of the share, UTC.
        release_sums_sha256: Digest of the published bundle's `SHA256SUMS`.
    """

    agreement: Agreement
    shared_on: date
    release_sums_sha256: str


def shared_files(release: Release, clearance: Clearance, terms: Terms) -> tuple[str, Files]:
    """Return the name of a shared bundle and its files: a pure function of release, clearance and terms.

    Raises:
        PrivacyError: The clearance is that of another artefact, or the agreement does not let the release through.
    """
    require_cleared(release, clearance)
    card = read_card(canonical_json(release.card))
    terms.agreement.require_covers(card, terms.shared_on)
    part = extract(release, terms.agreement)
    note = SharingNote(
        schema_version=1,
        agreement=terms.agreement.document,
        agreement_sha256=terms.agreement.sha256,
        release=card.slug,
        release_sums_sha256=terms.release_sums_sha256,
        shared_on=terms.shared_on,
        domain=part.domain,
    )
    released = read_card(canonical_json(part.card))
    shown = Shown(as_shown(released, note), part.table, part.base_cells, part.units)
    files = data_files(shown, note) | {SHARING_NAME: sharing_bytes(note)}
    files |= {CARD_NAME: json_bytes(json.loads(canonical_json(part.card)))}
    return note.slug, signed_files(note.slug, files, clearance)
