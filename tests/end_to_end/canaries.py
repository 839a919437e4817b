"""Searches bytes for canaries in every spelling that a leak could take; see what lies inside files that hide text."""

import base64
import hmac
import io
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass

import pyarrow.parquet as pq

PURPOSES = (b"whimbrel tag", b"whimbrel pseudonym")
ENOUGH_DIGITS = 5
"""A shorter count stands in any text by chance."""


def key_spellings(key):
    """The key and what is derived from it: raw, in hexadecimal, in base64, as the padded blocks of HMAC."""
    derived = [hmac.digest(key, purpose, "sha256") for purpose in PURPOSES]
    pads = [bytes(byte ^ pad for byte in one) for one in derived for pad in (0x36, 0x5C)]
    return {f"key {n}": spelt(secret) for n, secret in enumerate([key, *derived, *pads])}


def number_spellings(number):
    """A subscriber's number as text, and as that text's bytes in other coats."""
    text = number.encode()
    return {text, number.encode("utf-16-le"), int(number).to_bytes(8, "little"), *spelt(text)}


def pseudonym_spellings(pseudonym):
    """A pseudonym as a signed or unsigned decimal, in hexadecimal, raw, and in base64."""
    raw = pseudonym.to_bytes(8, "big", signed=True)
    return {str(pseudonym).encode(), str(int.from_bytes(raw, "big")).encode(), raw[::-1], *spelt(raw)}


def spelt(secret):
    """Some bytes as they are, in hexadecimal, and in base64 at each of its three alignments."""
    hexadecimal = secret.hex().encode()
    return {secret, hexadecimal, hexadecimal.upper(), *in_base64(secret)}


def in_base64(secret):
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + secret)
        inner = whole[-(-shift * 8 // 6) : len(whole) - 4] if (len(secret) + shift) % 3 else whole[-(-shift * 8 // 6) :]
        yield inner
        yield inner.translate(bytes.maketrans(b"+/", b"-_"))


@dataclass(frozen=True)
class Canaries:
    """What is searched for, by what it is.

    Args:
        needles: {what: its spellings}.
        counts: {what: an exact count}, searched as a whole number in text.
    """

    needles: dict
    counts: dict

    def in_bytes(self, content):
        """What stands in some bytes; counts where they stand as numbers of their own."""
        found = {what for what, spellings in self.needles.items() if any(spelling in content for spelling in spellings)}
        numbers = {run.replace(b",", b"") for run in re.findall(rb"(?<![\w.,])\d[\d,]*(?![\w])", content)}
        return found | {what for what, count in self.counts.items() if str(count).encode() in numbers}

    def in_file(self, path):
        """What stands in a file: its name, its bytes, and all that it holds once it is unpacked."""
        return self.in_bytes(path.name.encode()) | self.in_bytes(unfolded(path.name, path.read_bytes()))

    def under(self, root):
        """{file: what stands in it} of all files under a folder; folder names count as well."""
        files = [path for path in sorted(root.rglob("*")) if path.is_file()]
        found = {path: self.in_file(path) | self.in_bytes(str(path.relative_to(root)).encode()) for path in files}
        return {path: what for path, what in found.items() if what}


def unfolded(name, content):
    """Bytes of a file, and after them what its form hides from a search."""
    if name.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [
                (entry.filename, archive.read(entry), entry.comment + entry.extra) for entry in archive.infolist()
            ]
            inside = [unfolded(member, held) + member.encode() + more for member, held, more in members]
            return b"\n".join([content, archive.comment, *inside])
    if name.endswith(".parquet"):
        return b"\n".join([content, *parquet_texts(content)])
    if name.endswith(".png"):
        return b"\n".join([content, *png_chunks(content)])
    if name.endswith((".gz", ".zst")):
        return content + (zlib.decompress(content, 31) if name.endswith(".gz") else b"")
    return content


def parquet_texts(content):
    """Every value, every column's statistics and every note of a Parquet file, as text."""
    file = pq.ParquetFile(io.BytesIO(content))
    yield from (note for pair in (file.schema_arrow.metadata or {}).items() for note in pair)
    for group in range(file.metadata.num_row_groups):
        for column in range(file.metadata.num_columns):
            yield str(file.metadata.row_group(group).column(column).statistics).encode()
    for column in file.read().columns:
        yield "\n".join(str(value) for value in column.to_pylist()).encode()


def png_chunks(content):
    """Chunks of a PNG beside its pixels; compressed texts unpacked."""
    position = 8
    while position < len(content):
        (size,) = struct.unpack(">I", content[position : position + 4])
        kind, held = content[position + 4 : position + 8], content[position + 8 : position + 8 + size]
        if kind != b"IDAT":
            yield kind + held
        if kind in {b"zTXt", b"iTXt"} and b"\0\0" in held:
            yield zlib.decompress(held.split(b"\0\0", 1)[1].lstrip(b"\0"))
        position += size + 12
