"""What an adversary who knows everything else can tell of one subscriber, or of one of its months, from a release.

Clean runs must stay below what was charged; each planted fault must be found. The path is the real one: subscriber
days, the aggregation on an engine, bounds, the door, the sealed measurements. Method: tests/audit/neighbours.py.
"""

import math
from dataclasses import replace
from fractions import Fraction
from unittest.mock import patch

import numpy as np
import pytest
from pyspark.sql import functions as F

from jobs import pipeline
from privacy import mechanisms
from privacy.bounding import FIXED_POINT
from privacy.hierarchy import PairTree
from privacy.unit import Period, PeriodKind, PrivacyMonth
from schemas.errors import PrivacyError
from schemas.subscriber_days import CELL_MASK
from tests.audit.neighbours import (
    AFTER_IT,
    BEFORE_THE_BORDER,
    EVERYWHERE,
    OTHERS,
    TARGET,
    X1,
    Y1,
    Y2,
    Adversary,
    Sealed,
    audit_policy,
    busy_town,
    draws,
    mu_at_least,
    pair,
    people,
    released,
    side,
    upper_limit,
    without_its_month,
    without_noise,
    without_target,
)
from tests.properties.test_sensitivity import squared_distances

CONFIDENCE = 1 - 1e-6
"""Of one bound. The suite states about a dozen, so that a false alarm is one in a hundred thousand runs."""

MORE_LOSS = 50
"""Loss of a release in the audits with few draws: mu is 1.52 instead of 0.21."""

POWER = 0.55
"""Share of mu that the audits of a full loss must find: 1,500 draws at 0.95 of the charge find 0.72 +- 0.03 of it."""

LESSONS = 20
"""Releases of each side from which the adversary learns what is measured; it is judged by others."""

MARCH = PrivacyMonth.parse("2026-03")


def charged(one_side):
    """Rho that a release is charged, as a fraction."""
    return Fraction(one_side.plan.product.micro_rho, mechanisms.MICRO)


def charged_mu(one_side):
    """What the charge allows: mu of a Gaussian mechanism of the same loss."""
    return math.sqrt(2 * charged(one_side))


def audited(absent, present, *, n, seen_as=draws):
    """A mu that the mechanism has at least, from n draws of each side."""
    know = Adversary(without_noise(absent), without_noise(present))
    seen = [list(seen_as(one_side, n + LESSONS)) for one_side in (absent, present)]
    taught = know.taught(*(some[:LESSONS] for some in seen))
    beliefs = [[taught.belief(one) for one in some[LESSONS:]] for some in seen]
    return mu_at_least(*beliefs, confidence=CONFIDENCE)


def neighbours(session, **options):
    """The town without one subscriber, and with it: a worst case, as the next test shows."""
    crowd = options.pop("crowd", busy_town())
    everybody = people(**options.pop("target", {}))
    return (
        side(session, without_target(everybody), crowd=crowd, **options),
        side(session, everybody, crowd=crowd, **options),
    )


def test_the_neighbours_are_as_far_apart_as_any_can_be(sail):
    """No audit of other data could find more: the difference reaches all bounds at once, and lies inside them."""
    absent, present = neighbours(sail)
    known = Adversary(without_noise(absent), without_noise(present))

    moved = squared_distances(present.totals, absent.totals, present.plan)

    assert all(distance <= bound.squared for distance, bound in zip(moved, present.plan.bounds, strict=True))
    assert 0.9 * charged(present) <= known.loss <= charged(present)


def test_the_neighbours_of_a_day_are_no_farther_apart_than_a_day_is_charged(sail):
    day, everybody = Period.of(PeriodKind.DAY, BEFORE_THE_BORDER.first_day), people(target_rounds=EVERYWHERE)
    absent, present = (side(sail, days, period=day) for days in (without_target(everybody), everybody))

    loss = Adversary(without_noise(absent), without_noise(present)).loss

    assert 0.9 * charged(present) <= loss <= charged(present)


def test_a_release_seals_one_draw_of_its_plan(sail, tmp_path):
    """What is audited below is what the door seals: the same things measured, at the same scales."""
    absent, _ = neighbours(sail)
    sealed, drawn = released(absent, tmp_path), next(draws(absent, 1))

    assert {key: sigma for key, (_, sigma) in sealed.values.items()} == {
        key: sigma for key, (_, sigma) in drawn.values.items()
    }
    assert sealed != drawn


@pytest.mark.audit
def test_a_release_tells_of_a_subscriber_no_more_than_was_charged(sail):
    found = audited(*neighbours(sail), n=2_000)

    assert found <= charged_mu(neighbours(sail)[0])


