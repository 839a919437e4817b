"""Products that count subscribers, from an operator's records to the release; and the nights that they read."""

import shutil
from contextlib import nullcontext
from datetime import timedelta
from unittest.mock import patch

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from jobs.config import IngestConfig
from jobs.console import release_view
from jobs.ingest.exclusions import exclude_from_stored_days
from jobs.inputs import require_coverage, require_over
from jobs.releases import Desk
from privacy.policy import SHIPPED, Policy
from privacy.unit import Period, PrivacyMonth
from schemas.errors import InputError, PrivacyError
from schemas.nights import NIGHTS
from tests.installations import deliver, installation, rows_of, subscriber_days
from tests.oracle.population import naive_totals
from tests.populations import PERIODS, abroad_file, cells_file, events_file, population

MARCH, APRIL = PrivacyMonth.parse("2026-03"), PrivacyMonth.parse("2026-04")
DAYS, STRATA = population(3, people=60, months=(MARCH, APRIL))
QUIET = frozenset(MARCH.days[9:12])
"""Days of March that were never delivered: few enough."""


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    """The shipped policy, with homes after three nights, and a migration from one month to the next in April."""
    changes = {
        "min_nights = 7": "min_nights = 3",
        "calendar_months = [12]": "calendar_months = [4]",
        "months_back = [0, 23]": "months_back = [0, 1]",
    }
    text = SHIPPED.read_text(encoding="utf-8")
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = tmp_path_factory.mktemp("policy") / "policy.toml"
    path.write_text(text, encoding="utf-8")
    return path


def delivered(config, session, first, last, *, who=None):
    """Deliver the records of some days, of everybody unless told."""
    found = {(one, day): points for (one, day), points in DAYS.items() if first <= day <= last and who in (None, one)}
    here, abroad = (config.storage.confidential.parent / f"{first}_{last}_{who}{n}.parquet" for n in ("", "_abroad"))
    span = {"first": first, "last": last}
    deliver(session, config, [events_file(found, STRATA, here)], layout="with_countries", **span)
    deliver(session, config, [abroad_file(found, abroad)], layout="abroad", **span)


@pytest.fixture(scope="module")
def spring(engines, policy, tmp_path_factory):
    """Root of an installation with March and April ingested, but for three days: to be copied, not changed."""
    root = tmp_path_factory.mktemp("spring")
    config = installation(root, cells=cells_file(root / "cells.csv"), policy=policy)
    with engines("sail") as session:
        delivered(config, session, MARCH.first_day, min(QUIET) - timedelta(1))
        delivered(config, session, max(QUIET) + timedelta(1), APRIL.last_day)
    return root


@pytest.fixture
def desk(spring, policy, tmp_path):
    """A copy of that installation."""
    shutil.copytree(spring, tmp_path, dirs_exist_ok=True)
    return Desk.of(installation(tmp_path, cells=tmp_path / "cells.csv", policy=policy))


def seen_by_readers(desk):
    """Days and strata as an operator's tables hold them."""
    runs = [(MARCH.first_day, min(QUIET) - timedelta(1)), (max(QUIET) + timedelta(1), APRIL.last_day)]
    held = ("abroad", "sex", "age_band", "sim_country")
    rows = {key: row for run in runs for key, row in subscriber_days(desk.storage, *run, columns=held).items()}
    days = {
        (who, day): [(point >> 32, point & 2**32 - 1) for point in here]
        + [(point >> 32, -(point & 2**32 - 1)) for point in abroad]
        for (day, who), (here, _, abroad, *_) in rows.items()
    }
    return days, {(who, day): tuple(row[3:]) for (day, who), row in rows.items()}


@pytest.mark.parametrize("product", sorted(PERIODS))
def test_a_product_is_released_from_the_records_of_an_operator(sail, desk, product):
    plan = desk.plan(product, Period.parse(PERIODS[product]), 1)
    made = desk.release(plan, lambda: nullcontext(sail))
    again = desk.release(plan, lambda: pytest.fail("a sealed release needs no engine"))

    assert made.table.num_rows and again.table == made.table
    assert str(made.card["definition_id"]).startswith(product)
    screen = Console(width=150, record=True, file=(desk.storage.confidential / "screen").open("w"))
    screen.print(release_view(made, 3))
    assert str(made.card["title"]) in " ".join(screen.export_text().split())
    charged = {charge.charge.privacy_month for charge in desk.ledger.charges()}
    assert charged == {charge.privacy_month for charge in plan.charges}


@pytest.mark.parametrize("product", sorted(PERIODS))
def test_what_is_measured_is_what_the_methods_say_of_the_records(sail, desk, product):
    plan = desk.plan(product, Period.parse(PERIODS[product]), 1)
    inputs = desk._inputs(plan)
    desk._aggregate(plan, inputs, sail)
    bounded = desk._exact(plan).bounded(plan, inputs)

    expected = naive_totals(*seen_by_readers(desk), plan, desk.policy)
    assert dict(zip(bounded.keys.tolist(), bounded.totals.tolist(), strict=True)) == expected
    assert len(expected) > 3


def built(desk, month, session):
    return desk.build_nights(month, lambda: nullcontext(session))


def nights_folders(desk, month):
    return sorted((desk.storage.confidential / "nights" / f"month={month}").glob("v=*"))


