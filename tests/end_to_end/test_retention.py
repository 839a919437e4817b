"""Confidential rows expire by calendar; what left, what it cost and that a day existed stay."""

import json
import os
import re
import shutil
from contextlib import nullcontext
from datetime import UTC, datetime, time, timedelta

import pytest

from jobs.config import RetentionConfig
from jobs.releases import Desk
from jobs.retention import expire, require_nothing_held, what_is_due
from jobs.storage import Storage
from privacy.unit import Period, PrivacyMonth
from schemas.errors import ConfigError, InputError
from schemas.nights import NIGHTS
from schemas.subscriber_days import QUARANTINE, SUBSCRIBER_DAY_PARTS, SUBSCRIBER_DAYS
from tests.installations import deliver, installation, rows_of, run_whimbrel
from tests.populations import cells_file, events_file, population

MARCH = PrivacyMonth.parse("2026-03")
FIRST, LAST = MARCH.first_day, MARCH.last_day
KEPT = {"quarantine_days": 10, "parts_days": 20, "subscriber_days": 40, "nights_months": 30, "quality_days": 15}


@pytest.fixture(scope="module")
def month(engines, tmp_path_factory):
    """Root of an installation with March delivered, late rows of its first day, and rows set aside: to be copied."""
    root = tmp_path_factory.mktemp("month")
    config = installation(root / "root", cells=cells_file(root / "cells.csv"))
    days, strata = population(5, people=20, months=(MARCH,))
    late = {key: points for key, points in days.items() if key[0] == 1}
    rest = {key: points for key, points in days.items() if key[0] != 1}
    with engines("sail") as session:
        deliver(session, config, [events_file(rest, strata, root / "rest.parquet")], first=FIRST, last=LAST)
        deliver(session, config, [events_file(late, strata, root / "late.parquet")], first=FIRST, last=LAST)
        bad = root / "bad.csv"
        bad.write_text(f"2637,{LAST:%d/%m/%Y} 10:00:00,SYN-NOWHERE\n2638,{LAST:%d/%m/%Y} 10:00:00,C0\n")
        name = (root / "cells.csv").read_text().splitlines()[1].split(",")[0]
        bad.write_text(bad.read_text().replace("C0", name))
        deliver(session, config, [bad], layout="world_bank", first=LAST, last=LAST)
    return root


@pytest.fixture
def desk(month, tmp_path):
    """A desk over a copy of it, with a retention."""
    shutil.copytree(month, tmp_path, dirs_exist_ok=True)
    return desk_with(installation(tmp_path / "root", cells=tmp_path / "cells.csv"))


def desk_with(config, **kept):
    return Desk.of(config.model_copy(update={"retention": RetentionConfig(**{**KEPT, **kept})}))


def morning(day):
    return datetime.combine(day, time(6), UTC)


def after(days):
    return morning(LAST + timedelta(days))


def folders_of(desk, contract):
    return {path.name for path in (desk.storage.confidential / contract.name).glob("*/*")}


def days_left(desk):
    names = folders_of(desk, SUBSCRIBER_DAY_PARTS) | folders_of(desk, SUBSCRIBER_DAYS)
    return sorted(name.removeprefix("day=") for name in names if name.startswith("day="))


def with_nights(desk, sail):
    desk.build_nights(MARCH, lambda: nullcontext(sail))
    return desk


def test_each_table_goes_on_its_own_day_and_the_quarantine_first(sail, desk):
    with_nights(desk, sail)
    before = days_left(desk)

    expire(desk, after(10))
    assert folders_of(desk, QUARANTINE)
    expire(desk, after(11))
    assert not folders_of(desk, QUARANTINE)
    assert days_left(desk) == before
    expire(desk, after(40))
    assert days_left(desk) == [str(LAST)]
    expire(desk, after(41))
    assert days_left(desk) == []
    assert not any((desk.storage.confidential / SUBSCRIBER_DAY_PARTS.name).iterdir())
    assert folders_of(desk, NIGHTS)
    expire(desk, morning(MARCH.next(31).first_day))
    assert not folders_of(desk, NIGHTS)


def test_parts_that_are_merged_go_before_the_days_that_they_made(desk):
    seen = desk.storage.current(SUBSCRIBER_DAYS, MARCH.days)
    merged = [place for place in seen if place[0] is SUBSCRIBER_DAYS]
    rows = {day: rows_of(desk.storage.version(table, version) / f"day={day}") for table, version, day in merged}
    assert merged

    expire(desk, after(21))

    assert desk.storage.current(SUBSCRIBER_DAYS, MARCH.days) == seen
    assert {d: rows_of(desk.storage.version(t, v) / f"day={d}") for t, v, d in merged} == rows
    left = folders_of(desk, SUBSCRIBER_DAY_PARTS)
    assert not left & {f"day={day}" for _, _, day in merged}


