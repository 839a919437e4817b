"""A bundle that was damaged, that contradicts itself or that means harm is refused, with the reason."""

import io
import json
import stat
import warnings
import zipfile

import pandas as pd
import pyarrow as pa
import pytest
import rich.console

from jobs.publish import archive
from jobs.publish.bundle import bundle_files
from jobs.publish.sums import SUMS_NAME, sums_bytes
from jobs.publish.tables import arrow_schema, csv_bytes, parquet_bytes
from jobs.publish.verify import verify_bundle
from schemas.errors import BundleError
from schemas.published import OD_TRIPS
from tests.unit.test_bundle_example import example_release

FILES = bundle_files(example_release(radius=6))
CSV = FILES["od_trips.csv"]


def written(folder, files):
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def signed_again(files):
    """The bundle of a forger, who can count digests too."""
    files = {name: content for name, content in files.items() if name != SUMS_NAME}
    return files | {SUMS_NAME: sums_bytes(files)}


def with_card(change):
    card = json.loads(FILES["card.json"])
    change(card)
    return FILES | {"card.json": json.dumps(card).encode()}


def with_json(name, change):
    value = json.loads(FILES[name])
    change(value)
    return FILES | {name: json.dumps(value).encode()}


def with_rows(change):
    rows = pd.read_parquet(io.BytesIO(FILES["od_trips.parquet"]))
    rows = change(rows)
    schema = pa.schema([field.with_nullable(True) for field in arrow_schema(OD_TRIPS)])
    table = pa.Table.from_pandas(rows, schema=schema, preserve_index=False)
    return FILES | {"od_trips.csv": csv_bytes(table), "od_trips.parquet": parquet_bytes(table)}


def with_first(**values):
    """The first row is a published one of the finest resolution."""

    def change(rows):
        for column, value in values.items():
            first = pd.Series([value], dtype=rows[column].dtype)
            rows[column] = pd.concat([first, rows[column].iloc[1:]])
        return rows

    return change


def zipped(path, members, *, folder="bundle"):
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as file:
        warnings.simplefilter("ignore")
        for name, content in members:
            file.writestr(name if isinstance(name, zipfile.ZipInfo) else f"{folder}/{name}", content)
    return path


def test_a_folder_and_its_zip_are_verified_alike(tmp_path):
    from_folder = verify_bundle(written(tmp_path / "bundle", FILES))
    assert verify_bundle(zipped(tmp_path / "b.zip", FILES.items())) == from_folder
    assert from_folder.slug == "od_trips_2026-W10_r1"


def test_the_report_lists_every_check_on_one_screen(tmp_path):
    report = verify_bundle(written(tmp_path / "bundle", FILES))
    console = rich.console.Console(width=100, file=io.StringIO())
    console.print(report)
    text = console.file.getvalue()
    assert all(check in text for check in report.checks)
    assert len(text.splitlines()) <= 25


@pytest.mark.parametrize("name", sorted(FILES))
@pytest.mark.parametrize("place", [0, 0.5, 0.999])
def test_one_byte_changed_anywhere_is_found(name, place, tmp_path):
    content = bytearray(FILES[name])
    content[int(place * len(content))] ^= 1
    with pytest.raises(BundleError) as error:
        verify_bundle(written(tmp_path / "bundle", FILES | {name: bytes(content)}))
    assert error.value.found
    assert error.value.expected
    assert error.value.remedy


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_missing_file_is_found(name, tmp_path):
    with pytest.raises(BundleError, match=f"{name} is missing"):
        verify_bundle(written(tmp_path / "bundle", {n: c for n, c in FILES.items() if n != name}))


@pytest.mark.parametrize("name", sorted(set(FILES) - {SUMS_NAME}))
def test_a_file_left_out_by_a_forger_is_missed(name, tmp_path):
    files = signed_again({n: c for n, c in FILES.items() if n != name})
    with pytest.raises(BundleError, match=f"{name} is missing"):
        verify_bundle(written(tmp_path / "bundle", files))


def test_an_unlisted_file_is_found(tmp_path):
    with pytest.raises(BundleError, match=r"notes\.txt is not in SHA256SUMS"):
        verify_bundle(written(tmp_path / "bundle", FILES | {"notes.txt": b"x"}))


def test_nothing_at_the_path_is_said_so(tmp_path):
    with pytest.raises(BundleError, match="There is no bundle at"):
        verify_bundle(tmp_path / "none")


