"""Keys in files, and the list of those that are trusted."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

from privacy.approval import Revocation, Trust, TrustedKey
from privacy.durable import write_whole
from privacy.signing import PrivateKey, PublicKey, passphrase_in, write_private_key
from schemas.errors import ConfigError

_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def new_key(folder: Path, name: str, passphrase_variable: str | None = None) -> PublicKey:
    """Write `NAME.pem`, for its owner only, and `NAME.pub`; never over another key.

    Raises:
        ConfigError: The name is none for a file, or a key of this name stands already.
    """
    if not _FILE_NAME.fullmatch(name):
        raise ConfigError(f"{name!r} cannot name a key's files.", "letters, digits, . _ and -", "choose one word")
    key, public_file = PrivateKey.new(), folder / f"{name}.pub"
    passphrase = passphrase_in(passphrase_variable)
    try:
        write_private_key(folder / f"{name}.pem", key, passphrase)
        write_whole(public_file, f"{key.public}\n".encode())
        public_file.chmod(0o644)
    except OSError as error:
        raise ConfigError(
            f"The key cannot be written to {folder}: {error.strerror}.", "a folder of your own", "name it with --out"
        ) from None
    return key.public


def trust_block(name: str, role: str, key: PublicKey) -> str:
    """The block of `trust.toml` that makes a key trusted."""
    return f'[[keys]]\nname = {json.dumps(name)}\nrole = "{role}"\npublic_key = "{key}"\n'


def revoke(path: Path, key_id: str, at: datetime, reason: str) -> TrustedKey:
    """Add a revocation to `trust.toml`, whole or not at all; return whose key it is.

    Raises:
        ConfigError: The list does not name the key, or cannot be used.
    """
    found = [trusted for trusted in Trust.load(path).keys if trusted.key.id == key_id]
    if not found:
        raise ConfigError(f"{path} names no key {key_id!r}.", "one of its keys", "see `whimbrel keys list`")
    revocation = Revocation(key_id, at.astimezone(UTC), reason)
    text = path.read_text(encoding="utf-8").rstrip("\n") + "\n\n" + _revocation_block(revocation)
    mode = path.stat().st_mode & 0o777
    write_whole(path, text.encode())
    path.chmod(mode)
    return found[0]


def read_public_key(text: str) -> PublicKey:
    """A public key as a reader gives it: its line, or the file that holds the line.

    Raises:
        ConfigError: It is neither.
    """
    if text.startswith("ed25519:"):
        return PublicKey.parse(text)
    try:
        return PublicKey.parse(Path(text).read_text(encoding="utf-8", errors="replace").strip())
    except OSError as error:
        raise ConfigError(
            f"The public key {text[:80]!r} cannot be read: {error.strerror}.",
            "the line of a .pub file, or the file",
            "ask the publisher for it, not the bundle",
        ) from None


def _revocation_block(revocation: Revocation) -> str:
    return (
        f'[[revocations]]\nkey_id = "{revocation.key_id}"\n'
        f"revoked_at = {revocation.revoked_at:%Y-%m-%dT%H:%M:%SZ}\nreason = {json.dumps(revocation.reason)}\n"
    )
