"""Explorers of releases that never were: what is looked at in a browser, measured, and drawn for the documents."""

import functools
import hashlib
from dataclasses import replace
from pathlib import Path

import h3
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.publish.bundle import bundle_files
from jobs.publish.card import read_card
from jobs.publish.explorer.block import data_block
from jobs.publish.explorer.inputs import Source, series_of
from jobs.publish.explorer.page import page_html
from jobs.publish.situation.network import networks_on
from jobs.publish.tables import arrow_schema, public_contract, published_table
from jobs.publish.zones import zones_geojson, zones_in
from privacy.canonical import canonical_json
from schemas.published import OD_TRIPS, REMAINDER
from tests.approvals import clearance_for
from tests.situations import flood_releases
from tests.unit.test_bundle_example import coast, example_release

WEEKS = tuple(f"2026-W{week}" for week in range(10, 22))
"""Twelve weeks."""


@functools.cache
def files_of_example():
    """The files of a bundle of trips."""
    release = example_release(radius=8)
    return bundle_files(release, clearance_for(release))


def source_of(release, **card):
    """A release as the explorer reads it from its bundle; with other texts on its card, where told."""
    told = read_card(canonical_json(release.card)).model_copy(update=card)
    table = published_table(release.table, public_contract(told.product))
    features = tuple(zones_geojson(release.base_cells, zones_in(table))["features"])
    return Source(told, table, features, ("SHA256SUMS", hashlib.sha256(told.slug.encode()).hexdigest()))


def weekly(source, weeks=WEEKS):
    """One release told as that of several weeks, its values wandering from week to week."""
    random = np.random.default_rng(5)
    return tuple(_in_week(source, week, random) for week in weeks)


def _in_week(source, week, random):
    rows = source.table.to_pandas()
    moved = np.round(rows["value"] * random.uniform(0.8, 1.2) * random.uniform(0.9, 1.1, len(rows)), 3)
    rows = rows.assign(
        period=week, value=moved, ci_low=moved - 1.96 * rows["noise_sd"], ci_high=moved + 1.96 * rows["noise_sd"]
    )
    table = pa.Table.from_pandas(rows, schema=source.table.schema, preserve_index=False)
    card = source.card.model_copy(update={"period": week, "title": source.card.title.replace(source.card.period, week)})
    return Source(card, table, source.features, source.digest)


def trips(**card):
    """Trips of twelve weeks."""
    return weekly(source_of(example_release(radius=8), **card))


def nothing_published():
    """A week of which nothing stands above the cut: all of it is in the remainder."""
    source = trips()[0]
    return replace(source, table=source.table.filter(pc.equal(source.table["status"], REMAINDER)))


def flood():
    """The flood's week before, and six days."""
    return tuple(source_of(release) for release in flood_releases(radius=8))


def page_of(sources, *, names=None, network=None):
    """The page of some releases."""
    series = series_of(sources)
    days = sorted({source.period.last_day for source in sources})
    networks = networks_on(network, days, 6) if network else None
    return page_html(data_block(series, names=names, networks=networks, checked="sums"))


def network_table(path: Path):
    """A public table of the network in the flood: down along the river, less every day."""
    lines = ["date,zone,resolution,cells,cells_down,down_share,basis,label,ratio,ratio_low,ratio_high"]
    for day in range(8, 14):
        for cell in coast(8):
            latitude, longitude = h3.cell_to_latlng(cell)
            near = max(0.0, 1 - abs(longitude + 3.4 - 0.2 * np.sin(5 * latitude)) / 0.1) * (14 - day) / 6
            lines.append(f"2026-04-{day:02},{cell},6,3,{int(near > 0) * 2},{near:.3f},outage feed,,,,")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


HOSTILE = "</script><script>window.harmed=1</script><img src=x onerror=window.harmed=2>"
NAMES = ("Élan-Bay", "ميناء النخيل", HOSTILE, "=HYPERLINK(1)")


def example_names():
    """Names of the zones that most trips of the example leave: an accent, Arabic, and two that mean harm."""
    rows = example_release(radius=8).table.to_pandas()
    fine = rows[(rows["res_from"] == 6) & (rows["status"] == "published")]
    largest = fine.groupby("origin")["value"].sum().sort_values(ascending=False)
    return dict(zip(largest.index, NAMES, strict=False))


def zone_named(name):
    """The zone that has one of these names."""
    return next(zone for zone, own in example_names().items() if own == name)


def sized(zones=800, weeks=12, flows=300):
    """Trips among so many zones in so many weeks, so many published flows a week: for sizes and times only."""
    random = np.random.default_rng(3)
    cells = sorted(h3.grid_disk(h3.latlng_to_cell(6.6, -3.4, 6), 17))[:zones]
    origins, ends = random.integers(0, len(cells), (2, flows))
    values = np.append(np.round(np.sort(2_000 / np.arange(1, flows + 1) ** 0.8)[::-1] + 40, 3), 5_000)
    sds, rows = np.append(np.full(flows, 8.0), 200.0), flows + 1
    columns = {
        "period": ["2026-W10"] * rows, "origin": [*(cells[k] for k in origins), None],
        "destination": [*(cells[k] for k in ends), None], "res_from": [6] * flows + [None],
        "res_to": [6] * flows + [None], "is_residual": [False] * rows, "sex": ["all"] * rows,
        "age_band": ["all"] * rows, "value": values, "noise_sd": sds, "ci_low": values - 1.96 * sds,
        "ci_high": values + 1.96 * sds, "status": ["published"] * flows + [REMAINDER], "quality": ["A"] * rows,
        "definition_id": ["od_trips/1"] * rows,
    }  # fmt: skip
    table = pa.table(columns).cast(pa.schema([(field.name, field.type) for field in arrow_schema(OD_TRIPS)]))
    card = read_card(canonical_json(example_release(radius=8).card))
    features = tuple(zones_geojson(cells, [])["features"])
    return weekly(Source(card, table, features, ("SHA256SUMS", "ab" * 32)), WEEKS[:weeks])