def levels(card):
    return card["privacy"]["levels"]


CONTRADICTIONS = {
    "below the cut": with_rows(with_first(value=1.0, ci_low=-7.847, ci_high=9.847, quality="C")),
    "ci_low does not follow": with_rows(with_first(ci_low=0.0)),
    "ci_high does not follow": with_rows(with_first(ci_high=1e9)),
    "grade does not follow": with_rows(with_first(quality="D")),
    "states no noise": with_rows(with_first(noise_sd=0.0)),
    "number that is none": with_rows(with_first(value=float("inf"))),
    "two rows share a key": with_rows(lambda rows: pd.concat([rows.head(1), rows], ignore_index=True)),
    "another period": with_rows(with_first(period="2026-W11")),
    "another definition": with_rows(with_first(definition_id="od_trips/0")),
    "0 remainder rows": with_rows(lambda rows: rows.iloc[:-1]),
    "2 remainder rows": with_rows(with_first(status="remainder", is_residual=True)),
    "unknown status": with_rows(with_first(status="guessed")),
    "is_residual contradicts": with_rows(with_first(is_residual=True)),
    "not the resolution of origin": with_rows(with_first(res_from=5)),
    "not the resolution of destination": with_rows(with_first(res_to=pd.NA)),
    "outside the domain": with_rows(with_first(origin="861e8001fffffff")),
    "missing values in sex": with_rows(with_first(sex=None)),
    "hold different tables": FILES | {"od_trips.csv": CSV.replace(b",all,all,", b",all,old,", 1)},
    "file hold different tables": FILES | {"od_trips.csv": CSV.replace(b",all,all,", b",,all,", 1)},
    "The CSV and": FILES | {"od_trips.csv": CSV.replace(b"period,origin", b"origin,period", 1)},
    "od_trips.csv cannot be read": FILES | {"od_trips.csv": CSV.replace(b",6,6,", b",six,6,", 1)},
    "od_trips.parquet cannot be read": FILES | {"od_trips.parquet": b"PAR1 no more"},
    "declares more rows": FILES | {"od_trips.csv": CSV[:1000]},
    "card.json cannot be used": FILES | {"card.json": b"{}"},
    "the text: Invalid JSON": FILES | {"card.json": b"\xff{"},
    "has no public table": with_card(lambda card: card.update(product="secrets")),
    "levels cost": with_card(lambda card: levels(card)[0].update(micro_rho=1)),
    "sigma at resolution 6": with_card(lambda card: levels(card)[2].update(sigma=4.0)),
    "the squared bound at resolution 5": with_card(lambda card: levels(card)[1].update(c2=3.0)),
    "measures at resolution 3": with_card(lambda card: levels(card)[1].update(resolution=3)),
    "finer than its base cells": with_card(lambda card: card["domain"]["resolutions"].append(9)),
    "privacy.micro_rho": with_card(lambda card: card["privacy"].update(micro_rho=10**12)),
    "epsilon is": with_card(lambda card: card["privacy"]["epsilon"][0].update(epsilon=0.1)),
    "micro-rho were charged": with_card(lambda card: card["privacy"]["charges"][0].update(micro_rho=1)),
    "does not name 2026-03": with_card(lambda card: card.update(unit_of_privacy="a user-day")),
    "base cells": with_card(lambda card: card["domain"].update(zones=1)),
    "zones.geojson is no JSON": FILES | {"zones.geojson": b"["},
    "no feature collection": FILES | {"zones.geojson": b"{}"},
    "a feature has no zone": with_json("zones.geojson", lambda zones: zones["features"].append({})),
    "a zone occurs twice": with_json("zones.geojson", lambda z: z["features"].append(z["features"][0])),
    "is no H3 cell": with_json("zones.geojson", lambda z: z["features"][0]["properties"].update(zone="here")),
    "not drawn where it lies": with_json(
        "zones.geojson",
        lambda zones: zones["features"][-1].update(geometry=zones["features"][-2]["geometry"]),
    ),
    "cannot be read": with_json("zones.geojson", lambda z: z["features"][-1].update(geometry=None)),
    "the properties of": with_json("zones.geojson", lambda z: z["features"][0]["properties"].update(n=17)),
    "describes other files": with_json(
        "datapackage.json", lambda package: package["resources"][0].update(path="https://example.org/x.csv")
    ),
    "its schema is another": with_json(
        "datapackage.json", lambda package: package["resources"][0].update(schema="https://example.org/x.json")
    ),
    "a profile of its own": with_json("datapackage.json", lambda p: p.update(profile="https://example.org/p")),
    "a property 'extrapaths'": with_json(
        "datapackage.json", lambda package: package["resources"][0].update(extrapaths=["/etc/passwd"])
    ),
    "it has no resources": with_json("datapackage.json", lambda package: package.update(resources={})),
    "frictionless says": with_json("datapackage.json", lambda package: package.update(name=1)),
}  # fmt: skip


