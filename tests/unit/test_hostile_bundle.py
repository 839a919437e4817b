"""A malicious publisher's bundle: whole, summed and signed by its maker, and made to break or to fool who reads it."""

import json
from datetime import UTC, datetime

import h3
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.publish import verify
from jobs.publish.approvals import signature_bytes
from jobs.publish.bundle import publish
from jobs.publish.sums import SIGNATURE_NAME, SUMS_NAME, sums_bytes
from jobs.publish.verify import verify_bundle
from privacy.bounding import Bounded
from privacy.ledger import Ledger
from privacy.policy import Policy
from privacy.release import release
from privacy.vault import Vault
from schemas.errors import BundleError
from tests.approvals import clearance_for, key_of
from tests.installations import plan_over

CELLS = tuple(sorted(h3.grid_disk(h3.latlng_to_cell(-14.06, 66.13, 6), 1)))
PLAN = plan_over(CELLS)
EXACT = Bounded(np.array([1, 2]), np.array([10**7, 10**8]), PLAN.bounds)
DEEP = b"[" * 100_000 + b"]" * 100_000
DEEP_OBJECT = b'{"a":' * 50_000 + b"1" + b"}" * 50_000
HUGE = b'{"a":' + b"9" * 50_000 + b"}"
JSON_FILES = ("card.json", "zones.geojson", "datapackage.json", "approval.json")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    ledger = Ledger.open(f"sqlite:///{folder}/ledger.sqlite", clock=lambda: datetime(2026, 3, 15, tzinfo=UTC))
    doors = {"ledger": ledger, "vault": Vault(folder / "vault")}
    made = release(PLAN, policy=Policy.load(), exact=lambda: (EXACT, "ab" * 32), **doors)
    return publish(made, clearance_for(made), folder / "release").folder


@pytest.fixture
def forged(bundle, tmp_path):
    """`forged({"card.json": bytes})`: the bundle with other files, sums and signature that fit them."""

    def forge(changes):
        files = {path.name: path.read_bytes() for path in bundle.iterdir()} | changes
        files = {name: held for name, held in files.items() if name not in {SUMS_NAME, SIGNATURE_NAME}}
        files[SUMS_NAME] = sums_bytes(files)
        files[SIGNATURE_NAME] = signature_bytes(bundle.name, files, key_of("stranger"))
        folder = tmp_path / bundle.name
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)
        return folder

    return forge


def test_a_forgery_that_changes_nothing_is_a_sound_bundle_of_an_unknown_hand(forged):
    """So each refusal below is of what was changed, not of the forging."""
    assert verify_bundle(forged({})).rows > 0


@pytest.mark.parametrize("name", JSON_FILES)
@pytest.mark.parametrize(
    "content",
    [DEEP, DEEP_OBJECT, HUGE, b"", b"{}", b"null", b'{"a":NaN}', b'{"a":"\\ud800"}', "{}".encode("utf-16"), b"\xff"],
    ids=["deep", "deep object", "huge number", "empty", "nothing", "null", "NaN", "surrogate", "UTF-16", "bytes"],
)
def test_json_that_is_made_to_break_a_reader_is_refused_in_one_sentence(forged, name, content):
    with pytest.raises(BundleError, match="Expected: "):
        verify_bundle(forged({name: content}))


