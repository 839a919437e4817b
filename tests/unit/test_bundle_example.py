"""A plausible release, through the door but with seeded noise, for the tests of what is published."""

import functools
import secrets
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

import h3
import numpy as np
import pandas as pd

from privacy import mechanisms
from privacy.bounding import Bounded
from privacy.hierarchy import ZoneTree
from privacy.ledger import Ledger, ReleaseKey
from privacy.od_trips import OdTripsPlan
from privacy.policy import Policy
from privacy.release import release
from privacy.unit import Period
from privacy.vault import Vault

PERIOD = Period.parse("2026-W10")
HEAD_AT = datetime(2026, 3, 16, 4, tzinfo=UTC)


def coast(radius, *, centre=(6.6, -3.4)):
    """Base cells inland of a wavy coast that runs through a disk."""
    points = {cell: h3.cell_to_latlng(cell) for cell in h3.grid_disk(h3.latlng_to_cell(*centre, 6), radius)}
    shore = {
        cell: centre[0] - 0.22 + 0.09 * np.sin(9 * lng) + 0.05 * np.sin(23 * lng) for cell, (_, lng) in points.items()
    }
    return tuple(sorted(cell for cell, (lat, _) in points.items() if lat > shore[cell]))


def exact_flows(cells, *, trips=60_000, seed=7):
    """Gravity between cells whose sizes follow Zipf: mean trips a day, whole trips only."""
    random = np.random.default_rng(seed)
    places = np.array([h3.cell_to_latlng(cell) for cell in cells])
    size = random.permutation(1 / np.arange(1, len(cells) + 1) ** 0.95)
    distance = 111 * np.linalg.norm(places[:, None] - places[None, :], axis=2)
    pull = size[:, None] * size[None, :] / (distance + 4) ** 1.7
    np.fill_diagonal(pull, 0)
    flows = random.poisson(trips * pull / pull.sum()).ravel()
    pairs = {"origin_h3": np.repeat(cells, len(cells)), "destination_h3": np.tile(cells, len(cells))}
    return pd.DataFrame(pairs | {"trips": flows.astype(float)})


def plan_for(cells):
    policy = Policy.load()
    product = policy.product("od_trips", PERIOD.kind)
    return OdTripsPlan(
        key=ReleaseKey("od_trips", str(PERIOD)),
        period=PERIOD,
        product=product,
        policy_sha256=policy.sha256,
        zones=ZoneTree(cells, tuple(level.resolution for level in product.levels)),
        country="Example",
        definition="Trips between consecutive stays in different zones, mean a day.",
        definition_parameters={"max_gap_h": 24.0},
        synthetic=True,
    )


def bounded_flows(plan):
    trips = exact_flows(plan.zones.base_cells)["trips"].to_numpy()
    keys = np.flatnonzero(trips)
    return Bounded(keys, np.rint(trips[keys] * plan.fixed_point).astype(np.int64), plan.bounds)


@functools.cache
def example_release(*, seed=11, radius=10):
    random = np.random.default_rng(seed)
    plan = plan_for(coast(radius))

    def seeded(values, *, l2_sensitivity, micro_rho):
        sigma = mechanisms.sigma_for(l2_sensitivity=l2_sensitivity, micro_rho=micro_rho)
        return values + np.rint(random.normal(0, sigma, len(values))).astype(np.int64), sigma

    with (
        tempfile.TemporaryDirectory() as root,
        patch.object(mechanisms, "discrete_gaussian", seeded),
        patch.object(secrets, "token_hex", lambda n: "00" * n),  # the ledger's nonce, hence its head
    ):
        ledger = Ledger.open(f"sqlite:///{root}/ledger.db", clock=lambda: HEAD_AT)
        vault = Vault(Path(root) / "vault")
        doors = {"ledger": ledger, "vault": vault, "policy": Policy.load()}
        return release(plan, **doors, exact=lambda: (bounded_flows(plan), "ab" * 32))


def test_the_example_has_rows_of_every_kind():
    rows = example_release().table.to_pandas()
    assert set(rows["status"]) == {"published", "residual", "remainder"}
    assert set(rows["res_from"].dropna()) == {4, 5, 6}


def test_the_rows_of_the_example_add_up_to_nearly_all_trips():
    total = example_release().table["value"].to_numpy().sum()
    assert abs(total / exact_flows(coast(10))["trips"].sum() - 1) < 0.05
