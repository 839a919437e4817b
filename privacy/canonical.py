"""One text for one value: what is hashed must not depend on the order of keys or on white space."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias

JsonValue: TypeAlias = "bool | int | float | str | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
"""What JSON can hold. Note that 1 and 1.0 are two texts, hence two digests."""


def canonical_json(value: JsonValue) -> bytes:
    """The one UTF-8 text of a value: keys sorted, no spaces, no NaN.

    Raises:
        TypeError: The value holds something that JSON cannot, for instance a numpy number.
        ValueError: The value holds NaN or an infinity, which have no JSON text.
    """
    text = json.dumps(_plain(value), ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
    return text.encode("utf-8")


def sha256_hex(data: bytes) -> str:
    """SHA-256 of the bytes as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def is_sha256_hex(text: str) -> bool:
    """Whether the text can be a digest written by `sha256_hex`."""
    return len(text) == 64 and set(text) <= set("0123456789abcdef")


def _plain(value: JsonValue) -> JsonValue:
    if isinstance(value, str | int | float):
        return value
    # json knows dict and list only, and would turn a number used as a key into text without a word
    if isinstance(value, Mapping):
        if strays := [key for key in value if not isinstance(key, str)]:
            raise TypeError(f"A JSON object has text keys only, not {strays!r}.")
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_plain(item) for item in value]
    return value