def test_what_left_what_it_cost_and_that_a_day_existed_stay(sail, desk):
    with_nights(desk, sail)
    desk.release(desk.plan("active_subscribers", Period.parse(str(FIRST)), 1), lambda: nullcontext(sail))
    kept = {path: path.read_bytes() for name in ("deliveries", "vault", "approvals", "manifests")
            for path in (desk.storage.confidential / name).rglob("*") if path.is_file()}  # fmt: skip
    entries, released = (
        desk.ledger.entries(),
        desk.sealed(desk.plan("active_subscribers", Period.parse(str(FIRST)), 1).key),
    )

    expire(desk, after(60))

    assert {path: path.read_bytes() for path in kept} == kept
    assert desk.ledger.entries() == entries
    assert desk.sealed(released.key).table == released.table


def test_a_record_says_what_went_when_and_by_which_policy_and_no_count(sail, desk):
    with_nights(desk, sail)
    now = after(45)

    expire(desk, now)
    expire(desk, now + timedelta(hours=1))

    (file,) = desk.storage.retention.iterdir()
    assert json.loads(file.read_text()) == {
        "begun_at": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "finished_at": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "expired": [
            {"table": "quarantine", "until": str(LAST + timedelta(34)), "policy": "quarantine_days = 10"},
            {"table": "subscriber_day_parts", "until": str(LAST + timedelta(24)), "policy": "parts_days = 20"},
            {"table": "subscriber_days", "until": str(LAST + timedelta(4)), "policy": "subscriber_days = 40"},
            {"table": "nights", "until": "2023-10-29", "policy": "nights_months = 30"},
            {"table": "quality", "until": str(LAST + timedelta(29)), "policy": "quality_days = 15"},
        ],
    }


def test_a_dry_run_shows_what_would_go_and_deletes_nothing(desk, tmp_path, monkeypatch, capsys):
    (tmp_path / "root" / "whimbrel.toml").write_text(CONFIG)
    before = rows_and_records(desk)

    code, out, _ = run_whimbrel(f"retention --dry-run --config {tmp_path}/root/whimbrel.toml", monkeypatch, capsys)

    assert code == 0
    assert re.findall(r"subscriber_days +│ +\d{4}-\d\d-\d\d", out)
    assert "subscriber_days = 40" in out
    assert rows_and_records(desk) == before


def rows_and_records(desk):
    found = desk.storage.confidential.rglob("*")
    return sorted(path for path in found if path.suffix in {".parquet", ".json"} and "metrics" not in path.parts)


CONFIG = """\
[country]
name = "Numenia"
timezone = "Indian/Mauritius"
[pseudonyms]
key_file = "key"
[cells]
path = "../cells.csv"
[retention]
quarantine_days = 10
parts_days = 20
subscriber_days = 40
[sources.own]
format = "parquet"
columns = { subscriber = "msisdn", time = "event_at", cell = "cell_id" }
"""


def test_the_command_line_deletes_and_ends_with_2_where_nights_hold_days(desk, tmp_path, monkeypatch, capsys):
    (tmp_path / "root" / "whimbrel.toml").write_text(CONFIG)

    code, out, err = run_whimbrel(f"retention --config {tmp_path}/root/whimbrel.toml", monkeypatch, capsys)

    assert code == 2
    assert "Expired" in out
    assert re.search(r"Days of 2026-03 outstay \[retention\].*Remedy: run `whimbrel nights`", err)
    assert not folders_of(desk, QUARANTINE)
    assert days_left(desk)


# What a reader meets afterwards.


def test_a_release_of_an_expired_day_says_so_and_charges_nothing(sail, desk):
    expire(with_nights(desk, sail), after(60))

    for product, period in (("active_subscribers", str(FIRST)), ("od_trips", "2026-W11")):
        with pytest.raises(InputError, match=r"cannot be read any more: .* have expired\. .*raise `subscriber_days`"):
            desk.release(desk.plan(product, Period.parse(period), 1), session=None)
    assert not desk.ledger.entries()


def test_days_stay_until_their_nights_are_found_and_the_month_can_still_be_released_when_they_are_gone(sail, desk):
    before = days_left(desk)
    due = expire(desk, after(60))
    assert due.held == (MARCH,)
    with pytest.raises(InputError, match=r"Days of 2026-03 outstay \[retention\]"):
        require_nothing_held(due)
    assert days_left(desk) == before

    expire(with_nights(desk, sail), after(60))

    assert days_left(desk) == []
    require_nothing_held(what_is_due(desk, after(60).date()))
    made = desk.release(desk.plan("residents", MARCH.period, 1), lambda: nullcontext(sail))
    assert made.table.num_rows


