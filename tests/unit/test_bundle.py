"""What a bundle holds, and that it is written whole, once, and the same every time."""

import dataclasses
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from itertools import pairwise
from pathlib import Path

import frictionless
import h3
import pandas as pd
import pyarrow.parquet as pq
import pytest

from jobs.publish.approvals import signature_bytes
from jobs.publish.bundle import bundle_files, names_of, publish, published_heads, write_bundle
from jobs.publish.sums import check_sums
from jobs.publish.tables import DECIMALS, csv_bytes, published_table
from jobs.publish.zones import outline_of, positions_in
from privacy.canonical import canonical_json
from privacy.release import _DOOR
from schemas.errors import BundleError, ContractError, PrivacyError
from schemas.published import OD_TRIPS
from tests.approvals import clearance_for, key_of
from tests.unit.test_bundle_example import example_release

CLEARANCE = clearance_for(example_release())
SLUG = "od_trips_2026-W10_r1"
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def files():
    return bundle_files(example_release(), CLEARANCE)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return publish(example_release(), CLEARANCE, tmp_path_factory.mktemp("release"))


def signed_area(ring):
    return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairwise(ring)) / 2


def test_a_bundle_explains_itself(bundle):
    names = {path.name for path in bundle.folder.iterdir()}
    tables = {"od_trips.csv", "od_trips.parquet", "zones.geojson"}
    words = {"README.md", "approval.json", "card.json", "datapackage.json", "map.png", "situation.html"}
    assert names == tables | words | {"SHA256SUMS", "signature"}
    assert bundle.folder.name == SLUG


def test_the_same_release_gives_the_same_bytes_in_another_process(files):
    code = (
        "import hashlib; from jobs.publish.bundle import bundle_files;"
        "from tests.approvals import clearance_for;"
        "from tests.unit.test_bundle_example import example_release;"
        "release = example_release(); files = bundle_files(release, clearance_for(release));"
        "print(hashlib.sha256(files['SHA256SUMS'] + files['signature']).hexdigest())"
    )
    environment = os.environ | {"PYTHONHASHSEED": "4711", "PYTHONPATH": str(ROOT), "TZ": "Pacific/Fiji"}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == hashlib.sha256(files["SHA256SUMS"] + files["signature"]).hexdigest()


def test_a_standing_bundle_is_returned_untouched(tmp_path):
    first = publish(example_release(), CLEARANCE, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert publish(example_release(), CLEARANCE, tmp_path) == first
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


@pytest.fixture
def of_earlier_version(tmp_path, monkeypatch):
    """A bundle as an earlier version of Whimbrel published it, with a page of other words."""
    with monkeypatch.context() as earlier:
        earlier.setattr("jobs.publish.bundle.page_of_release", lambda *_, **__: b"<p>as it was</p>")
        return publish(example_release(), CLEARANCE, tmp_path)


def contents(root):
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_what_left_under_an_earlier_version_is_found_as_it_left_and_its_zip_is_mended(of_earlier_version, tmp_path):
    before = contents(tmp_path)
    left = [of_earlier_version.sha256]
    assert publish(example_release(), CLEARANCE, tmp_path, left) == of_earlier_version
    of_earlier_version.archive.unlink()
    assert publish(example_release(), CLEARANCE, tmp_path, left) == of_earlier_version
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("left", "clearance"),
    [
        ([], CLEARANCE),
        (["ab" * 32], CLEARANCE),
        (None, clearance_for(example_release(), by="Bao")),  # approved anew: what stands was approved by nobody
    ],
)
def test_a_standing_bundle_that_did_not_leave_or_is_approved_no_more_is_refused(
    of_earlier_version, tmp_path, left, clearance
):
    with pytest.raises(BundleError, match="Another bundle already stands"):
        publish(example_release(), clearance, tmp_path, [of_earlier_version.sha256] if left is None else left)


def test_what_left_and_was_signed_by_nobody_known_or_damaged_since_is_refused(of_earlier_version, tmp_path):
    left, signature = [of_earlier_version.sha256], of_earlier_version.folder / "signature"
    files = {path.name: path.read_bytes() for path in of_earlier_version.folder.iterdir()}
    signature.write_bytes(signature_bytes(SLUG, files, key_of("stranger")))
    with pytest.raises(BundleError, match="is signed by key"):
        publish(example_release(), CLEARANCE, tmp_path, left)
    (of_earlier_version.folder / "situation.html").write_bytes(b"")
    with pytest.raises(BundleError, match=r"situation\.html was altered"):
        publish(example_release(), CLEARANCE, tmp_path, left)


def test_another_release_under_the_same_name_is_refused_and_the_first_stays(tmp_path):
    folder = write_bundle(example_release(), CLEARANCE, tmp_path)
    before = (folder / "SHA256SUMS").read_bytes()
    with pytest.raises(BundleError, match="Another bundle already stands"):
        write_bundle(example_release(seed=12), clearance_for(example_release(seed=12)), tmp_path)
    assert (folder / "SHA256SUMS").read_bytes() == before


