"""The noise of whole releases, through the door: its law at each level, its independence, and what it alone decides.

Sealed measurements less what would be sealed without noise give the noise. Distances are held against the bound of
tests/audit/test_noise_fit.py; correlations against six standard errors, 2e-9 each.
"""

import json
import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from functools import cache
from itertools import pairwise
from statistics import NormalDist
from unittest.mock import patch

import h3
import numpy as np
import pytest

from privacy import mechanisms
from privacy.bounding import Bounded
from privacy.hierarchy import PairTree
from privacy.ledger import Ledger, ReleaseKey
from privacy.measurements import Measurements
from privacy.policy import Policy
from privacy.release import release
from privacy.unit import Period
from privacy.vault import Vault
from tests.audit.neighbours import audit_policy, remembered_scales, silent
from tests.audit.test_gdp_audit import pairs_somebody_made
from tests.audit.test_noise_fit import FALSE_ALARM, distance
from tests.installations import histogram_over, plan_over

RELEASES, HISTOGRAMS = 8, 1_500
WEEK, DAY = "2026-W10", "2026-03-03"


def far_apart(n):
    """Base cells of which no two share a zone at any level, so that every level has as many pairs as the finest."""
    parents = sorted(h3.grid_disk(h3.latlng_to_cell(-14.06, 66.13, 4), 6))[:n]
    return tuple(sorted(min(h3.cell_to_children(parent, 6)) for parent in parents))


def crowded(plan, base=10**9):
    """Every pair holds so many trips that noise cannot keep it from being looked into."""
    pairs = PairTree(plan.zones).roots()
    last = len(plan.zones.levels) - 1
    for level in range(1, last + 1):
        pairs = PairTree(plan.zones).children(level, pairs)
    return Bounded(pairs, base + 1_000 * np.arange(len(pairs)), plan.bounds)


def noise_of(data, exact):
    """[(noise, sigma) of each level]: what was sealed less what would have been sealed without noise."""
    return [
        (noisy.values - true.values, noisy.sigma)
        for noisy, true in zip(Measurements.from_bytes(data).levels, Measurements.from_bytes(exact).levels, strict=True)
    ]


def exact_of(plan, bounded):
    with patch.object(mechanisms, "discrete_gaussian", silent):
        return plan.draw(bounded)


@cache
def plan_of(period):
    return plan_over(far_apart(60), period=Period.parse(period), policy=audit_policy())


@pytest.fixture(scope="module", params=[WEEK, DAY])
def noises(request, tmp_path_factory):
    """The noise of some revisions of one release, each charged, drawn, sealed and read back: [release][level]."""
    folder, plan = tmp_path_factory.mktemp("door"), plan_of(request.param)
    doors = {"ledger": Ledger.open(f"sqlite:///{folder}/ledger.sqlite"), "vault": Vault(folder / "vault")}
    bounded, found = crowded(plan), []
    exact = exact_of(plan, bounded)
    for revision in range(1, RELEASES + 1):
        revised = replace(plan, key=ReleaseKey(plan.key.product, plan.key.period, revision))
        made = release(revised, policy=audit_policy(), exact=lambda: (bounded, "ab" * 32), **doors)
        found.append(noise_of(doors["vault"].get(made.seal.artefact_sha256), exact))
    return found


def limit(n):
    """Largest distance that chance explains (Dvoretzky, Kiefer, Wolfowitz, Massart)."""
    return math.sqrt(math.log(2 / FALSE_ALARM) / (2 * n))


def normal_distance(noise, sigma):
    """As `distance`, for scales in the thousands: there the discrete Gaussian is the normal law between integers."""
    law = NormalDist(0, sigma)
    below, upto = (np.array([law.cdf(x + half) for x in np.sort(noise)]) for half in (-0.5, 0.5))
    ranks = np.arange(len(noise)) / len(noise)
    return max(np.abs(ranks - below).max(), np.abs(ranks + 1 / len(noise) - upto).max())


def correlation(one, other):
    return abs(np.corrcoef(one, other)[0, 1])


def chance(n):
    return 6 / math.sqrt(n)


