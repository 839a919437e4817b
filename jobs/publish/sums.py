"""`SHA256SUMS`: every file of a bundle but its signature, in the form that `sha256sum -c` reads.

The signature stands outside, because it is taken over the digest of this list.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Final

from schemas.errors import BundleError

SUMS_NAME: Final = "SHA256SUMS"
SIGNATURE_NAME: Final = "signature"

_UNLISTED: Final = frozenset({SUMS_NAME, SIGNATURE_NAME})

_LINE: Final = re.compile(r"([0-9a-f]{64})  ([^/\\\x00-\x1f]+)")


def sums_bytes(files: Mapping[str, bytes]) -> bytes:
    """Return the list of the files' digests, sorted by name."""
    return "".join(f"{_digest(files[name])}  {name}\n" for name in sorted(files.keys() - _UNLISTED)).encode()


def sums_sha256(files: Mapping[str, bytes]) -> str:
    """Return the digest of the list in `files`, and so of every file: what is signed, and what the ledger records."""
    return _digest(files[SUMS_NAME])


def check_sums(files: Mapping[str, bytes]) -> None:
    """Check that the list in `files` names exactly the others, but the signature, and their digests.

    Raises:
        BundleError: Names the first file that is missing, unlisted or altered.
    """
    if SUMS_NAME not in files:
        raise BundleError(f"{SUMS_NAME} is missing.", "a list of every file", "fetch the whole bundle again")
    listed = _listed(files[SUMS_NAME])
    found = files.keys() - _UNLISTED
    if missing := sorted(listed.keys() - found):
        raise BundleError(f"File {missing[0]} is missing.", f"every file of {SUMS_NAME}", "fetch the bundle again")
    if unlisted := sorted(found - listed.keys()):
        raise BundleError(f"File {unlisted[0]} is not in {SUMS_NAME}.", "only listed files", "remove it")
    for name in sorted(found):
        _check_digest(name, _digest(files[name]), listed[name])


def _check_digest(name: str, found: str, expected: str) -> None:
    if found != expected:
        raise BundleError(
            f"File {name} was altered: its SHA-256 is {found}.",
            f"{expected}, as {SUMS_NAME} says",
            "do not use the bundle; fetch it again from its publisher",
        )


def _listed(content: bytes) -> dict[str, str]:
    *lines, rest = content.decode(errors="replace").split("\n")
    matches = [_LINE.fullmatch(line) for line in lines]
    listed = {match[2]: match[1] for match in matches if match}
    if rest or len(listed) != len(matches):
        raise BundleError(
            f"{SUMS_NAME} has a line that is no digest and name, or names a file twice.",
            "lines of 64 hexadecimal digits, two spaces and a file name",
            "fetch the bundle again",
        )
    return listed


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
