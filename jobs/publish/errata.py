"""Errata: signed statements that a published release is withdrawn or superseded, and why; public, and kept for good."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Final, Literal

from pydantic import ValidationError

from privacy.approval import Role, Trust
from privacy.durable import write_public
from privacy.ledger import ReleaseKey
from privacy.signing import Erratum, PublicKey, Signed, read_signed
from schemas.errors import ApprovalError, BundleError, ConfigError, InputError, SignatureError

Status = Literal["withdrawn", "superseded", "corrected"]

MAY_SIGN: Final = (Role.DPO, Role.PUBLISHER)
"""Whose errata count."""

_MOST_BYTES: Final = 65_536
"""Of an erratum: far above the longest that can be signed."""

_REMEDY: Final = "take it out of the folder of errata; ask the publisher for theirs"


@dataclass(frozen=True)
class Notice:
    """An erratum whose signature holds, and whose it is.

    Args:
        erratum: What it says.
        key: Whose signature it bears.
        signed_by: Who that is, as far as the reader's keys tell.
    """

    erratum: Erratum
    key: PublicKey
    signed_by: str

    @property
    def sentence(self) -> str:
        """What it says, for a reader."""
        told, instead = self.erratum, ""
        if told.superseded_by:
            instead = f" Use {told.superseded_by} instead."
        return (
            f"{told.status.upper()} on {told.issued_on}: {told.bundle}. {told.reason.rstrip('.')}.{instead} Erratum "
            f"{told.id}, signed by key {self.key.id}, {self.signed_by}."
        )


def erratum_about(bundle: str, identity: str, status: Status, reason: str, superseded_by: str | None) -> Erratum:
    """Say what is signed today about a release.

    Raises:
        ConfigError: It says less than an erratum must, or in another form.
    """
    try:
        return Erratum(identity, bundle, status, reason, datetime.now(UTC).date(), superseded_by)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        found = f"{'.'.join(map(str, fault['loc'])) or 'it'}: {fault['msg'].removeprefix('Value error, ')}"
        raise ConfigError(
            f"The erratum cannot be signed: {found}.",
            "names of bundles, an id in lower-case letters, digits and hyphens, a reason on one line, and what "
            "supersedes a superseded one",
            "correct the option named",
        ) from None


def file_of(folder: Path, signed: Signed) -> Path:
    """Return the file of an erratum in a folder of errata: its name begins with its release, for people."""
    erratum = _erratum_in(signed)
    return folder / f"{erratum.bundle}_{erratum.id}.json"


def keep_erratum(folder: Path, signed: Signed) -> Path:
    """Store a signed erratum; a second time changes nothing, and another under its name is refused.

    Raises:
        BundleError: Another stands there.
    """
    file = file_of(folder, signed)
    if file.exists() and file.read_bytes() != signed.to_bytes():
        raise BundleError(
            f"Another erratum stands at {file.name}.", "an id of its own", "choose another id: none is taken back"
        )
    write_public(file, signed.to_bytes())
    return file


def kept_errata(path: Path, *, may_be_missing: bool = False) -> tuple[Signed, ...]:
    """Return the signed errata of a folder, or of one file, in order of their names.

    Args:
        path: The folder or the file.
        may_be_missing: Whether no folder is a folder of none: where nobody named it, and nothing was issued yet.

    Raises:
        InputError: It is missing: what was withdrawn would pass for sound.
        SignatureError: One was altered, or is something else.
    """
    if not path.exists() and not may_be_missing:
        raise InputError(
            f"There are no errata at {path}.",
            "their folder, also where it is empty, or one of them",
            "correct the path; where none was issued, make the folder or leave it out",
        )
    files = [path] if path.is_file() else sorted(path.glob("[!.]*.json"))
    return tuple(_read(file) for file in files)


def notices(
    errata: Iterable[Signed], *, key: PublicKey | None = None, trust: Trust | None = None
) -> tuple[Notice, ...]:
    """Return errata with whose they are, in order of release and day.

    Args:
        errata: Their signatures hold.
        key: The publisher's key, known from elsewhere: an erratum by another is told as such, because a DPO's key may
            sign one too.
        trust: The operator's list of trusted keys.

    Raises:
        SignatureError: The list names its signer as nobody who may: anybody could withdraw a release otherwise.
    """
    found = (Notice(_erratum_in(one), one.key, _signer_of(one, key, trust)) for one in errata)
    return tuple(sorted(found, key=lambda n: (n.erratum.bundle, n.erratum.issued_on, n.erratum.id)))


def about(slug: str, found: Collection[Notice]) -> tuple[Notice, ...]:
    """Return the errata about a bundle; those about a release are about every part of it that was shared."""
    return tuple(notice for notice in found if slug == notice.erratum.bundle or _is_part(slug, notice.erratum.bundle))


def refuse_withdrawn(key: ReleaseKey, errata: Iterable[Signed]) -> None:
    """Refuse to go on with a release that an erratum withdraws.

    Raises:
        BundleError: One does.
    """
    for erratum in map(_erratum_in, errata):
        if erratum.bundle == key.slug and erratum.status == "withdrawn":
            raise BundleError(
                f"{key} was withdrawn on {erratum.issued_on}: {erratum.reason.rstrip('.')}.",
                "a release that stands",
                f"share {erratum.superseded_by}" if erratum.superseded_by else "release and publish a revision",
            )


def _is_part(slug: str, release: str) -> bool:
    return slug.startswith(f"{release}_for_")


def _signer_of(signed: Signed, key: PublicKey | None, trust: Trust | None) -> str:
    if trust is not None:
        at = datetime.combine(_erratum_in(signed).issued_on, time(), UTC)
        try:
            trusted = trust.signer(signed.key, MAY_SIGN, at)
        except ApprovalError as error:
            raise SignatureError(f"Erratum {_erratum_in(signed).id}: {error.found}", error.expected, _REMEDY) from None
        return f"{trusted.name} ({trusted.role})"
    if key == signed.key:
        return "the key given"
    return f"which was not compared with a known one{': use --trust' if key else ''}"


def _erratum_in(signed: Signed) -> Erratum:
    if not isinstance(signed.statement, Erratum):
        raise SignatureError(f"A signed {signed.statement.KIND} is among the errata.", "errata alone", _REMEDY)
    return signed.statement


def _read(file: Path) -> Signed:
    try:
        with file.open("rb") as stream:
            signed = read_signed(stream.read(_MOST_BYTES))
        _erratum_in(signed)
    except OSError as error:
        raise SignatureError(f"{file.name} cannot be read: {error.strerror}.", "a signed erratum", _REMEDY) from None
    except SignatureError as error:
        raise SignatureError(f"{file.name}: {error.found}", error.expected, _REMEDY) from None
    return signed
