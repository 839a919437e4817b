"""Who may let what leave: trusted keys, their roles, and the rule by which a release counts as approved.

Everything here decides over statements whose signatures hold already (`privacy.signing.Signed`). Time is that of the
ledger: a signature counts from the instant at which it was recorded there, whatever its signer's clock said.
"""

import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AwareDatetime, ConfigDict, StringConstraints, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass as validated

from privacy.canonical import JsonValue
from privacy.ledger import Entry, EntryKind, ReleaseKey
from privacy.signing import EventOpening, PublicKey, ReleaseApproval, Signed, StandingPlan, signed_of
from privacy.unit import Period
from schemas.errors import ApprovalError, ConfigError, PrivacyError, SignatureError

ROUTINE_POOL: Final = "routine"
"""The only pool of which a standing plan approves releases."""

_INQUIRE: Final = "stop publishing, and keep the ledger for the inquiry"

_STRICT = ConfigDict(extra="forbid")


class Role(StrEnum):
    """What a key is trusted to sign."""

    DPO = "dpo"
    EMERGENCY = "emergency"
    PUBLISHER = "publisher"


@validated(frozen=True, config=_STRICT)
class TrustedKey:
    """A key and whose it is.

    Args:
        name: The person, or the machine that publishes.
        role: What it may sign: `dpo` plans, releases and openings; `emergency` openings; `publisher` bundles.
        public_key: The line of its .pub file.
    """

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]
    role: Role
    public_key: str

    @model_validator(mode="after")
    def _is_readable(self) -> Self:
        try:
            PublicKey.parse(self.public_key)
        except ConfigError as error:
            raise ValueError(f"public_key of {self.name}: {error.found}") from None
        return self

    @property
    def key(self) -> PublicKey:
        """The key itself."""
        return PublicKey.parse(self.public_key)


@validated(frozen=True, config=_STRICT)
class Revocation:
    """From an instant on, nothing that a key signed counts; what was recorded before stays good.

    Args:
        key_id: The key's short name.
        revoked_at: The instant, with its time zone. Before the present where the key was lost earlier.
        reason: Why, for whoever reviews the list.
    """

    key_id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
    revoked_at: AwareDatetime
    reason: str = ""


@validated(frozen=True, config=_STRICT)
class Trust:
    """Reviewed data: whose signatures count, and since when they do not.

    Args:
        version: Of the file's form.
        keys: All keys that ever counted: a key that is no longer used is revoked, never deleted.
        revocations: What is no longer trusted.
    """

    version: Literal[1]
    keys: tuple[TrustedKey, ...] = ()
    revocations: tuple[Revocation, ...] = ()

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        ids = Counter(trusted.key.id for trusted in self.keys)
        if twice := [key_id for key_id, n in ids.items() if n > 1]:
            raise ValueError(f"key {twice[0]} stands twice: one key is one person in one role")
        if unknown := sorted({revocation.key_id for revocation in self.revocations} - set(ids)):
            raise ValueError(f"the revoked key {unknown[0]} is not among the keys: revoke a key, do not delete it")
        return self

    @classmethod
    def load(cls, path: Path) -> "Trust":
        """Read and validate `trust.toml`.

        Raises:
            ConfigError: It is missing, is not TOML, or contradicts itself.
        """
        try:
            return TypeAdapter(cls).validate_python(tomllib.loads(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise _unusable(path, f"cannot be read: {error.strerror}") from None
        except ValidationError as error:
            fault = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, fault["loc"])) or "file"
            raise _unusable(path, f"is refused: [{place}] {fault['msg'].removeprefix('Value error, ')}") from None
        except ValueError as error:
            raise _unusable(path, f"is not TOML: {error}") from None

    def of(self, key: PublicKey) -> TrustedKey | None:
        """Whose key it is, if anybody's."""
        return next((trusted for trusted in self.keys if trusted.public_key == str(key)), None)

    def revoked_at(self, key: PublicKey) -> datetime | None:
        """The earliest instant from which the key does not count, if there is one."""
        return min((found.revoked_at for found in self.revocations if found.key_id == key.id), default=None)

    def in_role(self, role: Role) -> tuple[PublicKey, ...]:
        """All keys of a role, revoked ones included."""
        return tuple(trusted.key for trusted in self.keys if trusted.role is role)

    def signer(self, key: PublicKey, roles: Iterable[Role], at: datetime) -> TrustedKey:
        """Whose signature it was at an instant.

        Args:
            key: The key that signed.
            roles: Roles that may sign this.
            at: When the signature was recorded.

        Raises:
            ApprovalError: The key is nobody's, in another role, or revoked by then.
        """
        trusted, allowed = self.of(key), tuple(roles)
        if trusted is None:
            raise _untrusted(f"Key {key.id} is not in the list of trusted keys.", "a key that is")
        if trusted.role not in allowed:
            raise _untrusted(f"Key {key.id} has the role {trusted.role}.", f"the role {' or '.join(allowed)}")
        revoked_at = self.revoked_at(key)
        if revoked_at is not None and at >= revoked_at:
            raise _untrusted(f"Key {key.id} is revoked from {_text(revoked_at)}.", f"a key trusted on {_text(at)}")
        return trusted


