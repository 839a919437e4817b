"""A delivery over the border of two key epochs: each day under its own key, nobody followed from one to the other."""

from datetime import date, timedelta

import pytest

from jobs.ingest.exclusions import exclude_from_stored_days
from jobs.ingest.key_register import KeyRegister
from jobs.key_epochs import PseudonymConfig
from jobs.releases import Desk
from jobs.storage import Storage
from privacy.unit import Period, PrivacyMonth
from schemas.errors import ConfigError, PrivacyError
from tests.installations import deliver, installation, parts

APRIL = PrivacyMonth.parse("2026-04").first_day
OLD, NEW = "ab" * 32, "cd" * 32
NUMBERS = ["230571111111", "230572222222", "230573333333"]


def with_keys(config, root, *epochs, **own):
    """The configuration with one key or several, each (first month, key)."""
    for name, key in [*epochs, *own.items()]:
        (root / name).write_text(key)
        (root / name).chmod(0o600)
    told = {"epochs": [{"from": name, "key_file": root / name} for name, _ in epochs]}
    told |= {"key_file": root / "own"} if own else {}
    return config.model_copy(update={"pseudonyms": PseudonymConfig.model_validate(told)})


@pytest.fixture
def base(tiny_country, tmp_path):
    return installation(tmp_path / "root", cells=tiny_country.folder / "cells.csv")


@pytest.fixture
def both(base, tmp_path):
    """Under the old key up to March, under the new one from April on."""
    return with_keys(base, tmp_path, ("2026-04", NEW), own=OLD)


def calls(file, days):
    """Everybody calls on each of some days."""
    lines = [f"{number},{day:%d/%m/%Y} 10:00:00,SYN-00000-1\n" for day in days for number in NUMBERS]
    file.write_text("".join(lines))
    return file


def run_of(first, n):
    return [first + timedelta(k) for k in range(n)]


def subscribers_by_day(config):
    found = {}
    for row in parts(Storage.of(config.storage)):
        day = next(value for value in row if isinstance(value, date))
        found.setdefault(day, set()).add(row[-1])
    return found


def under(session, base, root, key, file, days):
    """Whom one key makes of everybody, by day."""
    root.mkdir()
    config = with_keys(installation(root, cells=base.cells.path), root, own=key)
    deliver(session, config, [file], layout="world_bank", first=days[0], last=days[-1])
    return subscribers_by_day(config)


def test_each_day_of_a_delivery_over_a_border_is_pseudonymised_under_its_own_epochs_key(
    engine, engines, base, both, tmp_path
):
    days = run_of(APRIL - timedelta(2), 4)
    file = calls(tmp_path / "events.csv", days)

    deliver(engine, both, [file], layout="world_bank", first=days[0], last=days[-1])

    with engines("sail") as sail:
        old = under(sail, base, tmp_path / "old", OLD, file, days)
        new = under(sail, base, tmp_path / "new", NEW, file, days)
    assert subscribers_by_day(both) == {**{day: old[day] for day in days[:2]}, **{day: new[day] for day in days[2:]}}
    assert not old[days[0]] & new[days[0]]
    (record,) = Storage.of(both.storage).deliveries().values()
    assert record.read == record.kept == len(days) * len(NUMBERS)


def test_late_rows_of_a_day_before_the_border_get_the_old_key(sail, base, both, tmp_path):
    late = [APRIL - timedelta(3)]
    file = calls(tmp_path / "events.csv", [*late, APRIL])

    deliver(sail, both, [file], layout="world_bank", first=APRIL, last=APRIL)

    old = under(sail, base, tmp_path / "old", OLD, file, [*late, APRIL])
    assert subscribers_by_day(both)[late[0]] == old[late[0]]
    assert not subscribers_by_day(both)[APRIL] & old[late[0]]


