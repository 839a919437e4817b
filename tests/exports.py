"""Bundles to export, of every product, as a stranger would hand them over; and what else their tests share."""

from dataclasses import replace
from functools import cache
from pathlib import Path

from jobs.publish.bundle import bundle_files
from jobs.publish.export.formats import export_files
from jobs.publish.export.source import read_source
from privacy.hierarchy import ZoneTree
from privacy.policy import TablePolicy
from privacy.zoning import Zoning
from tests.approvals import clearance_for
from tests.boundaries import units_of
from tests.plans import CELLS, PERIODS, plan_of
from tests.unit import test_histogram_bundle
from tests.unit.test_bundle_example import example_release
from tests.unit.test_product_bundles import made, released

PAIRS = ("od_trips", "home_visits", "relocations", "migration")
NO_ZONES = ("contribution_histogram",)
PRODUCTS = (*PERIODS, "od_trips", *NO_ZONES)
DRAWN = tuple(product for product in PRODUCTS if product not in NO_ZONES)
PLAIN_FORMATS = ["csv", "parquet", "sdmx", "dcat"]


@cache
def release_of(product, **fields):
    """A release of any product; those of trips and of the histogram are the ones of their own tests."""
    if product == "od_trips":
        return example_release(radius=6)
    return test_histogram_bundle.made() if product in NO_ZONES else made(product, **fields)


@cache
def residents_by_unit(*, name="Unit {}", code="{}"):
    """Residents of districts and provinces; units may have any name and code."""
    districts = [code.format(f"D{n // 7}") for n in range(len(CELLS))]
    parents = {code.format(f"D{n}"): code.format(f"P{n // 2}") for n in range(4)}
    units = units_of(CELLS, districts, parents)
    named = tuple(replace(unit, name=name.format(unit.code)) for unit in units.units)
    tables = (TablePolicy(("zone", "sex"), 4_000, 1.0, 1), TablePolicy(("zone",), 6_000, 1.0, 2))
    product = replace(plan_of("residents").product, zoning=Zoning.ADMIN, tables=tables)
    zones = ZoneTree(CELLS, (1, 2), units=replace(units, units=named))
    return released(replace(plan_of("residents"), product=product, zones=zones))


def bundle_of(release, folder):
    """The bundle of a release, written under a folder."""
    folder = Path(folder) / "bundle"
    folder.mkdir(parents=True)
    for name, content in bundle_files(release, clearance_for(release)).items():
        (folder / name).write_bytes(content)
    return folder


def source_of(release, folder):
    """A release, published and read again for export."""
    return read_source(bundle_of(release, folder))


def one(files, ending):
    """The one file whose name ends so."""
    (content,) = [content for name, content in files.items() if name.endswith(ending)]
    return content


def exported(source, *formats, **options):
    """The files of an export, without its README."""
    return {name: content for name, content in export_files(source, formats, **options).items() if name != "README.md"}