@pytest.mark.audit
def test_with_fifty_times_the_loss_the_audit_is_tight(sail):
    """It finds most of what was charged, so that silence elsewhere means something; and no more than was charged."""
    absent, present = neighbours(sail, losses=MORE_LOSS)

    found = audited(absent, present, n=2_000)

    assert POWER * charged_mu(present) <= found <= charged_mu(present)


@pytest.mark.audit
def test_what_is_measured_by_chance_tells_no_more(sail):
    """Coarse totals lie at the cut of expansion, where the target decides most about what is measured."""
    levels = audit_policy(losses=MORE_LOSS).products[0].levels
    coarse_sigma = mechanisms.sigma_for(
        l2_sensitivity=math.sqrt(levels[0].c2) * 7 * FIXED_POINT, micro_rho=levels[0].micro_rho
    )
    crowd = {pair(X1, Y1): int(1.5 * coarse_sigma)}
    absent, present = neighbours(sail, losses=MORE_LOSS, crowd=crowd)

    depths = {max(level for level, _ in seen.values) for seen in draws(present, 60)}
    found = audited(absent, present, n=1_500)

    assert len(depths) > 1
    assert found <= charged_mu(present)


@pytest.mark.audit
def test_a_release_tells_of_a_subscribers_month_no_more_than_that_month_was_charged(sail):
    everybody = people()
    fewer = without_its_month(everybody, MARCH)
    absent, present = (side(sail, days, losses=MORE_LOSS, crowd=busy_town()) for days in (fewer, everybody))

    found = audited(absent, present, n=1_500)

    assert POWER * charged_mu(present) <= found <= charged_mu(present)


def test_a_subscribers_month_changes_no_total_of_another_month_and_its_own_within_the_bound(sail):
    everybody, fewer = people(), without_its_month(people(), MARCH)
    march, april = (
        [side(sail, days, period=period) for days in (fewer, everybody)] for period in (BEFORE_THE_BORDER, AFTER_IT)
    )

    moved = squared_distances(march[1].totals, march[0].totals, march[0].plan)

    assert april[0].totals == april[1].totals
    assert all(0 < distance <= bound.squared for distance, bound in zip(moved, march[0].plan.bounds, strict=True))


# Planted faults


def less_noise(values, real=mechanisms.discrete_gaussian, **options):
    noisy, sigma = real(values, **options)
    return values + (noisy - values) // 4, sigma


@pytest.mark.parametrize("losses", [1, MORE_LOSS])
@pytest.mark.audit
def test_a_quarter_of_the_noise_is_found(sail, monkeypatch, losses):
    absent, present = neighbours(sail, losses=losses)
    monkeypatch.setattr(mechanisms, "discrete_gaussian", less_noise)

    assert audited(absent, present, n=2_000) > charged_mu(present)


def unclipped(contributions, bounds, *, partitions):  # noqa: ARG001  the signature of what it replaces
    amounts = contributions.select(F.col(bounds[-1].key).alias("key"), (F.col("amount") * FIXED_POINT).alias("n"))
    return amounts.groupBy("key").agg(F.sum("n").alias("total"))


@pytest.mark.audit
def test_a_skipped_clip_is_found(sail, monkeypatch):
    monkeypatch.setattr(pipeline, "bounded_totals", unclipped)
    absent, present = neighbours(sail, losses=MORE_LOSS, target={"target_rounds": EVERYWHERE, "target_days": 7})

    assert audited(absent, present, n=300) > charged_mu(present)


def pairs_somebody_made(totals, tree):
    """Patches that leave out of the tree what no true count supports: the field's usual saving of work."""
    made = [np.array(sorted(totals), np.int64)]
    for level in range(len(tree.zones.levels) - 1, 0, -1):
        made.insert(0, np.unique(tree.parents(level, made[0])))
    roots, children = PairTree.roots, PairTree.children
    return (
        patch.object(PairTree, "roots", lambda self: np.intersect1d(roots(self), made[0])),
        patch.object(
            PairTree, "children", lambda self, level, pairs: np.intersect1d(children(self, level, pairs), made[level])
        ),
    )


def drawn_over_true_pairs(one_side, n):
    roots, children = pairs_somebody_made(one_side.totals, PairTree(one_side.plan.zones))
    with roots, children:
        yield from draws(one_side, n)


