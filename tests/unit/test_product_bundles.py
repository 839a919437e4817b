"""The bundles of flat tables and of pairs: they explain themselves, and one that contradicts itself is refused."""

import json
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import h3
import numpy as np
import pytest

from jobs.publish.approvals import signature_bytes
from jobs.publish.bundle import bundle_files, names_of
from jobs.publish.sums import SIGNATURE_NAME, SUMS_NAME, sums_bytes
from jobs.publish.tables import arrow_schema, csv_bytes, parquet_bytes, read_parquet
from jobs.publish.verify import verify_bundle
from privacy.hierarchy import ZoneTree
from privacy.ledger import Ledger
from privacy.places import Guard
from privacy.policy import Policy, TablePolicy
from privacy.release import release
from privacy.vault import Vault
from privacy.zoning import Zoning
from schemas.errors import BundleError
from schemas.published import PUBLIC_TABLE
from tests.approvals import clearance_for, key_of
from tests.boundaries import units_of
from tests.ledgers import TWO_PEOPLE
from tests.plans import CELLS, PERIODS, n_keys, opening_of, plan_of, possible, totals_of
from tests.unit.test_bundle_example import HEAD_AT

FLAT = ("presence", "roaming", "active_subscribers", "residents", "churn", "displacement")
PAIRS = ("home_visits", "relocations", "migration")


def totals(plan):
    """Someone everywhere: the totals fall off over the keys, so that pairs of all levels are published."""
    keys = [key for key in range(n_keys(plan)) if possible(plan, key)]
    sizes = np.random.default_rng(3).permutation(40_000 / np.arange(1, len(keys) + 1) ** 1.2)
    return totals_of(plan, dict(zip(keys, (sizes * plan.fixed_point).astype(np.int64).tolist(), strict=True)))


def released(plan):
    return released_from(plan, totals(plan))


def released_from(plan, exact):
    """The release of a plan from its totals, through the door."""
    with TemporaryDirectory() as root:
        policy, ledger = Policy.load(), Ledger.open(f"sqlite:///{root}/ledger.sqlite", clock=lambda: HEAD_AT)
        if plan.paid_by:
            ledger.open_event(opening_of(plan), approvals=TWO_PEOPLE, caps=policy.caps)
        doors = {"ledger": ledger, "vault": Vault(Path(root) / "vault"), "policy": policy}
        return release(plan, exact=lambda: (exact, "ab" * 32), **doors)


@cache
def made(product, **fields):
    return released(plan_of(product, **fields))


@cache
def files_of(product, **fields):
    return bundle_files(made(product, **fields), clearance_for(made(product, **fields)))


def written(folder, files, product, period=None):
    """A bundle of a forger, who can count digests and sign too."""
    files = {name: content for name, content in files.items() if name not in (SUMS_NAME, SIGNATURE_NAME)}
    files |= {SUMS_NAME: sums_bytes(files)}
    slug = f"{product}_{period or PERIODS[product]}_r1"
    folder.mkdir()
    for name, content in (files | {SIGNATURE_NAME: signature_bytes(slug, files, key_of("forger"))}).items():
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize("product", PERIODS)
def test_the_bundle_of_every_product_is_verified(product, tmp_path):
    files = files_of(product)

    report = verify_bundle(written(tmp_path / "bundle", files, product))

    assert files.keys() == names_of(product)
    assert "zones lie inside the domain and are drawn as they are" in report.checks
    assert ("every key of every table has a row, with the noise of the card" in report.checks) == (product in FLAT)
    assert report.rows == made(product).table.num_rows


@pytest.mark.parametrize("product", PERIODS)
def test_a_map_shows_flows_and_nothing_else(product):
    assert ("map.png" in files_of(product)) == (product in PAIRS)
    assert ("`map.png`" in files_of(product)["README.md"].decode()) == (product in PAIRS)


