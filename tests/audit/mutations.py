"""Seeded damage to bytes, lines, files and their names; and the smallest input that still fails."""

import gzip
import os
import random

TOKENS = (
    b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xf0\x9f", b"\x1a", b"\x1b[2J", b'"', b"'", b'""',
    b",", b";", b"|", b"\t", b"\r", b"\r\n", b"\n", b"\\", b"=1+1", b"../../etc/passwd", b"%s%n", b"{}", b"{0}",
    b"[bold]", b"$(id)", b"NaN", b"1e309", b"-1", b"9" * 40, b"0x10", b"null", b"true", b"2026-02-30", b"0000-00-00",
    b"24:60:60", b"+263", b"\xd9\xa3", b"\xe2\x80\xae", b"\xef\xbc\x91", b"e\xcc\x81", b"\xe2\x80\x8b",
    b"caf\xe9", b"A" * 3000, b" " * 300, b"",
)  # fmt: skip
"""What breaks readers: ends of text, marks, invalid and odd UTF-8, quotes, separators, formulas, paths, numbers."""

NAMES = (
    "a b.csv", "a*.csv", "a?.csv", "[ab].csv", "{a,b}.csv", "a,b.csv", "a%20b.csv", "a:b.csv", "a\\b.csv", "a\nb.csv",
    "\u00e9\u2603.csv", "-rf.csv", "a#b.csv", "a'b\".csv", "x=1.csv", "_a.csv", ".csv", "..csv", "a.CSV", "a..csv",
    "~.csv", "$HOME.csv", "a;b.csv", "a\tb.csv", "\u202egnp.csv", "con.csv", "a.csv.gz.csv", "a" * 240 + ".csv",
)  # fmt: skip
"""Names that an engine could take for patterns, addresses, options or hidden files."""


def damaged(chance, data, most=4):
    """Bytes with one to some faults."""
    for _ in range(chance.randint(1, most)):
        data = chance.choice(_FAULTS)(chance, data)
    return data


def _somewhere(chance, data):
    first = chance.randint(0, len(data))
    return first, chance.randint(first, min(len(data), first + chance.choice((1, 4, 40))))


def _flip(chance, data):
    if not data:
        return data
    place = chance.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << chance.randrange(8)]) + data[place + 1 :]


def _delete(chance, data):
    first, last = _somewhere(chance, data)
    return data[:first] + data[last:]


def _repeat(chance, data):
    first, last = _somewhere(chance, data)
    return data[:first] + data[first:last] * chance.choice((2, 3, 50)) + data[last:]


def _insert(chance, data):
    first, _ = _somewhere(chance, data)
    return data[:first] + chance.choice(TOKENS) + data[first:]


def _overwrite(chance, data):
    first, last = _somewhere(chance, data)
    return data[:first] + chance.choice(TOKENS) + data[last:]


def _cut(chance, data):
    return data[: chance.randint(0, len(data))]


def _swap(chance, data):
    a, b = sorted(chance.randint(0, len(data)) for _ in range(2))
    return data[b:] + data[a:b] + data[:a]


_FAULTS = (_flip, _flip, _delete, _repeat, _insert, _insert, _overwrite, _cut, _swap)


def damaged_line(chance, line):
    """A line with faults that is a line still, though it may have become several."""
    return damaged(chance, line.rstrip(b"\n")) + b"\n"


def packed_badly(chance, data):
    """A gzip file cut, damaged, doubled, followed by rubbish, or none at all."""
    whole = gzip.compress(data, mtime=0)
    return chance.choice(
        (
            lambda: whole[: chance.randint(0, len(whole))],
            lambda: damaged(chance, whole),
            lambda: whole + whole,
            lambda: whole + b"rubbish",
            lambda: data,
            lambda: gzip.compress(whole, mtime=0),
            lambda: b"",
        )
    )()


def trick(chance, folder, data):
    """Put data under a path that is not what it seems; gives the path to name."""
    folder.mkdir(parents=True)
    file = folder / chance.choice(NAMES)
    match chance.randrange(6):
        case 0 | 1:
            file.write_bytes(data)
        case 2:
            (folder / "real").write_bytes(data)
            file.symlink_to(folder / "real")
        case 3:
            file.symlink_to(chance.choice(("/nowhere", file.name, "/dev/zero")))
        case 4:
            os.mkfifo(file)
        case 5:
            (folder / "real.csv").write_bytes(data)
            return folder / ".." / folder.name
    return chance.choice((file, folder))


def smallest(fails, items):
    """Leave out what an input fails without: halves, then quarters, down to single items.

    Args:
        fails: Tells whether an input fails.
        items: Bytes, or a list.
    """
    size = len(items) // 2
    while size:
        for first in range(0, len(items), size):
            shorter = items[:first] + items[first + size :]
            if len(shorter) < len(items) and fails(shorter):
                items = shorter
                break
        else:
            size //= 2
    return items


def random_of(*seed):
    """A source of chance that depends on nothing but its seed."""
    return random.Random("/".join(map(str, seed)))
