"""The contribution histogram of a month: released, published, and told by the cards of the trips that it speaks of."""

import shutil
from contextlib import nullcontext
from datetime import timedelta

import pyarrow.parquet as pq
import pytest

from jobs.publish.verify import verify_bundle
from jobs.releases import Desk
from privacy import mechanisms
from privacy.clipping import NOT_MEASURED
from privacy.ledger import ReleaseKey
from privacy.policy import Policy
from privacy.unit import Period, PeriodKind, PrivacyMonth
from tests.approvals import approve
from tests.end_to_end.test_release import policy_with
from tests.installations import FIRST, WEEK, deliver, exact_totals, files_of, installation

MARCH = PrivacyMonth.parse("2026-03")
WEEKLY = Policy.load().product("od_trips", PeriodKind.WEEK)
KEY = ReleaseKey("contribution_histogram", "2026-03")


@pytest.fixture(scope="module")
def ingested(engines, tiny_country, tmp_path_factory):
    """A privacy month, of which people travelled in the first week only."""
    root = tmp_path_factory.mktemp("ingested")
    config = installation(root, cells=tiny_country.folder / "cells.csv")
    week, empty = files_of(tiny_country, "whimbrel")[:7], root / "empty.parquet"
    pq.write_table(pq.read_table(week[0]).slice(0, 0), empty)
    with engines("sail") as session:
        deliver(session, config, week, last=FIRST + timedelta(6))
        deliver(session, config, [empty], first=FIRST + timedelta(7), last=MARCH.last_day)
    return root


@pytest.fixture
def copy(ingested, tiny_country, tmp_path):
    """An installation of one's own: `copy(policy=...)`."""
    shutil.copytree(ingested, tmp_path, dirs_exist_ok=True)
    return lambda **options: installation(tmp_path, cells=tiny_country.folder / "cells.csv", **options)


@pytest.fixture
def little_noise(monkeypatch):
    """A histogram with a thousandth of the noise that it has to have: 300 people would not be seen through it."""
    draw = mechanisms.discrete_gaussian

    def quiet(values, *, l2_sensitivity, micro_rho):
        return draw(values, l2_sensitivity=l2_sensitivity, micro_rho=micro_rho * (10**6 if l2_sensitivity == 1 else 1))

    monkeypatch.setattr(mechanisms, "discrete_gaussian", quiet)


def made(config, session, key):
    desk = Desk.of(config)
    plan = desk.plan(key.product, Period.parse(key.period), key.revision)
    return desk.release(plan, lambda: nullcontext(session))


def no_session():
    raise AssertionError("an engine was opened")


def test_a_country_too_small_to_tell_says_so_and_costs_what_the_policy_says(sail, copy):
    config = copy()

    histogram = made(config, sail, KEY)
    approve(config, KEY)
    bundle = Desk.of(config).publish(KEY)

    assert histogram.card["clipping"] is None
    assert Desk.of(config).od_plan(WEEK).card["privacy"]["clipping_bias"] == NOT_MEASURED
    (recorded,) = Desk.of(config).ledger.charges()
    assert (recorded.charge.privacy_month, recorded.charge.micro_rho) == ("2026-03", 1_250)
    assert verify_bundle(bundle.folder).rows == 16
    assert not {"zones.geojson", "map.png"} & {path.name for path in bundle.folder.iterdir()}
    assert not config.storage.confidential.joinpath("exact", KEY.slug).exists()


@pytest.mark.usefixtures("little_noise")
def test_the_card_of_a_week_says_what_the_newest_histogram_of_its_bounds_found(sail, copy):
    config = copy()
    before = Desk.of(config).od_plan(WEEK)
    histogram = made(config, sail, KEY)

    week = made(config, sail, ReleaseKey("od_trips", str(WEEK)))

    note = week.card["privacy"]["clipping"]
    assert note == histogram.card["clipping"]
    assert note["release"] == "contribution_histogram_2026-03_r1"
    assert note["ci_low"] < note["share"] < note["ci_high"]
    assert f"the bounds cut off {note['share']:.1%}" in week.card["privacy"]["clipping_bias"]
    assert before.card["privacy"]["clipping_bias"] == NOT_MEASURED
    approve(config, week.key)
    bundle = Desk.of(config).publish(week.key)
    assert "Measured by contribution_histogram_2026-03_r1" in (bundle.folder / "README.md").read_text()


