"""Text of a bundle, which a stranger may have written, before it stands in a file that some program will interpret."""

import re
from typing import Final

_CONTROL: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]"
)
"""What moves a cursor, ends a line or turns the reading direction; XML cannot hold some of it."""

_LONE: Final = re.compile(r"[\ud800-\udfff]")
"""Half a pair of UTF-16: JSON can hold it, UTF-8 cannot."""

_BRACKETS: Final = str.maketrans({"<": "\u2039", ">": "\u203a"})
"""Quotation marks that look like them."""

_FORMULA: Final = tuple("=+-@|%\uff1d\uff0b\uff0d\uff20")
"""What a cell begins with that a spreadsheet takes for a formula or a command.

Source: OWASP, CSV Injection, with the full-width forms that East Asian versions read alike.
"""


def printable(text: str) -> str:
    """Return the text on one line, without characters that are no text."""
    return _LONE.sub("\ufffd", _CONTROL.sub(" ", text))


def unmarked(text: str) -> str:
    """Return the text so that it is no markup in XML, HTML or Markdown, whether the reader unescapes it or not."""
    return printable(text).translate(_BRACKETS)


def cell_text(text: str) -> str:
    """Return the text as a cell that no spreadsheet evaluates: an apostrophe before what would be a formula."""
    shown = printable(text)
    return f"'{shown}" if shown.lstrip().startswith(_FORMULA) else shown
