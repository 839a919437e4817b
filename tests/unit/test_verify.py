"""A bundle that was damaged, that contradicts itself or that means harm is refused, with the reason."""

import io
import json
import stat
import warnings
import zipfile
from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pyarrow as pa
import pytest
import rich.console
from hypothesis import given
from hypothesis import strategies as st

from jobs.publish import archive
from jobs.publish.approvals import require_publisher, signature_bytes, signer_of
from jobs.publish.bundle import bundle_files, publish
from jobs.publish.sums import SIGNATURE_NAME, SUMS_NAME, check_sums, sums_bytes
from jobs.publish.tables import arrow_schema, csv_bytes, parquet_bytes
from jobs.publish.verify import verify_bundle
from privacy.mechanisms import epsilon
from privacy.signing import BundleStatement, PublicKey, ReleaseApproval, StandingPlan, sign
from schemas.errors import BundleError, PrivacyError
from schemas.published import OD_TRIPS
from tests.approvals import clearance_for, key_of, trust
from tests.unit.test_bundle_example import example_release

RELEASE = example_release(radius=6)
FILES = bundle_files(RELEASE, clearance_for(RELEASE))
CSV = FILES["od_trips.csv"]


def written(folder, files):
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def signed_again(files):
    """The bundle of a forger, who can count digests and sign too, with a key of their own."""
    files = {name: content for name, content in files.items() if name != SUMS_NAME}
    files |= {SUMS_NAME: sums_bytes(files)}
    return files | {SIGNATURE_NAME: signature_bytes("od_trips_2026-W10_r1", files, key_of("forger"))}


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
    assert len(text.splitlines()) <= 30
    assert "which was not compared with a known one" in text


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


@pytest.mark.parametrize("name", sorted(set(FILES) - {SUMS_NAME, SIGNATURE_NAME}))
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


def claims_a_tenth(card, *, sigma=1.0):
    """A card whose every number of cost is a tenth of what it was, so that they agree with each other."""
    for part in (card["privacy"], *levels(card), *card["privacy"]["charges"]):
        part["micro_rho"] //= 10
    for level in levels(card):
        level["sigma"] *= sigma
    for stated in card["privacy"]["epsilon"]:
        stated["epsilon"] = epsilon(card["privacy"]["micro_rho"], stated["delta"])


