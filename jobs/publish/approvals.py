"""`approval.json` and `signature`: who let a release leave, and that the bundle is as it left."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic import ValidationError

from jobs.publish.card import Card
from jobs.publish.jsontext import json_bytes, read_json_object
from jobs.publish.sums import SIGNATURE_NAME, SUMS_NAME, sums_sha256
from privacy.approval import Applicant, Role, Trust, instant, mismatch, refusal
from privacy.canonical import is_sha256_hex
from privacy.ledger import ReleaseKey
from privacy.signing import BundleStatement, PrivateKey, PublicKey, Signed, read_signed, sign, signed_of
from schemas.errors import ApprovalError, BundleError, SignatureError

APPROVAL_NAME: Final = "approval.json"
_FORM: Final = 1
_REMEDY: Final = "do not use the bundle; ask its publisher"


@dataclass(frozen=True)
class RecordedApproval:
    """An approval as the ledger recorded it.

    Args:
        signed: The statement and its signature.
        recorded_at: Instant of the ledger's entry, UTC, ISO 8601: the signature counts from then on.
        ledger_head: Hash of that entry.
    """

    signed: Signed
    recorded_at: str
    ledger_head: str


@dataclass(frozen=True)
class Clearance:
    """What lets a release leave.

    Args:
        artefact_sha256: Digest of the sealed artefact that was approved.
        approval: The approval on record.
        gate: The key of the release gate, which signs bundles.
        publishers: Keys under which a bundle may stand already: the gate's present and former ones.
    """

    artefact_sha256: str
    approval: RecordedApproval
    gate: PrivateKey
    publishers: Collection[PublicKey]


def approval_bytes(clearance: Clearance) -> bytes:
    """Return `approval.json`: the statement, its signature and its key, and when it was recorded."""
    recorded = clearance.approval
    return json_bytes(
        {
            "schema_version": _FORM,
            "artefact_sha256": clearance.artefact_sha256,
            "recorded_at": recorded.recorded_at,
            "ledger_head": recorded.ledger_head,
            "approval": recorded.signed.document,
        }
    )


def signature_bytes(bundle: str, files: Mapping[str, bytes], gate: PrivateKey) -> bytes:
    """Return `signature`: the gate's word that a bundle of this name has these sums."""
    return sign(_statement(bundle, files), gate).to_bytes()


def signer_of(bundle: str, files: Mapping[str, bytes]) -> PublicKey:
    """Return the key that signed a bundle.

    Raises:
        BundleError: It is not signed, or the signature is that of other sums or another bundle.
    """
    if SIGNATURE_NAME not in files:
        raise BundleError(
            f"File {SIGNATURE_NAME} is missing: the bundle is not signed.", "a signed bundle", "fetch the bundle again"
        )
    try:
        signed = read_signed(files[SIGNATURE_NAME])
    except SignatureError as error:
        raise BundleError(f"{SIGNATURE_NAME}: {error.found}", error.expected, _REMEDY) from error
    if signed.statement != _statement(bundle, files):
        raise BundleError(
            f"{SIGNATURE_NAME} is that of another bundle.", f"one over this {SUMS_NAME}, of {bundle}", _REMEDY
        )
    return signed.key


def require_publisher(signer: PublicKey, known: Collection[PublicKey]) -> None:
    """Check that a bundle was signed by a known key.

    Raises:
        BundleError: It was signed by another.
    """
    if signer not in known:
        raise BundleError(
            f"The bundle is signed by key {signer.id}.",
            f"the key {' or '.join(sorted(key.id for key in known)) or 'of a publisher'}",
            "do not use it: whoever made it is not its publisher",
        )


def read_approval(content: bytes) -> tuple[str, RecordedApproval]:
    """Return the digest of the artefact and its approval, from `approval.json`.

    Raises:
        BundleError: It is none, or the approval's signature does not hold.
    """
    document = read_json_object(content, APPROVAL_NAME)
    artefact, recorded_at, head = (document.get(name) for name in ("artefact_sha256", "recorded_at", "ledger_head"))
    if document.get("schema_version") != _FORM or not all(is_sha256_hex(str(digest)) for digest in (artefact, head)):
        raise _refused("it lacks a digest, or is of another form", f"form {_FORM}")
    try:
        if instant(str(recorded_at)).utcoffset() is None:
            raise _refused("recorded_at has no time zone", "an instant in UTC")
        signed = signed_of(document.get("approval"))
    except SignatureError as error:
        raise _refused(error.found.rstrip("."), error.expected) from error
    except ValueError as error:
        raise _refused("recorded_at is no instant", "an instant in UTC") from error
    return str(artefact), RecordedApproval(signed, str(recorded_at), str(head))


def check_approval(content: bytes, card: Card, trust: Trust | None) -> RecordedApproval:
    """Check that the approval covers the release of the card; with a list of trusted keys, that its signer may.

    That nothing of the series was published before a standing plan was used is the operator's ledger's to say: a
    bundle cannot show it.

    Raises:
        BundleError: The approval is of something else, had expired, or its signer is not trusted.
    """
    artefact, recorded = read_approval(content)
    applicant, at = _applicant(card, artefact), instant(recorded.recorded_at)
    if at.date().isoformat() < card.sealed_on:
        raise _refused(f"it was recorded on {at.date()}, before the release was sealed", f"{card.sealed_on} or later")
    signed = recorded.signed
    if why := refusal(applicant, signed, trust, at) if trust else mismatch(applicant, signed, at):
        raise _refused(f"it does not approve this release: {why}", "a DPO's approval of this release")
    return recorded


def check_publisher(signer: PublicKey, at: datetime, trust: Trust) -> None:
    """Check that a list of trusted keys names the signer of a bundle as a publisher, when it left.

    Raises:
        BundleError: It does not, or the key was revoked by then.
    """
    try:
        trust.signer(signer, (Role.PUBLISHER,), at)
    except ApprovalError as error:
        raise BundleError(error.found, error.expected, _REMEDY) from error


def _applicant(card: Card, artefact_sha256: str) -> Applicant:
    return Applicant(
        key=ReleaseKey(card.product, card.period, card.revision),
        artefact_sha256=artefact_sha256,
        policy_sha256=card.privacy.policy_sha256,
        finest_resolution=card.finest_resolution,
        pools=frozenset(charge.pool for charge in card.privacy.charges),
        is_first=False,
    )


def _statement(bundle: str, files: Mapping[str, bytes]) -> BundleStatement:
    try:
        return BundleStatement(bundle, sums_sha256(files))
    except ValidationError as error:
        raise BundleError(f"{bundle!r} is no name of a bundle.", "product, period and revision", _REMEDY) from error


def _refused(found: str, expected: str) -> BundleError:
    return BundleError(f"{APPROVAL_NAME} is refused: {found}.", expected, _REMEDY)
