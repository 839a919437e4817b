"""Pseudonyms against the standard library's HMAC, and a key that only its owner can read."""

import hmac
import struct

import pyarrow.parquet as pq
import pytest
from pyspark.sql import functions as F

from jobs.config import PseudonymConfig
from jobs.ingest.pseudonyms import load_key, normalised_number, pseudonymised, tagged, write_key_row
from schemas.errors import ConfigError

KEY = bytes(range(32))
NUMBERS = ["263771234567", "1", "x" * 55, "0" * 9 + "7", "é"]


def key_row(session, tmp_path, key=KEY):
    path = tmp_path / f"{key.hex()[:8]}.parquet"
    write_key_row(key, path)
    return session.read.parquet(str(path))


def named(session, tmp_path, numbers, key=KEY):
    """(number, tag, subscriber) of each number."""
    row = key_row(session, tmp_path, key)
    table = session.createDataFrame([(number, number) for number in numbers], "number string, same string")
    tags = tagged(table, row).withColumn("kept", F.col("tag"))
    return sorted(tuple(row) for row in pseudonymised(tags, row).select("same", "kept", "subscriber").collect())


def test_a_subscriber_is_the_first_eight_bytes_of_the_hmac_sha256_of_its_tag(engine, tmp_path):
    derived = hmac.digest(KEY, b"whimbrel pseudonym", "sha256")
    for _, tag, subscriber in named(engine, tmp_path, NUMBERS):
        assert subscriber == struct.unpack(">q", hmac.digest(derived, str(tag).encode(), "sha256")[:8])[0]


def test_both_engines_give_a_number_the_same_tag_and_pseudonym(engines, tmp_path):
    found = []
    for name in ("sail", "spark"):
        (tmp_path / name).mkdir()
        with engines(name) as session:
            found.append(named(session, tmp_path / name, NUMBERS))

    assert found[0] == found[1]
    assert len({tag for _, tag, _ in found[0]}) == len(NUMBERS)


def test_another_key_gives_other_tags_and_other_pseudonyms(sail, tmp_path):
    one = named(sail, tmp_path, NUMBERS)
    other = named(sail, tmp_path, NUMBERS, key=b"\1" * 32)

    assert not {row[1] for row in one} & {row[1] for row in other}
    assert not {row[2] for row in one} & {row[2] for row in other}


def test_the_keys_row_is_its_owners_alone_and_holds_no_key(tmp_path):
    path = tmp_path / "key.parquet"
    write_key_row(KEY, path)
    blocks = {name: value for name, (value,) in pq.read_table(path).to_pydict().items()}
    derived = hmac.digest(KEY, b"whimbrel pseudonym", "sha256").ljust(64, b"\0")

    assert path.stat().st_mode & 0o777 == 0o600
    assert KEY not in path.read_bytes()
    assert blocks["inner_block"] == bytes(byte ^ 0x36 for byte in derived)
    assert blocks["outer_block"] == bytes(byte ^ 0x5C for byte in derived)
    with pytest.raises(FileExistsError):
        write_key_row(KEY, path)


def test_spellings_of_one_number_are_one_number(engine):
    spellings = ["263771234567", "+263771234567", "00263771234567", "263771234567 ", " +263771234567", "0263771234567"]
    table = engine.createDataFrame([(text,) for text in [*spellings, "", "+", "00", None]], "number string")

    found = [row[0] for row in table.select(normalised_number(F.col("number"))).collect()]

    assert found == ["263771234567"] * 6 + ["", "", "", None]


def key_file(tmp_path, text, mode=0o600):
    path = tmp_path / "key"
    path.write_text(text)
    path.chmod(mode)
    return PseudonymConfig(key_file=path)


@pytest.mark.parametrize("text", [KEY.hex(), KEY.hex().upper() + "\n", f"  {KEY.hex()}  "])
def test_a_key_is_sixty_four_hexadecimal_digits(tmp_path, monkeypatch, text):
    monkeypatch.setenv("WHIMBREL_KEY", text)

    assert load_key(key_file(tmp_path, text)) == KEY
    assert load_key(PseudonymConfig(key_variable="WHIMBREL_KEY")) == KEY


@pytest.mark.parametrize("text", ["", "ab" * 31, "ab" * 33, "zz" * 32, "é" * 32])
def test_anything_else_is_refused_without_showing_it(tmp_path, monkeypatch, text):
    monkeypatch.setenv("WHIMBREL_KEY", text)
    for config in (key_file(tmp_path, text), PseudonymConfig(key_variable="WHIMBREL_KEY")):
        with pytest.raises(ConfigError, match=r"cannot be used\. Expected: 64 hexadecimal digits\. Remedy: ") as caught:
            load_key(config)
        assert not text or text not in str(caught.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_key_that_others_can_reach_is_refused(tmp_path, mode):
    with pytest.raises(ConfigError, match=r"can be read by others\. Expected: mode 600\. Remedy: chmod 600"):
        load_key(key_file(tmp_path, KEY.hex(), mode))


def test_a_key_that_is_nowhere_is_refused_with_how_to_make_one(tmp_path, monkeypatch):
    monkeypatch.delenv("WHIMBREL_KEY", raising=False)
    with pytest.raises(ConfigError, match=r"There is no pseudonym key at .*secrets\.token_hex"):
        load_key(PseudonymConfig(key_file=tmp_path / "gone"))
    with pytest.raises(ConfigError, match="WHIMBREL_KEY is not set"):
        load_key(PseudonymConfig(key_variable="WHIMBREL_KEY"))
