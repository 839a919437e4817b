"""The competing designs keep the privacy that they claim: bounds, noise, thresholds and budgets recomputed."""

import math
from collections import Counter
from dataclasses import replace

import h3
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.evaluation.contributions import Contributions, largest_pairs, scaled_to_l1, scaled_to_l2
from jobs.evaluation.designs import (
    DESIGNS,
    Bounds,
    Budget,
    Setting,
    false_discovery_cut,
    gaussian_stability_threshold,
    laplace_stability_threshold,
    priced,
    suppression,
    top_down,
)
from privacy import mechanisms
from privacy.bounding import LevelBound, squared_bound
from privacy.hierarchy import PairTree, ZoneTree
from privacy.policy import Policy
from privacy.unit import PeriodKind
from schemas.errors import ConfigError, PrivacyError
from tests.oracle import bounding as oracle

CENTRE = h3.latlng_to_cell(-1.95, 30.06, 6)
TREE = PairTree(ZoneTree(tuple(sorted(h3.grid_disk(CENTRE, 2))), (4, 5, 6)))
CELLS = len(TREE.zones.base_cells)
WEEKLY = Policy.load().product("od_trips", PeriodKind.WEEK)
BUDGET = Budget(23_000, 5, 1e-6)
PRIVATE = sorted(set(DESIGNS) - {"suppression"})

