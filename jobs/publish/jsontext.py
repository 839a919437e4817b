"""JSON of a bundle: one text for one value."""

import json
from collections.abc import Mapping
from typing import Any

from schemas.errors import BundleError


def json_bytes(value: object, *, indent: int | None = 2) -> bytes:
    """Return the value as UTF-8 JSON with sorted keys; refuses NaN and infinities.

    Args:
        value: What JSON can hold.
        indent: Spaces a level, for people; None writes one line, for machines.
    """
    text = json.dumps(value, indent=indent, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode()


def read_json_object(content: bytes, name: str) -> Mapping[str, Any]:
    """Read a JSON object.

    Raises:
        BundleError: The text is not one.
    """
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{name} is no JSON.", "a JSON object", "fetch the bundle again") from error
    if not isinstance(value, dict):
        raise BundleError(f"{name} holds no JSON object.", "a JSON object", "fetch the bundle again")
    return value
