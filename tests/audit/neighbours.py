"""Worst-case neighbours through the whole path, and what can be told of them from sealed measurements.

The game of an audit: an adversary knows two neighbouring data sets to the last event, is shown one release of one of
them, unpublished measurements included, and says which. How well anybody can play is bounded by the loss that was
charged: where every release costs rho, no test does better than one that tells N(0, 1) from N(mu, 1) with
mu = sqrt(2 rho), up to the grain of the discrete Gaussian. An audit plays the game many times with the best test there
is, and turns its errors into a mu that is too high with a stated probability at most.

Sources: J. Dong, A. Roth, W. Su, Gaussian Differential Privacy, Journal of the Royal Statistical Society B 2022 (the
trade-off of errors beta >= Phi(Phi^-1(1 - alpha) - mu)); M. Nasr et al., Tight Auditing of Differentially Private
Machine Learning, 2023, arXiv 2302.07956 (audits that hold an implementation against its proof).
"""

import math
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from fractions import Fraction
from functools import cache
from statistics import NormalDist
from unittest.mock import patch

import h3
import numpy as np

from privacy import mechanisms
from privacy.bounding import Bounded
from privacy.ledger import Ledger
from privacy.measurements import Measurements
from privacy.policy import Policy
from privacy.release import release
from privacy.unit import Period
from privacy.vault import Vault
from tests.installations import plan_over, totals_of_days

HOUR_S = 3_600
BEFORE_THE_BORDER, AFTER_IT = Period.parse("2026-W13"), Period.parse("2026-W14")
"""The last week of one privacy month and the first of the next."""

TARGET, OTHERS = 1, range(2, 8)
"""Pseudonyms of the subscriber who is removed, and of those who stay."""


def town():
    """Four cells: two parents of resolution 5 with two cells each, inside one parent of resolution 4."""
    whole = h3.cell_to_parent(h3.latlng_to_cell(-14.06, 66.13, 6), 4)
    quarters = sorted(h3.cell_to_children(whole, 5))[:2]
    return tuple(sorted(cell for quarter in quarters for cell in sorted(h3.cell_to_children(quarter, 6))[:2]))


CELLS = town()
X1, X2, Y1, Y2 = range(4)
ROUNDS = ((X1, Y1, X2, Y1, X1), (X1, Y1, X1, Y2, X1))
"""Two days' walks, no pair twice a day. The squared norm of two rounds of both falls by resolution as 16 : 8 : 3, where
the bounds fall as 18 : 9 : 3: it reaches the finest and stays a ninth below the others, which is 97 % of the charge."""

EVERYWHERE = ((X1, Y1, X2, Y2, X1, Y2, X2, Y1, X1),)
"""The longest walk between the two parents that makes no trip twice."""


def walk(*, first_day, days, rounds):
    """Points of hourly walks, a round a day in turn, as {day: [(second, cell index)]}."""
    return {
        first_day + timedelta(n): [(HOUR_S * hour, cell) for hour, cell in enumerate(rounds[n % len(rounds)])]
        for n in range(days)
    }


def people(*, target_rounds=ROUNDS, target_days=4):
    """Two weeks on either side of a border of months: the target, and others who commute where it goes too."""
    days = {}
    for period in (BEFORE_THE_BORDER, AFTER_IT):
        targets = walk(first_day=period.first_day, days=target_days, rounds=target_rounds)
        days |= {(TARGET, day): points for day, points in targets.items()}
        for other in OTHERS:
            there_and_back = [(6 * HOUR_S, X1), (9 * HOUR_S, Y1), (17 * HOUR_S, X1)]
            days |= {(other, period.first_day + timedelta(n)): there_and_back for n in range(7)}
    return days


def without_target(days):
    """The same people, one subscriber removed with all its months."""
    return {(who, day): points for (who, day), points in days.items() if who != TARGET}


def without_its_month(days, month):
    """The same people, one month of one subscriber removed."""
    return {(who, day): points for (who, day), points in days.items() if who != TARGET or day not in set(month.days)}


def audit_policy(*, losses=1):
    """The shipped policy; with `losses` above 1, each release may cost that many times as much, pools included.

    The mechanism is the same with less noise, and a thousand draws tell what would otherwise take a hundred thousand.
    """
    policy = Policy.load()
    products = tuple(
        replace(
            product,
            micro_rho=product.micro_rho * losses,
            levels=tuple(replace(level, micro_rho=level.micro_rho * losses) for level in product.levels),
            tables=tuple(replace(table, micro_rho=table.micro_rho * losses) for table in product.tables),
        )
        for product in policy.products
    )
    pools = {name: replace(pool, cap_micro_rho=10**12) for name, pool in policy.pools.items()}
    return replace(policy, products=products, pools=pools)


@dataclass(frozen=True)
class Side:
    """One of two neighbours, as far as the door: a plan and the exact bounded totals that the real job gave.

    Args:
        plan: What is released.
        policy: Under which.
        totals: {pair of the finest level: total}.
    """

    plan: object
    policy: object
    totals: dict

    def bounded(self):
        keys = sorted(self.totals)
        return Bounded(np.array(keys, np.int64), np.array([self.totals[k] for k in keys], np.int64), self.plan.bounds)


def side(session, days, *, period=BEFORE_THE_BORDER, losses=1, crowd=None):
    """Aggregate subscriber days through the real job; add what a crowd that is the same on both sides contributes."""
    policy = audit_policy(losses=losses)
    plan = plan_over(CELLS, period=period, policy=policy)
    totals = totals_of_days(session, days, plan, mobility=policy.mobility)
    for pair, total in (crowd or {}).items():
        totals[pair] = totals.get(pair, 0) + total
    return Side(plan, policy, totals)