@pytest.mark.audit
def test_at_each_level_the_noise_is_the_gaussian_that_the_card_claims(noises):
    for level in zip(*noises, strict=True):
        sigma, noise = level[0][1], np.concatenate([noise for noise, _ in level])
        assert len(noise) > 20_000
        assert normal_distance(noise, sigma) < limit(len(noise))
        assert abs(np.mean((noise / sigma) ** 2) - 1) < 6 * math.sqrt(2 / len(noise))
        assert abs(np.mean(noise) / sigma) < chance(len(noise))


@pytest.mark.audit
def test_the_scale_sealed_is_that_of_the_policys_bound_and_loss(noises):
    plan = plan_of(WEEK) if len(noises[0]) == len(plan_of(WEEK).product.levels) else plan_of(DAY)
    for (_, sigma), level, bound in zip(noises[0], plan.product.levels, plan.bounds, strict=True):
        assert sigma == mechanisms.sigma_for(l2_sensitivity=bound.l2, micro_rho=level.micro_rho)


@pytest.mark.audit
def test_the_noise_of_one_key_says_nothing_of_the_next_nor_of_the_way_back(noises):
    for level in zip(*noises, strict=True):
        noise = np.concatenate([noise for noise, _ in level])
        assert correlation(noise[:-1], noise[1:]) < chance(len(noise))
        half = len(noise) // 2
        assert correlation(noise[:half], noise[-half:]) < chance(half)


@pytest.mark.audit
def test_the_noise_of_one_level_says_nothing_of_another(noises):
    for one, other in pairwise(zip(*noises, strict=True)):
        a, b = (np.concatenate([noise for noise, _ in level]) for level in (one, other))
        assert correlation(a, b) < chance(len(a))


@pytest.mark.audit
def test_the_noise_of_one_release_says_nothing_of_another(noises):
    for one, other in pairwise(noises):
        for (a, _), (b, _) in zip(one, other, strict=True):
            assert correlation(a, b) < chance(len(a))
            assert (a == b).mean() < 0.01


@pytest.mark.audit
def test_noise_that_is_shared_by_levels_and_releases_is_found():
    """A planted fault: a generator that is seeded anew at each draw."""

    def seeded(values, *, l2_sensitivity, micro_rho):
        sigma = mechanisms.sigma_for(l2_sensitivity=l2_sensitivity, micro_rho=micro_rho)
        return values + np.rint(np.random.default_rng(1).normal(0, sigma, len(values))).astype(np.int64), sigma

    plan = plan_of(WEEK)
    bounded = crowded(plan)
    with patch.object(mechanisms, "discrete_gaussian", seeded):
        one, other = (noise_of(plan.draw(bounded), exact_of(plan, bounded)) for _ in range(2))

    assert correlation(one[0][0], one[1][0]) > chance(len(one[0][0]))
    assert (one[0][0] == other[0][0]).all()


@pytest.mark.audit
def test_threads_that_draw_at_once_share_no_noise():
    plan = plan_of(WEEK)
    bounded = crowded(plan)
    exact = exact_of(plan, bounded)
    with ThreadPoolExecutor(4) as pool:
        drawn = [noise_of(data, exact)[-1][0] for data in pool.map(plan.draw, [bounded] * 4)]

    for n, one in enumerate(drawn):
        for other in drawn[n + 1 :]:
            assert correlation(one, other) < chance(len(one))
            assert (one == other).mean() < 0.01


FORKING = """
import json, os, sys
import numpy as np
from privacy.mechanisms import discrete_gaussian

def drawn():
    values = np.zeros(500, dtype=np.int64)
    return discrete_gaussian(values, l2_sensitivity=1_000, micro_rho=10)[0].tolist()

before, found = drawn(), []
for _ in range(3):
    heard, told = os.pipe()
    if os.fork() == 0:
        os.write(told, json.dumps(drawn()).encode())
        os._exit(0)
    os.close(told)
    with os.fdopen(heard) as answer:
        found.append(json.loads(answer.read()))
print(json.dumps([before, *found, drawn()]))
"""


