"""Releases as their readers hold them, drawn by the mechanism or made up, and bundles of them on a disk."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from unittest.mock import patch

import h3
import numpy as np

from jobs.publish.bundle import bundle_files
from jobs.publish.card import read_card
from jobs.publish.released import PAIRS, Released
from jobs.publish.zones import LEVEL_COLUMNS, units_geojson, zones_geojson, zones_in
from privacy import mechanisms
from privacy.bounding import Bounded
from privacy.canonical import canonical_json
from privacy.flat import open_marginals
from privacy.ledger import Ledger
from privacy.pairs import open_pairs
from privacy.policy import Policy
from privacy.release import release
from privacy.vault import Vault
from tests.approvals import clearance_for, key_of
from tests.ledgers import TWO_PEOPLE
from tests.plans import opening_of, plan_of
from tests.unit.test_bundle_example import HEAD_AT

DISK = tuple(sorted(h3.grid_disk(h3.latlng_to_cell(-14.06, 66.13, 6), 8)))
"""A country of 217 cells of resolution 6."""


SIGMA = cache(mechanisms.sigma_for)
"""A search for the same few sensitivities and costs, which simulations would make for every draw."""


def bounded_of(plan, amounts):
    """Totals of a plan, from whole contributions by finest key."""
    keys = np.array(sorted(amounts), dtype=np.int64)
    return Bounded(keys, np.array([amounts[k] for k in keys.tolist()], dtype=np.int64) * plan.fixed_point, plan.bounds)


def read(opened, *, gate="gate"):
    """What was drawn, as a reader of the bundle holds it, but for the bundle: simulations make many."""
    card = read_card(canonical_json({**opened.card, "ledger_head": "ab" * 32, "sealed_on": "2026-03-16"}))
    rows = opened.table.to_pandas()
    rows = rows.astype({level: float for zone, level in LEVEL_COLUMNS.items() if zone in rows.columns})
    units = opened.units
    zones = units_geojson(units.drawn(tuple(card.zones.resolutions))) if units else None
    zones = zones or zones_geojson(opened.base_cells, zones_in(opened.table))
    report = SimpleNamespace(card=card, sha256="cd" * 32, signer=key_of(gate).public)
    return Released(report, rows, zones)


def drawn(plan, bounded, *, seed):
    """One draw: the release's own measurements and estimates, with noise of its scale that every run makes the same."""
    random = np.random.default_rng(seed)

    def noisy(values, *, l2_sensitivity, micro_rho):
        sigma = SIGMA(l2_sensitivity=l2_sensitivity, micro_rho=micro_rho)
        return values + np.rint(random.normal(0, sigma, len(values))).astype(np.int64), sigma

    opener = open_pairs if plan.key.product in PAIRS else open_marginals
    with patch.multiple(mechanisms, discrete_gaussian=noisy, sigma_for=SIGMA):
        return read(opener(plan.draw(bounded)))


def with_rows(bundle, **columns):
    """A release with other rows."""
    return replace(bundle, rows=bundle.rows.assign(**columns))


def bundle_in(root, product, amounts, *, gate="gate", **fields):
    """Publish a release of a product under a folder, and return its folder."""
    plan = plan_of(product, **fields)
    with TemporaryDirectory() as inside:
        policy, ledger = Policy.load(), Ledger.open(f"sqlite:///{inside}/ledger.sqlite", clock=lambda: HEAD_AT)
        if plan.paid_by:
            ledger.open_event(opening_of(plan), approvals=TWO_PEOPLE, caps=policy.caps)
        doors = {"ledger": ledger, "vault": Vault(Path(inside) / "vault"), "policy": policy}
        made = release(plan, exact=lambda: (bounded_of(plan, amounts), "ab" * 32), **doors)
    files = bundle_files(made, clearance_for(made, gate=gate))
    folder = Path(root) / read_card(files["card.json"]).slug
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def gravity(plan, *, people, seed=1, decay=1.5, lopsided=False):
    """Whole contributions by pair of finest zones, few of them large, and more between near ones."""
    random = np.random.default_rng(seed)
    zones = plan.zones.levels[-1].zones
    places = np.array([h3.cell_to_latlng(zone) for zone in zones]) * 111
    sizes = random.permutation(1 / np.arange(1, len(zones) + 1) ** 0.9)
    drawing = random.permutation(sizes) if lopsided else sizes
    apart = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1)) + 3
    expected = sizes[:, None] * drawing[None] / apart**decay
    np.fill_diagonal(expected, 0)
    counts = random.poisson(expected / expected.sum() * people).ravel()
    return {int(key): int(counts[key]) for key in np.flatnonzero(counts)}


def truths(bundle, plan, amounts):
    """What each row of pairs would hold without noise: every contribution is in the finest row that has its pair."""
    finest = plan.zones.levels[-1].zones
    at = {pair: n for n, pair in enumerate(zip(bundle.rows["origin"], bundle.rows["destination"], strict=True))}
    levels = sorted(bundle.card.resolutions, reverse=True)
    above = {level: [h3.cell_to_parent(zone, level) for zone in finest] for level in levels}
    held, remainder = np.zeros(len(at)), at[None, None]
    for key, count in amounts.items():
        origin, destination = divmod(key, len(finest))
        pairs = ((above[level][origin], above[level][destination]) for level in levels)
        held[next((at[pair] for pair in pairs if pair in at), remainder)] += count
    return held


def marked(bundle, *, sensitivity="public", until=None, synthetic=True):
    """A release of another class of sensitivity, or of real people."""
    then = "public" if until else None
    note = bundle.card.sensitivity.model_copy(update={"now": sensitivity, "until": until, "then": then})
    card = bundle.card.model_copy(update={"sensitivity": note, "synthetic": synthetic})
    return replace(bundle, report=SimpleNamespace(**vars(bundle.report) | {"card": card}))
