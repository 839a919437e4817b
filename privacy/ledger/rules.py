"""What the ledger refuses before it writes: out of turn, over the cap, beyond a schedule, forgotten."""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from sqlalchemy import Connection, select

from privacy.canonical import JsonValue, is_sha256_hex
from privacy.ledger.entries import (
    SIGNERS_TO_OPEN,
    EntryKind,
    Opening,
    ReleaseKey,
    Share,
    Specification,
    body_text,
    require_approval,
)
from privacy.ledger.tables import ENTRIES, charged, find, kinds, read_artefacts, read_openings
from privacy.unit import Charge
from schemas.errors import (
    BudgetExceededError,
    LedgerError,
    PrivacyError,
    SealLostError,
    SpecificationChangedError,
)

_TURNS: Final[Mapping[EntryKind, tuple[frozenset[EntryKind], frozenset[EntryKind]]]] = {
    EntryKind.OPEN: (frozenset(), frozenset({EntryKind.OPEN, EntryKind.RESERVE})),
    EntryKind.RESERVE: (frozenset(), frozenset({EntryKind.RESERVE, EntryKind.BURN})),
    EntryKind.SEAL: (frozenset({EntryKind.RESERVE}), frozenset({EntryKind.SEAL, EntryKind.BURN})),
    EntryKind.APPROVE: (frozenset({EntryKind.SEAL}), frozenset({EntryKind.BURN})),
    EntryKind.PUBLISH: (frozenset({EntryKind.SEAL, EntryKind.APPROVE}), frozenset({EntryKind.BURN})),
    EntryKind.SHARE: (
        frozenset({EntryKind.SEAL, EntryKind.APPROVE, EntryKind.PUBLISH}),
        frozenset({EntryKind.BURN}),
    ),
    EntryKind.BURN: (frozenset({EntryKind.RESERVE}), frozenset({EntryKind.BURN})),
}
"""What a release's earlier entries must hold before an entry of a kind, and must not hold."""


def refuse_out_of_turn(kind: EntryKind, key: ReleaseKey, past: frozenset[EntryKind]) -> None:
    """Refuse an entry that the release's earlier entries do not lead to."""
    needed, barred = _TURNS[kind]
    if EntryKind.BURN in past & barred:
        raise burned(key)
    if missing := needed - past:
        raise PrivacyError(
            f"{kind} of {key} comes before its {', '.join(sorted(missing))}.",
            expected="RESERVE, then SEAL, then APPROVE, then PUBLISH, then SHARE",
            remedy=f"run `whimbrel {_VERB[min(missing, key=list(EntryKind).index)]} {key.product} {key.period}` first",
        )
    if past & barred:
        raise PrivacyError(f"{kind} of {key} is there already.", expected="one", remedy="use the first")


_VERB: Final = {
    EntryKind.RESERVE: "release",
    EntryKind.SEAL: "release",
    EntryKind.APPROVE: "approve release",
    EntryKind.PUBLISH: "publish",
}
"""The command that writes what is missing."""


def repeats(connection: Connection, spec: Specification) -> bool:
    """Whether the release is reserved already, as specified here; refuses another specification."""
    past = kinds(connection, spec.key)
    if EntryKind.RESERVE not in past:
        return False
    if EntryKind.BURN in past:
        raise burned(spec.key)
    (reservation,) = find(connection, spec.key, EntryKind.RESERVE)
    if reservation.body != body_text(spec.body):
        raise SpecificationChangedError(
            f"{spec.key} is reserved under another specification.",
            expected=f"that of {reservation.at}, entry {reservation.position} of the ledger",
            remedy=f"restore the earlier policy, or release revision {spec.key.revision + 1} at its own cost",
        )
    return True


def refuse_orphan(connection: Connection, key: ReleaseKey) -> None:
    """Refuse a revision of what was never released."""
    if key.revision == 1:
        return
    before = ReleaseKey(key.product, key.period, key.revision - 1)
    if EntryKind.RESERVE not in kinds(connection, before):
        raise PrivacyError(
            f"{key} revises a release that does not exist.",
            expected=f"{before} in the ledger",
            remedy=f"release {before} first",
        )


def refuse_overrun(connection: Connection, key: ReleaseKey, charge: Charge, caps: Mapping[str, int]) -> None:
    """Refuse a charge that its pool and month cannot take."""
    if charge.pool not in caps:
        raise PrivacyError(
            f"{key} charges the pool {charge.pool!r}.",
            expected=f"one of {', '.join(sorted(caps))}",
            remedy="declare the pool in the policy",
        )
    spent = charged(connection, charge.pool, charge.privacy_month)
    if spent + charge.micro_rho > caps[charge.pool]:
        raise BudgetExceededError(
            f"{key} needs {charge.micro_rho} micro-rho of pool {charge.pool} in {charge.privacy_month}, "
            f"where {spent} of {caps[charge.pool]} are spent.",
            expected=f"at most {max(caps[charge.pool] - spent, 0)}",
            remedy="leave this release out: a pool is never refilled; nothing was charged",
        )


def refuse_event_pool(key: ReleaseKey, charge: Charge, event_pools: Collection[str]) -> None:
    """Refuse a charge that only the opening of an event may make."""
    if charge.pool in event_pools:
        raise PrivacyError(
            f"{key} charges the pool {charge.pool!r}, which is for declared events, and names none.",
            expected="a release of an open event",
            remedy="run `whimbrel emergency open`, signed by two people",
        )