def test_processes_forked_from_one_that_has_drawn_share_no_noise():
    """A generator that lived in the process would be copied with it, and its children would draw alike."""
    done = subprocess.run([sys.executable, "-c", FORKING], capture_output=True, text=True, check=True, timeout=120)
    drawn = [np.array(noise) for noise in json.loads(done.stdout)]

    assert len(drawn) == 5
    for n, one in enumerate(drawn):
        for other in drawn[n + 1 :]:
            assert (one == other).mean() < 0.01


@pytest.mark.audit
def test_the_noise_of_the_contribution_histogram_is_the_discrete_gaussian_of_its_loss():
    plan = histogram_over(far_apart(2), policy=audit_policy())
    bins = 2 * len(plan.grid)
    bounded = Bounded(np.arange(bins), np.full(bins, 10**6), plan.bounds)
    with remembered_scales():
        noise = np.array([json.loads(plan.draw(bounded))["counts"] for _ in range(HISTOGRAMS)]) - 10**6

    assert distance(noise.ravel(), plan.sigma) < limit(noise.size)
    assert distance(np.rint(noise.ravel() * 0.9), plan.sigma) > limit(noise.size)
    assert correlation(noise[:, :-1].ravel(), noise[:, 1:].ravel()) < chance(noise.size - HISTOGRAMS)
    assert correlation(noise[:-1].ravel(), noise[1:].ravel()) < chance(noise.size - bins)


def test_one_subscriber_more_in_one_bin_costs_what_the_histogram_is_charged_and_hardly_less():
    plan = histogram_over(far_apart(2))
    loss, charged = Fraction(1, 2) / Fraction(plan.sigma) ** 2, Fraction(plan.product.micro_rho, mechanisms.MICRO)

    assert 0.999 * charged <= loss <= charged


# What is measured, and everything else that is sealed, follows from noisy answers alone


def answered(values, *, l2_sensitivity, micro_rho):
    """The same noisy answers whatever the exact values are: as if noise had come out so that they agree."""
    sigma = mechanisms.sigma_for(l2_sensitivity=l2_sensitivity, micro_rho=micro_rho)
    random = np.random.default_rng([len(values), micro_rho])
    return np.rint(random.normal(2 * sigma, 2 * sigma, len(values))).astype(np.int64), sigma


def two_countries(plan):
    """One where everybody travels between all pairs, and one where nobody does."""
    nobody = Bounded(np.array([], np.int64), np.array([], np.int64), plan.bounds)
    return crowded(plan), nobody


def neighbourhood(period):
    cells = h3.grid_disk(h3.latlng_to_cell(-14.06, 66.13, 6), 7)
    return plan_over(cells, period=Period.parse(period), policy=Policy.load())


@pytest.mark.parametrize("period", [WEEK, DAY])
def test_equal_noisy_answers_seal_equal_bytes_whatever_the_data_are(period):
    """So the pairs that are measured, their number and their order are functions of noisy values and public data."""
    plan = neighbourhood(period)
    with patch.object(mechanisms, "discrete_gaussian", answered):
        busy, empty = (plan.draw(bounded) for bounded in two_countries(plan))

    measured = [len(level.pairs) for level in Measurements.from_bytes(busy).levels]
    assert busy == empty
    assert 0 < measured[-1] < len(two_countries(plan)[0].keys)


def test_a_choice_of_pairs_that_looks_at_the_data_is_found_by_it():
    plan = neighbourhood(WEEK)
    busy, empty = two_countries(plan)
    some = replace(busy, keys=busy.keys[::2], totals=busy.totals[::2])
    roots, children = pairs_somebody_made(dict.fromkeys(some.keys.tolist(), 1), PairTree(plan.zones))

    with patch.object(mechanisms, "discrete_gaussian", answered):
        honest = plan.draw(empty)
        with roots, children:
            faulty = plan.draw(some)

    assert faulty != honest


def test_equal_noisy_answers_seal_an_equal_histogram_whatever_the_data_are():
    plan = histogram_over(far_apart(2))
    counted = (Bounded(np.arange(n), np.full(n, 10**6), plan.bounds) for n in (0, 3))
    with patch.object(mechanisms, "discrete_gaussian", answered):
        assert len({plan.draw(bounded) for bounded in counted}) == 1
