"""A week released between districts: measured there, from the same days that H3 cells are, and apportioned nowhere."""

import re
import shutil
from collections import Counter

import h3
import pytest

from jobs.config import BoundariesConfig
from jobs.publish.verify import verify_bundle
from jobs.releases import Desk
from privacy import mechanisms
from privacy.ledger import ReleaseKey
from privacy.policy import SHIPPED
from schemas.errors import ConfigError, SpecificationChangedError
from schemas.subscriber_days import SUBSCRIBER_DAY_PARTS, SUBSCRIBER_DAYS
from tests.approvals import publish, trust
from tests.boundaries import policy_by_unit
from tests.installations import WEEK, exact_totals, installation, release_week

WEEKLY = '[[products]]\nproduct = "od_trips"\nkind = "week"\n'


@pytest.fixture
def copy(week_ingested, tiny_country, tmp_path):
    """An installation of one's own, with boundaries: `copy(policy=...)`."""
    shutil.copytree(week_ingested, tmp_path, dirs_exist_ok=True)
    for level in (1, 2):
        shutil.copy(tiny_country.folder / f"boundaries_adm{level}.geojson", tmp_path)
    layers = tuple(tmp_path / f"boundaries_adm{level}.geojson" for level in (1, 2))

    def configured(**options):
        config = installation(tmp_path, cells=tiny_country.folder / "cells.csv", **options)
        return config.model_copy(update={"boundaries": BoundariesConfig(path=layers, levels=(1, 2))})

    return configured


@pytest.fixture
def by_unit(copy, tmp_path):
    """An installation that releases weekly trips between administrative units."""
    return copy(policy=policy_by_unit(tmp_path / "by_unit.toml"))


def unbounded(path):
    """A policy under whose bounds no weekly trip is cut off."""
    before, after = path.read_text(encoding="utf-8").split(WEEKLY)
    weekly, *others = after.split("[[products]]")
    changed = re.sub(r"c2 = [\d.]+", "c2 = 1e6", weekly)
    path.write_text(before + WEEKLY + "[[products]]".join([changed, *others]), encoding="utf-8")
    return path


def test_trips_between_districts_are_those_between_their_base_cells(sail, copy, tmp_path, monkeypatch):
    """With noise and bounds off, against the trips between H3 cells, added up by hand."""
    by_cell = copy(policy=unbounded(shutil.copy(SHIPPED, tmp_path / "by_cell.toml")))
    config = copy(policy=unbounded(policy_by_unit(tmp_path / "by_unit.toml")))
    zones = Desk.of(by_cell).plan("od_trips", WEEK, 1).zones
    units = Desk.of(config).plan("od_trips", WEEK, 1).zones.units
    district = dict(zip(zones.base_cells, units.at(2), strict=True))
    expected = Counter()
    for pair, total in exact_totals(sail, by_cell).items():
        origin, destination = (zones.base_cells[end] for end in divmod(pair, len(zones.base_cells)))
        expected[district[origin], district[destination]] += total / 7 / 1024
    monkeypatch.setattr(mechanisms, "discrete_gaussian", lambda values, **_: (values, 1e-3))

    rows = release_week(sail, config).table.to_pylist()

    found = {(row["origin"], row["destination"]): row["value"] for row in rows[:-1]}
    assert {row["res_from"] for row in rows[:-1]} == {2}
    assert found == pytest.approx(dict(expected), abs=1e-4)
    assert len(found) > 4


def test_a_release_by_unit_goes_the_whole_way_and_is_verified(sail, by_unit):
    made = release_week(sail, by_unit)
    bundle = publish(by_unit, ReleaseKey("od_trips", str(WEEK)))
    report = verify_bundle(bundle.folder, trust=trust())

    assert report.rows == made.table.num_rows
    assert report.card.zoning == "admin"
    assert report.card.sensitivity.then == "public"  # districts are no finer than the rule allows


def test_no_record_decides_to_which_unit_a_base_cell_belongs(by_unit):
    """Without a single subscriber's day, the same register of cells gives the same domain."""
    desk = Desk.of(by_unit)
    plan = desk.plan("od_trips", WEEK, 1)
    desk.storage.units.unlink()
    for table in (SUBSCRIBER_DAYS, SUBSCRIBER_DAY_PARTS):
        shutil.rmtree(desk.storage.confidential / table.name, ignore_errors=True)
    shutil.rmtree(desk.storage.confidential / "manifests")

    assert Desk.of(by_unit).plan("od_trips", WEEK, 1).zones == plan.zones


def redraw(config):
    """Another layer: as if the two provinces in the south had become one."""
    for path in config.boundaries.paths:
        path.write_text(path.read_text(encoding="utf-8").replace('"NU02', '"NU01x'), encoding="utf-8")


def test_boundaries_that_changed_between_charge_and_seal_are_refused(by_unit):
    desk = Desk.of(by_unit)
    desk.ledger.reserve(desk.plan("od_trips", WEEK, 1).specification, caps=desk.policy.caps)
    redraw(by_unit)

    with pytest.raises(SpecificationChangedError):
        desk.release(desk.plan("od_trips", WEEK, 1), no_session)


def no_session():
    raise AssertionError("an engine was opened")


def test_boundaries_that_changed_after_the_seal_change_no_bundle(sail, by_unit, tmp_path):
    made, key = release_week(sail, by_unit), ReleaseKey("od_trips", str(WEEK))
    first = publish(by_unit, key).sha256
    shutil.move(by_unit.storage.release, tmp_path / "moved")
    redraw(by_unit)

    desk = Desk.of(by_unit)
    assert not desk.was_sealed_under(desk.plan("od_trips", WEEK, 1), made)
    assert desk.publish(key).sha256 == first


def test_a_policy_by_unit_without_boundaries_is_refused(by_unit):
    with pytest.raises(ConfigError, match=r"administrative units, and there are none.*\[boundaries\]"):
        Desk.of(by_unit.model_copy(update={"boundaries": None})).plan("od_trips", WEEK, 1)


def test_a_listed_place_closes_a_unit_and_no_h3_cell(by_unit, tmp_path):
    zones = Desk.of(by_unit).plan("od_trips", WEEK, 1).zones
    entry = 'id = "a"\nkind = "camp"\nrule = "coarsen"\nresolution = 6\nreason = "hidden"\nreview_by = 2030-01-01'
    cells = [cell for cell, n in Counter(h3.cell_to_parent(cell, 5) for cell in zones.base_cells).items() if n > 3]
    listed = tmp_path / "places.toml"
    listed.write_text(f'version = 1\n[[places]]\n{entry}\ncells = ["{cells[0]}"]\n', encoding="utf-8")

    guard = Desk.of(by_unit.model_copy(update={"places": listed})).plan("od_trips", WEEK, 1).zones.guard

    assert guard.closed or guard.withheld
    assert set(guard.closed) <= {unit.code for unit in zones.units.units}