@pytest.mark.parametrize("product", PERIODS)
def test_the_readme_says_what_a_month_is_charged_and_how_to_read_a_number(product):
    text, card = files_of(product)["README.md"].decode(), made(product).card
    most = max(charge["micro_rho"] for charge in card["privacy"]["charges"])

    assert f"Cost: rho = {most / 1e6:g}, that is" in text
    assert text.count("of privacy month") == len(card["privacy"]["charges"])
    assert card["privacy"]["clipping_bias"] in text
    assert ("Every key has a row" in text) == (product in FLAT)
    assert "{" not in text


def test_the_readme_of_a_release_before_all_records_came_says_that_it_is_provisional():
    late, early = (
        files_of("displacement", delivered_until=date(2026, 4, day))["README.md"].decode() for day in (16, 15)
    )

    assert "Provisional" not in late
    assert "**Provisional: when this was released, records had been delivered until 2026-04-15." in early


def test_a_bundle_over_a_list_of_places_may_lack_zones_and_one_without_a_list_may_not(tmp_path):
    guard = Guard(closed=(h3.cell_to_parent(CELLS[0], 5),), withheld=(CELLS[-1],))
    listed = files_of("residents", guard=guard, places_sha256="ef" * 32)
    assert verify_bundle(written(tmp_path / "listed", listed, "residents")).rows < made("residents").table.num_rows

    unlisted = files_of("residents", guard=guard)
    with pytest.raises(BundleError, match=r"no or a strange zone"):
        verify_bundle(written(tmp_path / "unlisted", unlisted, "residents"))


def test_residents_of_administrative_units_are_verified(tmp_path):
    districts = [f"D{n // 7}" for n in range(len(CELLS))]
    units = units_of(CELLS, districts, {"D0": "P0", "D1": "P0", "D2": "P1", "D3": "P1"})
    tables = (TablePolicy(("zone", "sex"), 4_000, 1.0, 1), TablePolicy(("zone",), 6_000, 1.0, 2))
    product = replace(plan_of("residents").product, zoning=Zoning.ADMIN, tables=tables)
    zones = ZoneTree(CELLS, (1, 2), units=units)
    made_by_unit = released(replace(plan_of("residents"), product=product, zones=zones))
    files = bundle_files(made_by_unit, clearance_for(made_by_unit))

    report = verify_bundle(written(tmp_path / "bundle", files, "residents"))

    assert report.rows == 2 * 3 + 4
    assert "by zone and sex at admin level 1" in files["README.md"].decode()


def with_card(product, change):
    card = json.loads(files_of(product)["card.json"])
    change(card)
    return files_of(product) | {"card.json": json.dumps(card).encode()}


@pytest.mark.parametrize("day", ["soon", "20260412", "2026-04-31"])
def test_an_onset_that_is_no_day_is_refused(day, tmp_path):
    forged = with_card("displacement", lambda card: card["event"].update(onset=day))
    with pytest.raises(BundleError, match="onset"):
        verify_bundle(written(tmp_path / "b", forged, "displacement"))


def with_rows(product, change):
    contract = PUBLIC_TABLE[product]
    table = read_parquet(files_of(product)[f"{product}.parquet"], contract, most_rows=10_000)
    forged = table.from_pylist(change(table.to_pylist()), schema=arrow_schema(contract))
    names = {"csv": csv_bytes, "parquet": parquet_bytes}
    return files_of(product) | {f"{product}.{form}": to_bytes(forged) for form, to_bytes in names.items()}


def changed(number, **values):
    return lambda rows: [row | (values if n == number else {}) for n, row in enumerate(rows)]


def each(**values):
    return lambda rows: [row | values for row in rows]