def test_a_damaged_standing_bundle_is_not_taken_for_published(tmp_path):
    folder = write_bundle(example_release(), CLEARANCE, tmp_path)
    (folder / "od_trips.csv").write_bytes(b"")
    with pytest.raises(BundleError, match=r"od_trips\.csv was altered"):
        write_bundle(example_release(), CLEARANCE, tmp_path)


def test_a_failure_while_writing_leaves_nothing_behind(tmp_path, monkeypatch):
    calls = iter(range(100))

    def full_disk(_):
        if next(calls) == 3:
            raise OSError("No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_bundle(example_release(), CLEARANCE, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_of_a_bundle_goes_with_the_next_and_another_bundles_work_stays(tmp_path):
    folder = publish(example_release(), CLEARANCE, tmp_path).folder
    mine, others = tmp_path / f".{folder.name}-k1ll3d", tmp_path / ".other_2026-W10_r1-w0rk"
    for left in (mine, others):
        (left / "bundle").mkdir(parents=True)
        (left / "bundle" / "card.json").touch()

    publish(example_release(), CLEARANCE, tmp_path)

    assert (mine.exists(), others.exists()) == (False, True)


def test_a_crash_between_folder_and_zip_is_mended_by_the_next_call(tmp_path):
    bundle = publish(example_release(), CLEARANCE, tmp_path)
    content = bundle.archive.read_bytes()
    bundle.archive.unlink()
    assert publish(example_release(), CLEARANCE, tmp_path).archive.read_bytes() == content


def test_the_zip_holds_the_folder(bundle):
    with zipfile.ZipFile(bundle.archive) as archive:
        zipped = {name: archive.read(name) for name in archive.namelist()}
    assert zipped == {f"{SLUG}/{path.name}": path.read_bytes() for path in bundle.folder.iterdir()}


def test_sha256sum_accepts_the_sums(bundle):
    command = ["sha256sum", "--strict", "-c", "SHA256SUMS"]
    run = subprocess.run(command, cwd=bundle.folder, capture_output=True, check=True)
    assert len(run.stdout.splitlines()) == 9


def test_the_digest_of_a_bundle_is_that_of_its_sums(bundle):
    assert bundle.sha256 == hashlib.sha256((bundle.folder / "SHA256SUMS").read_bytes()).hexdigest()


def test_readers_of_csv_and_parquet_see_equal_values(files):
    dtypes = {"res_from": "Int32", "res_to": "Int32"}
    from_csv = pd.read_csv(io.BytesIO(files["od_trips.csv"]), dtype=dtypes, float_precision="round_trip")
    from_parquet = pd.read_parquet(io.BytesIO(files["od_trips.parquet"]))
    pd.testing.assert_frame_equal(from_csv.convert_dtypes(), from_parquet.convert_dtypes(), check_exact=True)


def test_numbers_are_rounded_to_the_stated_precision(files):
    rows = pd.read_csv(io.BytesIO(files["od_trips.csv"]), dtype=str)
    assert rows["value"].str.fullmatch(rf"-?\d+\.\d{{{DECIMALS}}}").all()


def test_a_missing_value_is_empty_and_a_lone_comma_is_quoted():
    table = example_release().table.slice(example_release().table.num_rows - 1)
    sex = table.schema.get_field_index("sex")
    odd = table.set_column(sex, table.schema.field(sex), [['all, said "x"']])
    line = csv_bytes(published_table(odd, OD_TRIPS)).decode().splitlines()[1]
    assert line.startswith('2026-W10,,,,,true,"all, said ""x""",all,')


def test_parquet_carries_meaning_unit_and_compression(files):
    file = pq.ParquetFile(io.BytesIO(files["od_trips.parquet"]))
    metadata = file.schema_arrow.field("value").metadata
    assert metadata[b"unit"] == b"trips a day"
    assert metadata[b"meaning"].startswith(b"Bounded trips")
    assert file.schema_arrow.names == list(OD_TRIPS.names)
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"


def test_a_table_outside_its_contract_is_not_published(tmp_path):
    good = example_release()
    bad = dataclasses.replace(good, door=_DOOR, table=good.table.drop_columns("quality"))
    with pytest.raises(ContractError, match="od_trips has the columns"):
        write_bundle(bad, CLEARANCE, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_data_package_is_valid_and_generated_from_the_contract(bundle):
    descriptor = json.loads((bundle.folder / "datapackage.json").read_text())
    assert frictionless.validate(str(bundle.folder / "datapackage.json")).valid
    schema = descriptor["resources"][0]["schema"]
    assert [field["name"] for field in schema["fields"]] == list(OD_TRIPS.names)
    assert schema["primaryKey"] == list(OD_TRIPS.key)
    assert {"unit": "trips a day"}.items() <= schema["fields"][8].items()


def test_the_card_is_the_releases_and_nothing_else(files):
    assert json.loads(files["card.json"]) == json.loads(canonical_json(example_release().card))


def test_zones_are_all_base_cells_and_all_zones_of_the_table(files):
    features = json.loads(files["zones.geojson"])["features"]
    rows = example_release().table.to_pandas()
    in_table = set(rows["origin"].dropna()) | set(rows["destination"].dropna())
    assert {f["properties"]["zone"] for f in features} == in_table | set(example_release().base_cells)


def test_a_coarse_zone_is_drawn_as_the_union_of_its_base_cells(files):
    features = {f["id"]: f for f in json.loads(files["zones.geojson"])["features"]}
    coarse = next(zone for zone, f in features.items() if f["properties"]["resolution"] == 5)
    children = [zone for zone in example_release().base_cells if h3.cell_to_parent(zone, 5) == coarse]
    areas = {zone: sum(signed_area(p[0]) for p in f["geometry"]["coordinates"]) for zone, f in features.items()}
    assert areas[coarse] == pytest.approx(sum(areas[zone] for zone in children), rel=1e-4)


def test_outer_rings_run_counterclockwise_and_holes_clockwise():
    ring = h3.grid_ring(example_release().base_cells[0], 1)
    outer, hole = outline_of(ring)[0]
    assert signed_area(outer) > 0 > signed_area(hole)


def test_a_zone_across_the_antimeridian_is_cut_in_two():
    parts = outline_of([h3.latlng_to_cell(-17, 179.99, 6)])
    longitudes = [[x for x, _ in positions_in({"coordinates": [part]})] for part in parts]
    assert [max(xs) - min(xs) < 1 for xs in longitudes] == [True, True]
    assert all(signed_area(part[0]) > 0 for part in parts)


def test_the_readme_says_what_absence_means_and_what_it_cost(files):
    text = files["README.md"].decode()
    for words in (
        "That is not zero",
        "rho = 0.023",
        "privacy month 2026-03",
        "Synthetic data",
        "## Citation",
    ):
        assert words in text


def test_the_heads_of_published_bundles_can_be_collected(bundle):
    heads = {example_release().seal.ledger_head, CLEARANCE.approval.ledger_head}
    assert published_heads(bundle.folder.parent) == heads


@pytest.mark.parametrize("left", ["folder", "archive"])
def test_of_folder_and_zip_either_tells_the_heads(bundle, tmp_path, left):
    if left == "folder":
        shutil.copytree(bundle.folder, tmp_path / SLUG)
    else:
        shutil.copy(bundle.archive, tmp_path)
    with zipfile.ZipFile(tmp_path / "something_else.zip", "w") as other:
        other.writestr("notes/notes.txt", "no bundle")
    (tmp_path / ".unfinished.zip").write_bytes(b"half of a z")
    assert published_heads(tmp_path) == published_heads(bundle.folder.parent)


def test_a_zip_that_may_have_been_a_bundle_is_not_passed_over(bundle, tmp_path):
    (tmp_path / f"{SLUG}.zip").write_bytes(bundle.archive.read_bytes()[:-30])
    with pytest.raises(BundleError, match=rf"{SLUG}\.zip among the published bundles: .*Remedy: restore it"):
        published_heads(tmp_path)


def test_the_files_of_a_bundle_are_those_that_its_product_consists_of(files):
    assert files.keys() == names_of("od_trips")


def test_every_listed_file_is_checked_by_name(files):
    with pytest.raises(BundleError, match=r"map\.png is missing"):
        check_sums({name: content for name, content in files.items() if name != "map.png"})


@pytest.mark.parametrize("thing", [example_release().table, {"table": 1}, None], ids=["table", "dict", "none"])
def test_only_a_release_is_published(thing, tmp_path):
    with pytest.raises(PrivacyError, match="was handed to publication"):
        publish(thing, CLEARANCE, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_type_checker_refuses_everything_but_a_release(tmp_path):
    snippet = tmp_path / "snippet.py"
    snippet.write_text(
        "from pathlib import Path\n"
        "from pyspark.sql import DataFrame\n"
        "from jobs.publish.approvals import Clearance\n"
        "from jobs.publish.bundle import Bundle, publish\n"
        "from privacy.bounding import Bounded\n"
        "from privacy.release import Release\n"
        "def good(release: Release, c: Clearance) -> Bundle: return publish(release, c, Path())\n"
        "def exact(totals: Bounded, c: Clearance) -> Bundle: return publish(totals, c, Path())\n"
        "def spark(table: DataFrame, c: Clearance) -> Bundle: return publish(table, c, Path())\n"
        "def other(table: dict[str, object], c: Clearance) -> Bundle: return publish(table, c, Path())\n"
    )
    command = [sys.executable, "-m", "mypy", "--follow-imports=silent", str(snippet)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    refused = [line.split(":")[1] for line in run.stdout.splitlines() if "[arg-type]" in line]
    assert refused == ["8", "9", "10"], run.stdout
    assert "Found 3 errors" in run.stdout
