"""The private store of sealed artefacts: what was drawn, whole, under the name of its own digest.

Artefacts hold noisy values that are not published: private outputs, so the store is its owner's alone and
stays inside the operator.
"""

from collections.abc import Collection
from pathlib import Path

from privacy.canonical import is_sha256_hex, sha256_hex
from privacy.durable import write_whole
from schemas.errors import PrivacyError, SealLostError


class Vault:
    """A content-addressed store in one folder.

    Args:
        root: The folder; made where it is missing, for its owner only.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, data: bytes) -> str:
        """Store an artefact so that it survives a power cut, and return its SHA-256.

        After any crash the artefact is there whole or not at all: it is written under another name, flushed,
        and renamed. Storing the same bytes again changes nothing, and mends a damaged copy.

        Raises:
            PrivacyError: The disk refuses.
        """
        digest = sha256_hex(data)
        try:
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(self._root / digest, data)
        except OSError as error:
            raise PrivacyError(
                f"The artefact cannot be stored in {self._root}: {error.strerror}.",
                expected="a folder with room that this user may write to",
                remedy="make room and repeat: nothing was sealed, and a repeat is not charged again",
            ) from None
        return digest

    def get(self, sha256: str) -> bytes:
        """The artefact of a digest.

        Raises:
            SealLostError: It is gone, or no longer what was stored.
        """
        try:
            data = self._path(sha256).read_bytes()
        except OSError as error:
            raise _lost(sha256, f"cannot be read: {error.strerror}") from None
        if sha256_hex(data) != sha256:
            raise _lost(sha256, "was altered")
        return data

    def discard(self, sha256: str) -> None:
        """Delete the draw of a worker whose seal was refused; nothing where it is gone already.

        Privacy: two draws of one release would average part of the noise away. Never for a sealed one.
        """
        self._path(sha256).unlink(missing_ok=True)

    def keep_only(self, digests: Collection[str]) -> None:
        """Delete every other artefact: draws of runs that were killed before they could seal.

        Privacy: as for `discard`. Only while no other worker is between drawing and sealing.
        """
        for file in self._root.glob("*") if self._root.is_dir() else ():
            if file.name not in digests:
                file.unlink()

    def _path(self, sha256: str) -> Path:
        if not is_sha256_hex(sha256):
            raise _lost(sha256, "has no digest for a name")
        return self._root / sha256


def _lost(sha256: str, how: str) -> SealLostError:
    return SealLostError(
        f"The sealed artefact {sha256} {how}.",
        expected="the bytes that were sealed",
        remedy="restore it from a copy of the vault; without one the release is burned, its budget spent",
    )