@dataclass(frozen=True)
class Applicant:
    """A sealed release that asks to leave; all of it is public.

    Args:
        key: Which release.
        artefact_sha256: Digest of what was sealed.
        policy_sha256: Digest of the policy under which it was sealed.
        finest_resolution: The finest resolution that it measures.
        pools: Pools that it was charged to.
        is_first: Whether nothing of its series was published before: by the ledger alone.
    """

    key: ReleaseKey
    artefact_sha256: str
    policy_sha256: str
    finest_resolution: int
    pools: frozenset[str]
    is_first: bool

    @property
    def series(self) -> str:
        """Its product and the kind of its period."""
        return series_of(self.key)

    @property
    def statement(self) -> ReleaseApproval:
        """What a DPO signs to approve it one by one."""
        return ReleaseApproval(self.key.product, self.key.period, self.key.revision, self.artefact_sha256)

    @property
    def needs_its_own(self) -> str | None:
        """Why no standing plan covers it, if none can."""
        if self.key.revision > 1:
            return "it is a revision"
        if foreign := sorted(self.pools - {ROUTINE_POOL}):
            return f"it is charged to the pool {foreign[0]}"
        return f"it is the first release of {self.series}" if self.is_first else None


def series_of(key: ReleaseKey) -> str:
    """A release's product and the kind of its period: what a standing plan names."""
    return f"{key.product}/{Period.parse(key.period).kind}"


def as_recorded(signed: Signed) -> dict[str, JsonValue]:
    """A signed statement in the form in which the ledger records it."""
    document = signed.document
    signature = document.pop("signature")
    return {"statement": document, "signer": signed.key.id, "signature": signature}


def recorded(approval: Mapping[str, JsonValue]) -> Signed:
    """Read back what `as_recorded` gave.

    Raises:
        SignatureError: It is none, or its signature does not hold.
    """
    statement = approval.get("statement")
    signed = signed_of({**(statement if isinstance(statement, Mapping) else {}), "signature": approval["signature"]})
    if signed.key.id != approval.get("signer"):
        raise SignatureError(f"An approval names the signer {approval.get('signer')}.", signed.key.id, _INQUIRE)
    return signed


@dataclass(frozen=True)
class _Past:
    """What a ledger said up to some entry, by release and by series."""

    reserved: dict[ReleaseKey, Entry]
    sealed: dict[ReleaseKey, Entry]
    left: dict[str, set[ReleaseKey]]


def applicants(entries: Iterable[Entry]) -> Iterator[tuple[Entry, Applicant]]:
    """Each APPROVE of a ledger, oldest first, with its release as the entries before tell of it."""
    past = _Past({}, {}, defaultdict(set))
    for entry in entries:
        if entry.kind is EntryKind.APPROVE:
            yield entry, _applicant(entry.key, past)
        _note(past, entry)