people = st.lists(
    st.dictionaries(
        st.integers(0, CELLS**2 - 1).filter(lambda pair: pair // CELLS != pair % CELLS),
        st.integers(1, 60),
        min_size=1,
        max_size=40,
    ),
    min_size=1,
    max_size=4,
)
"""What each subscriber did: {pair: trips}."""


def entries_of(everybody, days=7):
    rows = [(who, pair, trips) for who, did in enumerate(everybody) for pair, trips in did.items()]
    who, pair, trips = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    return Contributions.of(who, pair, trips, days=days)


def setting_of(everybody, **changes):
    setting = Setting(entries_of(everybody), TREE, WEEKLY, BUDGET, Bounds(l1=2.0, pairs=8))
    return replace(setting, **changes)


class Noiseless:
    """The mechanisms without their noise: keeps what it was asked for."""

    def __init__(self, patch):
        self.asked = []
        patch.setattr(mechanisms, "discrete_laplace", self.laplace)
        patch.setattr(mechanisms, "discrete_gaussian", self.gaussian)

    def laplace(self, values, *, l1_sensitivity, epsilon):
        self.asked.append((1, values.copy(), l1_sensitivity, epsilon))
        return values, 1.0

    def gaussian(self, values, *, l2_sensitivity, micro_rho):
        self.asked.append((2, values.copy(), l2_sensitivity, micro_rho))
        return values, 1e-9  # so small that every pair with a trip is looked into


def measured_without_noise(name, everybody):
    """Totals by level and pair, in units, and what the noise of each draw was asked to hide."""
    with pytest.MonkeyPatch.context() as patch:
        noise = Noiseless(patch)
        made = DESIGNS[name](setting_of(everybody))
    unit = 1024 * 7
    totals = [Counter(dict(zip(m.pairs.tolist(), np.rint(m.values * unit), strict=True))) for m in made.measured]
    return totals if name.startswith("top_down") else totals[-1:], noise.asked


@pytest.mark.parametrize("name", PRIVATE)
@settings(max_examples=30)  # each is two releases over the whole domain
@given(everybody=people)
def test_one_subscriber_moves_what_is_given_noise_by_at_most_what_the_noise_is_scaled_to(name, everybody):
    totals, asked = measured_without_noise(name, everybody)
    fewer, _ = measured_without_noise(name, everybody[1:])
    for level, (order, _, sensitivity, _) in enumerate(asked):
        totals[level].subtract(fewer[level])
        assert np.linalg.norm([*totals[level].values(), 0.0], order) <= sensitivity


@pytest.mark.parametrize("name", PRIVATE)
def test_what_the_draws_cost_together_is_at_most_the_budget(name):
    _, asked = measured_without_noise(name, [{1: 3, 2: 5}])
    spent_rho = sum(loss / 1e6 for order, _, _, loss in asked if order == 2)
    pure = sum(loss for order, _, _, loss in asked if order == 1)
    delta = DESIGNS[name](setting_of([{1: 3, 2: 5}])).guarantee.threshold_delta * BUDGET.releases
    if spent_rho:
        composed = mechanisms.epsilon(round(spent_rho * BUDGET.releases * 1e6), BUDGET.delta - delta)
    else:  # a week's epsilon, added up
        composed = pure * BUDGET.releases
    assert composed <= BUDGET.epsilon * (1 + 1e-12)
    assert composed >= 0.999 * BUDGET.epsilon, "the design was given less than its share"
    assert delta <= BUDGET.delta


@pytest.mark.parametrize("name", ["laplace_threshold", "gaussian_threshold"])
def test_a_threshold_pays_with_delta_for_keys_that_the_data_chose(name):
    found = DESIGNS[name](setting_of([{1: 7}])).guarantee
    assert 0 < found.threshold_delta <= BUDGET.delta / BUDGET.releases
    assert found.threshold > found.sensitivity


@pytest.mark.parametrize("name", ["laplace_all_pairs", "laplace_cut", "gaussian_fdr", "gaussian_corrected"])
def test_keys_over_the_whole_domain_cost_no_delta(name):
    made = DESIGNS[name](setting_of([{1: 7}]))
    assert made.guarantee.threshold_delta == 0
    assert len(made.measured[-1].pairs) == CELLS * (CELLS - 1)


@pytest.mark.parametrize("scale", [0.8, 7.0, 33_000.0])
@pytest.mark.parametrize("delta", [0.1, 1e-4, 2e-7])
def test_the_laplace_threshold_is_the_smallest_whose_delta_holds(scale, delta):
    most, pairs, q = 100, 32, math.exp(-1 / scale)
    t = laplace_stability_threshold(scale, most=most, pairs=pairs, delta=delta)

    def shown_alone(t):
        return pairs * q ** (t - most) / (1 + q)  # P(noise >= t - most), the bound of the union

    assert shown_alone(t) <= delta * (1 + 1e-9)
    assert shown_alone(t - 1) > delta or t == most + 1


@pytest.mark.parametrize("sigma", [0.8, 7.0, 300.0])
@pytest.mark.parametrize("delta", [0.1, 1e-4, 2e-7])
def test_the_gaussian_threshold_keeps_its_delta_by_the_exact_tail(sigma, delta):
    most, pairs = 100, 32
    t = gaussian_stability_threshold(sigma, most=most, pairs=pairs, delta=delta)
    support = np.arange(-math.ceil(12 * sigma), math.ceil(12 * sigma) + 1)
    weight = np.exp(-((support / sigma) ** 2) / 2)

    def shown_alone(t):
        return pairs * weight[support >= t - most].sum() / weight.sum()

    assert shown_alone(t) <= delta
    assert shown_alone(t - 3) > delta


def test_pairs_of_one_subscriber_alone_pass_the_thresholds_as_seldom_as_delta_says():
    most, pairs, delta, tries = 50, 4, 0.2, 4_000
    alone = np.full(tries * pairs, most)
    laplace, scale = mechanisms.discrete_laplace(alone, l1_sensitivity=50, epsilon=1.0)
    gauss, sigma = mechanisms.discrete_gaussian(alone, l2_sensitivity=50, micro_rho=500_000)
    cuts = (
        laplace_stability_threshold(scale, most=most, pairs=pairs, delta=delta),
        gaussian_stability_threshold(sigma, most=most, pairs=pairs, delta=delta),
    )
    for noisy, cut in zip((laplace, gauss), cuts, strict=True):
        passed = np.mean((noisy.reshape(tries, pairs) >= cut).any(axis=1))
        # independent noise: 1 - (1 - delta / pairs)^pairs = 0.185; five standard errors either way
        assert passed == pytest.approx(1 - (1 - delta / pairs) ** pairs, abs=5 * math.sqrt(0.185 * 0.815 / tries))


@pytest.mark.parametrize("scale", [0.7, 7.0, 7_000.0])
def test_the_laplace_noise_is_the_discrete_one_of_its_scale(scale):
    draws = 50_000
    values = np.full(draws, 10**12, dtype=np.int64)
    noisy, found = mechanisms.discrete_laplace(values, l1_sensitivity=scale, epsilon=1.0)
    assert found == pytest.approx(scale)
    assert distance(noisy - values, scale) < limit(draws)
    assert distance(np.rint((noisy - values) / 2), scale) > limit(draws), "half the noise was not noticed"


def distance(noise, scale):
    """Largest difference between the distribution functions of noise and of the discrete Laplace."""
    reach, q = math.ceil(40 * scale), math.exp(-1 / scale)
    support = np.arange(-reach, reach + 1)
    cdf = np.where(support < 0, q ** -np.minimum(support, 0) / (1 + q), 1 - q ** (np.maximum(support, 0) + 1) / (1 + q))
    return np.abs(np.searchsorted(np.sort(noise), support, side="right") / len(noise) - cdf).max()


def limit(draws, false_alarm=1e-7):
    """What chance explains at most, after Dvoretzky, Kiefer, Wolfowitz and Massart."""
    return math.sqrt(math.log(2 / false_alarm) / (2 * draws))


@pytest.mark.parametrize(("sensitivity", "epsilon"), [(0, 1.0), (math.inf, 1.0), (1, 0.0), (1, math.nan), (1, -1.0)])
def test_a_laplace_bound_or_loss_that_is_no_number_above_zero_is_refused(sensitivity, epsilon):
    with pytest.raises(PrivacyError):
        mechanisms.laplace_scale_for(l1_sensitivity=sensitivity, epsilon=epsilon)


@given(everybody=people)
def test_the_weights_of_a_top_down_release_are_those_of_exact_arithmetic(everybody):
    bounds = tuple(LevelBound(f"key_{n.resolution}", squared_bound(n.c2, periods=7)) for n in WEEKLY.levels)
    amounts = scaled_to_l2(entries_of(everybody), TREE, bounds)

    def keys(pair):
        middle = int(TREE.parents(2, np.array([pair]))[0])
        return int(TREE.parents(1, np.array([middle]))[0]), middle, pair

    rows = {who: [(keys(pair), trips) for pair, trips in did.items()] for who, did in enumerate(everybody)}
    pairs, totals = amounts.totals()
    assert dict(zip(pairs.tolist(), totals.tolist(), strict=True)) == oracle.totals(rows, [b.squared for b in bounds])


@given(everybody=people)
def test_a_subscriber_within_the_l1_bound_is_not_touched_and_nobody_exceeds_it(everybody):
    entries = entries_of(everybody)
    amounts = scaled_to_l1(entries, 2.0)
    for who, did in enumerate(everybody):
        kept = amounts.amount[amounts.person == who].sum()
        assert kept <= 2.0 * 7 * 1024
        assert (kept == 1024 * sum(did.values())) == (sum(did.values()) <= 14)


def test_the_pairs_kept_are_those_with_most_trips():
    kept = largest_pairs(entries_of([{3: 1, 4: 5, 5: 2}, {3: 9}]), 2)
    assert list(zip(kept.subscriber.tolist(), kept.pair.tolist(), kept.trips.tolist(), strict=True)) == [
        (0, 4, 5),
        (0, 5, 2),
        (1, 3, 9),
    ]


def test_suppression_shows_exact_counts_from_fifteen_people_on():
    made = suppression(setting_of([{1: 7, 2: 1}] * 14 + [{1: 14}]))
    (pairs, values) = made.shown[-1].pairs, made.shown[-1].values
    assert (pairs.tolist(), values.tolist()) == ([1], [16.0])
    assert made.guarantee.loss == "none"


def test_a_cut_at_fifteen_shows_nothing_below(monkeypatch):
    Noiseless(monkeypatch)
    made = DESIGNS["laplace_cut"](setting_of([{1: 7}] * 14 + [{2: 7}] * 15))
    assert made.shown[-1].pairs.tolist() == [2]


def test_the_false_discovery_cut_lets_about_one_false_pair_in_a_hundred_through():
    random = np.random.default_rng(1)
    values = np.concatenate([random.normal(0, 2, 90_000), random.normal(30, 2, 10_000)])
    cut = false_discovery_cut(values, 2.0)
    false = np.sum(values[:90_000] >= cut)
    assert 0.005 < false / np.sum(values >= cut) < 0.015
    assert cut < 30


def test_without_noise_the_top_down_design_shows_the_bounded_flows(monkeypatch):
    Noiseless(monkeypatch)
    made = top_down(setting_of([{1: 7, 2: 7}] * 40))
    rows = zip(made.shown[-1].pairs.tolist(), made.shown[-1].values, strict=True)
    shown = {pair: value for pair, value in rows if value > 1e-6}  # empty pairs pass a cut of no noise
    bounded = dict(zip(made.bounded[0].tolist(), made.bounded[1], strict=True))
    assert shown == pytest.approx(bounded, rel=1e-6)
    assert made.remainder == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("micro_rho", [1_000, 23_000, 30_001])
def test_a_product_at_another_price_spends_exactly_that(micro_rho):
    product = priced(WEEKLY, micro_rho)
    assert sum(level.micro_rho for level in product.levels) == product.micro_rho == micro_rho
    shares = [level.micro_rho / micro_rho for level in product.levels]
    assert shares == pytest.approx([level.micro_rho / WEEKLY.micro_rho for level in WEEKLY.levels], abs=2e-3)


@pytest.mark.parametrize(("epsilon", "delta", "releases"), [(1.0, 1e-8, 1), (2.31, 1e-6, 5), (4.0, 1e-6, 35)])
def test_a_budget_of_an_epsilon_is_the_largest_that_keeps_it(epsilon, delta, releases):
    budget = Budget.of_epsilon(epsilon, delta, releases)
    assert budget.epsilon <= epsilon < Budget(budget.micro_rho + 1, releases, delta).epsilon


def test_many_releases_are_accounted_through_zcdp_and_few_are_added_up():
    few, many = Budget(23_000, 2, 1e-6), Budget(1_000, 1_000, 1e-6)
    assert few.pure_epsilon == few.epsilon / 2 > few.epsilon_through_zcdp
    assert many.pure_epsilon == many.epsilon_through_zcdp > many.epsilon / 1_000


@pytest.mark.parametrize("wrong", [(0, 5, 1e-6), (1, 0, 1e-6), (1, 5, 0.0), (1, 5, 1.0)])
def test_a_budget_that_is_none_is_refused(wrong):
    with pytest.raises(ConfigError):
        Budget(*wrong)


def test_contributions_that_stand_twice_are_refused_or_added_up():
    one = np.array([1, 1])
    with pytest.raises(PrivacyError, match="stand twice"):
        Contributions(one, one, one, 7)
    assert Contributions.of(one, one, one, days=7).trips.tolist() == [2]
