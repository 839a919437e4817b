"""The sensitivity class: what makes a release restricted, until when, and that every reader is told."""

from datetime import date

import pytest

from jobs.publish.bundle import bundle_files
from jobs.publish.card import read_card
from privacy.policy import Policy
from privacy.sensitivity import SensitivityClass, SensitivityPolicy, classified
from privacy.unit import PeriodKind
from privacy.zoning import Zoning
from tests.approvals import clearance_for
from tests.installations import plan_over
from tests.unit.test_bundle_example import example_release

PUBLIC, RESTRICTED, INTERNAL = SensitivityClass
RULE = SensitivityPolicy(restricted_from_resolution=6, fresh_days=30, emergency_days=182)
WEEK = (date(2026, 3, 2), date(2026, 3, 8))


def found(least=PUBLIC, *, resolution=5, onsets=(), has_list=False, rule=RULE):
    result = classified(least, rule, finest_resolution=resolution, days=WEEK, onsets=onsets, has_list=has_list)
    return result.now, result.until, result.later


AFTER_30_DAYS = date(2026, 4, 8)


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ({}, (RESTRICTED, AFTER_30_DAYS, PUBLIC)),
        ({"resolution": 6}, (RESTRICTED, None, RESTRICTED)),
        ({"resolution": None}, (RESTRICTED, AFTER_30_DAYS, PUBLIC)),
        ({"has_list": True}, (RESTRICTED, None, RESTRICTED)),
        ({"has_list": True, "resolution": None}, (RESTRICTED, AFTER_30_DAYS, PUBLIC)),
        ({"onsets": [date(2026, 3, 8)]}, (RESTRICTED, None, RESTRICTED)),
        ({"onsets": [date(2025, 9, 2)]}, (RESTRICTED, None, RESTRICTED)),
        ({"onsets": [date(2025, 9, 1)]}, (RESTRICTED, AFTER_30_DAYS, PUBLIC)),
        ({"onsets": [date(2026, 3, 9)]}, (RESTRICTED, AFTER_30_DAYS, PUBLIC)),
        ({"least": RESTRICTED}, (RESTRICTED, None, RESTRICTED)),
        ({"least": INTERNAL, "resolution": 6}, (INTERNAL, None, INTERNAL)),
        ({"rule": SensitivityPolicy(fresh_days=0)}, (PUBLIC, None, PUBLIC)),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_a_release_has_the_narrowest_class_that_holds_for_it(case, expected):
    assert found(**case) == expected


@pytest.mark.parametrize(("level", "until"), [(2, AFTER_30_DAYS), (3, None)])
def test_an_admin_level_is_fine_by_a_limit_of_its_own(level, until):
    """Level 3 is a number below resolution 6, and a unit smaller than most of its cells."""
    result = classified(
        PUBLIC, RULE, finest_resolution=level, days=WEEK, onsets=(), has_list=False, zoning=Zoning.ADMIN
    )
    assert result.until == until
    assert ("its zones are as fine as admin level 3" in result.reasons) == (level == 3)


def test_the_reasons_are_told():
    result = classified(PUBLIC, RULE, finest_resolution=6, days=WEEK, onsets=[date(2026, 3, 1)], has_list=True)
    assert len(result.reasons) == 4
    assert result.note == {"class": "restricted", "until": None, "then": None, "reasons": result.reasons}


def test_a_product_that_says_nothing_is_restricted():
    assert Policy.load().product("residents", PeriodKind.MONTH).sensitivity is RESTRICTED


def test_a_plan_that_nobody_classified_is_restricted():
    assert plan_over(["86ab25a47ffffff"]).card["sensitivity"]["class"] == "restricted"


def test_card_package_and_readme_of_a_bundle_state_one_class():
    release = example_release(radius=6)
    files = bundle_files(release, clearance_for(release))
    text = read_card(files["card.json"]).sensitivity.text

    assert text.startswith("restricted (for those who agreed")
    assert f"**{text}**" in files["README.md"].decode()
    assert f'"sensitivity": "{text}"' in files["datapackage.json"].decode()