CONTRADICTIONS = {
    "a row is missing": ("presence", with_rows, lambda rows: rows[:-1], r"has 155 rows. Expected: 156"),
    "a zone is missing": ("residents", with_rows, lambda rows: rows[:-1], "no or a strange zone"),
    "the country is missing": ("active_subscribers", with_rows, lambda rows: rows[1:], "0 rows"),
    "a stratum is missing": (
        "residents",
        with_rows,
        lambda rows: [row for row in rows if (row["resolution"], row["age_band"]) != (None, "65+")],
        "no or a strange age_band",
    ),
    "a bin that is none": ("presence", with_rows, changed(3, bin_start_h=13), "no or a strange bin"),
    "a row twice": ("presence", with_rows, lambda rows: [*rows, rows[-1]], "two rows share a key"),
    "another resolution": ("presence", with_rows, changed(0, resolution=5), "has 17 rows. Expected: 18"),
    "another breakdown": (
        "residents", with_rows, lambda rows: [*rows, rows[-1] | {"sex": "female"}], "row 136 is of no table",
    ),
    "less noise": ("presence", with_rows, changed(0, noise_sd=1.0), "other noise than the card"),
    "the noise of another table": ("active_subscribers", with_rows, changed(0, noise_sd=100.0), "other noise"),
    "an interval": ("residents", with_rows, changed(9, ci_low=-1e6), "does not follow from value and noise_sd"),
    "a grade": ("active_subscribers", with_rows, changed(0, value=0.0, ci_low=-309.898, ci_high=309.898, quality="A"),
                "a grade does not follow"),
    "a change is missing": (
        "churn", with_rows, lambda rows: [row for row in rows if row["change"] != "appeared"], "no or a strange change",
    ),
    "a change that is none": ("churn", with_rows, changed(1, change="moved"), "no or a strange change"),
    "a transition": ("displacement", with_rows, changed(1, transition="returned"), "two rows share a key"),
    "a status": ("displacement", with_rows, changed(1, status="home"), "is no change from home to home"),
    "another event": ("displacement", with_rows, each(event="drought"), "of another event"),
    "a home outside the area": (
        "displacement",
        with_card,
        lambda card: card.update(homes=list(CELLS[12:])),
        "no or a strange home",
    ),
    "a claim of less": (
        "relocations", with_card, lambda card: card["privacy"].pop("most_micro_rho"), "where 8000 were charged",
    ),
    "an epsilon of less": (
        "home_visits", with_card, lambda card: card["privacy"]["epsilon"][0].update(epsilon=0.1), "epsilon is 0.1",
    ),
    "too little noise for the loss": (
        "residents", with_card, lambda card: card["privacy"]["levels"][0].update(sigma=3.0),
        "sigma by sex and age band is 3",
    ),
    "tables that cost less": (
        "presence", with_card, lambda card: card["privacy"]["levels"].pop(), "the levels cost 1000 micro-rho together",
    ),
    "a table by something else": (
        "presence", with_card, lambda card: card["privacy"]["levels"][0].update(by=["zone", "sex"]),
        "names a table by zone and sex",
    ),
    "a table by nothing that is said": (
        "presence", with_card, lambda card: card["privacy"]["levels"][0].pop("by"), "names a table at resolution 4",
    ),
    "a home that is no cell": (
        "displacement", with_card, lambda card: card.update(homes=["somewhere"]), "no or a strange home",
    ),
    "clipping unsaid": (
        "presence", with_card, lambda card: card["privacy"].update(clipping_bias="nothing"), "clipping_bias is not",
    ),
    "moves said to be cut": (
        "migration", with_card, lambda card: card["privacy"].update(clipping_bias="a lot"), "clipping_bias is not",
    ),
    "no remainder": ("relocations", with_rows, lambda rows: rows[:-1], "0 remainder rows"),
}  # fmt: skip


@pytest.mark.parametrize("what", CONTRADICTIONS)
def test_a_bundle_that_contradicts_itself_is_refused(what, tmp_path):
    product, forge, change, complaint = CONTRADICTIONS[what]

    with pytest.raises(BundleError, match=complaint):
        verify_bundle(written(tmp_path / "bundle", forge(product, change), product))