@pytest.mark.usefixtures("little_noise")
def test_what_a_histogram_finds_is_what_the_bounds_cut_off(sail, copy):
    config = copy()
    bounded = sum(exact_totals(sail, config).values())
    unbounded = sum(unclipped(sail, config).values())

    found = made(config, sail, KEY).card["clipping"]

    assert found["ci_low"] <= 1 - bounded / unbounded <= found["ci_high"]
    assert found["share"] == pytest.approx(1 - bounded / unbounded, abs=0.05)


def unclipped(session, config):
    """Totals of the week under bounds that nobody reaches."""
    root = config.storage.confidential.parent
    levels = [bound_of(level, 1e6) for level in WEEKLY.levels]
    text = {f"level {n}": change for n, change in enumerate(levels)}
    return exact_totals(session, config.model_copy(update={"policy": policy_with(root / "loose.toml", **text)}))


def bound_of(level, c2):
    """A level's bound as the shipped policy writes it, and with another c2."""
    return tuple(f"micro_rho = {level.micro_rho:_}, c2 = {bound} }}" for bound in (level.c2, c2))


@pytest.mark.usefixtures("little_noise")
def test_a_histogram_of_other_bounds_or_of_a_later_month_says_nothing_of_a_week(sail, copy, tmp_path):
    config = copy()
    made(config, sail, KEY)
    other = policy_with(tmp_path / "policy.toml", bound=bound_of(WEEKLY.levels[-1], 0.123))

    assert Desk.of(copy(policy=other)).od_plan(WEEK).clipping is None
    assert Desk.of(config).od_plan(Period.parse("2026-W09")).clipping is None
    assert Desk.of(config).od_plan(Period.parse("2026-03-02")).clipping is None
    assert Desk.of(config).od_plan(Period.parse("2026-W20")).clipping is not None


@pytest.mark.usefixtures("little_noise")
def test_a_histogram_sealed_while_a_week_is_made_changes_neither_its_specification_nor_its_terms(sail, copy):
    config, interrupted = copy(), RuntimeError("the engine died")

    def dies():
        raise interrupted

    desk = Desk.of(config)
    with pytest.raises(RuntimeError):
        desk.release(desk.od_plan(WEEK), dies)
    made(config, sail, KEY)

    week = made(config, sail, ReleaseKey("od_trips", str(WEEK)))

    assert week.card["privacy"]["clipping"] is not None
    assert len(desk.ledger.charges()) == 2


@pytest.mark.usefixtures("little_noise")
def test_a_week_sealed_before_its_histogram_stays_as_it_is_and_is_of_today_s_terms(sail, copy):
    config, key = copy(), ReleaseKey("od_trips", str(WEEK))
    before = made(config, sail, key)
    made(config, sail, KEY)

    desk = Desk.of(config)
    after = desk.release(desk.od_plan(WEEK), no_session)

    assert after.card == before.card
    assert desk.od_plan(WEEK).clipping is not None
    assert desk.was_sealed_under(desk.od_plan(WEEK), after)


@pytest.mark.usefixtures("little_noise")
def test_a_histogram_that_is_lost_holds_no_week_back(sail, copy):
    config = copy()
    seal = made(config, sail, KEY).seal
    (config.storage.confidential / "vault" / seal.artefact_sha256).unlink()

    assert Desk.of(config).od_plan(WEEK).clipping is None


def test_other_terms_than_today_s_are_noticed(sail, copy, tmp_path):
    made(copy(), sail, ReleaseKey("od_trips", str(WEEK)))
    for change in [("publish_sigma = 2.0", "publish_sigma = 1.0"), ("# The privacy policy", "# The changed policy")]:
        desk = Desk.of(copy(policy=policy_with(tmp_path / "policy.toml", change=change)))
        plan = desk.od_plan(WEEK)
        sealed = desk.release(plan, no_session)

        assert not desk.was_sealed_under(plan, sealed)
        assert plan.card["privacy"]["policy_sha256"] != sealed.card["privacy"]["policy_sha256"]