@pytest.mark.parametrize("complaint", CONTRADICTIONS)
def test_a_bundle_that_contradicts_itself_is_refused(complaint, tmp_path):
    bundle = written(tmp_path / "bundle", signed_again(CONTRADICTIONS[complaint]))
    with pytest.raises(BundleError) as error:
        verify_bundle(bundle)
    assert complaint in str(error.value)
    assert error.value.remedy


@pytest.mark.parametrize(
    "name", ["bundle/../../x", "../x", "/etc/x", "bundle/a/b", "bundle\\x", "C:/x", "bundle/..", "x"]
)
def test_a_zip_that_leads_elsewhere_is_refused(name, tmp_path):
    path = zipped(tmp_path / "b.zip", [*FILES.items(), (zipfile.ZipInfo(name), b"x")])
    with pytest.raises(BundleError, match="The bundle is refused"):
        verify_bundle(path)
    assert [file.name for file in tmp_path.iterdir()] == ["b.zip"]


@pytest.mark.parametrize("twin", ["README.md", "readme.md"])
def test_a_zip_with_a_name_twice_is_refused(twin, tmp_path):
    with pytest.raises(BundleError, match="a file name twice"):
        verify_bundle(zipped(tmp_path / "b.zip", [*FILES.items(), (twin, b"x")]))


def test_a_zip_of_two_folders_is_refused(tmp_path):
    path = zipped(tmp_path / "b.zip", [*FILES.items(), (zipfile.ZipInfo("other/x"), b"x")])
    with pytest.raises(BundleError, match="more than one top folder"):
        verify_bundle(path)


def test_a_zip_with_a_link_is_refused(tmp_path):
    link = zipfile.ZipInfo("bundle/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(BundleError, match="no plain file"):
        verify_bundle(zipped(tmp_path / "b.zip", [(link, b"/etc/passwd")]))


def test_a_zip_that_unfolds_into_too_much_is_refused_before_it_is_unfolded(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MOST_BYTES_A_FILE", 1000)
    monkeypatch.setattr(archive, "_unfold", pytest.fail)
    with pytest.raises(BundleError, match="larger than any file"):
        verify_bundle(zipped(tmp_path / "b.zip", [("zeros", bytes(1001))]))


def test_a_zip_of_very_many_files_is_refused(tmp_path):
    with pytest.raises(BundleError, match="It holds 65 files"):
        verify_bundle(zipped(tmp_path / "b.zip", [(f"f{n}", b"") for n in range(65)]))


def test_a_zip_whose_sizes_lie_is_refused(tmp_path):
    path = zipped(tmp_path / "b.zip", [("zeros", b"x" * 5000)])
    content = path.read_bytes().replace((5000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    path.write_bytes(content)
    with pytest.raises(BundleError, match="no readable zip"):
        verify_bundle(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 nothing", b"x" * 100])
def test_a_file_that_is_no_zip_is_refused(content, tmp_path):
    (tmp_path / "b.zip").write_bytes(content)
    with pytest.raises(BundleError, match="no readable zip"):
        verify_bundle(tmp_path / "b.zip")


def test_a_folder_with_a_link_or_a_folder_is_refused(tmp_path):
    bundle = written(tmp_path / "bundle", FILES)
    (bundle / "deeper").mkdir()
    with pytest.raises(BundleError, match="deeper is no plain file"):
        verify_bundle(bundle)
    (bundle / "deeper").rmdir()
    (bundle / "README.md").unlink()
    (bundle / "README.md").symlink_to(written(tmp_path / "elsewhere", FILES) / "README.md")
    with pytest.raises(BundleError, match=r"README\.md is no plain file"):
        verify_bundle(bundle)