def applicant(key: ReleaseKey, entries: Iterable[Entry]) -> Applicant:
    """A sealed release as a ledger tells of it.

    Raises:
        PrivacyError: It is not sealed.
    """
    past = _Past({}, {}, defaultdict(set))
    for entry in entries:
        _note(past, entry)
    if key not in past.sealed:
        raise PrivacyError(
            f"{key} is not sealed.", "a sealed release", f"run `whimbrel release {key.product} {key.period}` first"
        )
    return _applicant(key, past)


def _note(past: _Past, entry: Entry) -> None:
    match entry.kind:
        case EntryKind.RESERVE:
            past.reserved[entry.key] = entry
        case EntryKind.SEAL:
            past.sealed[entry.key] = entry
        case EntryKind.PUBLISH:
            past.left[series_of(entry.key)].add(entry.key)


def _applicant(key: ReleaseKey, past: _Past) -> Applicant:
    reserved: Any = past.reserved[key].says
    sealed: Any = past.sealed[key].says
    parameters, left = reserved["parameters"], past.left[series_of(key)]
    measured = [*parameters.get("levels", ()), *parameters.get("tables", ())]
    return Applicant(
        key=key,
        artefact_sha256=sealed["artefact_sha256"],
        policy_sha256=parameters["policy_sha256"],
        finest_resolution=max((part["resolution"] or 0 for part in measured), default=0),
        pools=frozenset(charge["pool"] for charge in reserved["charges"]),
        is_first=len(left) == (key in left),
    )


def refusal(asking: Applicant, signed: Signed, trust: Trust, at: datetime) -> str | None:
    """Why a signed statement does not approve a release at an instant; nothing where it does."""
    if against := mismatch(asking, signed, at):
        return against
    try:
        trust.signer(signed.key, (Role.DPO,), at)
    except ApprovalError as error:
        return f"{error.found.rstrip('.')}, where {error.expected} was expected"
    return None


def mismatch(asking: Applicant, signed: Signed, at: datetime) -> str | None:
    """Why a statement does not approve a release at an instant, whoever signed it; nothing where it does."""
    match signed.statement:
        case ReleaseApproval() as approved:
            return _against_approval(asking, approved)
        case StandingPlan() as plan:
            return _against_plan(asking, plan, at)
        case other:
            return f"it is a signature of another kind, {other.KIND}"


def approving(asking: Applicant, found: Sequence[Signed], trust: Trust, at: datetime) -> Signed:
    """The statement that approves a release at an instant; of several, one of its own before a plan.

    Raises:
        ApprovalError: None does; the message says why, and what to run.
    """
    ordered = sorted(found, key=lambda signed: (not isinstance(signed.statement, ReleaseApproval), signed.sha256))
    for signed in ordered:
        if refusal(asking, signed, trust, at) is None:
            return signed
    raise _unapproved(asking, [(signed, refusal(asking, signed, trust, at)) for signed in ordered])


def opening_signers(found: Sequence[Signed], opening: EventOpening, trust: Trust, at: datetime) -> tuple[Signed, ...]:
    """The two signatures that open a pool for an event: of two people, one of them a DPO.

    Raises:
        ApprovalError: There are not two such signatures; the message says what is missing.
    """
    valid: dict[str, tuple[Role, Signed]] = {}
    refusals = []
    for signed in sorted((signed for signed in found if signed.statement == opening), key=lambda signed: signed.sha256):
        try:
            person = trust.signer(signed.key, (Role.DPO, Role.EMERGENCY), at)
        except ApprovalError as error:
            refusals.append(error.found)
            continue
        if person.name not in valid or person.role is Role.DPO:
            valid[person.name] = (person.role, signed)
    by_role = sorted(valid.values(), key=lambda entry: entry[0])  # dpo before emergency
    if len(by_role) < 2 or by_role[0][0] is not Role.DPO:
        raise _unopened(opening, [f"{name} ({role})" for name, (role, _) in sorted(valid.items())], refusals)
    return tuple(signed for _, signed in by_role[:2])