def test_days_before_the_first_key_are_refused_and_late_rows_of_them_set_aside(sail, base, tmp_path):
    config = with_keys(base, tmp_path, ("2026-04", NEW))
    file = calls(tmp_path / "events.csv", [APRIL - timedelta(1), APRIL])

    with pytest.raises(ConfigError, match="No pseudonym key holds in 2026-03"):
        deliver(sail, config, [file], layout="world_bank", first=APRIL - timedelta(1), last=APRIL)
    deliver(sail, config, [file], layout="world_bank", first=APRIL, last=APRIL)

    (record,) = Storage.of(config.storage).deliveries().values()
    assert record.quarantined == {"time_outside_delivery": len(NUMBERS)}


def test_a_key_that_changes_within_a_month_is_refused_and_nothing_becomes_visible(sail, base, both, tmp_path):
    days = run_of(APRIL + timedelta(7), 2)
    deliver(sail, both, [calls(tmp_path / "1.csv", days[:1])], layout="world_bank", first=days[0], last=days[0])
    moved = with_keys(base, tmp_path, ("2026-04", OLD), own=NEW)
    second = calls(tmp_path / "2.csv", days[1:])

    with pytest.raises(ConfigError, match="key of 2026-04 is not the one that its days were made with"):
        deliver(sail, moved, [second], layout="world_bank", first=days[1], last=days[1])

    storage = Storage.of(both.storage)
    assert len(storage.deliveries()) == 1
    assert set(KeyRegister.load(storage.keys).by_month) == {"2026-04"}


@pytest.mark.parametrize(
    ("product", "period"), [("relocations", "2026-04"), ("churn", "2026-04"), ("home_visits", "2026-W14")]
)
def test_a_release_that_would_link_two_epochs_is_refused_before_anything_is_charged(
    sail, both, tmp_path, product, period
):
    deliver(sail, both, [calls(tmp_path / "a.csv", [APRIL])], layout="world_bank", first=APRIL, last=APRIL)
    desk = Desk.of(both)

    with pytest.raises(
        PrivacyError, match=rf"{product} {period}.* would follow subscribers over the beginning of a key"
    ):
        desk.release(desk.plan(product, Period.parse(period), 1), session=None)

    assert not desk.ledger.entries()


def test_a_configuration_that_forgot_a_border_does_not_link_over_it_either(sail, base, both, tmp_path):
    days = run_of(APRIL - timedelta(1), 2)
    deliver(sail, both, [calls(tmp_path / "a.csv", days)], layout="world_bank", first=days[0], last=days[1])
    desk = Desk.of(with_keys(base, tmp_path, own=OLD))

    with pytest.raises(PrivacyError, match="2026-03, 2026-04, which have different pseudonym keys"):
        desk.release(desk.plan("relocations", Period.parse("2026-04"), 1), session=None)


def test_who_objects_is_removed_from_the_days_of_every_epoch(sail, both, tmp_path):
    days = run_of(APRIL - timedelta(1), 2)
    deliver(sail, both, [calls(tmp_path / "a.csv", days)], layout="world_bank", first=days[0], last=days[1])
    listed = tmp_path / "exclusions.txt"
    listed.write_text(NUMBERS[0])
    listed.chmod(0o600)
    objecting = both.model_copy(update={"ingest": both.ingest.model_copy(update={"exclusions": listed})})

    exclude_from_stored_days(sail, objecting, Storage.of(both.storage))

    assert {day: len(found) for day, found in subscribers_by_day(both).items()} == dict.fromkeys(days, 2)


def test_who_objects_cannot_be_found_under_a_key_that_is_gone_and_that_is_said(sail, base, both, tmp_path):
    deliver(sail, both, [calls(tmp_path / "a.csv", [APRIL])], layout="world_bank", first=APRIL, last=APRIL)
    listed = tmp_path / "exclusions.txt"
    listed.write_text(NUMBERS[0])
    listed.chmod(0o600)
    lost = with_keys(base, tmp_path, own=OLD)
    lost = lost.model_copy(update={"ingest": base.ingest.model_copy(update={"exclusions": listed})})

    with pytest.raises(ConfigError, match=r"The pseudonym key of 2026-04 is not configured"):
        exclude_from_stored_days(sail, lost, Storage.of(both.storage))
