"""What may stand in a report of a field that should name a cell."""

import re
from typing import Final

_LIKE_AN_IDENTIFIER: Final = re.compile(r"[0-9]{7,}|[A-Za-z0-9+/=]{16,}")
"""A number, or a digest of one in hexadecimal or base 64: what stands there when columns are shifted."""

_MASK: Final = "#######"


def masked_cell(name: str) -> str:
    """Return the text of a cell's field with whatever could be a subscriber's number or its digest masked."""
    return _LIKE_AN_IDENTIFIER.sub(_MASK, name)