@pytest.mark.audit
def test_keys_taken_from_true_counts_are_found(sail):
    absent, present = neighbours(sail, losses=MORE_LOSS)

    assert pair(X1, Y2) in present.totals.keys() - absent.totals.keys()
    assert audited(absent, present, n=300, seen_as=drawn_over_true_pairs) > charged_mu(present)


def drawn_twice(one_side, n):
    """One release, two draws, averaged: what a ledger that forgot the first would allow."""
    for first, second in zip(draws(one_side, n), draws(one_side, n), strict=True):
        both = first.values.keys() & second.values.keys()
        yield Sealed({key: ((first.values[key][0] + second.values[key][0]) / 2, first.values[key][1]) for key in both})


@pytest.mark.audit
def test_two_draws_of_one_release_are_found(sail):
    absent, present = neighbours(sail, losses=MORE_LOSS)

    assert audited(absent, present, n=2_000, seen_as=drawn_twice) > charged_mu(present)


def in_single_precision(one_side):
    """Totals as a sum of 32-bit floats leaves them: rounded to what the size of the sum allows."""
    rounded = {key: int(np.float32(total)) for key, total in one_side.totals.items()}
    return replace(one_side, totals=rounded)


@pytest.mark.audit
def test_totals_summed_in_floating_point_are_found(sail):
    """A pair of 2^28 trips a week: the floats there are 2^15 apart, and one subscriber moves the sum by as much."""
    few = neighbours(sail, losses=MORE_LOSS)
    busiest, halfway = pair(X1, Y1), 2**38 + 2**14
    more = halfway - 1_000 - few[0].totals[busiest]
    exact = [replace(one, totals=one.totals | {busiest: one.totals[busiest] + more}) for one in few]

    assert audited(*exact, n=300) <= charged_mu(few[0])
    assert audited(*map(in_single_precision, exact), n=300) > charged_mu(few[0])


def test_totals_in_floating_point_never_get_noise(sail):
    absent, _ = neighbours(sail)
    with pytest.raises(PrivacyError, match="int64"):
        mechanisms.discrete_gaussian(absent.bounded().totals.astype(np.float64), l2_sensitivity=1, micro_rho=1)


def steps_around_outages(days, *, real=pipeline.steps, **options):
    """The field's way to treat a silent tower: a cell with too few events, of everybody, is out, and is left out."""
    seen = days.select(F.explode("points").alias("point")).groupBy(_cell("point").alias("cell")).count()
    up = [row["cell"] for row in seen.filter(F.col("count") > 7 * len(OTHERS)).collect()]
    kept = days.withColumn("points", F.filter("points", lambda point: _cell(point).isin(up)))
    return real(kept, **options)


def _cell(point):
    return (F.col(point) if isinstance(point, str) else point).bitwiseAND(F.lit(CELL_MASK))


@pytest.mark.audit
def test_an_outage_read_off_other_peoples_events_is_found(sail, monkeypatch):
    monkeypatch.setattr(pipeline, "steps", steps_around_outages)
    absent, present = neighbours(sail, losses=MORE_LOSS)

    moved = squared_distances(present.totals, absent.totals, present.plan)

    assert any(distance > bound.squared for distance, bound in zip(moved, present.plan.bounds, strict=True))
    assert audited(absent, present, n=300) > charged_mu(present)


# The audit's own arithmetic


@pytest.mark.parametrize(
    ("seen", "n", "failure", "limit"),
    [(0, 10, 0.05, 0.2589), (3, 20, 0.025, 0.3789), (10, 10, 0.05, 1.0), (50, 100, 0.025, 0.6017)],
)
def test_the_limit_is_clopper_and_pearsons(seen, n, failure, limit):
    assert upper_limit(seen, n, failure) == pytest.approx(limit, abs=1e-3)


def test_the_bound_on_mu_holds_and_is_near_for_two_normal_variables():
    random = np.random.default_rng(1)
    for mu in (0.2, 1.5, 3.0):
        absent, present = (random.normal(sign * mu * mu / 2, mu, 20_000) for sign in (-1, 1))
        assert 0.8 * mu - 0.1 <= mu_at_least(absent, present, confidence=CONFIDENCE) <= mu


def test_a_subscriber_is_removed_with_all_its_days_and_a_month_with_its_own_only():
    everybody = people()

    assert {who for who, _ in without_target(everybody)} == set(OTHERS)
    kept = {day for who, day in without_its_month(everybody, MARCH) if who == TARGET}
    assert kept == {day for who, day in everybody if who == TARGET and day not in MARCH.days}
    assert kept < {day for who, day in everybody if who == TARGET}
    assert pair(X1, Y1) != pair(Y1, X1)
