"""A day at the command line with planted numbers: nothing of them is in what crosses the line, nor in any log.

What crosses: bundles, the ledger's chain, all that is said on standard output and error. There, numbers, pseudonyms,
the key and exact counts are searched. Engine logs, plans and temporary files stay inside and hold exact counts by
nature; numbers and the key must not be there either. Files of the two roots: test_confidentiality.py.
"""

import base64
import gzip
import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image, PngImagePlugin

from jobs.config import Config
from jobs.releases import Desk
from jobs.storage import Storage
from tests.end_to_end import canaries
from tests.end_to_end.canaries import ENOUGH_DIGITS, Canaries, key_spellings, number_spellings, pseudonym_spellings
from tests.installations import KEY, exact_totals, files_of, installation, parts

ROOT = Path(__file__).parents[2]
CONFIG = """\
[country]
name = "Numenia"
timezone = "Indian/Mauritius"
[engine]
shuffle_partitions = 2
memory = "1g"
master = "local[2]"
[pseudonyms]
key_file = "key"
[cells]
path = "{cells}"
[ingest]
exclusions = "exclusions.txt"
[approval]
publisher_key = "keys/gate.pem"
[sources.world_bank]
format = "csv"
header = false
fields = 3
columns = {{ subscriber = 0, time = 1, cell = 2 }}
time_format = "dd/MM/yyyy HH:mm:ss"
time_zone = "local"
"""
DAY = [
    (0, "ingest {week} --days 2026-W10"),
    (2, "ingest {week} --days 2026-W11"),
    (0, "ingest {shifted} --days 2026-03-09"),
    (2, "ingest {rejected} --days 2026-03-10"),
    (2, "ingest {broken} --days 2026-03-11"),
    (2, "ingest {week} --days 2026-W10 --source billing"),
    (0, "exclude"),
    (0, "release od_trips 2026-W10"),
    (0, "release od_trips 2026-W10"),
    (2, "release od_trips 2026-W12"),
    (2, "release residents 2026-03"),
    (0, "release od_trips 2026-03-03"),
    (2, "publish od_trips 2026-W10"),
    (0, "approve release od_trips 2026-W10 --key keys/Amina.pem --yes"),
    (0, "publish od_trips 2026-W10"),
    (0, "publish od_trips 2026-W10"),
    (0, "verify release/od_trips_2026-W10_r1.zip --trust trust.toml"),
    (0, "verify release/od_trips_2026-W10_r1"),
    (2, "verify ledger.txt"),
    (0, "ledger"),
    (0, "ledger --json"),
    (0, "ledger check"),
    (0, "budget plan --first 2026-03 --months 2"),
    (0, "keys list"),
    (0, "approve show"),
    (2, "evaluate od_trips 2026-W10 --json"),
]
"""Commands in order, and the code that each ends with: what is done, done again, refused, and broken."""

SHORTER = {"ingest {week} --days 2026-W11", "ingest {rejected} --days 2026-03-10", "release od_trips 2026-03-03"}
"""What classic Spark is spared, because each costs it a session: the same code runs on the embedded engine."""


def day_on(engine):
    return [(code, line) for code, line in DAY if engine == "sail" or line not in SHORTER]


@dataclass(frozen=True)
class Played:
    """What a day left.

    Args:
        engine: Its engine.
        root: The installation.
        said: Standard output and error of all commands.
        canaries: What is searched for.
    """

    engine: str
    root: Path
    said: bytes
    canaries: Canaries

    @property
    def config(self):
        return Config.load(self.root / "whimbrel.toml")

    def secrets(self, *kinds):
        chosen = {what: how for what, how in self.canaries.needles.items() if what.split()[0] in kinds}
        return replace(self.canaries, needles=chosen, counts={})


def numbers_in(files):
    seen = Counter()
    for file in files:
        text = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        seen.update(line.split(b",")[0].decode().lstrip("+0") for line in text.splitlines())
    return [number for number, _ in seen.most_common() if re.fullmatch(r"\d{9,}", number)]


