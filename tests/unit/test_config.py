"""A configuration says what is wrong with it by the key, and never guesses."""

from pathlib import Path

import pytest

from jobs.config import Config, EngineConfig
from schemas.errors import ConfigError

GOOD = """
[country]
name = "Numenia"
timezone = "Indian/Mauritius"

[storage]
confidential = "inside"
release = "/srv/release"

[pseudonyms]
key_file = "key"

[cells]
path = "cells.csv"

[sources.own]
format = "parquet"
columns = { subscriber = "msisdn", time = "event_at", cell = "cell_id" }
"""


def load(tmp_path, text):
    path = tmp_path / "whimbrel.toml"
    path.write_text(text, encoding="utf-8")
    return Config.load(path)


def test_relative_paths_start_from_the_files_own_folder(tmp_path):
    config = load(tmp_path, GOOD)

    assert config.storage.confidential == tmp_path / "inside"
    assert config.storage.release == Path("/srv/release")
    assert config.pseudonyms.key_file == tmp_path / "key"
    assert config.storage.ledger_url == f"sqlite:///{tmp_path}/inside/ledger.sqlite"
    assert config.policy is None


@pytest.mark.parametrize("path", ['"adm2.geojson"', '["adm1.geojson", "adm2.geojson"]'])
def test_boundaries_are_one_file_or_one_a_level(tmp_path, path):
    config = load(tmp_path, f"{GOOD}\n[boundaries]\npath = {path}\nlevels = [1, 2]\n")

    assert config.boundaries.paths[-1] == tmp_path / "adm2.geojson"
    assert config.boundaries.levels == (1, 2)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"Indian/Mauritius"', '"Mauritius time"', r"\[country.timezone\] 'Mauritius time' is not an IANA time zone"),
        ('name = "Numenia"', 'nmae = "Numenia"', r"\[country.name\] Field required"),
        ("[cells]", "[cellz]", r"\[cells\] Field required"),
        ('key_file = "key"', "", r"\[pseudonyms\] give exactly one of key_file, key_variable, key_command, or epochs"),
        ('key_file = "key"', 'key_file = "key"\nkey_variable = "KEY"', "exactly one"),
        ('"parquet"', '"xml"', r"\[sources.own.format\]"),
        ('subscriber = "msisdn"', "subscriber = 0", r"columns.subscriber: this layout needs column names"),
        ('"parquet"', '"csv"\nheader = false', r"columns.subscriber, .*needs positions \(0, 1, 2\)"),
        ('"parquet"', '"parquet"\ntime_format = "dd/MM/yyyy"', "the mask .* lacks HH"),
        ('"parquet"', '"parquet"\ntime_format = "dd/MM/yyyy HH:mm:mm"', "has the minute twice"),
        ('"parquet"', '"parquet"\nspeed = 3', r"\[sources.own.speed\]"),
        ('name = "Numenia"', 'name = "Numenia"\nbase_resolution = 12', r"\[country.base_resolution\]"),
        ('name = "Numenia"', 'name = "Numenia"\ncode = "Numenia"', r"\[country.code\] 'Numenia' is not an ISO 3166"),
        ('cell = "cell_id"', 'cell = "cell_id", sim_country = "imsi"', r"visited_country: \[country\] code has"),
        ('cell = "cell_id"', 'visited_country = "plmn"', r"visited_country: \[country\] code has"),
        ("[country]", "[country", "is not TOML"),
    ],
)
def test_a_mistake_is_told_by_its_key(tmp_path, old, new, message):
    assert old in GOOD
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, GOOD.replace(old, new, 1))


@pytest.mark.parametrize(
    ("release", "shared"),
    [
        ("release", "release/shared"),
        ("release", "release"),
        ("{root}/release", "release/shared"),
        ("release", "{root}/release/shared"),
        ("release", "agreements/../release/shared"),
        ("release", "linked/shared"),
        ("linked", "release/shared"),
        ("shared/release", "shared"),  # where an agreement called release would be shared
    ],
)
def test_what_is_for_one_recipient_never_lies_where_everybody_reads(tmp_path, release, shared):
    (tmp_path / "release").mkdir()
    (tmp_path / "linked").symlink_to("release")
    text = GOOD.replace("/srv/release", release) + f'[sharing]\nshared = "{shared}"\n'
    with pytest.raises(ConfigError, match="what is for one would be for all"):
        load(tmp_path, text.replace("{root}", str(tmp_path)))


def test_shared_bundles_may_lie_beside_the_release_zone(tmp_path):
    text = GOOD.replace("/srv/release", "release") + '[sharing]\nshared = "release-to-one"\n'
    assert load(tmp_path, text).sharing.shared == tmp_path / "release-to-one"


def test_a_missing_file_is_told_with_what_to_do(tmp_path):
    with pytest.raises(ConfigError, match=r"no configuration at .*Expected: a whimbrel.toml\. Remedy: name it"):
        Config.load(tmp_path / "whimbrel.toml")


def test_a_source_is_chosen_by_name_or_because_it_is_the_only_one(tmp_path):
    one = load(tmp_path, GOOD)
    two = load(tmp_path, GOOD + GOOD[GOOD.index("[sources.own]") :].replace("own", "other"))

    assert one.source(None) == one.source("own") == two.source("other")
    with pytest.raises(ConfigError, match=r"Several sources .*Expected: one of other, own"):
        two.source(None)
    with pytest.raises(ConfigError, match="no source 'mine'"):
        one.source("mine")


@pytest.mark.parametrize(
    ("n_bytes", "partitions"), [(0, 4), (16_000_000, 4), (16_000_001, 5), (80_000_000, 20), (10**12, 32)]
)
def test_what_is_small_is_exchanged_in_few_partitions_and_nothing_in_more_than_is_configured(n_bytes, partitions):
    assert EngineConfig().partitions_for(n_bytes) == partitions
    assert EngineConfig(shuffle_partitions=2).partitions_for(n_bytes) == 2
