"""`whimbrel evaluate` on a planted flood: homes, moves and absences are found; noise is as wide as it says it is."""

import json
import shutil
from dataclasses import replace
from datetime import date
from types import SimpleNamespace

import pytest

from jobs.approvals import opening_of
from jobs.evaluation.findings import EXACT
from jobs.evaluation.noise import COVERAGE
from jobs.evaluation.planted import Truth
from jobs.evaluation.products import evaluate_event, evaluate_product
from jobs.events import EventRegistry
from jobs.releases import Desk
from privacy.unit import Period
from schemas.errors import InputError, PrivacyError
from tests.installations import deliver, installation
from tests.ledgers import TWO_PEOPLE

MUCH = 10**9
"""Micro-rho at which four hundred people stand out of the noise."""


FEW = {"daily_releases": 8, "weekly_releases": 0}
"""A short schedule: the flood strikes on the first of its days, and the eighth is a week later."""


@pytest.fixture(scope="module")
def desk(engines, flooded_country, tmp_path_factory):
    """An installation with two months of the flooded country, and the flood opened."""
    root = tmp_path_factory.mktemp("flooded")
    config = installation(root, cells=flooded_country.folder / "cells.csv").model_copy(
        update={"events": flooded_country.folder / "events.toml"}
    )
    files = [flooded_country.folder / name for name in flooded_country.files]
    with engines("sail") as session:
        deliver(session, config, files, first=date(2026, 3, 2), last=date(2026, 5, 3))
    return Desk.of(config)


@pytest.fixture(scope="module")
def session(engines):
    """Opens the embedded engine."""
    return lambda: engines("sail")


@pytest.fixture(scope="module")
def truth(flooded_country):
    return Truth(flooded_country.folder)


def figure(findings, measure, of, data=EXACT):
    """The one figure of a measure."""
    (found,) = (one.value for one in findings if (one.measure, one.of, one.data) == (measure, of, data))
    return found


def evaluated(desk, product, period, session, **options):
    return evaluate_product(desk, desk.plan(product, Period.parse(period), 1), [MUCH], session, **options)


def test_the_home_of_regular_people_is_found_in_the_zone_of_their_nearest_tower(desk, session, truth):
    found = evaluated(desk, "residents", "2026-03", session, truth=truth)

    right = "share of homes right, by the zone of the nearest tower"
    assert figure(found, right, "level 6, regular") >= 0.95
    assert figure(found, right, "level 4, regular") >= figure(found, right, "level 6, regular")
    assert figure(found, "share of people with a home", "all") > 0.9


def test_the_planted_moves_are_found(desk, session, truth):
    found = evaluated(desk, "relocations", "2026-04", session, truth=truth)

    assert 0.8 < figure(found, "movers found over movers planted", "level 5") < 1.25
    assert figure(found, "common part with the planted moves", "level 4") > 0.8


@pytest.mark.parametrize(
    ("product", "period"), [("presence", "2026-W12"), ("active_subscribers", "2026-03-18"), ("residents", "2026-03")]
)
def test_every_table_says_how_wide_its_noise_is(desk, session, product, period):
    found = evaluate_product(desk, desk.plan(product, Period.parse(period), 1), [1_000], session)

    covered = [one.value for one in found if one.measure == COVERAGE]
    keys = [one.value for one in found if one.measure == "keys"]
    mean = sum(share * n for share, n in zip(covered, keys, strict=True)) / sum(keys)
    assert abs(mean - 0.95) < 4 * (0.95 * 0.05 / sum(keys)) ** 0.5


def test_without_noise_to_speak_of_a_release_says_what_is_exact(desk, session):
    found = evaluated(desk, "home_visits", "2026-W15", session)

    assert figure(found, "share of the flow in rows", "all levels", f"released at {MUCH:,} micro-rho") > 0.95


def test_all_people_away_after_the_flood_are_found_from_the_first_day_on(desk, session, truth):
    desk = replace(desk, policy=replace(desk.policy, events=(replace(desk.policy.events[0], **FEW),)))
    desk.ledger.open_event(event_opening(desk, "flood-2026-04"), approvals=TWO_PEOPLE, caps=desk.policy.caps)
    found = evaluate_event(desk, "flood-2026-04", [MUCH], session, truth=truth)

    for of, days in (("people last seen away", range(11, 16)), ("all people away", range(9, 16))):
        planted, away = (
            [figure(found, f"{of}, {what}", f"2026-04-{day:02}") for day in days] for what in ("planted", "found")
        )
        assert abs(sum(away) - sum(planted)) < 0.1 * sum(planted)
    usual, first = (figure(found, "all people away, found", of) for of in ("2026-W14", "2026-04-09"))
    assert first > 3 * usual
    held = "share of 95 % intervals after the onset's day that hold the planted number"
    assert figure(found, f"all people away, {held}", "20 draws", f"released at {MUCH:,} micro-rho") > 0.5
    assert figure(found, "residents followed over residents planted", "the area") > 0.9


def test_an_event_whose_people_the_truth_does_not_tell_is_refused(desk, session, truth):
    desk = replace(desk, policy=replace(desk.policy, events=(replace(desk.policy.events[0], **FEW),)))
    desk.ledger.open_event(event_opening(desk, "flood-2026-04"), approvals=TWO_PEOPLE, caps=desk.policy.caps)
    short = SimpleNamespace(away=lambda: truth.away().iloc[30:], all_away=truth.all_away)

    with pytest.raises(InputError, match="does not tell who was away on every day of flood-2026-04"):
        evaluate_event(desk, "flood-2026-04", [MUCH], session, truth=short)


def event_opening(desk, event):
    """The opening of an event of the list, as `whimbrel emergency open` makes it."""
    declared = EventRegistry.load(desk.config.events).event(event)
    return opening_of(desk.policy, event, "displacement", declared.onset, declared.area.sha256)


def test_an_event_that_nobody_opened_is_refused(desk, session, truth):
    with pytest.raises(PrivacyError, match="is not open"):
        evaluate_event(desk, "another", [], session, truth=truth)


def test_a_country_without_that_truth_is_refused(desk, session, tiny_country):
    with pytest.raises(InputError, match="homes_by_month"):
        evaluated(desk, "residents", "2026-03", session, truth=Truth(tiny_country.folder))


def test_real_data_are_refused(desk, session, tmp_path):
    shutil.copytree(desk.config.storage.confidential, tmp_path / "confidential")
    for record in (tmp_path / "confidential" / "deliveries").glob("*.json"):
        record.write_text(json.dumps(json.loads(record.read_text()) | {"synthetic": False}))
    storage = desk.config.storage.model_copy(update={"confidential": tmp_path / "confidential"})
    with pytest.raises(PrivacyError, match="Exact values"):
        evaluated(Desk.of(desk.config.model_copy(update={"storage": storage})), "residents", "2026-03", session)
