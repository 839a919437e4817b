"""What the ledger records: releases, what they cost, and the entries that say so."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, Final

from privacy.canonical import JsonValue, canonical_json, is_sha256_hex, sha256_hex
from privacy.unit import Charge, Period, ScheduledRelease
from schemas.errors import ConfigError, PrivacyError

GENESIS: Final = "0" * 64
"""What the first entry has for a predecessor."""

SIGNERS_TO_OPEN: Final = 2
"""People whose signatures open an event: one alone cannot double what a subscriber may lose."""

_FLAT: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
"""Gives the text of `canonical_json` for a list of numbers and texts, without looking for what may be in it."""

_PRODUCT = re.compile(r"[a-z][a-z_]*")
_SLUG = re.compile(r"([a-z_]+)_([0-9W-]+)_r([1-9][0-9]{0,5})")
_EVENT = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_HEX = re.compile(r"([0-9a-f]{2})+")
_AGREEMENT = re.compile(r"[a-z][a-z0-9-]{0,39}")


class EntryKind(StrEnum):
    """What an entry says about its release."""

    OPEN = "OPEN"
    RESERVE = "RESERVE"
    SEAL = "SEAL"
    APPROVE = "APPROVE"
    PUBLISH = "PUBLISH"
    SHARE = "SHARE"
    BURN = "BURN"


@dataclass(frozen=True, order=True)
class ReleaseKey:
    """What identifies a release: drawn once, charged once.

    Args:
        product: Name of the product.
        period: Day, ISO week or privacy month in ISO 8601.
        revision: 1, or more for a release that supersedes an earlier one at its own cost.
    """

    product: str
    period: str
    revision: int = 1

    def __post_init__(self) -> None:
        if not _PRODUCT.fullmatch(self.product) or self.revision < 1:
            raise ConfigError(
                f"{self.product!r} revision {self.revision} cannot be a release.",
                expected="a product in lower-case letters and underscores, and a revision from 1 up",
                remedy="see the products of the policy",
            )
        Period.parse(self.period)

    @classmethod
    def of_slug(cls, slug: str) -> "ReleaseKey":
        """Read a key from its file name.

        Raises:
            ConfigError: It is none.
        """
        if (parts := _SLUG.fullmatch(slug)) is None:
            raise ConfigError(
                f"{slug!r} is no name of a release's bundle.",
                expected="product, period and revision, such as od_trips_2026-W10_r1",
                remedy="take the name of its folder",
            )
        return cls(parts[1], parts[2], int(parts[3]))

    @property
    def slug(self) -> str:
        """The key as a file name."""
        return f"{self.product}_{self.period}_r{self.revision}"

    def __str__(self) -> str:
        return f"{self.product} {self.period} r{self.revision}"


@dataclass(frozen=True)
class Specification:
    """All that decides a release but the data: fixed by its first reservation.

    Args:
        key: The release.
        charges: What it costs, one charge a pool and month, at least one; order does not matter.
        parameters: Bounds, levels, policy digest, ...; public, never dependent on records.
        event: The declared event whose opening has paid for the release; None: the release is charged itself.
    """

    key: ReleaseKey
    charges: tuple[Charge, ...]
    parameters: Mapping[str, JsonValue]
    event: str | None = None

    def __post_init__(self) -> None:
        places = {(charge.pool, charge.privacy_month) for charge in self.charges}
        if not self.charges or len(places) != len(self.charges):
            raise PrivacyError(
                f"{self.key} has {len(self.charges)} charges over {len(places)} pools and months.",
                expected="at least one charge, and one at most for a pool and month",
                remedy="add up what falls on the same month",
            )

    @property
    def body(self) -> dict[str, JsonValue]:
        """The specification without its key, as the ledger records it."""
        own: dict[str, JsonValue] = {"charges": _plain(self.charges), "parameters": self.parameters}
        return own if self.event is None else own | {"event": self.event}

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical text of key, charges and parameters."""
        return sha256_hex(canonical_json({"key": str(self.key), **self.body}))


