"""Bundles of a flood that never was, through the door but with seeded noise: what the situation page is made of."""

import functools
import secrets
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

import h3
import numpy as np

from jobs.publish.bundle import publish
from privacy import mechanisms
from privacy.bounding import Bounded
from privacy.ledger import Ledger
from privacy.policy import Policy
from privacy.release import release
from privacy.unit import Period
from privacy.vault import Vault
from schemas.displacement import AWAY, HOME, SILENT
from tests.approvals import clearance_for
from tests.ledgers import TWO_PEOPLE
from tests.plans import opening_of, plan_of
from tests.unit.test_bundle_example import coast

WEEK_BEFORE = "2026-W14"
DAYS = ("2026-04-08", "2026-04-09", "2026-04-10", "2026-04-11", "2026-04-12", "2026-04-13")
AWAY_SHARE = dict(zip((WEEK_BEFORE, *DAYS), (0.02, 0.02, 0.2, 0.45, 0.42, 0.35, 0.3), strict=True))
"""Share of the area's residents who are away, by period."""


SEEN = {AWAY: 0, HOME: 1}
"""The sight of who was seen in the night, by status."""


def country(radius=9):
    """Base cells, and of them those of the area: along a river that runs to the coast."""
    cells = coast(radius)
    points = {cell: h3.cell_to_latlng(cell) for cell in cells}
    area = [cell for cell, (lat, lng) in points.items() if abs(lng + 3.4 - 0.2 * np.sin(5 * lat)) < 0.09]
    return cells, tuple(sorted(area))


def flood_plan(period, *, radius=9, **fields):
    """The plan of one period of the flood's schedule."""
    cells, homes = country(radius)
    told = {"definition_parameters": {"min_away_km": 10.0}}
    return plan_of("displacement", period=str(period), cells=cells, homes=homes, **told, **fields)


def exact_statuses(plan, *, residents=24_000, seed=5):
    """Subscribers by finest key: most who are away are in few places, and some are silent."""
    random, n = np.random.default_rng(seed), len(plan.zones.base_cells)
    sizes = random.permutation(1 / np.arange(1, len(plan.homes) + 1) ** 0.9)
    people = np.rint(residents * sizes / sizes.sum()).astype(int)
    hosts = random.choice(n, 12, replace=False)
    share = AWAY_SHARE[str(plan.period)]
    before = AWAY_SHARE[_day_before(str(plan.period))]
    totals = {}
    for home, living in enumerate(people.tolist()):
        own = plan.zones.base_cells.index(plan.homes[home])
        statuses = _statuses(living, share, before)
        for (was, now), count in statuses.items():
            for place, some in _spread(now, count, own, hosts, n):
                for sight, seen in _sights(now, some):
                    totals[((home * (n + 1) + place) * 9 + 3 * was + now) * 6 + sight] = seen
    return {key: count for key, count in totals.items() if count}


def _day_before(period):
    periods = list(AWAY_SHARE)
    return periods[max(0, periods.index(period) - 1)]


def _statuses(living, share, before):
    """Whole subscribers by yesterday's status and today's."""
    away, was_away, silent = round(living * share), round(living * before), round(0.05 * living)
    stay, lost = min(away, was_away), round(0.02 * min(away, was_away))
    counts = {
        (AWAY, AWAY): stay - lost,
        (HOME, AWAY): max(0, away - was_away) + lost,
        (AWAY, HOME): max(0, was_away - away),
        (AWAY, SILENT): lost,
        (SILENT, SILENT): silent - lost if silent > lost else 0,
    }
    return {**counts, (HOME, HOME): living - sum(counts.values())}


def _spread(now, count, own, hosts, n):
    if now == SILENT:
        return [(n, count)]
    if now == HOME:
        return [(own, count)]
    parts = np.bincount(np.arange(count) ** 2 % 31 % len(hosts), minlength=len(hosts))
    return [(int(host), int(part)) for host, part in zip(hosts, parts, strict=True)]


def _sights(now, count):
    """Four of five of those at home or away are seen in the night itself."""
    unseen = count if now == SILENT else count // 5
    return [(2, unseen)] if now == SILENT else [(SEEN[now], count - unseen), (2, unseen)]


def _bounded(plan, statuses):
    """Totals of a period whose days are all alike: a week's value is a mean a day."""
    keys = np.array(sorted(statuses), dtype=np.int64)
    amounts = np.array([statuses[key] for key in keys.tolist()], dtype=np.int64)
    return Bounded(keys, amounts * plan.fixed_point, plan.bounds)


@functools.cache
def flood_releases(periods=(WEEK_BEFORE, *DAYS), *, radius=9, name="Flood of April"):
    """Releases of the flood, one a period."""
    random = np.random.default_rng(17)

    def seeded(values, *, l2_sensitivity, micro_rho):
        sigma = mechanisms.sigma_for(l2_sensitivity=l2_sensitivity, micro_rho=micro_rho)
        return values + np.rint(random.normal(0, sigma, len(values))).astype(np.int64), sigma

    with (
        tempfile.TemporaryDirectory() as root,
        patch.object(mechanisms, "discrete_gaussian", seeded),
        patch.object(secrets, "token_hex", lambda n: "00" * n),
    ):
        ledger = Ledger.open(f"sqlite:///{root}/ledger.db", clock=lambda: datetime(2026, 4, 14, 4, tzinfo=UTC))
        policy, vault = Policy.load(), Vault(Path(root) / "vault")
        plans = [flood_plan(Period.parse(period), radius=radius, name=name) for period in periods]
        ledger.open_event(opening_of(plans[0]), approvals=TWO_PEOPLE, caps=policy.caps)
        doors = {"ledger": ledger, "vault": vault, "policy": policy}
        return tuple(
            release(plan, **doors, exact=lambda plan=plan: (_bounded(plan, exact_statuses(plan)), "ab" * 32))
            for plan in plans
        )


def flood_bundles(root, releases):
    """Publish releases under a folder and return theirs."""
    return [publish(one, _clearance(one), root).folder for one in releases]


def _clearance(one):
    """Approved an hour after the release was sealed."""
    clearance = clearance_for(one)
    return replace(clearance, approval=replace(clearance.approval, recorded_at="2026-04-14T05:00:00Z"))