def deliveries(country, folder):
    """A week of files that do not bear the synthetic mark, and three that make ingest complain."""
    week = folder / "deliveries" / "week"
    week.mkdir(parents=True)
    for file in files_of(country, "world_bank")[:7]:
        shutil.copy(file, week)
    number = numbers_in(sorted(week.iterdir()))[0]
    cell = "SYN-00000-1"
    made = {
        "shifted.csv": f"{number},09/03/2026 10:00:00,{cell}\nx,{number},{cell}\n{number},09/03/2026 11:00:00,{number}",
        "rejected.csv": f"{number},{number},{number}\n+{number},9/3/2026,{cell}\n",
    }
    for name, text in made.items():
        (folder / name).write_text(text)
    whole = gzip.compress("".join(f"{number},11/03/2026 10:00:00,{cell}\n" for _ in range(2_000)).encode())
    (folder / "broken.csv.gz").write_bytes(whole[: len(whole) // 2])
    return {"week": week, **{name: folder / f"{name}.csv" for name in ("shifted", "rejected")}} | {
        "broken": folder / "broken.csv.gz"
    }


def play(root, country, engine):
    installation(root, cells=country.folder / "cells.csv")
    paths = deliveries(country, root / "inbox")
    (root / "exclusions.txt").touch(mode=0o600)
    (root / "exclusions.txt").write_text(f"+{numbers_in(sorted(paths['week'].iterdir()))[3]}\n")
    (root / "whimbrel.toml").write_text(CONFIG.format(cells=country.folder / "cells.csv"))
    (root / "day.txt").write_text("\n".join(line for _, line in day_on(engine)).format(**paths))
    (root / "tmp").mkdir()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(root / "tmp"), "COLUMNS": "300"}
    environment.pop("SPARK_CONNECT_MODE_ENABLED", None)
    done = subprocess.run(
        [sys.executable, "-m", "tests.end_to_end.canary_run", str(root), engine, str(root / "day.txt")],
        cwd=root,
        env=environment,
        capture_output=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()[-2_000:]
    return done.stdout + b"\n" + done.stderr


def planted(root, session):
    """The canaries of an installation: numbers and their pseudonyms, the key, and counts that nobody may learn."""
    config = Config.load(root / "whimbrel.toml")
    numbers = numbers_in(sorted((root / "inbox/deliveries/week").iterdir()))
    rows = parts(Storage.of(config.storage))
    pseudonyms = sorted({row[-1] for row in rows})
    records = Storage.of(config.storage).deliveries().values()
    totals = exact_totals(session, config)
    counts = {
        "events read": max(record.read for record in records),
        "events kept": max(record.kept for record in records),
        "events of all days": sum(record.kept for record in records),
        "sum of bounded totals": sum(totals.values()),
        **{f"total of key {key}": total for key, total in totals.items()},
    }
    assert len(numbers) > 100 < len(pseudonyms)
    needles = {f"number {n}": number_spellings(number) for n, number in enumerate(numbers[:20])}
    some = pseudonyms[:: len(pseudonyms) // 20]
    needles |= {f"pseudonym {n}": pseudonym_spellings(one) for n, one in enumerate(some)}
    needles |= key_spellings(bytes.fromhex(KEY))
    return Canaries(needles, {what: n for what, n in counts.items() if len(str(n)) >= ENOUGH_DIGITS})


@pytest.fixture(scope="module", params=["sail", pytest.param("spark", marks=pytest.mark.audit)])
def played(request, tiny_country, engines, tmp_path_factory):
    root = tmp_path_factory.mktemp(f"canaries-{request.param}")
    said = play(root, tiny_country, request.param)
    with engines("sail") as session:
        return Played(request.param, root, said, planted(root, session))


def test_the_day_went_as_it_was_meant_to(played):
    """Otherwise nothing would have been there to leak: releases, a bundle, refusals and a defect's message."""
    codes = [int(code) for code in re.findall(r"(?m)^exit (\d+)$", played.said.decode(errors="replace"))]

    assert codes == [code for code, _ in day_on(played.engine)]
    assert len(list((played.root / "release").glob("*/card.json"))) == 1
    assert len(list((played.root / "kept").iterdir())) >= 3


def test_nothing_that_is_said_holds_a_number_a_pseudonym_the_key_or_an_exact_count(played):
    assert b"exit 0" in played.said
    assert played.canaries.in_bytes(played.said) == set()


def test_a_bundle_holds_no_number_no_pseudonym_no_key_and_no_exact_count(played):
    release = played.root / "release"

    assert len([path for path in release.rglob("*") if path.is_file()]) >= 10
    assert played.canaries.under(release) == {}


def test_a_bundle_tells_no_time_of_day_of_its_making(played):
    """The ledger's date is enough; a duration would say how much there was to count."""
    (archive,) = (played.root / "release").glob("*.zip")

    with zipfile.ZipFile(archive) as folded:
        assert {entry.date_time for entry in folded.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    for file in (played.root / "release").glob("*/*"):
        if file.suffix in {".json", ".csv", ".md", ".geojson"} and file.name != "approval.json":
            assert not re.search(r"\d{2}:\d{2}:\d{2}", file.read_text()), file.name


def test_the_ledgers_chain_holds_no_number_no_pseudonym_no_key_and_nothing_of_the_inputs(played):
    entries = Desk.of(played.config).ledger.entries()
    chain = "\n".join(str(entry) for entry in entries).encode()
    inner = {name.encode() for name in Storage.of(played.config.storage).deliveries()}

    assert len(entries) >= 4
    assert played.canaries.in_bytes(chain) == set()
    assert not [name for name in inner if name in chain]
    assert b"inputs_sha256" not in chain


def test_engine_logs_and_plans_hold_neither_a_number_nor_the_key(played):
    secrets = played.secrets("number", "key")
    plans = (played.root / "plans.txt").read_bytes()

    assert b"Physical Plan" in plans
    assert secrets.in_bytes(plans) == set()
    assert secrets.under(played.root / "events") == {}
    if events := list((played.root / "events").rglob("*")):
        text = b"".join(path.read_bytes() for path in events if path.is_file())
        assert b"SparkListenerTaskEnd" in text


def test_temporary_and_shuffle_files_hold_neither_a_number_nor_the_key(played):
    """Copied just before a session ended; what was shuffled was not compressed, so that it could be read."""
    secrets = played.secrets("number", "key")
    shuffled = [path for path in (played.root / "kept").rglob("shuffle_*.data") if path.stat().st_size]

    assert secrets.under(played.root / "kept") == {}
    assert bool(shuffled) == bool(list((played.root / "events").iterdir()))


def test_no_engine_leaves_a_warehouse_or_anything_else_behind(played):
    assert [path for path in (played.root / "tmp").rglob("*") if path.is_file()] == []
    assert list((played.root / "tmp").glob("whimbrel-*")) == []
    assert not list(played.root.rglob("spark-warehouse")) + list(played.root.rglob("metastore_db"))
    assert {path.name for path in played.root.iterdir()} == {
        "confidential", "day.txt", "events", "exclusions.txt", "inbox", "kept", "key", "keys", "plans.txt",
        "release", "tmp", "trust.toml", "whimbrel.toml",
    }  # fmt: skip


# A leak of each kind is found: the searcher itself.

NUMBER, PSEUDONYM, SECRET = "263771234567", -6_148_914_691_236_517_205, bytes(range(7, 39))
PLANTED = Canaries(
    {"number": number_spellings(NUMBER), "pseudonym": pseudonym_spellings(PSEUDONYM), **key_spellings(SECRET)},
    {"count": 48_213},
)


def zipped(content):
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bundle/card.json", content)
    return sink.getvalue()


def parquet(table):
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def png(text, *, compressed):
    notes, sink = PngImagePlugin.PngInfo(), io.BytesIO()
    notes.add_text("Comment", text, zip=compressed)
    Image.new("L", (2, 2)).save(sink, "png", pnginfo=notes)
    return sink.getvalue()


LEAKS = {
    "a number in text": ("a.csv", f"x,{NUMBER}\n".encode(), "number"),
    "a number with its country's zeros": ("a.log", f"00{NUMBER}".encode(), "number"),
    "a number in base64": ("a.json", base64.b64encode(b"ab" + NUMBER.encode() + b"c"), "number"),
    "a number in hexadecimal": ("a.txt", NUMBER.encode().hex().encode(), "number"),
    "a number in UTF-16": ("a.bin", NUMBER.encode("utf-16-le"), "number"),
    "a number as an integer": ("a.bin", int(NUMBER).to_bytes(8, "little"), "number"),
    "a number in a file's name": (f"part-{NUMBER}.parquet.txt", b"", "number"),
    "a number in a zip": ("a.zip", zipped(NUMBER), "number"),
    "a number in a Parquet column": ("a.parquet", parquet(pa.table({"n": [NUMBER] * 50})), "number"),
    "a number in a Parquet note": (
        "a.parquet",
        parquet(pa.table({"n": [1]}).replace_schema_metadata({"by": NUMBER})),
        "number",
    ),
    "a number in a PNG's text": ("a.png", png(NUMBER, compressed=False), "number"),
    "a number in a PNG's compressed text": ("a.png", png(NUMBER * 9, compressed=True), "number"),
    "a pseudonym in decimal": ("a.csv", str(PSEUDONYM).encode(), "pseudonym"),
    "a pseudonym without its sign": ("a.csv", str(PSEUDONYM + 2**64).encode(), "pseudonym"),
    "a pseudonym in hexadecimal": ("a.csv", f"{PSEUDONYM + 2**64:x}".encode(), "pseudonym"),
    "a pseudonym in base64": (
        "a.json", base64.b64encode(b"a" + PSEUDONYM.to_bytes(8, "big", signed=True)), "pseudonym",
    ),
    "a pseudonym in a Parquet list": ("a.parquet", parquet(pa.table({"s": [[PSEUDONYM, 1]]})), "pseudonym"),
    "the key, raw": ("a.bin", b"--" + SECRET, "key 0"),
    "the key in capital hexadecimal": ("a.log", SECRET.hex().upper().encode(), "key 0"),
    "the key in base64": ("a.log", base64.urlsafe_b64encode(b"xy" + SECRET), "key 0"),
    "a derived key": ("a.bin", canaries.hmac.digest(SECRET, b"whimbrel tag", "sha256"), "key 1"),
    "an exact count": ("a.json", b'{"rows": 48213}', "count"),
    "an exact count with commas": ("a.txt", b"48,213 events", "count"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "content", "what"), LEAKS.values(), ids=LEAKS)
def test_a_planted_leak_is_found(name, content, what, tmp_path):
    (tmp_path / name).write_bytes(content)

    assert what in set().union(*PLANTED.under(tmp_path).values())


def test_what_is_no_leak_is_not_found(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"148213,0.48213,48214,26377123456,a48213b\n")
    (tmp_path / "a.json").write_text(json.dumps({"sha256": "ab" * 32}))

    assert PLANTED.under(tmp_path) == {}


@pytest.mark.parametrize("where", ["card.json", "README.md", "od_trips.csv", "SHA256SUMS"])
def test_a_count_or_a_pseudonym_that_slips_into_a_real_bundle_is_found(played, where, tmp_path):
    shutil.copytree(next(path for path in (played.root / "release").iterdir() if path.is_dir()), tmp_path / "bundle")
    count, spellings = played.canaries.counts["events read"], played.canaries.needles["pseudonym 3"]
    file = tmp_path / "bundle" / where
    file.write_bytes(file.read_bytes() + f"\n{count} ".encode() + sorted(spellings)[0])

    assert played.canaries.under(tmp_path) == {file: {"events read", "pseudonym 3"}}
