"""Processes that race and processes that are killed: no second draw seen, no double charge, no seal lost."""

from collections import Counter, defaultdict

import pytest

from privacy.ledger import EntryKind
from privacy.vault import Vault
from tests.conftest import LEDGERS
from tests.ledgers import kinds, run_processes, seals, spent

SHORT, LONG = 24, {"sqlite": 500, "postgresql": 200}
"""Kills in `make test` and in `make audit`."""

AT_ONCE = 50
"""Kills on one ledger: every charge verifies the whole chain, so many short ones take less time than a long one."""


def told_of(lines):
    """What processes were told of each release: its artefact, its entry and its rows."""
    told = defaultdict(set)
    for word, *rest in lines:
        if word == "released":
            told[rest[0]].add(tuple(rest[1:]))
    return told


def assert_one_of_everything(ledger, lines):
    """One draw, one charge and one seal a release, whoever was told of it."""
    told = told_of(lines)
    seals = {entry.key.slug: entry for entry in ledger.entries() if entry.kind is EntryKind.SEAL}
    charged = Counter((str(booked.key), booked.charge.pool, booked.charge.privacy_month) for booked in ledger.charges())

    assert {slug: len(different) for slug, different in told.items()} == dict.fromkeys(told, 1)
    assert {slug: artefact for slug, ((artefact, _, _),) in told.items()} == {
        slug: seal.says["artefact_sha256"] for slug, seal in seals.items()
    }
    assert {slug: head for slug, ((_, head, _),) in told.items()} == {s: seal.entry_hash for s, seal in seals.items()}
    assert set(charged.values()) == {1}
    assert ledger.check() == len(ledger.entries())


def assert_what_was_killed_ends_as_if_it_had_not_been(place, vault, kills, seed):
    lines = run_processes("kill_any", place.url, vault, kills, seed, timeout=240)
    ledger = place.open(create=False)
    entries = Counter((entry.kind, entry.key) for entry in ledger.entries())
    releases = [key for kind, key in entries if kind is EntryKind.RESERVE and key.product == "od_trips"]

    assert [line[0] for line in lines].count("killed") == kills
    assert ["failed"] not in lines
    assert set(entries.values()) == {1}  # one of each kind a release
    assert all((kind, key) in entries for key in releases for kind in (EntryKind.SEAL, EntryKind.PUBLISH))
    assert spent(ledger)["routine", "2026-03"] == 23_000 * len(releases)
    assert_one_of_everything(ledger, lines)
    drawn = [seal.artefact_sha256 for seal in seals(ledger) if seal.key in releases]
    assert sorted(path.name for path in vault.iterdir()) == sorted(drawn)
    assert all(Vault(vault).get(digest) for digest in drawn)
    return {kind for line in lines if line[0] == "newest" for kind in line[1:]}


@pytest.mark.slow
def test_processes_killed_at_random_draw_once_charge_once_and_lose_no_seal(place, tmp_path):
    assert_what_was_killed_ends_as_if_it_had_not_been(place, tmp_path / "vault", SHORT, 7)


@pytest.mark.audit
@pytest.mark.parametrize("database", LEDGERS)
def test_hundreds_of_processes_killed_at_random_draw_once_charge_once_and_lose_no_seal(
    ledger_places, database, tmp_path
):
    met = set()
    for batch in range(LONG[database] // AT_ONCE):
        place, vault = ledger_places(database), tmp_path / f"vault {batch}"
        met |= assert_what_was_killed_ends_as_if_it_had_not_been(place, vault, AT_ONCE, batch)

    assert met & {"SEAL", "APPROVE", "PUBLISH"}  # kills fell in the middle of releases, not before the first


@pytest.mark.slow
@pytest.mark.parametrize("workers", [2, 8])
def test_workers_that_race_get_one_draw_one_charge_and_one_seal_a_release(place, tmp_path, workers):
    assert_a_race_has_one_winner_a_release(place, tmp_path / "vault", workers)


@pytest.mark.audit
@pytest.mark.parametrize("workers", [3, 4, 5, 6, 7])
def test_any_number_of_workers_that_race_get_one_draw_one_charge_and_one_seal(place, tmp_path, workers):
    assert_a_race_has_one_winner_a_release(place, tmp_path / "vault", workers)


def assert_a_race_has_one_winner_a_release(place, vault, workers):
    lines = run_processes("race", place.url, vault, workers, 11)
    ledger = place.open(create=False)

    assert len(lines) == 4 * workers
    assert Counter(kinds(ledger)) == {EntryKind.RESERVE: 4, EntryKind.SEAL: 4}
    assert sum(spent(ledger).values()) == 4 * 23_000
    assert_one_of_everything(ledger, lines)
    assert {path.name for path in vault.iterdir()} == ledger.artefacts()  # the losers' draws are gone


def test_a_process_killed_at_any_statement_leaves_all_or_nothing(place):
    lines = run_processes("kill_at", place.url)
    kills = Counter(name for _, name, _ in lines)

    assert {(word, nothing) for word, _, nothing in lines} == {("killed", "True")}
    assert set(kills) == {"reserve", "seal", "approve", "publish", "share", "open", "burn"}
    assert min(kills.values()) >= 5  # begin, reads, an insert, commit
    assert Counter(kinds(place.open())) == dict.fromkeys(EntryKind, 1)
