"""Canaries: the key, its derivatives and the subscribers' numbers are searched for wherever something is written."""

import hmac
import re
from datetime import timedelta

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from jobs.releases import Desk
from jobs.storage import Storage
from schemas.subscriber_days import QUARANTINE, SUBSCRIBER_DAY_PARTS
from tests.approvals import publish
from tests.installations import FIRST, KEY, WEEK, deliver, files_of, installation, release_week, rows_of

SECRETS = [
    KEY.encode(),
    bytes.fromhex(KEY),
    *(hmac.digest(bytes.fromhex(KEY), purpose, "sha256") for purpose in (b"whimbrel tag", b"whimbrel pseudonym")),
]


@pytest.fixture(scope="module", params=["sail", "spark"])
def installed(request, engines, tiny_country, tmp_path_factory):
    """A week of the headerless layout ingested, released and published."""
    config = installation(tmp_path_factory.mktemp("canaries"), cells=tiny_country.folder / "cells.csv")
    with engines(request.param) as session:
        files = files_of(tiny_country, "world_bank")[:7]
        deliver(session, config, files, layout="world_bank", last=FIRST + timedelta(6))
        release_week(session, config)
        publish(config, Desk.of(config).plan("od_trips", WEEK, 1).key)
    return config


def numbers_of(country):
    return set(pq.read_table(country.folder / "truth/homes.parquet")["msisdn"].to_pylist())


def written(root):
    """Every file under a root: its bytes, and what a Parquet file holds once unpacked."""
    for path in sorted(root.rglob("*")):
        if path.is_file():
            yield path, path.read_bytes() + unpacked(path)


def unpacked(path):
    if path.suffix != ".parquet":
        return b""
    table = pq.read_table(path, partitioning=None)
    texts = [pc.cast(column, "string") for column in table.columns if str(column.type) in {"string", "int64", "binary"}]
    return "\n".join(value or "" for column in texts for value in column.to_pylist()).encode()


def test_no_file_holds_the_key_or_a_number(installed, tiny_country):
    numbers = numbers_of(tiny_country)
    seen = 0
    for root in (installed.storage.confidential, installed.storage.release):
        for path, content in written(root):
            seen += 1
            assert not [secret for secret in SECRETS if secret in content], path
            digits = {run.decode() for run in re.findall(rb"\d{7,}", content)}
            assert not digits & numbers, path
    assert seen > 20


def test_no_pseudonym_and_no_inner_digest_crosses_the_line(installed):
    storage = Storage.of(installed.storage)
    inner = {name.encode() for name in storage.deliveries()}
    pseudonyms = {
        str(row[-1]).encode()
        for name in storage.deliveries()
        for day in storage.days_in(SUBSCRIBER_DAY_PARTS, name)
        for row in rows_of(storage.version(SUBSCRIBER_DAY_PARTS, name) / f"day={day}")
    }
    assert len(pseudonyms) > 100
    for path, content in written(storage.release):
        assert not [word for word in inner | pseudonyms if word in content], path


def test_the_confidential_root_is_its_owners_alone(installed):
    root = installed.storage.confidential

    assert root.stat().st_mode & 0o077 == 0
    assert (root / "vault").stat().st_mode & 0o077 == 0


def test_an_ingest_and_a_release_say_nothing_of_the_data(engine, tiny_country, tmp_path, capfd):
    config, said = installation(tmp_path, cells=tiny_country.folder / "cells.csv"), []
    files = files_of(tiny_country, "whimbrel")[:7]

    deliver(engine, config, files, last=FIRST + timedelta(6), progress=said.append)
    release_week(engine, config, progress=said.append)

    out, err = capfd.readouterr()
    assert not re.findall(r"\d{7,}", out + err)
    assert KEY not in out + err
    assert not re.findall(r"\d", "".join(said))


def test_the_quarantine_masks_a_number_that_stands_in_the_wrong_column(sail, tiny_country, tmp_path):
    config = installation(tmp_path, cells=tiny_country.folder / "cells.csv")
    file = tmp_path / "shifted.csv"
    good = "263771234567,02/03/2026 10:00:00,SYN-00000-1\n"
    file.write_text(good + "x,02/03/2026 10:00:00,263771234567\n263771234567,+263771234567,SYN-00000-1\n")

    deliver(sail, config, [file], layout="world_bank", last=FIRST)

    storage = Storage.of(config.storage)
    (delivery,) = storage.deliveries()
    rows = rows_of(storage.version(QUARANTINE, delivery))
    assert sorted(rows) == [
        ("#######", "shifted.csv", "unknown_cell", "02/03/2026 10:00:00"),
        ("SYN-00000-1", "shifted.csv", "unreadable_time", "+#######"),
    ]