def test_nights_are_built_once_and_again_only_where_a_day_of_their_month_changes(sail, desk):
    assert [built(desk, month, sail) for month in (MARCH, APRIL, MARCH)] == [True, True, False]
    (march,), (april,) = nights_folders(desk, MARCH), nights_folders(desk, APRIL)
    old = rows_of(march), rows_of(april)

    delivered(desk.config, sail, min(QUIET), max(QUIET))  # what was missing, three weeks late

    assert [built(desk, month, sail) for month in (APRIL, MARCH)] == [False, True]
    (new,) = nights_folders(desk, MARCH)
    assert new != march
    assert rows_of(new) != old[0]
    assert rows_of(april) == old[1]


def test_nights_are_built_whatever_an_interrupted_run_left(sail, desk):
    built(desk, MARCH, sail)
    (folder,) = nights_folders(desk, MARCH)
    whole = rows_of(folder)
    (desk.storage.confidential / "manifests" / "nights" / f"{MARCH}.json").unlink()
    one, *_ = sorted(folder.glob("*.parquet"))
    one.unlink()
    shutil.copytree(folder, folder.with_name("v=of another state of the days"))

    assert built(desk, MARCH, sail)
    assert nights_folders(desk, MARCH) == [folder]
    assert rows_of(folder) == whole


def test_who_objects_later_is_in_no_nights(sail, desk):
    built(desk, MARCH, sail)
    (folder,) = nights_folders(desk, MARCH)
    before = rows_of(folder)
    listed = desk.storage.confidential.parent / "exclusions.txt"
    listed.write_text("".join(f"2305{who:07d}\n" for who in range(1, 31)))
    listed.chmod(0o600)
    config = desk.config.model_copy(update={"ingest": IngestConfig(exclusions=listed)})

    exclude_from_stored_days(sail, config, desk.storage)

    left = rows_of(folder)
    shutil.rmtree(folder)
    (desk.storage.confidential / "manifests" / "nights" / f"{MARCH}.json").unlink()
    built(desk, MARCH, sail)
    assert set(left) < set(before)
    assert left == rows_of(folder)
    sail.read.schema(NIGHTS.schema).parquet(str(folder)).count()


def test_a_month_of_too_few_days_is_refused_before_anything_is_charged(desk):
    plan = desk.plan("home_visits", Period.parse("2026-W10"), 1)
    with pytest.raises(InputError) as refused:
        desk.release(plan, lambda: pytest.fail("nothing is to be aggregated"))

    assert "no delivery for 2026-02-02 to 2026-03-01" in str(refused.value)
    assert "60% of the days of the privacy month" in refused.value.expected
    assert "at most 6 days missing in a row" in refused.value.expected
    assert desk.ledger.charges() == ()
    assert not nights_folders(desk, PrivacyMonth.parse("2026-02"))


def test_a_move_is_released_in_the_months_that_the_policy_names(desk):
    with pytest.raises(PrivacyError, match="not released for 2026-05"):
        desk.plan("migration", Period.parse("2026-05"), 1)


@pytest.mark.parametrize(
    ("missing", "is_refused"),
    [
        ((), False),
        (range(6), False),
        (range(7), True),  # more than six in a row
        ((0, 1, 2, 3, 5, 6, 7, 8, 10, 11, 12), False),  # 17 of 28 days are 60.7 %
        ((0, 1, 2, 3, 5, 6, 7, 8, 10, 11, 12, 20), True),  # 16 are 57.1 %
    ],
)
def test_a_month_may_lack_two_fifths_of_its_days_and_six_in_a_row(missing, is_refused):
    days = [day for n, day in enumerate(MARCH.days) if n not in missing]
    limits = Policy.load().residence
    if is_refused:
        with pytest.raises(InputError, match="2026-03 cannot tell where people live"):
            require_coverage(MARCH, days, limits)
    else:
        require_coverage(MARCH, days, limits)


@pytest.mark.parametrize("until", [None, MARCH.last_day - timedelta(1)])
def test_a_month_that_is_not_over_tells_no_home(until):
    with pytest.raises(InputError, match=r"is not over|no delivery"):
        require_over(MARCH, until)
    require_over(MARCH, MARCH.last_day)


def test_a_plan_that_reads_a_month_for_free_is_refused_whatever_its_policy_says(sail, desk):
    plan = desk.plan("home_visits", Period.parse("2026-W15"), 1)
    own = tuple(charge for charge in plan.charges if charge.privacy_month == str(plan.period.privacy_month))
    with (
        patch.object(type(plan), "charges", property(lambda _: own)),
        pytest.raises(PrivacyError, match="would read 2026-03 and charge 2026-04"),
    ):
        desk.release(plan, lambda: nullcontext(sail))
    assert desk.ledger.charges() == ()


def test_the_nights_of_a_month_hold_no_evening_of_another(sail, desk):
    built(desk, MARCH, sail)
    built(desk, APRIL, sail)
    days, _ = seen_by_readers(desk)
    for month in (MARCH, APRIL):
        (folder,) = nights_folders(desk, month)
        table = pq.read_table(folder, partitioning=None).to_pylist()
        spent = {(row["subscriber"], n) for row in table for n in range(35) if row["night_bits"] >> n & 1}
        first = {who for who, n in spent if n == 0}
        mornings = {
            who
            for (who, day), points in days.items()
            if day == month.first_day and any(second < 7 * 3600 and cell >= 0 for second, cell in points)
        }
        assert first == mornings