def busy_town():
    """A crowd that makes every pair of the tree worth a look, but leaves some finest pairs to the target alone."""
    return {pair(X1, Y1): 10**9, pair(Y1, X1): 10**9, pair(X1, X2): 10**9, pair(Y1, Y2): 10**9}


def pair(origin, destination):
    """Number of a pair of the finest level."""
    return origin * len(CELLS) + destination


@contextmanager
def remembered_scales():
    """Work out each scale and each epsilon once: pure functions of the policy, and most of a release's time."""
    scales = cache(mechanisms.sigma_for)
    with (
        patch.object(mechanisms, "sigma_for", scales),
        patch.object(mechanisms, "epsilon", cache(mechanisms.epsilon)),
    ):
        yield


@dataclass(frozen=True)
class Sealed:
    """What a release sealed, whatever its levels are: one noisy value and scale for each thing measured.

    Args:
        values: {(level, pair): (value, sigma)}.
    """

    values: dict

    @classmethod
    def of(cls, data):
        levels = Measurements.from_bytes(data).levels
        return cls(
            {
                (number, int(key)): (int(value), level.sigma)
                for number, level in enumerate(levels)
                for key, value in zip(level.pairs, level.values, strict=True)
            }
        )


def draws(of, n):
    """Draw a plan n times over the same totals, as the door does once; yield what would be sealed each time."""
    bounded = of.bounded()
    with remembered_scales():
        for _ in range(n):
            yield Sealed.of(of.plan.draw(bounded))


def released(of, folder):
    """Release a side through the door, with a ledger and a vault of its own; give what was sealed."""
    ledger, vault = Ledger.open(f"sqlite:///{folder}/ledger.sqlite"), Vault(folder / "vault")
    made = release(of.plan, ledger=ledger, vault=vault, policy=of.policy, exact=lambda: (of.bounded(), "ab" * 32))
    return Sealed.of(vault.get(made.seal.artefact_sha256))


def silent(values, *, l2_sensitivity, micro_rho):
    """No noise, of the scale that it would have."""
    return values, mechanisms.sigma_for(l2_sensitivity=l2_sensitivity, micro_rho=micro_rho)


def without_noise(of):
    """What would be sealed if noise were zero and nothing were passed over: the vector that noise is added to."""
    product = replace(of.plan.product, expand_sigma=1e-9)
    with patch.object(mechanisms, "discrete_gaussian", silent):
        return next(draws(replace(of, plan=replace(of.plan, product=product)), 1))


@dataclass(frozen=True)
class Adversary:
    """Knows the noise-free measurements of both neighbours, and weighs what it sees by the ratio of likelihoods.

    Args:
        absent: What would be sealed without noise where the unit is absent.
        present: The same where it is present.
        telltale: Things that are measured always where the unit is present and never where it is absent; none if the
            choice of what to measure is private.
    """

    absent: Sealed
    present: Sealed
    telltale: frozenset = frozenset()

    def taught(self, seen_absent, seen_present):
        """The adversary after looking at some releases of each side, which it is not judged by."""
        always = frozenset.intersection(*(frozenset(seen.values) for seen in seen_present))
        ever = frozenset.union(*(frozenset(seen.values) for seen in seen_absent))
        return replace(self, telltale=always - ever)

    @property
    def loss(self):
        """Rho of telling the two apart, in exact fractions: half the squared difference over all levels, in sigmas."""
        return sum(
            (Fraction(there - gone) / Fraction(sigma)) ** 2 / 2 for gone, there, sigma in self._differing().values()
        )

    def _differing(self):
        keys = self.absent.values.keys() | self.present.values.keys()
        nothing = (0, 0.0)
        both = {key: (self.absent.values.get(key, nothing), self.present.values.get(key, nothing)) for key in keys}
        return {
            key: (gone[0], there[0], there[1] or gone[1]) for key, (gone, there) in both.items() if gone[0] != there[0]
        }

    def belief(self, seen):
        """Log-likelihood ratio of presence, over all that was measured at all levels; above 0: probably there."""
        if self.telltale:
            return math.inf if self.telltale <= seen.values.keys() else -math.inf
        return sum(
            (seen.values[key][0] - (gone + there) / 2) * (there - gone) / sigma**2
            for key, (gone, there, sigma) in self._differing().items()
            if key in seen.values
        )


def mu_at_least(beliefs_absent, beliefs_present, *, confidence):
    """A mu that the mechanism has at least, with this confidence: from the errors of the test `belief > 0`.

    The two error rates are bounded from above by Clopper and Pearson's limits, each with half of what may fail.
    """
    false_alarms = sum(belief > 0 for belief in beliefs_absent)
    misses = sum(belief <= 0 for belief in beliefs_present)
    alpha = upper_limit(false_alarms, len(beliefs_absent), (1 - confidence) / 2)
    beta = upper_limit(misses, len(beliefs_present), (1 - confidence) / 2)
    normal = NormalDist()
    return normal.inv_cdf(1 - alpha) - normal.inv_cdf(beta)


def upper_limit(seen, n, failure):
    """Clopper and Pearson's one-sided limit: the largest rate at which so few would be seen with this probability."""
    low, high = seen / n, 1.0
    if seen == n:
        return 1 - 1e-12
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if at_most(seen, n, middle) > failure else (low, middle)
    return high


def at_most(seen, n, rate):
    """Probability of `seen` or fewer in n independent trials."""
    counts = np.arange(seen + 1)
    logs = np.cumsum(np.log(np.concatenate([[1.0], (n - counts[1:] + 1) / np.maximum(counts[1:], 1)])))
    return float(np.exp(logs + counts * math.log(rate) + (n - counts) * math.log1p(-rate)).sum())
