"""Ed25519 signatures over statements: who said what, checkable by anybody who has the public key.

A statement is one of the few kinds below, never free text. What is signed is its kind and version, a line feed, and
its canonical JSON, so that a signature of one kind means nothing under another.

Source: RFC 8032 (Ed25519), as in the package `cryptography`. Signing draws nothing: equal statements give equal bytes.
"""

import json
import os
import stat
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from pydantic import ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass as validated

from privacy.canonical import JsonValue, canonical_json, sha256_hex
from privacy.durable import write_whole
from schemas.errors import ConfigError, SignatureError

_PREFIX: Final = "ed25519:"
_KEY_BYTES, _SIGNATURE_BYTES = 32, 64
_STRICT = ConfigDict(extra="forbid")
"""An unknown field may mean something to whoever signed it: refused, never ignored."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""A digest, as `privacy.canonical.sha256_hex` writes it."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]*$", max_length=64)]
"""A product, a pool or a hazard."""

Series = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]*/(day|week|month)$", max_length=80)]
"""A product and the kind of its periods, such as `od_trips/week`."""

Slug = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=120)]
"""An event or a bundle."""

PeriodText = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}(-[0-9]{2}(-[0-9]{2})?|-W[0-9]{2})$")]
"""A day, an ISO week or a privacy month."""


@validated(frozen=True, config=_STRICT)
class StandingPlan:
    """Routine first releases are approved in advance, under one policy, for a time.

    Args:
        policy_sha256: Digest of the policy file.
        series: Products by kind of period, sorted.
        finest_resolution: The finest H3 resolution at which they may be released.
        valid_from: First day, UTC, on which a release may be approved under it.
        valid_until: Last such day.
    """

    KIND: ClassVar[str] = "standing plan"
    policy_sha256: Sha256
    series: Annotated[tuple[Series, ...], Field(min_length=1)]
    finest_resolution: Annotated[int, Field(ge=0, le=15)]
    valid_from: date
    valid_until: date

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        if list(self.series) != sorted(set(self.series)):
            raise ValueError("the series are not sorted, or one stands twice")
        if self.valid_until < self.valid_from:
            raise ValueError(f"it ends on {self.valid_until}, before it begins on {self.valid_from}")
        return self


@validated(frozen=True, config=_STRICT)
class ReleaseApproval:
    """One release is approved, by the digest of its sealed artefact.

    Args:
        product: Its product.
        period: Its period.
        revision: Its revision.
        artefact_sha256: Digest of what was sealed.
    """

    KIND: ClassVar[str] = "release"
    product: Name
    period: PeriodText
    revision: Annotated[int, Field(ge=1)]
    artefact_sha256: Sha256


@validated(frozen=True, config=_STRICT)
class EventOpening:
    """A pool is opened for a declared event.

    Args:
        event: Name of the event.
        hazard: What happened, such as `cyclone`.
        product: What is released after it.
        onset: Local day of its beginning.
        pool: The pool that pays.
        schedule_sha256: Digest of the whole schedule with its charges, as the ledger books it.
    """

    KIND: ClassVar[str] = "opening"
    event: Slug
    hazard: Name
    product: Name
    onset: date
    pool: Name
    schedule_sha256: Sha256


@validated(frozen=True, config=_STRICT)
class BundleStatement:
    """A bundle left the release gate with these bytes.

    Args:
        bundle: Name of its folder.
        sums_sha256: Digest of its `SHA256SUMS`.
    """

    KIND: ClassVar[str] = "bundle"
    bundle: Slug
    sums_sha256: Sha256


@validated(frozen=True, config=_STRICT)
class Erratum:
    """A published release is not to be used as it is, and why.

    Args:
        id: Short name, unique among the errata of a release.
        bundle: Name of the release's bundle; every part of it that was shared is meant too.
        status: `withdrawn`: not to be used; `superseded`: another says it better; `corrected`: usable, as told.
        reason: Why, in plain words; public.
        issued_on: Day of the statement, UTC.
        superseded_by: Name of the bundle to use instead, if there is one.
    """

    KIND: ClassVar[str] = "erratum"
    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=40)]
    bundle: Slug
    status: Literal["withdrawn", "superseded", "corrected"]
    reason: Annotated[str, StringConstraints(min_length=1, max_length=1000)]
    issued_on: date
    superseded_by: Slug | None = None

    @model_validator(mode="after")
    def _is_told(self) -> Self:
        if not self.reason.isprintable():
            raise ValueError("the reason is not one line of printable text")
        if self.status == "superseded" and self.superseded_by is None:
            raise ValueError("it says superseded and not by what")
        if self.superseded_by == self.bundle:
            raise ValueError("nothing supersedes itself")
        return self


Statement = StandingPlan | ReleaseApproval | EventOpening | BundleStatement | Erratum
"""All that is ever signed."""

_VERSION: Final = 1
"""Another meaning of a statement's fields is another version, whose signatures are others too."""

