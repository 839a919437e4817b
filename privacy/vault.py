"""The private store of sealed artefacts: what was drawn, whole, under the name of its own digest.

Artefacts hold noisy values that are not published: private outputs, so the store is its owner's alone and
stays inside the operator.

What was drawn is pending, `<sha256>.pending`, until it is read for the first time, which happens only once it is
sealed: it then bears its digest alone and is kept for good. So whatever anybody may have seen is kept, and a kept
artefact that a ledger does not know tells that the ledger has forgotten a release.
"""

from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Final

from privacy.canonical import is_sha256_hex, sha256_hex
from privacy.durable import flush_names, write_whole
from schemas.errors import PrivacyError, SealLostError

_PENDING: Final = ".pending"


class Vault:
    """A content-addressed store in one folder.

    Args:
        root: The folder; made where it is missing, for its owner only.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, data: bytes) -> str:
        """Store a draw as pending so that it survives a power cut, and return its SHA-256.

        After any crash the artefact is there whole or not at all: it is written under another name, flushed,
        and renamed. Storing the same bytes again changes nothing, and mends a damaged copy.

        Raises:
            PrivacyError: The disk refuses.
        """
        digest = sha256_hex(data)
        try:
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(self._pending(digest), data)
        except OSError as error:
            raise self._refused(error, "nothing was sealed, and a repeat is not charged again") from None
        return digest

    def get(self, sha256: str) -> bytes:
        """Read the artefact of a digest that the ledger has sealed; from then on it is kept.

        A run that was killed between the seal and its first reader left it pending: it is renamed before it is read,
        each time anew until the name is on the disk.

        Raises:
            SealLostError: It is gone, or no longer what was stored.
            PrivacyError: It is pending, and the disk refuses to keep it.
        """
        self._keep(sha256)
        try:
            data = self._kept(sha256).read_bytes()
        except OSError as error:
            raise _lost(sha256, f"cannot be read: {error.strerror}") from None
        if sha256_hex(data) != sha256:
            raise _lost(sha256, "was altered")
        return data

    def kept(self) -> frozenset[str]:
        """Digests of what is kept: a ledger that lacks one has forgotten a release."""
        names = (file.name for file in self._root.glob("*")) if self._root.is_dir() else ()
        return frozenset(name for name in names if is_sha256_hex(name))

    def discard(self, sha256: str) -> None:
        """Delete the pending draw of a worker whose seal was refused; nothing where it is gone already.

        Privacy: two draws of one release would average part of the noise away.
        """
        self._pending(sha256).unlink(missing_ok=True)

    def sweep(self, sealed: Collection[str]) -> None:
        """Delete what is pending, and half written, but for the sealed: left by runs killed before they could seal.

        Privacy: as for `discard`. Only while no other worker is between drawing and sealing.
        """
        for file in self._root.glob("*") if self._root.is_dir() else ():
            if not is_sha256_hex(file.name) and file.name.removesuffix(_PENDING) not in sealed:
                file.unlink()

    def _keep(self, sha256: str) -> None:
        pending, kept = self._pending(sha256), self._kept(sha256)
        try:
            if pending.exists():
                with suppress(FileNotFoundError):  # another worker kept it just now
                    pending.replace(kept)
            if kept.exists():
                flush_names(self._root)
        except OSError as error:
            raise self._refused(error, "what was sealed stays, and nothing is charged again") from None

    def _refused(self, error: OSError, what_remains: str) -> PrivacyError:
        return PrivacyError(
            f"The artefact cannot be stored in {self._root}: {error.strerror}.",
            expected="a folder with room that this user may write to",
            remedy=f"make room and repeat: {what_remains}",
        )

    def _kept(self, sha256: str) -> Path:
        if not is_sha256_hex(sha256):
            raise _lost(sha256, "has no digest for a name")
        return self._root / sha256

    def _pending(self, sha256: str) -> Path:
        kept = self._kept(sha256)
        return kept.with_name(kept.name + _PENDING)


def _lost(sha256: str, how: str) -> SealLostError:
    return SealLostError(
        f"The sealed artefact {sha256} {how}.",
        expected="the bytes that were sealed",
        remedy="restore it from a copy of the vault; without one the release is burned, its budget spent",
    )