CONTRADICTIONS = {
    "notes.txt is no part of": FILES | {"notes.txt": b"x"},
    "README.md says something else": FILES | {"README.md": FILES["README.md"].replace(b"0.023", b"0.0023")},
    "else than card.json": with_card(lambda card: card.update(definition="Tourists.")),
    "sigma at resolution 4": with_card(claims_a_tenth),
    "a row states less noise": with_card(lambda card: claims_a_tenth(card, sigma=10**0.5)),
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
    "the squared bound at resolution 5": with_card(lambda card: levels(card)[1].update(c2=2.0)),
    "measures at resolution 3": with_card(lambda card: levels(card)[1].update(resolution=3)),
    "finer than its base cells": with_card(lambda card: card["domain"]["resolutions"].append(9)),
    "privacy.micro_rho": with_card(lambda card: card["privacy"].update(micro_rho=10**12)),
    "epsilon is": with_card(lambda card: card["privacy"]["epsilon"][0].update(epsilon=0.1)),
    "micro-rho where 46000 were charged": with_card(
        lambda card: card["privacy"]["charges"].append({**card["privacy"]["charges"][0], "pool": "emergency"})
    ),
    "no multiple of the cost": with_card(
        lambda card: card["privacy"]["charges"].append(
            {"pool": "routine", "privacy_month": "2026-02", "micro_rho": 34_500}
        )
    ),
    "less noise than the card's sigmas leave": with_card(
        lambda card: [level.update(sigma=4 * level["sigma"]) for level in levels(card)]
    ),
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


@pytest.mark.parametrize(
    ("in_local_header", "in_directory", "value"), [(6, 8, 1), (8, 10, 99), (4, 6, 99)], ids=["locked", "packed", "new"]
)
def test_a_zip_that_is_locked_or_packed_or_laid_out_in_an_unknown_way_is_refused(
    tmp_path, in_local_header, in_directory, value
):
    path = zipped(tmp_path / "b.zip", [("card.json", b"{}")])
    content = bytearray(path.read_bytes())
    content[in_local_header] = value
    content[content.index(b"PK\x01\x02") + in_directory] = value
    path.write_bytes(content)

    with pytest.raises(BundleError, match="no readable zip"):
        verify_bundle(path)


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


def with_approval(signed, **changes):
    document = json.loads(FILES["approval.json"]) | {"approval": signed.document} | changes
    files = FILES | {"approval.json": json.dumps(document).encode()}
    return resigned(files)


def resigned(files, *, by="gate", bundle="od_trips_2026-W10_r1"):
    """Files with sums and a signature to match, by the key of the release gate unless told."""
    files = {name: content for name, content in files.items() if name not in {SUMS_NAME, SIGNATURE_NAME}}
    files |= {SUMS_NAME: sums_bytes(files)}
    return files | {SIGNATURE_NAME: signature_bytes(bundle, files, key_of(by))}


def test_a_bundle_is_verified_with_the_publisher_s_key_and_with_the_trusted_keys(tmp_path):
    bundle = written(tmp_path / "bundle", FILES)
    report = verify_bundle(bundle, key=key_of("gate").public, trust=trust())
    assert (report.signed_by, report.approved_by) == ("the key given", "Amina (dpo)")
    assert verify_bundle(bundle).signed_by == "which was not compared with a known one"


@given(data=st.data())
def test_any_flipped_bit_of_any_file_breaks_the_sums_or_the_signature(data):
    name = data.draw(st.sampled_from(sorted(FILES)))
    content = bytearray(FILES[name])
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    files = FILES | {name: bytes(content)}
    with pytest.raises(BundleError):
        check_sums(files)
        require_publisher(signer_of("od_trips_2026-W10_r1", files), [key_of("gate").public])


@given(place=st.integers(0, 31), bit=st.integers(0, 7))
def test_a_publisher_s_key_with_any_bit_flipped_is_another_key(place, bit):
    raw = bytearray(key_of("gate").public.raw)
    raw[place] ^= 1 << bit
    with pytest.raises(BundleError, match="is signed by key"):
        require_publisher(signer_of("od_trips_2026-W10_r1", FILES), [PublicKey(bytes(raw))])


def test_a_forger_s_signature_is_refused_where_the_key_is_known(tmp_path):
    bundle = written(tmp_path / "bundle", signed_again(FILES))
    assert verify_bundle(bundle).signer == key_of("forger").public  # one hand made it all, whose is not known
    with pytest.raises(BundleError, match=f"signed by key {key_of('forger').public.id}"):
        verify_bundle(bundle, key=key_of("gate").public)
    with pytest.raises(BundleError, match="not in the list of trusted keys"):
        verify_bundle(bundle, trust=trust())


@pytest.mark.parametrize(
    ("files", "why"),
    [
        (FILES | {"signature": b""}, "no JSON"),
        (resigned(FILES, bundle="od_trips_2026-W11_r1"), "that of another bundle"),
        (FILES | {"signature": sign(ReleaseApproval("od_trips", "2026-W10", 1, "ab" * 32), key_of("gate")).to_bytes()},
         "that of another bundle"),
        (resigned(FILES | {"map.png": b"x"}) | {"signature": FILES["signature"]}, "that of another bundle"),
    ],
    ids=["empty", "name", "kind", "sums"],
)  # fmt: skip
def test_a_signature_of_something_else_is_refused(files, why, tmp_path):
    with pytest.raises(BundleError, match=why):
        verify_bundle(written(tmp_path / "bundle", files))


ARTEFACT = RELEASE.seal.artefact_sha256
POLICY = RELEASE.card["privacy"]["policy_sha256"]
MARCH = (date(2026, 3, 1), date(2026, 3, 31))


def approval(*, by="Amina", **changes):
    fields = {"product": "od_trips", "period": "2026-W10", "revision": 1, "artefact_sha256": ARTEFACT}
    return sign(ReleaseApproval(**fields | changes), key_of(by))


def plan(*, by="Amina", policy=POLICY, series=("od_trips/week",), finest=6, days=MARCH):
    return sign(StandingPlan(policy, series, finest, *days), key_of(by))


@pytest.mark.parametrize("signed", [approval(), approval(by="Bao"), plan()], ids=["Amina", "Bao", "plan"])
def test_a_bundle_under_any_approval_that_covers_it_is_accepted(signed, tmp_path):
    bundle = written(tmp_path / "bundle", with_approval(signed))
    assert verify_bundle(bundle, trust=trust()).approval.signed == signed


@pytest.mark.parametrize(
    ("signed", "why"),
    [
        (approval(period="2026-W11"), "approves od_trips 2026-W11 r1"),
        (approval(revision=2), "approves od_trips 2026-W10 r2"),
        (approval(artefact_sha256="ab" * 32), "another artefact"),
        (plan(policy="ab" * 32), "another policy"),
        (plan(series=("od_trips/day",)), "does not name od_trips/week"),
        (plan(finest=5), "down to resolution 5 only"),
        (plan(days=(date(2026, 4, 1), date(2026, 4, 2))), "not valid before 2026-04-01"),
        (plan(days=(date(2026, 3, 1), date(2026, 3, 15))), "expired on 2026-03-15"),
        (sign(BundleStatement("od_trips_2026-W10_r1", ARTEFACT), key_of("Amina")), "of another kind"),
    ],
)
def test_an_approval_that_does_not_cover_the_bundle_is_refused(signed, why, tmp_path):
    with pytest.raises(BundleError, match=why):
        verify_bundle(written(tmp_path / "bundle", with_approval(signed)))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"recorded_at": "2026-03-15T05:00:00Z"}, "before the release was sealed"),
        ({"recorded_at": "yesterday"}, "no instant"),
        ({"recorded_at": "2026-03-16T05:00:00"}, "no time zone"),
        ({"artefact_sha256": "x"}, "lacks a digest"),
        ({"schema_version": 2}, "another form"),
        ({"approval": {}}, "does not consist of"),
        ({"approval": {**approval().document, "signature": "00" * 64}}, "not that of key"),
    ],
    ids=str,
)
def test_an_approval_file_that_cannot_be_is_refused(changes, why, tmp_path):
    with pytest.raises(BundleError, match=why):
        verify_bundle(written(tmp_path / "bundle", with_approval(approval(), **changes)))


