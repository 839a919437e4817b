"""Pseudonyms: HMAC-SHA256 of a subscriber's number under a secret key of the epoch.

The key never stands in a query plan, a page or a log. The engine reads it at run time from a one-row file that
lives in the confidential scratch folder for as long as the job runs.
"""

import hmac
import os
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.key_epochs import KeyPlace
from schemas.errors import ConfigError

KEY_BYTES: Final = 32
_BLOCK_BYTES: Final = 64  # of SHA-256, to which RFC 2104 pads the key
_PURPOSES: Final = (b"whimbrel tag", b"whimbrel pseudonym")
_FINGERPRINT: Final = b"whimbrel fingerprint"
_COMMAND_S: Final = 30
"""Seconds that a secrets backend may take: a dead one must not hold the lock of the confidential root for long."""

_NEW_KEY: Final = "make one: python3 -c 'import secrets; print(secrets.token_hex(32))'"


def load_key(place: KeyPlace) -> bytes:
    """Return a secret key from where it is.

    Raises:
        ConfigError: It is missing, readable by others, or not 32 bytes in hexadecimal; or its command failed.
    """
    if place.key_command:
        text = _from_command(place.key_command)
    else:
        text = _from_file(place.key_file) if place.key_file else _from_environment(str(place.key_variable))
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigError("The pseudonym key cannot be used.", f"{2 * KEY_BYTES} hexadecimal digits", _NEW_KEY)
    return key


def _from_file(path: Path) -> str:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise ConfigError(
            f"There is no pseudonym key at {path}.",
            "a file with mode 600",
            f"{_NEW_KEY} > {path}; chmod 600 {path}",
        ) from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(
            f"The pseudonym key {path} can be read by others.",
            "mode 600",
            f"chmod 600 {path}, and replace the key if others use this machine",
        )
    return path.read_text(encoding="ascii", errors="replace")


def _from_environment(name: str) -> str:
    if name not in os.environ:
        raise ConfigError(f"The environment variable {name} is not set.", "the pseudonym key in hexadecimal", _NEW_KEY)
    return os.environ[name]


def _from_command(words: Sequence[str]) -> str:
    """Run it without a shell; what it prints, on either output, is shown to nobody, not even when it fails."""
    try:
        ended = subprocess.run(  # noqa: S603  the configuration's own words, and no shell
            words, stdin=subprocess.DEVNULL, capture_output=True, timeout=_COMMAND_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise _failed(words[0], f"did not end within {_COMMAND_S} seconds") from None
    except (OSError, ValueError):  # a NUL in a word is a ValueError
        raise _failed(words[0], "cannot be run") from None
    if ended.returncode:
        raise _failed(words[0], f"ended with code {ended.returncode}")
    return ended.stdout.decode("ascii", errors="replace")


def _failed(command: str, how: str) -> ConfigError:
    return ConfigError(
        f"The command for the pseudonym key, {command!r}, {how}.",
        "a command that prints the key",
        "run it by hand as this user, with its whole `key_command`; its output is never shown here",
    )


def fingerprint(key: bytes) -> str:
    """Return what tells keys apart and nothing else: a digest under a key and purpose of its own."""
    return hmac.digest(key, _FINGERPRINT, "sha256").hex()[:16]


def write_key_row(key: bytes, path: Path) -> None:
    """Write what the engine needs of the key as a one-row Parquet file, readable by its owner only.

    Two keys are derived, so that what a tag shows says nothing of the pseudonym. That of the pseudonym is padded to a
    block of SHA-256 as RFC 2104 does.
    """
    tag, pseudonym = (hmac.digest(key, purpose, "sha256") for purpose in _PURPOSES)
    padded = pseudonym.ljust(_BLOCK_BYTES, b"\0")
    keys = {
        "tag_key": [tag],
        "inner_block": [bytes(byte ^ 0x36 for byte in padded)],
        "outer_block": [bytes(byte ^ 0x5C for byte in padded)],
    }
    with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "wb") as file:
        pq.write_table(pa.table(keys), file)


def normalised_number(number: Column) -> Column:
    """One spelling a number: spaces, the leading plus and leading zeros (`00` of international calls) go."""
    return F.ltrim(F.trim(number), F.lit("+0"))


def tagged(events: DataFrame, key_row: DataFrame) -> DataFrame:
    """Replace `number` by `tag`, a keyed 64-bit digest: what events travel under, so that no number is ever moved.

    SHA-256 of a secret key of 32 bytes and a number of at most 23 characters is one keyed call of its compression
    function; xxhash64 shortens the digest to a long.
    """
    digest = F.sha2(F.concat("tag_key", F.col("number").cast("binary")), 256)
    kept = [name for name in events.columns if name != "number"]
    # The one row stands on the left: an engine that keeps the left side would keep the events and join them singly.
    return F.broadcast(key_row.select("tag_key")).crossJoin(events).select(F.xxhash64(digest).alias("tag"), *kept)


def pseudonymised(rows: DataFrame, key_row: DataFrame) -> DataFrame:
    """Replace `tag` by `subscriber`: the first 8 bytes, as a signed long, of its HMAC-SHA256.

    Done once a subscriber and day, not once an event: it is the dearest expression of the ingest (ADR 2).

    Source: RFC 2104 (HMAC), FIPS 180-4 (SHA-256).
    """
    inner = F.unhex(F.sha2(F.concat(F.col("inner_block"), F.col("tag").cast("string").cast("binary")), 256))
    digest = F.sha2(F.concat(F.col("outer_block"), inner), 256)
    kept = [name for name in rows.columns if name != "tag"]
    blocks = key_row.select("inner_block", "outer_block")
    return F.broadcast(blocks).crossJoin(rows).select(_first_8_bytes(digest).alias("subscriber"), *kept)


def _first_8_bytes(hexadecimal: Column) -> Column:
    high, low = (F.conv(F.substring(hexadecimal, start, 8), 16, 10).cast("bigint") for start in (1, 9))
    return F.shiftleft(high, 32).bitwiseOR(low)
