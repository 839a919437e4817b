"""The bundle of a contribution histogram: it explains itself, and one that contradicts itself is refused."""

import json
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
from privacy.bounding import Bounded
from privacy.ledger import Ledger
from privacy.policy import Policy
from privacy.release import release
from privacy.vault import Vault
from schemas.errors import BundleError, SealLostError
from schemas.published import CONTRIBUTION_HISTOGRAM
from tests.approvals import clearance_for, key_of
from tests.installations import histogram_over
from tests.unit.test_bundle_example import HEAD_AT

PLAN = histogram_over(h3.grid_disk(h3.latlng_to_cell(-14.06, 66.13, 6), 2))
SLUG = "contribution_histogram_2026-03_r1"
SUBSCRIBERS = [9_000, 0, 20_000, 400, 60_000, 2_000, 30_000, 6_000, 8_000, 4_000, 900, 1_200, 30, 200]


def made():
    exact = Bounded(np.arange(len(SUBSCRIBERS)), np.array(SUBSCRIBERS, dtype=np.int64), PLAN.bounds)
    with TemporaryDirectory() as root:
        ledger = Ledger.open(f"sqlite:///{root}/ledger.sqlite", clock=lambda: HEAD_AT)
        doors = {"ledger": ledger, "vault": Vault(Path(root) / "vault"), "policy": Policy.load()}
        return release(PLAN, exact=lambda: (exact, "ab" * 32), **doors)


RELEASE = made()
FILES = bundle_files(RELEASE, clearance_for(RELEASE))


def written(folder, files):
    """A bundle of a forger, who can count digests and sign too."""
    files = {name: content for name, content in files.items() if name not in (SUMS_NAME, SIGNATURE_NAME)}
    files |= {SUMS_NAME: sums_bytes(files)}
    folder.mkdir()
    for name, content in (files | {SIGNATURE_NAME: signature_bytes(SLUG, files, key_of("forger"))}).items():
        (folder / name).write_bytes(content)
    return folder


def with_card(change):
    card = json.loads(FILES["card.json"])
    change(card)
    return FILES | {"card.json": json.dumps(card).encode()}


def with_rows(change):
    table = read_parquet(FILES["contribution_histogram.parquet"], CONTRIBUTION_HISTOGRAM, most_rows=100)
    rows = change(table.to_pylist())
    forged = table.from_pylist(rows, schema=arrow_schema(CONTRIBUTION_HISTOGRAM))
    names = {"csv": csv_bytes, "parquet": parquet_bytes}
    return FILES | {f"contribution_histogram.{form}": to_bytes(forged) for form, to_bytes in names.items()}


def changed(rows, number, **values):
    return [row | (values if n == number else {}) for n, row in enumerate(rows)]


def shifted(rows, number, by):
    """A count moved together with its interval: only what follows from it can tell."""
    names = ("value", "ci_low", "ci_high")
    return changed(rows, number, **{name: rows[number][name] + by for name in names})


def test_a_histogram_is_verified_and_has_neither_zones_nor_a_map(tmp_path):
    report = verify_bundle(written(tmp_path / "bundle", FILES))

    assert report.rows == 16
    assert "the share cut off follows from the rows" in report.checks
    assert {"zones.geojson", "map.png"}.isdisjoint(FILES)
    assert FILES.keys() == names_of("contribution_histogram")
    assert RELEASE.base_cells == ()


def test_the_readme_says_the_share_and_names_every_file():
    text = FILES["README.md"].decode()
    share = RELEASE.card["clipping"]["share"]

    assert f"the bounds cut off {share:.1%}" in text
    assert "rho = 0.00125" in text
    assert all(f"`{name}`" in text for name in FILES if name != "README.md")
    assert "zones.geojson" not in text


def test_the_share_is_that_of_trips_in_rows_marked_cut():
    exact = list(zip(np.repeat(PLAN.grid, 2), [*SUBSCRIBERS, 0, 0], strict=True))
    share = sum(p * n for p, n in exact[1::2]) / sum(p * n for p, n in exact)

    note = RELEASE.card["clipping"]

    # Five standard deviations about the estimate: an interval of 95 % would miss one release in twenty.
    five_sd = 2.6 * (note["ci_high"] - note["ci_low"]) / 2
    assert 0 < note["ci_low"] <= note["share"] <= note["ci_high"]
    assert abs(note["share"] - share) <= five_sd
    assert note["share"] == pytest.approx(share, abs=0.01)


CONTRADICTIONS = {
    "zones.geojson is no part of": FILES | {"zones.geojson": b"{}"},
    "README.md says something else": FILES | {"README.md": FILES["README.md"] + b"Call this number.\n"},
    "not the bins of the card's grid": with_rows(lambda rows: rows[:-1]),
    "no whole number": with_rows(lambda rows: shifted(rows, 3, 0.5)),
    "other noise than the card": with_rows(lambda rows: changed(rows, 3, noise_sd=10.0)),
    "does not follow from value and noise_sd": with_rows(lambda rows: changed(rows, 3, ci_low=0.0)),
    "does not follow from the rows": with_rows(lambda rows: shifted(rows, 7, 4_000.0)),
    "follow from the rows. Expected": with_card(lambda card: card.update(clipping=None)),
    "sigma of the counts is 10": with_card(lambda card: card["privacy"]["levels"][0].update(sigma=10.0)),
    "the levels cost 1000": with_card(lambda card: card["privacy"]["levels"][0].update(micro_rho=1_000)),
}


@pytest.mark.parametrize("complaint", CONTRADICTIONS)
def test_a_histogram_that_contradicts_itself_is_refused(complaint, tmp_path):
    with pytest.raises(BundleError) as error:
        verify_bundle(written(tmp_path / "bundle", CONTRADICTIONS[complaint]))
    assert complaint in str(error.value)


@pytest.mark.parametrize("data", [b"", b"{}", b'{"counts": [], "grid": [], "sigma": 1, "card": {}}'])
def test_what_no_histogram_sealed_cannot_be_read(data):
    from privacy.contribution_histogram import open_contribution_histogram

    with pytest.raises(SealLostError, match="Remedy"):
        open_contribution_histogram(data)