@pytest.mark.parametrize("by", ["Esi", "gate", "a stranger"])
def test_an_approval_by_somebody_who_may_not_is_refused_where_the_keys_are_known(by, tmp_path):
    bundle = written(tmp_path / "bundle", with_approval(approval(by=by)))
    assert verify_bundle(bundle).approved_by == "which was not compared with a known one"
    with pytest.raises(BundleError, match="does not approve this release"):
        verify_bundle(bundle, trust=trust())


@pytest.mark.parametrize("who", ["Amina", "gate"])
def test_a_bundle_that_left_before_a_key_was_revoked_stays_good_and_a_later_one_is_refused(who, tmp_path):
    bundle = written(tmp_path / "bundle", FILES)
    left_at = datetime(2026, 3, 16, 5, tzinfo=UTC)
    assert verify_bundle(bundle, trust=trust((who, left_at + timedelta(seconds=1))))
    with pytest.raises(BundleError, match="is revoked from"):
        verify_bundle(bundle, trust=trust((who, left_at)))


def test_a_bundle_signed_by_somebody_who_is_no_publisher_is_refused(tmp_path):
    bundle = written(tmp_path / "bundle", resigned(FILES, by="Amina"))
    with pytest.raises(BundleError, match="has the role dpo"):
        verify_bundle(bundle, trust=trust())


def test_a_standing_bundle_signed_by_a_former_key_of_the_gate_is_left_untouched(tmp_path):
    made = publish(RELEASE, clearance_for(RELEASE, gate="former gate"), tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert publish(RELEASE, clearance_for(RELEASE), tmp_path) == made
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_standing_bundle_that_a_stranger_signed_is_not_taken_for_published(tmp_path):
    folder = publish(RELEASE, clearance_for(RELEASE), tmp_path).folder
    (folder / "signature").write_bytes(signature_bytes(folder.name, FILES, key_of("forger")))
    with pytest.raises(BundleError, match="is signed by key"):
        publish(RELEASE, clearance_for(RELEASE), tmp_path)


def test_a_clearance_of_another_artefact_publishes_nothing(tmp_path):
    other = example_release(seed=12)
    with pytest.raises(PrivacyError, match="another artefact"):
        publish(RELEASE, clearance_for(other), tmp_path)
    assert list(tmp_path.iterdir()) == []
