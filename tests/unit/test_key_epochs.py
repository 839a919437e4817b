"""Key epochs turn at the borders of privacy months, and nobody is followed over one."""

import json
import re
import sys
import time

import pytest

from jobs.ingest import pseudonyms
from jobs.ingest.key_register import KeyRegister
from jobs.ingest.pseudonyms import fingerprint, load_key
from jobs.key_epochs import KeyPlace, PseudonymConfig, lost_releases, require_one_epoch
from privacy.policy import Policy
from privacy.unit import PrivacyMonth
from schemas.errors import ConfigError, PrivacyError
from tests.installations import run_whimbrel

KEY = bytes(range(32))
OLD, NEW = {"key_variable": "OLD"}, {"key_variable": "NEW"}


def month(text):
    return PrivacyMonth.parse(text)


def config(*epochs, **place):
    return PseudonymConfig.model_validate({"epochs": [{"from": first, **where} for first, where in epochs], **place})


def test_a_single_key_is_an_epoch_without_end():
    (epoch,) = config(key_file="key").in_order

    assert (epoch.first, epoch.last, epoch.months) == (None, None, None)
    assert epoch.holds(month("1970-01"))
    assert epoch.holds(month("2199-12"))


def test_an_epoch_lasts_until_the_month_before_the_next():
    first, second, third = config(("2026-01", OLD), ("2028-01", NEW), key_variable="OLDEST").in_order

    assert (first.last, second.first, second.last, second.months) == (
        month("2025-12"), month("2026-01"), month("2027-12"), 24,
    )  # fmt: skip
    assert (second.first_day, second.last_day) == (month("2026-01").first_day, month("2027-12").last_day)
    assert third.last is None
    assert [epoch.place.key_variable for epoch in (first, second, third)] == ["OLDEST", "OLD", "NEW"]


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({}, "give exactly one of key_file, key_variable, key_command, or epochs"),
        ({"key_file": "a", "key_command": ["b"]}, "exactly one"),
        ({"key_command": []}, "at least 1 item"),
        ({"epochs": [{"from": "2026-01"}]}, "exactly one"),
        ({"epochs": [{"from": "2026-13", **OLD}]}, "2026-13 is not a month"),
        ({"epochs": [{"from": "2026-02", **OLD}, {"from": "2026-02", **NEW}]}, "do not begin one after the other"),
        ({"epochs": [{**OLD}]}, "Field required"),
    ],
)
def test_a_place_and_an_order_are_asked_for(told, message):
    with pytest.raises(ValueError, match=message):
        PseudonymConfig.model_validate(told)


def test_a_day_before_the_first_epoch_has_no_key():
    with pytest.raises(ConfigError, match=r"No pseudonym key holds in 2025-12\. Expected: days from 2025-12-29"):
        config(("2026-01", OLD)).epoch_of(month("2025-12"))


def test_months_of_one_epoch_may_be_linked_and_others_may_not():
    keys = config(("2026-03", NEW), **OLD)
    require_one_epoch("relocations 2026-04", {month("2026-03"), month("2026-04")}, keys)

    with pytest.raises(PrivacyError, match=r"relocations 2026-03 would follow .* key epoch in 2026-03\. .*Remedy: "):
        require_one_epoch("relocations 2026-03", {month("2026-02"), month("2026-03")}, keys)


def test_a_border_costs_the_releases_that_look_back_over_it_and_no_others():
    keys, policy = config(("2026-03", NEW), **OLD), Policy.load()
    lost = lost_releases(keys, policy, [month("2026-03").next(n) for n in range(22)])

    assert {product for product, _ in lost} == {"home_visits", "relocations", "churn", "migration"}
    assert [period for product, period in lost if product == "relocations"] == ["2026-03"]
    assert [period for product, period in lost if product == "migration"] == ["2026-12", "2027-12"]
    assert len([period for product, period in lost if product == "home_visits"]) == len(month("2026-03").weeks)
    assert lost_releases(config(**OLD), policy, [month("2026-03")]) == []