_KINDS: Final[dict[str, TypeAdapter[Any]]] = {
    kind.KIND: TypeAdapter(kind) for kind in (StandingPlan, ReleaseApproval, EventOpening, BundleStatement, Erratum)
}


@dataclass(frozen=True, order=True)
class PublicKey:
    """A public key.

    Args:
        raw: Its 32 bytes.
    """

    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != _KEY_BYTES:
            raise _no_key(f"{len(self.raw)} bytes")

    @classmethod
    def parse(cls, line: str) -> "PublicKey":
        """Read a key as `keys new` writes it: `ed25519:` and 64 lower-case hexadecimal digits.

        Raises:
            ConfigError: The text is no such key.
        """
        digits = line.removeprefix(_PREFIX)
        if not line.startswith(_PREFIX) or not set(digits) <= set("0123456789abcdef") or len(digits) % 2:
            raise _no_key(repr(line[:80]))
        return cls(bytes.fromhex(digits))

    @property
    def id(self) -> str:
        """Its short name: the first 16 hexadecimal digits of its SHA-256."""
        return sha256_hex(self.raw)[:16]

    def __str__(self) -> str:
        return _PREFIX + self.raw.hex()


@dataclass(frozen=True)
class PrivateKey:
    """A private key; it never shows itself.

    Args:
        secret: The key.
    """

    secret: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def new(cls) -> "PrivateKey":
        """Make a key from the system's randomness."""
        return cls(Ed25519PrivateKey.generate())

    @property
    def public(self) -> PublicKey:
        """Its public half."""
        return PublicKey(self.secret.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))


@dataclass(frozen=True)
class Signed:
    """A statement whose signature holds: one that does not cannot be made.

    That the signature holds says nothing about whose key it is: see `privacy.approval`.

    Args:
        statement: What is said.
        key: Whose signature it is.
        signature: 64 bytes.
    """

    statement: Statement
    key: PublicKey
    signature: bytes

    def __post_init__(self) -> None:
        if len(self.signature) != _SIGNATURE_BYTES:
            raise _invalid(f"it has {len(self.signature)} bytes")
        try:
            Ed25519PublicKey.from_public_bytes(self.key.raw).verify(self.signature, _signed_bytes(self.statement))
        except (InvalidSignature, ValueError, UnsupportedAlgorithm):
            raise _invalid(f"it is not that of key {self.key.id} over this {self.statement.KIND}") from None

    @property
    def document(self) -> dict[str, JsonValue]:
        """Statement, key and signature as JSON holds them."""
        return {
            "kind": self.statement.KIND,
            "version": _VERSION,
            "statement": _body(self.statement),
            "key": str(self.key),
            "signature": self.signature.hex(),
        }

    def to_bytes(self) -> bytes:
        """The one text of it: canonical JSON and a line feed."""
        return canonical_json(self.document) + b"\n"

    @property
    def sha256(self) -> str:
        """Digest of that text."""
        return sha256_hex(self.to_bytes())


def sign(statement: Statement, key: PrivateKey) -> Signed:
    """Sign a statement."""
    return Signed(statement, key.public, key.secret.sign(_signed_bytes(statement)))


def read_signed(content: bytes) -> Signed:
    """Read what `Signed.to_bytes` wrote, and nothing that differs from it by a byte.

    Raises:
        SignatureError: It cannot be read, or its signature does not hold.
    """
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise _invalid("it is no JSON") from None
    signed = signed_of(document)
    if signed.to_bytes() != content:
        raise _invalid("it is not written in the one way that it can be")
    return signed