@dataclass(frozen=True)
class Opening:
    """What opening a pool for a declared event reserves: every release that may follow, with what it costs.

    Args:
        event: Name of the event, in lower-case letters, digits, hyphens and underscores.
        product: Product that is released after it.
        onset: Day of the event.
        schedule: All its releases and their charges, each period once: `EventPolicy.schedule(onset)`.
        area_sha256: Digest of the declared area, so that nobody changes it after people signed; none where the event
            is in no list.
    """

    event: str
    product: str
    onset: date
    schedule: tuple[ScheduledRelease, ...]
    area_sha256: str | None = None

    def __post_init__(self) -> None:
        if not _EVENT.fullmatch(self.event):
            raise ConfigError(
                f"{self.event!r} cannot name an event.",
                expected="up to 64 lower-case letters, digits, hyphens and underscores, a letter first",
                remedy="name it as people will look for it, for instance flood-lower-shire",
            )
        periods = Counter(str(release.period) for release in self.schedule)
        if not periods or len(periods) != len(self.schedule):
            raise PrivacyError(
                f"The schedule of {self.event} holds {len(self.schedule)} releases of {len(periods)} periods.",
                expected="at least one release, and one at most of a period",
                remedy="take the schedule from the policy",
            )

    @property
    def key(self) -> ReleaseKey:
        """Under what the opening is recorded: its product and its onset, of which there is one opening at most."""
        return ReleaseKey(self.product, self.onset.isoformat())

    @property
    def periods(self) -> frozenset[str]:
        """The periods that it pays for."""
        return frozenset(str(release.period) for release in self.schedule)

    @property
    def charges(self) -> tuple[Charge, ...]:
        """What it reserves at once: the sum over its schedule by pool and month, in order."""
        total: Counter[tuple[str, str]] = Counter()
        for release in self.schedule:
            total.update({(charge.pool, charge.privacy_month): charge.micro_rho for charge in release.charges})
        return tuple(Charge(pool, month, total[pool, month]) for pool, month in sorted(total))

    @property
    def body(self) -> dict[str, JsonValue]:
        """The terms that people sign, as the ledger records them."""
        schedule: list[JsonValue] = [
            {"period": str(release.period), "charges": _plain(release.charges)} for release in self.schedule
        ]
        area: dict[str, JsonValue] = {"area_sha256": self.area_sha256} if self.area_sha256 else {}
        onset = self.onset.isoformat()
        return {"event": self.event, "onset": onset, "product": self.product, "schedule": schedule, **area}

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical text of `body`: what an approval of the opening is about."""
        return sha256_hex(canonical_json(self.body))

    @classmethod
    def of(cls, body: Mapping[str, JsonValue]) -> "Opening":
        """Read back what `body` gave; approvals beside it are left aside."""
        text = json.loads(canonical_json(body))
        schedule = tuple(
            ScheduledRelease(Period.parse(release["period"]), _charges(release["charges"]))
            for release in text["schedule"]
        )
        onset = date.fromisoformat(text["onset"])
        return cls(text["event"], text["product"], onset, schedule, text.get("area_sha256"))


@dataclass(frozen=True)
class Seal:
    """The one artefact of a release.

    Args:
        key: The release.
        artefact_sha256: Digest of the sealed measurements; they stay inside, their digest may leave.
        ledger_head: Hash of the SEAL entry: the head of the chain that the release's bundles carry.
        sealed_at: Instant of the entry, UTC, ISO 8601.
    """

    key: ReleaseKey
    artefact_sha256: str
    ledger_head: str
    sealed_at: str


@dataclass(frozen=True)
class Share:
    """A published release was shared with one recipient, under one agreement; it costs nothing.

    Args:
        key: The release.
        agreement: Id of the agreement.
        agreement_sha256: Digest of the agreement as it then was.
        recipient: Who got it.
        purpose: What for.
        legal_basis: On what ground.
        valid_from: First day of the agreement, UTC.
        valid_until: Its last day.
        shared_on: Day of the share, UTC.
        bundle_sha256: Digest of the `SHA256SUMS` of what the recipient got.
    """

    key: ReleaseKey
    agreement: str
    agreement_sha256: str
    recipient: str
    purpose: str
    legal_basis: str
    valid_from: date
    valid_until: date
    shared_on: date
    bundle_sha256: str

    def __post_init__(self) -> None:
        digests = is_sha256_hex(self.agreement_sha256) and is_sha256_hex(self.bundle_sha256)
        if not digests or not _AGREEMENT.fullmatch(self.agreement) or not (self.recipient and self.purpose):
            raise PrivacyError(
                f"The share of {self.key} to be recorded is none.",
                expected="the id and digest of an agreement, a recipient, a purpose and the digest of a bundle",
                remedy="run `whimbrel share`",
            )

    @property
    def slug(self) -> str:
        """Name of the bundle that went to the recipient."""
        return f"{self.key.slug}_for_{self.agreement}"

    @property
    def body(self) -> dict[str, JsonValue]:
        """The share without its release, as the ledger records it."""
        return {
            "agreement": self.agreement,
            "agreement_sha256": self.agreement_sha256,
            "recipient": self.recipient,
            "purpose": self.purpose,
            "legal_basis": self.legal_basis,
            "valid_from": self.valid_from.isoformat(),
            "valid_until": self.valid_until.isoformat(),
            "shared_on": self.shared_on.isoformat(),
            "bundle_sha256": self.bundle_sha256,
        }

    @classmethod
    def of(cls, entry: "Entry") -> "Share":
        """Read back what a SHARE entry records."""
        says: dict[str, Any] = json.loads(entry.body)
        days = {name: date.fromisoformat(says[name]) for name in ("valid_from", "valid_until", "shared_on")}
        return cls(entry.key, **(says | days))


@dataclass(frozen=True)
class Entry:
    """One link of the chain; public in all its fields.

    Args:
        position: 1, 2, 3, ...
        kind: What it says.
        key: Of which release.
        at: When, UTC, ISO 8601; never before the entry before.
        body: The rest, as canonical JSON.
        prev_hash: Hash of the entry before.
        entry_hash: Hash over all other fields.
    """

    position: int
    kind: EntryKind
    key: ReleaseKey
    at: str
    body: str
    prev_hash: str
    entry_hash: str

    @property
    def computed_hash(self) -> str:
        """What `entry_hash` has to be."""
        return entry_hash(self.position, self.kind, self.key, self.at, self.body, self.prev_hash)

    @property
    def says(self) -> Mapping[str, JsonValue]:
        """The body as a value."""
        found: Mapping[str, JsonValue] = json.loads(self.body)
        return found


@dataclass(frozen=True)
class RecordedCharge:
    """A charge and what it was booked for.

    Args:
        key: The release, or product and onset of an event's opening.
        charge: Pool, month and loss.
        event: Name of the event; None: a release that was charged itself.
    """

    key: ReleaseKey
    charge: Charge
    event: str | None = None


@dataclass(frozen=True)
class PoolMonth:
    """The state of one pool in one privacy month.

    Args:
        pool: Name of the pool.
        privacy_month: Month, `2026-03`.
        cap_micro_rho: The most it may be charged.
        charged_micro_rho: What was charged.
    """

    pool: str
    privacy_month: str
    cap_micro_rho: int
    charged_micro_rho: int

    @property
    def left_micro_rho(self) -> int:
        """What may still be charged; below zero where the cap was lowered since."""
        return self.cap_micro_rho - self.charged_micro_rho


def entry_hash(position: int, kind: EntryKind, key: ReleaseKey, at: str, body: str, prev_hash: str) -> str:
    """Hash that binds an entry to all before it: of the canonical JSON of its fields."""
    return sha256_hex(_FLAT.encode([1, position, str(kind), str(key), at, body, prev_hash]).encode("utf-8"))


def body_text(body: Mapping[str, JsonValue]) -> str:
    """The one text of a body."""
    return canonical_json(body).decode("utf-8")


def commitment(inputs_sha256: str, nonce: str) -> str:
    """What binds a SEAL entry to its inputs without telling them: nobody can try inputs out without the nonce."""
    return sha256_hex(f"{nonce} {inputs_sha256}".encode())


def as_seal(entry: Entry) -> Seal:
    """The seal that a SEAL entry records."""
    return Seal(entry.key, str(entry.says["artefact_sha256"]), ledger_head=entry.entry_hash, sealed_at=entry.at)


def booked_charges(entry: Entry) -> Iterator[RecordedCharge]:
    """What an entry books: a reservation its own charges, an opening its whole schedule, all others nothing.

    A reservation that an opening has paid for books nothing: its charges were booked with the opening.
    """
    if entry.kind is EntryKind.OPEN:
        opening = Opening.of(entry.says)
        yield from (RecordedCharge(entry.key, charge, opening.event) for charge in opening.charges)
    elif entry.kind is EntryKind.RESERVE and "event" not in (says := json.loads(entry.body)):
        yield from (RecordedCharge(entry.key, charge) for charge in _charges(says["charges"]))


def specification(entry: Entry) -> Specification:
    """The specification that a RESERVE entry records."""
    says = json.loads(entry.body)
    return Specification(entry.key, _charges(says["charges"]), says["parameters"], says.get("event"))


def approvals(entry: Entry) -> tuple[Mapping[str, JsonValue], ...]:
    """The approvals that an APPROVE or OPEN entry records."""
    says = json.loads(entry.body)
    return tuple(says["approvals"]) if entry.kind is EntryKind.OPEN else (says,)


def require_approval(approval: Mapping[str, JsonValue]) -> None:
    """Refuse what is no statement with its signer and signature; whether the signature holds is not asked here.

    Raises:
        PrivacyError: Something is missing, or of another kind.
    """
    statement, signer, signature = (approval.get(name) for name in ("statement", "signer", "signature"))
    whole = isinstance(statement, Mapping) and isinstance(signer, str) and isinstance(signature, str)
    if not whole or len(approval) != 3 or not signer or not _HEX.fullmatch(str(signature)):
        raise PrivacyError(
            "The approval to be recorded is none.",
            expected="a statement, the key id of its signer and a signature in lower-case hexadecimal digits",
            remedy="run `whimbrel approve`",
        )


def _plain(charges: tuple[Charge, ...]) -> list[JsonValue]:
    return [{"pool": c.pool, "privacy_month": c.privacy_month, "micro_rho": c.micro_rho} for c in sorted(charges)]


def _charges(plain: list[dict[str, str | int]]) -> tuple[Charge, ...]:
    return tuple(Charge(str(c["pool"]), str(c["privacy_month"]), int(c["micro_rho"])) for c in plain)