def test_days_of_a_month_that_is_still_running_wait_for_its_end(desk):
    short = desk_with(desk.config, parts_days=9, subscriber_days=9, quarantine_days=9)
    due = what_is_due(short, FIRST + timedelta(20))

    assert due.held == ()
    assert {one.table: one.until for one in due.expired}["subscriber_days"] == FIRST - timedelta(1)


def test_nights_that_expired_are_not_read_as_nobodys(sail, desk):
    expire(with_nights(desk, sail), after(60))
    expire(desk, morning(MARCH.next(31).first_day))

    with pytest.raises(InputError, match="have expired"):
        desk.release(desk.plan("residents", MARCH.period, 1), session=None)
    assert not desk.ledger.entries()


def test_rows_of_expired_days_are_not_taken_in_again(sail, desk, tmp_path):
    expire(with_nights(desk, sail), after(60))
    day = LAST - timedelta(1)
    late = tmp_path / "late.csv"
    cell = (tmp_path / "cells.csv").read_text().splitlines()[1].split(",")[0]
    open_day = after(60).date()
    late.write_text("".join(f"26377{n},{day:%d/%m/%Y} 10:00:00,{cell}\n" for n, day in enumerate((day, open_day))))

    with pytest.raises(InputError, match=r"Rows of days up to .* are not accepted any more: they have expired"):
        deliver(sail, desk.config, [late], layout="world_bank", first=day, last=day)
    with pytest.raises(InputError, match="cannot be replaced any more"):
        replaced = next(iter(desk.storage.deliveries()))
        deliver(sail, desk.config, [late], layout="world_bank", first=open_day, last=open_day, replaces=replaced)


# What is asked for.


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        ({"nights_months": 12}, r"keeps nights for 12 months; migration reads 24 before .*nights_months = 24 at least"),
        ({"parts_days": 7, "quarantine_days": 7}, r"keeps days for 7 days, and \[ingest\] accepts late rows for 7"),
    ],
)
def test_a_retention_shorter_than_what_the_policy_needs_is_refused(desk, kept, message):
    with pytest.raises(ConfigError, match=message):
        what_is_due(desk_with(desk.config, **kept), LAST)


def test_without_a_section_nothing_expires_and_that_is_said(desk):
    bare = Desk.of(desk.config.model_copy(update={"retention": None}))

    with pytest.raises(ConfigError, match=r"No retention is configured\. Expected: \[retention\]"):
        expire(bare, after(400))


def test_what_is_not_named_is_kept_for_good(desk):
    before = days_left(desk)
    keeping = Desk.of(desk.config.model_copy(update={"retention": RetentionConfig()}))

    assert expire(keeping, after(4000)).expired == ()
    assert days_left(desk) == before


# Leftovers.


def test_what_interrupted_runs_left_goes_whatever_its_day(desk):
    root, storage = desk.storage.confidential, desk.storage
    leftovers = [
        storage.version(SUBSCRIBER_DAY_PARTS, "0123456789abcdef") / "day=2026-03-02" / "a.parquet",
        storage.version(QUARANTINE, "0123456789abcdef") / "a.parquet",
        storage.version(SUBSCRIBER_DAYS, "fedcba9876543210") / "day=2026-03-02" / "a.parquet",
        root / "scratch" / "key_2026-03-02.parquet",
        root / "vault" / ("ab" * 32 + ".pending"),
        storage.exact("od_trips_2026-W10_r1") / "a.parquet",
        next((root / SUBSCRIBER_DAY_PARTS.name).glob("v=*/day=*")) / ".part-00000-abcde-x1y2z3w4",
    ]
    waiting = storage.exact("od_trips_2026-W11_r1") / "a.parquet"
    for file in (*leftovers, waiting):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"rows")
    os.utime(leftovers[5].parent, (1, 1))

    expire(desk, datetime.now(UTC))

    assert [file for file in leftovers if file.exists()] == []
    assert waiting.exists()


def test_quality_records_go_by_the_day_in_their_name(desk):
    folder = desk.storage.confidential / "quality"
    names = [f"{LAST}.json", f"{LAST}.html", "2026.html", f"{LAST + timedelta(30)}.json"]
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()

    expire(desk, after(16))

    assert {path.name for path in folder.iterdir()} == {"2026.html", f"{LAST + timedelta(30)}.json"}


def test_an_empty_installation_has_nothing_to_delete_and_that_is_no_mistake(tmp_path):
    config = installation(tmp_path / "root", cells=cells_file(tmp_path / "cells.csv"))
    desk = desk_with(config)
    (Storage.of(config.storage).confidential / SUBSCRIBER_DAY_PARTS.name / "v=empty").mkdir(parents=True)

    assert expire(desk, after(400)).held == ()
    assert not folders_of(desk, SUBSCRIBER_DAY_PARTS)
