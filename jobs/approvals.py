"""Signed statements on their way from people to the ledger: kept, looked through, recorded when they are used."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from jobs.config import ApprovalConfig, Config
from jobs.publish.approvals import Clearance, RecordedApproval
from privacy.approval import (
    Applicant,
    Role,
    Trust,
    TrustedKey,
    applicant,
    applicants,
    approving,
    as_recorded,
    instant,
    opening_signers,
    plan_state,
    recorded,
    refusal,
)
from privacy.durable import write_whole
from privacy.ledger import Entry, EntryKind, Ledger, Opening, ReleaseKey
from privacy.policy import Policy
from privacy.signing import (
    EventOpening,
    PrivateKey,
    ReleaseApproval,
    Signed,
    StandingPlan,
    Statement,
    passphrase_in,
    read_private_key,
    read_signed,
    sign,
)
from schemas.errors import ApprovalError, ConfigError, PrivacyError, SignatureError

SIGNERS: Final = {
    StandingPlan.KIND: (Role.DPO,),
    ReleaseApproval.KIND: (Role.DPO,),
    EventOpening.KIND: (Role.DPO, Role.EMERGENCY),
}
"""Roles that may sign a kind of statement."""


def approval_config(config: Config) -> ApprovalConfig:
    """The installation's `[approval]`.

    Raises:
        ConfigError: There is none: nothing can be approved, and nothing published.
    """
    if config.approval is None:
        raise ConfigError(
            "The configuration has no [approval].",
            "trust and publisher_key under [approval]",
            "make keys with `whimbrel keys new`, and add the section: without it nothing is published",
        )
    return config.approval


def keep(folder: Path, signed: Signed) -> Path:
    """Store a signed statement under its own digest; a second time changes nothing.

    Raises:
        PrivacyError: The disk refuses.
    """
    file = folder / f"{signed.sha256}.json"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not file.exists():
            write_whole(file, signed.to_bytes())
    except OSError as error:
        raise PrivacyError(
            f"The signature cannot be stored in {folder}: {error.strerror}.",
            "a folder with room that this user may write to",
            "make room and sign again: nothing was recorded",
        ) from None
    return file


def kept(folder: Path) -> list[Signed]:
    """All signed statements of a folder, in order of their digests.

    Raises:
        SignatureError: A file was altered, or bears another name than it was given.
    """
    return [_read(file) for file in sorted(folder.glob("[!.]*.json"))]


def sign_and_keep(
    folder: Path, statement: Statement, key: PrivateKey, trust: Trust, at: datetime
) -> tuple[Signed, TrustedKey]:
    """Sign a statement with a key that may, and store it; also tell whose key it is.

    Raises:
        ApprovalError: The key is nobody's, in another role, or revoked.
    """
    person = trust.signer(key.public, SIGNERS[statement.KIND], at)
    signed = sign(statement, key)
    keep(folder, signed)
    return signed, person


def clear(key: ReleaseKey, config: ApprovalConfig, folder: Path, ledger: Ledger, at: datetime) -> Clearance:
    """Let a release leave: by the approval that the ledger holds, or by one of the folder, recorded first.

    Repeated, it finds what it recorded: an approval is used once, and its instant is that of the ledger.

    Args:
        key: What wants to leave.
        config: Where the trusted keys are, and the gate's own.
        folder: Signed statements.
        ledger: Where approvals are recorded.
        at: Present instant.

    Raises:
        ApprovalError: No valid approval is on record or in the folder, or the gate's key is no publisher's.
        SignatureError: A statement was altered.
    """
    trust = Trust.load(config.trust)
    gate = read_private_key(config.publisher_key, passphrase_in(config.publisher_passphrase))
    trust.signer(gate.public, (Role.PUBLISHER,), at)
    entries = ledger.entries()
    asking = applicant(key, entries)
    known = on_record(key, entries, trust)
    if known is None:
        ledger.approve(key, as_recorded(approving(asking, kept(folder), trust, at)))
        known = on_record(key, ledger.entries(), trust)
    if known is None:
        raise ApprovalError(
            f"The approval of {key} lost its validity while it was recorded.",
            "one that is valid when it is recorded",
            f"run `whimbrel approve release {key.product} {key.period}`, and publish again",
        )
    return Clearance(asking.artefact_sha256, known, gate, trust.in_role(Role.PUBLISHER))


def is_approved(key: ReleaseKey, config: ApprovalConfig, folder: Path, ledger: Ledger, at: datetime) -> bool:
    """Tell whether a sealed release could leave now: by what the ledger holds, or by a signature of the folder.

    Nothing is recorded, so that looking uses up no approval.

    Raises:
        SignatureError: A statement was altered.
    """
    trust, entries = Trust.load(config.trust), ledger.entries()
    if on_record(key, entries, trust) is not None:
        return True
    asking = applicant(key, entries)
    return any(refusal(asking, signed, trust, at) is None for signed in kept(folder))


def on_record(key: ReleaseKey, entries: Iterable[Entry], trust: Trust) -> RecordedApproval | None:
    """The first approval of a release in the ledger that was valid when it was recorded, if there is one."""
    valid = (entry for entry, asking in applicants(entries) if entry.key == key and _counts(entry, asking, trust))
    return next((RecordedApproval(_signed_in(e), e.at, e.entry_hash) for e in valid), None)


def check_recorded(entries: Iterable[Entry], trust: Trust) -> int:
    """Verify every approval in a ledger, and that whatever left or was opened has one that counts.

    An approval that a later revocation took back can be given anew: the release then counts as approved again.

    Returns:
        The number of signatures.

    Raises:
        SignatureError: A signature does not hold.
        ApprovalError: Something left, or an event was opened, without a signature that counts.
    """
    entries = tuple(entries)
    openings = sum(len(_check_opening(entry, trust)) for entry in entries if entry.kind is EntryKind.OPEN)
    approvals = tuple(applicants(entries))
    valid = {entry.key for entry, asking in approvals if _counts(entry, asking, trust)}
    for entry in entries:
        if entry.kind is EntryKind.PUBLISH and entry.key not in valid:
            raise ApprovalError(
                f"{entry.key} left on {entry.at} without an approval that counts (entry {entry.position}).",
                "a DPO's signature that was valid when it was recorded",
                "if a key was revoked back to then, have it approved anew and publish it again; otherwise find out "
                "how it left",
            )
    return openings + len(approvals)


def opening_of(policy: Policy, event: str, product: str, onset: date, area_sha256: str | None = None) -> Opening:
    """What opening an event reserves under a policy.

    Args:
        policy: Under which its releases are made.
        event: Name of the event.
        product: What is released after it.
        onset: Local day of its beginning.
        area_sha256: Digest of the area that it struck.

    Raises:
        PrivacyError: The policy has no such product for events.
    """
    return Opening(event, product, onset, policy.event(product).schedule(onset), area_sha256)


def opening_statement(opening: Opening, hazard: str) -> EventOpening:
    """What two people sign to open an event.

    Raises:
        ConfigError: The hazard is not one word.
    """
    (pool,) = {charge.pool for charge in opening.charges}
    try:
        return EventOpening(opening.event, hazard, opening.product, opening.onset, pool, opening.digest)
    except ValidationError:
        raise ConfigError(f"{hazard!r} is no hazard.", "one word in lower-case letters", "such as flood") from None


def plan_for(policy: Policy, series: Sequence[str], span: tuple[date, date], finest: int | None) -> StandingPlan:
    """A standing plan for products of a policy.

    Args:
        policy: Under which they are released.
        series: `od_trips/week`, or `od_trips` for every kind of period that is released.
        span: First and last day on which a release may be approved under it.
        finest: Finest resolution; the finest of the policy unless told.

    Raises:
        ConfigError: The policy releases no such product.
    """
    known = {f"{p.product}/{p.kind}": p for p in policy.products if p.releases}
    chosen = {name: p for name, p in known.items() if {name, p.product} & set(series)}
    if unknown := sorted(set(series) - chosen.keys() - {p.product for p in chosen.values()}):
        raise ConfigError(f"The policy does not release {unknown[0]}.", ", ".join(sorted(known)), "choose among these")
    deepest = max((resolution for p in chosen.values() for resolution in p.resolutions), default=0)
    try:
        return StandingPlan(policy.sha256, tuple(sorted(chosen)), deepest if finest is None else finest, *span)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]["msg"].removeprefix("Value error, ")
        raise ConfigError(f"The plan cannot be made: {fault}.", "products, and a span of days", "correct it") from None


def states(folder: Path, entries: Sequence[Entry], trust: Trust, at: datetime) -> list[tuple[Signed, str]]:
    """Every signed statement of a folder, and what it is worth now."""
    used = {
        recorded(approval).sha256: f"recorded {entry.at} for {entry.key}"
        for entry in entries
        if entry.kind in {EntryKind.APPROVE, EntryKind.OPEN}
        for approval in _approvals(entry)
    }
    return [(signed, _state(signed, used.get(signed.sha256), trust, at)) for signed in kept(folder)]


def _state(signed: Signed, use: str | None, trust: Trust, at: datetime) -> str:
    try:
        trust.signer(signed.key, SIGNERS[signed.statement.KIND], at)
    except ApprovalError as error:
        return "; ".join(filter(None, [use, error.found.rstrip(".")]))
    if isinstance(signed.statement, StandingPlan):
        return plan_state(signed.statement, at)
    return use or "not used yet"


def _approvals(entry: Entry) -> tuple[Mapping[str, Any], ...]:
    says: Any = entry.says
    return tuple(says["approvals"]) if entry.kind is EntryKind.OPEN else (says,)


def _counts(entry: Entry, asking: Applicant, trust: Trust) -> bool:
    return refusal(asking, _signed_in(entry), trust, instant(entry.at)) is None


def _signed_in(entry: Entry) -> Signed:
    try:
        return _recorded(entry.body)
    except SignatureError as error:
        raise SignatureError(
            f"Entry {entry.position} of the ledger: {error.found}", error.expected, error.remedy
        ) from None


@lru_cache(1024)
def _recorded(body: str) -> Signed:
    """What an APPROVE entry records; a standing plan is recorded with every release that it covers."""
    return recorded(json.loads(body))


def _check_opening(entry: Entry, trust: Trust) -> tuple[Signed, ...]:
    signed = [recorded(approval) for approval in _approvals(entry)]
    opening = Opening.of(entry.says)
    hazards = {one.statement.hazard for one in signed if isinstance(one.statement, EventOpening)}
    if len(hazards) != 1:
        raise ApprovalError(f"Event {opening.event} was opened with signatures of something else.", "two openings", "")
    return opening_signers(signed, opening_statement(opening, hazards.pop()), trust, instant(entry.at))


def _read(file: Path) -> Signed:
    try:
        signed = read_signed(file.read_bytes())
    except SignatureError as error:
        raise SignatureError(f"{file.name}: {error.found}", error.expected, _TAKE_AWAY) from None
    if file.stem != signed.sha256:
        raise SignatureError(f"{file.name} bears another name than its digest.", signed.sha256, _TAKE_AWAY)
    return signed


_TAKE_AWAY: Final = "find out who altered it, take it out of the folder of approvals, and have it signed again"