@pytest.mark.parametrize("zone", ["-1", "f" * 17, " 86754e64fffffff", "0x86754e64fffffff", "8_6754e64fffffff", ""])
def test_a_zone_that_only_a_lenient_reader_takes_for_a_cell_is_refused(forged, bundle, zone):
    collection = json.loads((bundle / "zones.geojson").read_bytes())
    collection["features"][0]["properties"]["zone"] = zone

    with pytest.raises(BundleError, match="is no H3 cell"):
        verify_bundle(forged({"zones.geojson": json.dumps(collection).encode()}))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["privacy", "micro_rho"], 22_000),
        (["privacy", "micro_rho"], 10**30),
        (["privacy", "levels", 0, "micro_rho"], 1),
        (["privacy", "levels", 0, "sigma"], 1e-300),
        (["privacy", "levels", 0, "squared_l2_bound"], 1),
        (["privacy", "levels"], []),
        (["privacy", "epsilon"], []),
        (["privacy", "epsilon", 0, "epsilon"], 0.1),
        (["privacy", "charges"], []),
        (["privacy", "publish_sigma"], 1e309),
        (["period"], "../../etc"),
        (["revision"], 10**12),
        (["domain", "zones"], 10**9),
    ],
    ids=lambda given: ".".join(map(str, given)) if isinstance(given, list) else str(given),
)
def test_a_card_that_claims_less_than_it_was_or_nonsense_is_refused(forged, bundle, path, value):
    card = json.loads((bundle / "card.json").read_text())
    at = card
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value

    with pytest.raises(BundleError):
        verify_bundle(forged({"card.json": json.dumps(card).encode()}))


@pytest.mark.parametrize("day", ["1999-99-99", "0<b>=x", "", "20260316", "2026-W12-1", "2026-03-16T00:00:00"])
def test_a_day_of_the_seal_that_is_none_is_refused(forged, bundle, day):
    card = json.loads((bundle / "card.json").read_text()) | {"sealed_on": day}

    with pytest.raises(BundleError, match="sealed_on"):
        verify_bundle(forged({"card.json": json.dumps(card).encode()}))


def split(polygons):
    """The same positions in the same order, as two rings."""
    polygons[0][0:1] = [polygons[0][0][:-4], polygons[0][0][-4:]]


BAD_POLYGONS = {
    "an empty polygon": lambda polygons: polygons.append([]),
    "an empty ring": lambda polygons: polygons[0].append([]),
    "a number as text": lambda polygons: polygons[0][0].__setitem__(0, [str(n) for n in polygons[0][0][0]]),
    "a number too large": lambda polygons: polygons[0][0].__setitem__(0, [10**400, 0]),
    "rings cut in two": split,
}


@pytest.mark.parametrize("what", BAD_POLYGONS)
def test_polygons_that_are_none_are_refused_though_their_positions_are_right(forged, bundle, what):
    zones = json.loads((bundle / "zones.geojson").read_bytes())
    shapes = [feature["geometry"]["coordinates"] for feature in zones["features"]]
    BAD_POLYGONS[what](max(shapes, key=lambda polygons: len(polygons[0][0])))  # noise decides which zones there are

    with pytest.raises(BundleError, match=r"cannot be read.*rings of four positions|is not drawn where it lies"):
        verify_bundle(forged({"zones.geojson": json.dumps(zones).encode()}))


def test_a_bundle_whose_page_cannot_be_drawn_is_verified_and_its_page_is_not_trusted(bundle, monkeypatch):
    def undrawable(*_, **__):
        raise ValueError("soon")

    monkeypatch.setattr(verify, "page_of_release", undrawable)
    assert "cannot be compared" in verify_bundle(bundle).page


def test_a_small_parquet_file_that_unfolds_into_a_huge_table_is_refused(forged, bundle):
    table = pq.read_table(bundle / "od_trips.parquet")
    rows = table.take(np.zeros(1_000_000, dtype=np.int64))
    sink = pa.BufferOutputStream()
    pq.write_table(rows, sink, compression="zstd")

    with pytest.raises(BundleError, match="more rows than the CSV"):
        verify_bundle(forged({"od_trips.parquet": bytes(sink.getvalue())}))


@pytest.mark.parametrize("tail", [b'"' + b"a" * 2_000_000, b"\0\0\0\n", b",,,,\n", "\u202e\n".encode()])
def test_a_csv_that_says_other_things_than_the_parquet_file_is_refused(forged, bundle, tail):
    with pytest.raises(BundleError):
        verify_bundle(forged({"od_trips.csv": (bundle / "od_trips.csv").read_bytes() + tail}))