def test_a_month_keeps_the_key_that_it_was_begun_with(tmp_path):
    path, march, april = tmp_path / "keys.json", month("2026-03"), month("2026-04")
    KeyRegister.load(path).with_months([march], "old").with_months([april], "new").save(path)
    register = KeyRegister.load(path)

    assert register.with_months([march], "old") == register
    with pytest.raises(ConfigError, match=r"key of 2026-03 is not the one that its days were made with"):
        register.with_months([march, april], "new")
    with pytest.raises(PrivacyError, match="through 2026-03, 2026-04, which have different pseudonym keys"):
        register.require_one_key("churn 2026-04", {march, april})
    register.require_one_key("residents 2026-04", {april})


def test_a_fingerprint_tells_keys_apart_and_holds_nothing_of_them():
    assert fingerprint(KEY) != fingerprint(KEY[::-1])
    assert fingerprint(KEY) not in KEY.hex()


def command(text):
    return KeyPlace(key_command=(sys.executable, "-c", text))


def test_a_command_prints_the_key_and_no_shell_reads_its_words(tmp_path):
    spy = tmp_path / "spy"
    words = (sys.executable, "-c", f"import sys; print('{KEY.hex()}')", f"; touch {spy}", f"$(touch {spy})")

    assert load_key(KeyPlace(key_command=words)) == KEY
    assert not spy.exists()


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (command(f"import sys; print('{KEY.hex()}'); sys.exit(3)"), r"python\S*', ended with code 3\. .*Remedy: "),
        (command(f"import sys; sys.exit('{KEY.hex()}')"), "ended with code 1"),
        (command(f"print('{KEY.hex()}x')"), "key cannot be used"),
        (KeyPlace(key_command=("/nowhere/vault", KEY.hex())), "'/nowhere/vault', cannot be run"),
        (KeyPlace(key_command=("nul\0byte",)), "cannot be run"),
    ],
)
def test_a_command_that_fails_is_refused_and_nothing_that_it_printed_is_shown(place, message, capfd):
    with pytest.raises(ConfigError, match=message) as caught:
        load_key(place)

    assert KEY.hex() not in str(caught.value) + "".join(capfd.readouterr())


def test_a_command_that_hangs_is_ended(monkeypatch):
    monkeypatch.setattr(pseudonyms, "_COMMAND_S", 0.2)
    begun = time.monotonic()
    with pytest.raises(ConfigError, match="did not end within"):
        load_key(command("import time; time.sleep(60)"))

    assert time.monotonic() - begun < 30


TOML = """\
[country]
name = "Numenia"
timezone = "Indian/Mauritius"
[[pseudonyms.epochs]]
from = "2025-01"
key_file = "old"
[[pseudonyms.epochs]]
from = "2027-06"
key_file = "new"
[cells]
path = "cells.csv"
[sources.own]
format = "parquet"
columns = { subscriber = "msisdn", time = "event_at", cell = "cell_id" }
"""


def test_the_budget_ahead_lists_what_a_border_costs_and_names_a_key_that_lives_too_long(tmp_path, monkeypatch, capsys):
    (tmp_path / "whimbrel.toml").write_text(TOML)
    line = f"budget plan --first 2027-05 --months 3 --config {tmp_path}/whimbrel.toml"

    code, out, _ = run_whimbrel(line, monkeypatch, capsys)
    _, told, _ = run_whimbrel(f"{line} --json", monkeypatch, capsys)

    epochs = json.loads(told)["key_epochs"]
    assert code == 0
    assert re.search(r"Not released, .* beginning of a key\s+epoch:\n  home_visits: 2027-W2", out)
    assert "relocations: 2027-06\n" in out
    assert "The key of 2025-01 holds for more than 24 months." in out
    assert {"product": "churn", "period": "2027-06"} in epochs["not_released"]
    assert (epochs["begin"], epochs["outlived"]) == (["2027-06"], ["2025-01"])