def _against_approval(asking: Applicant, approved: ReleaseApproval) -> str | None:
    wanted = asking.statement
    if (approved.product, approved.period, approved.revision) != (wanted.product, wanted.period, wanted.revision):
        return f"it approves {approved.product} {approved.period} r{approved.revision}"
    if approved.artefact_sha256 != wanted.artefact_sha256:
        return "it approves another artefact of this release"
    return None


def plan_state(plan: StandingPlan, at: datetime) -> str:
    """Whether a standing plan is in force at an instant."""
    today = at.astimezone(UTC).date()
    if today < plan.valid_from:
        return f"not valid before {plan.valid_from}"
    return f"expired on {plan.valid_until}" if today > plan.valid_until else f"valid until {plan.valid_until}"


def _against_plan(asking: Applicant, plan: StandingPlan, at: datetime) -> str | None:
    in_force = plan.valid_from <= at.astimezone(UTC).date() <= plan.valid_until
    against = {
        f"no standing plan covers it, because {asking.needs_its_own}": asking.needs_its_own is not None,
        f"the standing plan does not name {asking.series}": asking.series not in plan.series,
        "the standing plan is for another policy": plan.policy_sha256 != asking.policy_sha256,
        f"the standing plan goes down to resolution {plan.finest_resolution} only": asking.finest_resolution
        > plan.finest_resolution,
        f"the standing plan is {plan_state(plan, at)}": not in_force,
    }
    return next((reason for reason, holds in against.items() if holds), None)


def _unapproved(asking: Applicant, refusals: Sequence[tuple[Signed, str | None]]) -> ApprovalError:
    key = asking.key
    reasons = [
        f"{signed.statement.KIND} {signed.sha256[:16]}: {why}" for signed, why in refusals if _concerns(asking, signed)
    ]
    revision = f" --revision {key.revision}" if key.revision > 1 else ""
    needed = asking.needs_its_own
    plan = "" if needed else ", or sign a plan with `whimbrel approve plan`"
    own = f" of its own, because {needed}" if needed else ", of its own or by a standing plan"
    return ApprovalError(
        f"{key} is not approved. {'; '.join(reasons) or 'Nobody has signed anything for it'}.",
        f"a DPO's signature{own}",
        f"run `whimbrel approve release {key.product} {key.period}{revision} --key FILE`{plan}",
    )


def _concerns(asking: Applicant, signed: Signed) -> bool:
    """Whether a statement was meant for the release: the others would only lengthen the message."""
    match signed.statement:
        case ReleaseApproval() as approved:
            return (approved.product, approved.period) == (asking.key.product, asking.key.period)
        case StandingPlan():
            return True
        case _:
            return False


def _unopened(opening: EventOpening, signed: Sequence[str], refusals: Sequence[str]) -> ApprovalError:
    there = f"Signed by {', '.join(signed)}." if signed else "Nobody who may has signed."
    return ApprovalError(
        " ".join([f"Event {opening.event} is not open.", there, *refusals]),
        "signatures of two people, one of them a DPO",
        f"have another person run `whimbrel emergency open {opening.event}` with the same options and their --key",
    )


def _untrusted(found: str, expected: str) -> ApprovalError:
    return ApprovalError(found, expected, "have it signed by somebody whom trust.toml names for it")


def _unusable(path: Path, found: str) -> ConfigError:
    return ConfigError(
        f"The list of trusted keys {path} {found}.",
        "version = 1, [[keys]] with name, role and public_key, [[revocations]] with key_id and revoked_at",
        "correct it; `whimbrel keys new` prints the block of a key",
    )


def _text(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def instant(text: str) -> datetime:
    """An instant as the ledger writes it."""
    return datetime.fromisoformat(text)
