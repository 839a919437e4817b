"""Identifiers of subscribers as layouts write them: numbers or hashes, in text, hexadecimal, base64 or bytes."""

from typing import Final

from pyspark.sql import Column
from pyspark.sql import functions as F

from jobs.layouts import SourceConfig

_HEXADECIMAL: Final = r"^([0-9A-Fa-f]{2})+$"
_PRINTABLE: Final = r"^([2-7][0-9A-F])+$"
"""Bytes of plain text, in hexadecimal digits: an engine stops at bytes that are no text."""

_BASE64: Final = r"^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"


def identifier(written: Column, source: SourceConfig, *, is_binary: bool) -> Column:
    """An identifier as text: of a hash that is not written as text its bytes in small hexadecimal digits.

    So one hash is one subscriber, whether it comes as bytes, in hexadecimal digits or in base64. What is not written as
    the source says is missing.
    """
    if source.subscriber_written == "text" and not is_binary:
        return written.cast("string")
    digits = _digits(written, source.subscriber_written, is_binary=is_binary)
    if source.subscriber_is == "hash" and source.subscriber_written != "text":
        return F.lower(digits)
    return F.unhex(F.when(digits.rlike(_PRINTABLE), digits)).cast("string")


def _digits(written: Column, how: str, *, is_binary: bool) -> Column:
    """The bytes of an identifier in capital hexadecimal digits."""
    if how in {"text", "bytes"}:
        return F.hex(written)
    text = _plain(written) if is_binary else F.trim(written.cast("string"))
    if how == "hex":
        return F.upper(F.when(text.rlike(_HEXADECIMAL), text))
    return F.hex(F.unbase64(F.when(text.rlike(_BASE64), text)))


def _plain(written: Column) -> Column:
    return F.when(F.hex(written).rlike(_PRINTABLE), written).cast("string")