def signed_of(document: object) -> Signed:
    """Read `Signed.document`.

    Raises:
        SignatureError: It is none, or its signature does not hold.
    """
    if not isinstance(document, dict) or document.keys() != {"kind", "version", "statement", "key", "signature"}:
        raise _invalid("it does not consist of kind, version, statement, key and signature")
    adapter = _KINDS.get(document["kind"]) if isinstance(document["kind"], str) else None
    if adapter is None or document["version"] != _VERSION:
        raise _invalid(f"it is of no known kind and version: {str(document['kind'])[:40]!r}")
    try:
        statement = adapter.validate_json(canonical_json(document["statement"]), strict=True)
        key, signature = PublicKey.parse(str(document["key"])), bytes.fromhex(str(document["signature"]))
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        raise _invalid(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}") from None
    except (ConfigError, ValueError, TypeError):
        raise _invalid("its key or signature cannot be read") from None
    signed = Signed(statement, key, signature)
    if canonical_json(signed.document) != canonical_json(document):
        raise _invalid("it is not written in the one way that it can be")
    return signed


def write_private_key(path: Path, key: PrivateKey, passphrase: str | None) -> None:
    """Write a key as PKCS 8 in PEM, for its owner only; never over another file.

    Raises:
        ConfigError: Something stands there already.
    """
    if path.exists():
        raise ConfigError(f"{path} stands already.", "a new file", "choose another name: keys are never overwritten")
    locked: KeySerializationEncryption = NoEncryption()
    if passphrase is not None:
        locked = BestAvailableEncryption(_required(passphrase).encode())
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(path, key.secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked))


def read_private_key(path: Path, passphrase: str | None = None) -> PrivateKey:
    """Read a key that `write_private_key` wrote.

    Raises:
        ConfigError: It is missing, is not its owner's alone, is no Ed25519 key, or the passphrase does not fit.
    """
    try:
        content = _owners_alone(path)
    except OSError as error:
        raise ConfigError(
            f"The key {path} cannot be read: {error.strerror}.", "a private key", "make one with `whimbrel keys new`"
        ) from None
    try:
        secret = load_pem_private_key(content, passphrase.encode() if passphrase is not None else None)
    except TypeError:
        found = "is locked, and no passphrase was given" if passphrase is None else "is not locked, but one was given"
        raise _unusable_key(path, found, "a passphrase where the key has one") from None
    except (ValueError, UnsupportedAlgorithm):
        raise _unusable_key(path, "is no private key, or has another passphrase", "PKCS 8 in PEM") from None
    if not isinstance(secret, Ed25519PrivateKey):
        raise _unusable_key(path, "is of another algorithm", "Ed25519")
    return PrivateKey(secret)


def passphrase_in(variable: str | None) -> str | None:
    """The passphrase in an environment variable; none where no variable is named.

    Raises:
        ConfigError: The variable is not set.
    """
    if variable is None:
        return None
    if variable not in os.environ:
        raise ConfigError(f"The variable {variable} is not set.", "the key's passphrase", f"export {variable} first")
    return _required(os.environ[variable])


def _owners_alone(path: Path) -> bytes:
    """Read a file that nobody else can read, looking at the very file that is read."""
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if not stat.S_ISREG(mode) or mode & 0o077:
            raise _unusable_key(path, f"has mode {stat.S_IMODE(mode):o}", f"600: `chmod 600 {path}`")
        return file.read()


def _required(passphrase: str) -> str:
    if not passphrase:
        raise ConfigError("The passphrase is empty.", "one that is not", "set the variable, or name none")
    return passphrase


def _body(statement: Statement) -> JsonValue:
    body: JsonValue = _KINDS[statement.KIND].dump_python(statement, mode="json")
    return body


def _signed_bytes(statement: Statement) -> bytes:
    """The bytes under a signature: no kind is a beginning of another, and none holds a line feed."""
    return f"whimbrel {statement.KIND} v{_VERSION}\n".encode() + canonical_json(_body(statement))


def _invalid(found: str) -> SignatureError:
    return SignatureError(
        f"The signature is refused: {found}.",
        "a statement as Whimbrel signed it",
        "do not use it; ask its signer for another",
    )


def _no_key(found: str) -> ConfigError:
    return ConfigError(
        f"{found} is no public key.", "ed25519: and 64 lower-case hexadecimal digits", "copy the line of the .pub file"
    )


def _unusable_key(path: Path, found: str, expected: str) -> ConfigError:
    return ConfigError(f"The key {path} {found}.", expected, "name another key, or correct this one")