def refuse_beyond_schedule(connection: Connection, spec: Specification) -> None:
    """Refuse an event's release that its opening has not paid for."""
    opened = next((opening for opening in read_openings(connection) if opening.event == spec.event), None)
    if opened is None:
        raise PrivacyError(
            f"{spec.key} belongs to the event {spec.event!r}, which is not open.",
            expected="an open event",
            remedy="run `whimbrel emergency open`, signed by two people",
        )
    if not pays_for(opened, spec):
        raise PrivacyError(
            f"{spec.key} at this cost is not in the schedule that was reserved when {spec.event} was opened.",
            expected="the first revision of one of its periods, at the cost reserved for it",
            remedy="leave this release out: an event's schedule is never prolonged",
        )


def pays_for(opening: Opening, spec: Specification) -> bool:
    """Whether an opening has reserved a release, at exactly what it costs."""
    period, charges = spec.key.period, sorted(spec.charges)
    own = next((sorted(release.charges) for release in opening.schedule if str(release.period) == period), None)
    return (opening.product, 1, charges) == (spec.key.product, spec.key.revision, own)


def opens_again(openings: Iterable[Opening], opening: Opening) -> bool:
    """Whether the event is open already, as it is to be opened; refuses other terms and a period paid for twice."""
    for other in openings:
        if other.event == opening.event and other.digest != opening.digest:
            raise SpecificationChangedError(
                f"The event {opening.event} is open on other terms.",
                expected=f"onset {other.onset} and the schedule of then",
                remedy="restore the earlier policy, or declare another event",
            )
        if other.event == opening.event:
            return True
        if other.product == opening.product and (shared := other.periods & opening.periods):
            raise PrivacyError(
                f"{opening.event} would release {opening.product} {min(shared)}, which {other.event} releases.",
                expected="periods that no open event of the same product releases",
                remedy=f"follow a second area only in periods that {other.event} does not use: its releases show the "
                "residents of its own area alone",
            )
    return False


def refuse_too_few_signers(opening: Opening, approvals: Iterable[Mapping[str, JsonValue]]) -> None:
    """Refuse an opening that one person signed, however often."""
    signers = set()
    for approval in approvals:
        require_approval(approval)
        signers.add(approval["signer"])
    if len(signers) < SIGNERS_TO_OPEN:
        raise PrivacyError(
            f"The opening of {opening.event} has {len(signers)} signers.",
            expected=f"{SIGNERS_TO_OPEN} people's signatures",
            remedy="have a second person sign the same opening",
        )


def refuse_other_share(share: Share, earlier: Iterable[Share]) -> None:
    """Refuse to share a release twice under one agreement in two ways."""
    for other in earlier:
        if (other.key, other.agreement) == (share.key, share.agreement) and other != share:
            raise SpecificationChangedError(
                f"{share.key} was shared under {share.agreement} on {other.shared_on}, in another way.",
                expected=f"the agreement with SHA-256 {other.agreement_sha256} and the bundle made then",
                remedy="hand out that bundle again, or give the changed agreement an id of its own",
            )


def refuse_out_of_term(share: Share, at: str) -> None:
    """Refuse a share that its agreement does not cover at the instant of its entry."""
    if share.shared_on.isoformat() != at[:10]:
        raise PrivacyError(
            f"The share of {share.key} says {share.shared_on}, and is recorded on {at[:10]}.",
            expected="one day, UTC",
            remedy="share it again: nothing was recorded",
        )
    if not share.valid_from <= share.shared_on <= share.valid_until:
        raise PrivacyError(
            f"The agreement {share.agreement} does not hold on {share.shared_on}.",
            expected=f"a day from {share.valid_from} to {share.valid_until}",
            remedy="agree anew, under another id",
        )


def refuse_unknown_heads(connection: Connection, heads: frozenset[str]) -> None:
    """Refuse to go on where a bundle left that this ledger knows nothing of."""
    known = select(ENTRIES.c.entry_hash).where(ENTRIES.c.entry_hash.in_(sorted(heads)))
    if unknown := sorted(heads - set(connection.execute(known).scalars())):
        raise LedgerError(
            f"{len(unknown)} published bundles carry a head that this ledger does not know: {unknown[0]}.",
            expected="the ledger that they were charged to",
            remedy="bring back the newest ledger: a restored backup has forgotten charges",
        )


def refuse_unknown_artefacts(connection: Connection, artefacts: frozenset[str]) -> None:
    """Refuse to go on where the vault keeps what this ledger never sealed: it would be drawn, and shown, again."""
    if unknown := sorted(artefacts - read_artefacts(connection)):
        raise LedgerError(
            f"This ledger has forgotten a release: the vault keeps {len(unknown)} artefacts that it never sealed, "
            f"the first {unknown[0]}.",
            expected="the ledger under which the vault's artefacts were sealed",
            remedy="name that ledger in the configuration, or bring back its newest copy; leave the vault as it is",
        )


def require_digests(*digests: str) -> None:
    """Refuse to record as a digest what is none."""
    if wrong := [digest for digest in digests if not is_sha256_hex(digest)]:
        raise PrivacyError(
            f"{len(wrong)} of the digests to be recorded is none.",
            expected="64 lower-case hexadecimal digits",
            remedy="pass what the vault returned",
        )


def burned(key: ReleaseKey) -> SealLostError:
    """The refusal of anything that would go on with a burned release."""
    return SealLostError(
        f"{key} is burned: its sealed artefact was lost, and its budget stays spent.",
        expected="a release that is not burned",
        remedy=f"release revision {key.revision + 1}, at its own cost",
    )
