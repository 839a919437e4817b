"""What is shared under an agreement: a part of the release and nothing finer, that adds up, is signed, and says so."""

import io
import json
import re
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from functools import cache

import h3
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from jobs.publish.approvals import signature_bytes
from jobs.publish.bundle import bundle_files, names_of
from jobs.publish.card import Card
from jobs.publish.export.formats import ALL, export_files
from jobs.publish.export.notes import facts_of
from jobs.publish.export.source import read_source
from jobs.publish.sharing.agreement import Agreement, class_on
from jobs.publish.sharing.extract import extract, parents_in
from jobs.publish.sharing.folding import fold
from jobs.publish.sharing.notice import SHARING_NAME
from jobs.publish.sums import SIGNATURE_NAME, SUMS_NAME, sums_bytes
from jobs.publish.tables import arrow_schema, csv_bytes, parquet_bytes, published_table, read_parquet
from jobs.publish.verify import verified, verify_bundle
from privacy.intervals import uncertain
from schemas.errors import BundleError, ConfigError, PrivacyError
from schemas.published import OD_TRIPS, PUBLIC_TABLE
from tests.approvals import clearance_for, key_of, trust
from tests.plans import CELLS, PERIODS
from tests.shares import TEXT, agreement, share_day, shared, written
from tests.unit.test_admin_bundle import release_by_unit, units
from tests.unit.test_bundle_example import coast, exact_flows, example_release
from tests.unit.test_od_map import chunks
from tests.unit.test_product_bundles import made

SLUG = "od_trips_2026-W10_r1_for_health-2026"
CELL = re.compile(r"(?<![0-9a-f])[0-9a-f]{15}(?![0-9a-f])")


@cache
def release_of(name):
    """A release of each product, of trips between H3 cells, and of trips between administrative units."""
    own = {"od_trips": lambda: example_release(radius=6), "od_trips by unit": release_by_unit}
    return own[name]() if name in own else made(name)


RELEASES = ("od_trips", "od_trips by unit", *PERIODS)


@cache
def whole_of(name):
    return bundle_files(release_of(name), clearance_for(release_of(name)))


@cache
def part_of(name):
    return shared(release_of(name), agreement())


def texts(files):
    """All that is written anywhere in a bundle, by file: Parquet unpacked, of a picture what it says besides pixels."""
    for name, content in files.items():
        if name.endswith(".parquet"):
            table = pq.read_table(io.BytesIO(content))
            yield name, f"{table.schema.metadata} {table.to_pylist()}"
        elif name.endswith(".png"):
            yield name, str([body for kind, body in chunks(content) if kind not in {"IDAT", "pHYs", "IHDR"}])
        else:
            yield name, content.decode()


@pytest.mark.parametrize("name", RELEASES)
def test_a_part_of_every_product_is_verified_and_tells_with_whom_it_was_shared(name, tmp_path):
    slug, files = part_of(name)

    report = verify_bundle(written(tmp_path / slug, files), trust=trust())

    assert files.keys() == names_of(report.card.product) | {SHARING_NAME}
    assert report.slug == slug == f"{report.card.slug}_for_health-2026"
    assert "Ministry of Health, Numenia" in files["README.md"].decode()
    assert report.sharing.terms == agreement()
    assert report.signed_by == "gate (publisher)"
    assert report.page.endswith("is what this version draws of the table.")


def graded():
    """An agreement that lets no rows of a worse grade than A through."""
    return agreement(products=("od_trips",), least_quality="A")


def json_in(page, name):
    """A block of JSON of a page."""
    text = page.decode().partition(f'<script type="application/json" id="{name}">')[2]
    return json.loads(text.partition("</script>")[0])


def texts_on_map(release, terms, monkeypatch):
    """What the map of a part says."""
    said = []
    monkeypatch.setattr(Figure, "text", lambda *given, **_: said.append(given[3]))
    shared(release, terms)
    return " ".join(said)


def test_where_rows_of_a_worse_grade_are_left_out_every_file_says_so_of_a_missing_row(monkeypatch, tmp_path):
    slug, files = shared(release_of("od_trips"), graded())
    readme, page = files["README.md"].decode(), files["situation.html"]

    assert "below the cut of 2 standard deviations, or was of a grade worse than A. That is not zero**" in readme
    assert "Finer flows and those of a worse grade are counted in" in readme
    words = json_in(page, "words")
    for language, told in (("en", "of a worse grade than"), ("fr", "de moindre qualité"), ("ar", "أدنى مما")):
        own = words[language]
        notes = [own[key] for key in ("flowsNote", "zonesCutNote", "seriesNote")]
        notes += [own["layerNotes"]["out"], own["layerNotes"]["in"], own["blind"]["pairs"][0]]
        assert all(told in note for note in notes)
        assert len(own["blind"]["pairs"]) == 2
    facts = facts_of(read_source(written(tmp_path / slug, files)))
    assert "or was of a grade worse than A. That is not zero" in facts["absence"]
    said = texts_on_map(release_of("od_trips"), graded(), monkeypatch)
    assert "or was of a grade worse than A: that is not zero" in said


def test_where_no_grade_is_left_out_a_missing_row_lies_below_the_cut_and_no_more_is_said(monkeypatch):
    _, files = part_of("od_trips")
    said = texts_on_map(release_of("od_trips"), agreement(), monkeypatch)
    for text in (files["README.md"].decode(), files["situation.html"].decode(), said):
        assert "worse" not in text


def test_words_that_a_part_has_instead_leave_the_same_gaps_in_every_language():
    from jobs.publish.explorer.words import LANGUAGES, PARTS, catalogue, catalogues
    from tests.unit.test_explorer import shape_of

    for language in LANGUAGES:
        other = catalogues(PARTS)[language]
        assert shape_of(other) == shape_of(catalogue(language))
        changed = {key for key in other if other[key] != catalogue(language)[key]}
        assert changed == {
            "kicker", "layerNotes", "belowCut", "legendCut", "flowsNote", "zonesCutNote", "seriesNote", "blind"
        }  # fmt: skip


@pytest.mark.parametrize("name", ["od_trips", "displacement"])
def test_what_is_made_of_a_part_bears_its_name_and_says_with_whom_it_was_shared(name, tmp_path, monkeypatch):
    slug, files = part_of(name)
    whole = bundle_files(release_of(name), clearance_for(release_of(name)))
    with_whom = "Shared with Ministry of Health, Numenia on"

    release = json_in(files["situation.html"], "data")["products"][0]["periods"][0]["release"]
    assert release["slug"] == slug
    assert with_whom in release["sensitivity"]
    assert "shared under an agreement" in json_in(files["situation.html"], "words")["en"]["kicker"]
    package = json.loads(files["datapackage.json"])
    assert (package["name"], with_whom in package["description"]) == (slug.lower(), True)
    assert f"(`{slug}`)" in files["README.md"].decode().partition("## Citation")[2].replace("\n", " ")
    if name == "od_trips":
        assert f"Whimbrel, {slug}, " in texts_on_map(release_of(name), agreement(), monkeypatch)

    part = read_source(written(tmp_path / "part", files))
    exports = [export_files(source, [ALL]) for source in (part, read_source(written(tmp_path / "whole", whole)))]
    assert exports[0].keys() & exports[1].keys() == {"README.md"}
    assert all(file.startswith(slug) for file in exports[0] if file != "README.md")
    for file, content in exports[0].items():
        if file.endswith((".md", ".geojson", ".jsonld", ".parquet")):
            assert with_whom.encode() in content, file
    readme = exports[0]["README.md"].decode()
    assert "Made from a bundle that was shared under an agreement" in readme
    assert f"- **source bundle**: {slug}\n" in readme
    assert b"Made from a published bundle" in exports[1]["README.md"]
    assert b"Shared with" not in b"".join(exports[1].values())


@pytest.mark.parametrize("name", RELEASES)
def test_no_zone_finer_than_agreed_stands_in_any_file(name):
    _, files = part_of(name)
    for file, text in texts(files):
        finer = {cell for cell in CELL.findall(text) if h3.is_valid_cell(cell) and h3.get_resolution(cell) > 5}
        assert not finer, file


def test_no_unit_finer_than_agreed_stands_in_any_file():
    district = [unit for unit in units().units if unit.level == 2]
    whole = dict(texts(whole_of("od_trips by unit")))

    assert all(district[0].code in whole[name] for name in ("zones.geojson", "od_trips.csv", "od_trips.parquet"))
    for file, text in texts(part_of("od_trips by unit")[1]):
        assert [unit.code for unit in district if unit.code in text or f'"{unit.name}"' in text] == [], file


def test_finer_zones_would_be_found():
    whole = dict(texts(whole_of("displacement")))
    assert all(CELLS[0] in whole[name] for name in ("zones.geojson", "card.json"))


@pytest.mark.parametrize("name", [name for name in RELEASES if release_of(name).table.schema.names[1] == "origin"])
@pytest.mark.parametrize("finest", [4, 5])
def test_the_rows_that_are_shared_add_up_to_the_same_total_and_variance(name, finest):
    release = release_of(name)
    terms = agreement(finest_resolution=finest, finest_admin_level=1)
    before = published_table(release.table, PUBLIC_TABLE[release.key.product]).to_pandas()
    after = extract(release, terms).table.to_pandas()

    assert len(after) < len(before)
    assert round(1000 * after["value"].sum()) == round(1000 * before["value"].sum())
    assert (after["noise_sd"] ** 2).sum() == pytest.approx((before["noise_sd"] ** 2).sum(), rel=1e-3)
    assert after.iloc[-1]["value"] == before.iloc[-1]["value"]


FLAT = [name for name in PERIODS if release_of(name).table.schema.names[1] != "origin"]


@pytest.mark.parametrize("name", FLAT)
def test_the_rows_of_flat_tables_leave_as_they_were_released_or_not_at_all(name):
    whole = published_table(release_of(name).table, PUBLIC_TABLE[name]).to_pylist()
    levels = [column for column in whole[0] if column.endswith("resolution")]

    shown = [row for row in whole if all(row[column] is None or row[column] <= 5 for column in levels)]

    assert extract(release_of(name), agreement()).table.to_pylist() == shown
    assert shown


CHILDREN = {
    level: sorted(h3.cell_to_children(h3.latlng_to_cell(6.6, -3.4, 4), level))[: 7 ** (level - 4)]
    for level in (4, 5, 6)
}


def row_of(level, origin, destination, thousandths, sd):
    zones = {"origin": origin, "destination": destination, "res_from": level, "res_to": level}
    common = {"period": "2026-W10", "sex": "all", "age_band": "all", "definition_id": "od_trips/1"}
    status = "remainder" if level is None else "published"
    return common | zones | {"is_residual": level is None, "status": status} | uncertain(thousandths / 1000, sd)


@st.composite
def released_rows(draw):
    """Rows of pairs of three levels as a release could have them, residuals marked, and a remainder."""
    rows = {}
    for level in (6, 5, 4):
        zone, places = st.sampled_from(CHILDREN[level]), 12 if level == 6 else 4
        for pair in draw(st.lists(st.tuples(zone, zone), max_size=places, unique=True)):
            rows[level, *pair] = row_of(level, *pair, draw(st.integers(1, 10**7)), draw(st.integers(1, 10**6)) / 1000)
    above = {(c, *(h3.cell_to_parent(z, c) for z in pair)) for level, *pair in rows for c in (4, 5) if c < level}
    for key in above & rows.keys():
        rows[key] |= {"is_residual": True, "status": "residual"}
    rest = row_of(None, None, None, draw(st.integers(-(10**6), 10**6)), 50.0)
    return published_table(pa.Table.from_pylist([*rows.values(), rest], schema=OD_TRIPS.arrow_schema), OD_TRIPS)


def sums_by_pair(rows, finest):
    """The oracle: what all rows inside each pair of a level hold together, in thousandths, for each coarser level."""
    sums, variances = defaultdict(int), defaultdict(float)
    for row in rows.to_pylist():
        for level in (4, 5, 6):
            if row["origin"] is None or level > min(finest, row["res_from"]):
                continue
            key = (level, *(h3.cell_to_parent(row[end], level) for end in ("origin", "destination")))
            sums[key] += round(1000 * row["value"])
            variances[key] += row["noise_sd"] ** 2
    return sums, variances


@settings(max_examples=50)
@given(released_rows(), st.sampled_from([4, 5, 6]))
def test_folding_keeps_what_every_coarser_pair_holds_and_its_variance(rows, finest):
    folded = fold(rows, OD_TRIPS, parents_in(None), levels=(4, 5, 6), finest=finest)
    before, after = sums_by_pair(rows, finest), sums_by_pair(folded, finest)

    assert after[0] == before[0]
    assert after[1] == pytest.approx(before[1], rel=1e-2, abs=1e-4)  # deviations are rounded to thousandths
    assert max([row["res_from"] for row in folded.to_pylist() if row["res_from"]], default=0) <= finest
    assert folded.to_pylist()[-1] == rows.to_pylist()[-1]
    assert finest < 6 or sorted(map(str, folded.to_pylist())) == sorted(map(str, rows.to_pylist()))


@settings(max_examples=50)
@given(released_rows(), st.sampled_from([4, 5, 6]), st.sampled_from("AB"))
def test_rows_of_a_worse_grade_are_counted_elsewhere_and_the_total_stands(rows, finest, grade):
    folded = fold(rows, OD_TRIPS, parents_in(None), levels=(4, 5, 6), finest=finest, least_quality=grade)
    *left, rest = folded.to_pylist()

    assert sum(round(1000 * row["value"]) for row in folded.to_pylist()) == sum(
        round(1000 * row["value"]) for row in rows.to_pylist()
    )
    assert all(row["quality"] <= grade and row["res_from"] <= finest for row in left)
    assert rest["noise_sd"] == 50.0


@settings(max_examples=50)
@given(released_rows(), st.randoms())
def test_folding_in_two_steps_is_folding_once_and_the_order_of_rows_does_not_matter(rows, random):
    mixed = rows.take(random.sample(range(rows.num_rows), rows.num_rows))
    once = fold(mixed, OD_TRIPS, parents_in(None), levels=(4, 5, 6), finest=4)
    twice = fold(
        fold(rows, OD_TRIPS, parents_in(None), levels=(4, 5, 6), finest=5), OD_TRIPS, parents_in(None),
        levels=(4, 5), finest=4,
    )  # fmt: skip

    assert sums_by_pair(once, 4)[0] == sums_by_pair(twice, 4)[0]
    assert [row["origin"] for row in once.to_pylist()] == [row["origin"] for row in twice.to_pylist()]


def test_a_row_is_residual_if_and_only_if_a_pair_inside_it_is_shown():
    for finest in (4, 5):
        *rows, _ = extract(release_of("od_trips"), agreement(finest_resolution=finest)).table.to_pylist()
        inside = {tuple(h3.cell_to_parent(row[z], 4) for z in ("origin", "destination"))
                  for row in rows if row["res_from"] == 5}  # fmt: skip
        for row in rows:
            is_above = row["res_from"] == 4 and (row["origin"], row["destination"]) in inside
            assert (row["status"] == "residual") == row["is_residual"] == is_above


@cache
def exact_by_pair(radius, level):
    """Exact trips between the zones of a level."""
    exact = exact_flows(coast(radius))
    ends = [exact[name].map(lambda cell: h3.cell_to_parent(cell, level)) for name in exact.columns[:2]]
    return exact["trips"].groupby(ends).sum().to_dict()


def truth_of_rows(rows, radius):
    """What each row would hold without noise and bounds: its pair less the pairs inside it that have rows."""
    held, found = defaultdict(float), {}
    for level in (6, 5, 4):
        total = exact_by_pair(radius, level)
        for n, row in enumerate(rows):
            pair = (row["origin"], row["destination"])
            if row["res_from"] == level:
                found[n] = total.get(pair, 0.0) - held[level, *pair]
                for coarser in range(4, level):
                    held[coarser, *(h3.cell_to_parent(zone, coarser) for zone in pair)] += found[n]
    return [found[n] for n in range(len(rows))]


@pytest.mark.parametrize(("finest", "share"), [(4, 0.930), (5, 0.935), (6, 0.946)])
def test_intervals_of_shared_flows_cover_nearly_as_often_as_those_of_the_release(finest, share):
    inside = []
    for seed in (101, 102, 103, 104):
        *rows, _ = extract(example_release(seed=seed, radius=8), agreement(finest_resolution=finest)).table.to_pylist()
        for row, true in zip(rows, truth_of_rows(rows, 8), strict=True):
            inside.append(row["ci_low"] <= true <= row["ci_high"])
    assert np.mean(inside) == pytest.approx(share, abs=5e-4)  # as privacy/proofs/sharing.md says


def test_equal_releases_and_terms_give_equal_bytes():
    assert shared(example_release(radius=6), agreement()) == part_of("od_trips")


def test_an_agreement_is_read_from_its_file(tmp_path):
    (tmp_path / "health-2026.toml").write_text(TEXT)
    assert Agreement.load(tmp_path / "health-2026.toml") == agreement(
        products=("od_trips", "presence"), finest_admin_level=None
    )


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("version = 1", "version = 2", "version"),
        ('id = "health-2026"', 'id = "Health"', "id"),
        ('id = "health-2026"', 'id = "other"', "names itself other"),
        ('recipient = "Ministry of Health, Numenia"', 'recipient = " "', "recipient"),
        ('purpose = "Where', 'purpose = "Line\\nWhere', "one line of printable text"),
        ("valid_until = 2028-12-31", "valid_until = 2026-02-01", "before it begins"),
        ('["od_trips", "presence"]', '["od_trip"]', "is no product"),
        ('["od_trips", "presence"]', '["presence", "od_trips"]', "not sorted"),
        ('["od_trips", "presence"]', "[]", "products"),
        ('"restricted"', '"internal"', "sensitivity"),
        ("finest_resolution = 5", "finest_resolution = 5.5", "finest_resolution"),
        ("finest_resolution = 5", 'least_quality = "B"', "of flows only, not of presence"),
        ("finest_resolution = 5", 'note = "x"', "note"),
        ("version = 1", "version =", "is not TOML"),
    ],
)
def test_an_agreement_that_cannot_be_kept_is_refused(old, new, complaint, tmp_path):
    (tmp_path / "health-2026.toml").write_text(TEXT.replace(old, new))
    with pytest.raises(ConfigError, match=complaint):
        Agreement.load(tmp_path / "health-2026.toml")


def test_a_missing_agreement_is_said_so(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        Agreement.load(tmp_path / "none.toml")


def refused_part(release, complaint, *, day=None, **changes):
    with pytest.raises(PrivacyError, match=complaint) as refused:
        shared(release, agreement(**changes), day=day)
    assert refused.value.remedy
    return refused


@pytest.mark.parametrize(
    ("day", "complaint"), [(date(2026, 2, 28), "has not begun on 2026-02-28"), (date(2029, 1, 1), "ended on 2029")]
)
def test_nothing_is_shared_outside_the_term_of_an_agreement(day, complaint):
    refused_part(release_of("od_trips"), complaint, day=day)


def test_nothing_is_shared_that_an_agreement_does_not_name():
    refused_part(release_of("od_trips"), "does not name od_trips", products=("presence",))


def test_what_is_restricted_is_not_shared_under_an_agreement_for_what_is_public():
    refused_part(release_of("od_trips"), "is restricted .*is not for that", sensitivity="public")


def test_a_restriction_ends_on_the_day_that_the_card_says():
    card = verified_card(release_of("od_trips")).model_copy(deep=True)
    fresh = card.sensitivity.model_copy(update={"now": "restricted", "until": "2026-05-01", "then": "public"})
    card = card.model_copy(update={"sensitivity": fresh})

    assert [class_on(card, date(2026, 4, 30)), class_on(card, date(2026, 5, 1))] == ["restricted", "public"]
    agreement(sensitivity="public").require_covers(card, date(2026, 5, 1))
    with pytest.raises(PrivacyError, match="is restricted"):
        agreement(sensitivity="public").require_covers(card, date(2026, 4, 30))


def test_what_is_internal_is_shared_under_no_agreement():
    card = verified_card(release_of("od_trips"))
    inside = card.sensitivity.model_copy(update={"now": "internal", "until": None, "then": None})
    with pytest.raises(PrivacyError, match="is internal"):
        agreement().require_covers(card.model_copy(update={"sensitivity": inside}), date(2026, 4, 30))


def verified_card(release):
    from jobs.publish.shown import Shown

    return Shown.of(release).card


@pytest.mark.parametrize(
    ("name", "changes", "complaint"),
    [
        ("od_trips", {"finest_resolution": None}, "allows none of them"),
        ("od_trips by unit", {"finest_admin_level": None}, "allows none of them"),
        ("od_trips", {"finest_resolution": 3}, "has nothing as coarse as resolution 3"),
        ("presence", {"finest_resolution": 3}, "has nothing as coarse as resolution 3"),
    ],
)
def test_zones_that_an_agreement_does_not_allow_are_not_shared(name, changes, complaint):
    refused_part(release_of(name), complaint, **changes)


def test_an_agreement_down_to_the_finest_level_lets_all_rows_through():
    _, files = shared(release_of("od_trips"), agreement(finest_resolution=9))
    whole = whole_of("od_trips")
    assert all(files[name] == whole[name] for name in ("od_trips.csv", "od_trips.parquet", "zones.geojson"))


def signed_again(files, *, by="forger", slug=SLUG):
    files = {name: content for name, content in files.items() if name not in (SUMS_NAME, SIGNATURE_NAME)}
    files |= {SUMS_NAME: sums_bytes(files)}
    return files | {SIGNATURE_NAME: signature_bytes(slug, files, key_of(by))}


def noticed(change):
    note = json.loads(part_of("od_trips")[1][SHARING_NAME])
    change(note)
    return part_of("od_trips")[1] | {SHARING_NAME: json.dumps(note).encode()}


def in_agreement(**values):
    def change(note):
        note["agreement"] |= values
        note["agreement_sha256"] = Agreement.of(note["agreement"]).sha256

    return lambda: noticed(change)


def finest_row():
    whole = release_of("od_trips")
    _, files = part_of("od_trips")
    rows = read_parquet(files["od_trips.parquet"], OD_TRIPS, most_rows=10_000).to_pylist()
    finer = published_table(whole.table, OD_TRIPS).to_pylist()[:1]
    table = pa.Table.from_pylist([*finer, *rows], schema=arrow_schema(OD_TRIPS))
    return files | {"od_trips.csv": csv_bytes(table), "od_trips.parquet": parquet_bytes(table)}


def with_card(change):
    card = json.loads(part_of("od_trips")[1]["card.json"])
    change(card)
    package = json.loads(part_of("od_trips")[1]["datapackage.json"])
    package["sensitivity"] = Card.model_validate_json(json.dumps(card)).sensitivity.text
    words = {"card.json": card, "datapackage.json": package}
    return part_of("od_trips")[1] | {name: json.dumps(said).encode() for name, said in words.items()}


def whole_zones():
    return part_of("od_trips")[1] | {"zones.geojson": whole_of("od_trips")["zones.geojson"]}


FORGERIES = {
    "another recipient": (lambda: noticed(lambda n: n["agreement"].update(recipient="Acme")), "not that of its digest"),
    "another recipient, digested": (in_agreement(recipient="Acme"), "README.md says something else"),
    "a finer agreement": (in_agreement(finest_resolution=6), "not what the agreement leaves"),
    "a coarser agreement": (in_agreement(finest_resolution=4), "not what the agreement|not a resolution of"),
    "no zones": (lambda: noticed(lambda n: n.update(domain=None)), "sharing.json is refused|contradicts"),
    "an ended agreement": (in_agreement(valid_until="2026-03-10"), "ended on 2026-03-17"),
    "another product": (in_agreement(products=["presence"]), "does not name od_trips"),
    "a public agreement": (in_agreement(sensitivity="public"), "is restricted"),
    "a better grade": (in_agreement(products=["od_trips"], least_quality="A"), "a row has quality"),
    "before the seal": (lambda: noticed(lambda n: n.update(shared_on="2026-03-15")), "from before it was sealed"),
    "another release": (lambda: noticed(lambda n: n.update(release="od_trips_2026-W10_r2")), "is of another release"),
    "a strange key": (lambda: noticed(lambda n: n.update(note="x")), "note"),
    "a class that ends on no day": (
        lambda: with_card(lambda card: card["sensitivity"].update(until="soon", then="public")), "a day that is none",
    ),
    "an internal release": (
        lambda: with_card(lambda card: card["sensitivity"].update({"class": "internal"})),
        "is internal",
    ),
    "a finer row": (finest_row, "contradicts itself|lies outside|not those of the table"),
    "finer zones": (whole_zones, "zones.geojson contradicts"),
    "no sharing.json": (
        lambda: {n: c for n, c in part_of("od_trips")[1].items() if n != SHARING_NAME}, "zones.geojson contradicts",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", FORGERIES)
def test_a_shared_bundle_that_breaks_its_agreement_or_contradicts_itself_is_refused(what, tmp_path):
    forge, complaint = FORGERIES[what]
    with pytest.raises(BundleError, match=complaint):
        verify_bundle(written(tmp_path / "bundle", signed_again(forge())))


def test_the_bundle_of_one_recipient_cannot_be_passed_off_as_another_s(tmp_path):
    _, files = part_of("od_trips")
    signed = signature_bytes(SLUG.replace("health", "trade"), files, key_of("gate"))
    with pytest.raises(BundleError, match="that of another bundle"):
        verify_bundle(written(tmp_path / "bundle", files | {SIGNATURE_NAME: signed}))


def test_a_share_signed_after_its_key_was_revoked_is_refused_and_one_signed_before_is_not(tmp_path):
    slug, files = part_of("od_trips")
    folder = written(tmp_path / slug, files)
    day = datetime.combine(share_day(release_of("od_trips")), datetime.min.time(), UTC)

    assert verify_bundle(folder, trust=trust(("gate", day + timedelta(1))))
    with pytest.raises(BundleError, match="is revoked"):
        verify_bundle(folder, trust=trust(("gate", day)))


@pytest.mark.parametrize("place", [0, 0.999])
@pytest.mark.parametrize("name", sorted(part_of("od_trips")[1]))
def test_one_byte_changed_anywhere_is_found(name, place, tmp_path):
    slug, files = part_of("od_trips")
    content = bytearray(files[name])
    content[int(place * len(content))] ^= 1
    with pytest.raises(BundleError):
        verify_bundle(written(tmp_path / slug, files | {name: bytes(content)}))


def test_what_reads_a_verified_part_sees_the_zones_and_levels_that_it_shows(tmp_path):
    slug, files = part_of("displacement")
    _, contents = verified(written(tmp_path / slug, files))

    assert contents.card.zones.base_resolution == 5
    assert contents.released.zones.base_resolution == 6
    assert {h3.get_resolution(home) for home in contents.card.homes} == {5}
    assert contents.card.privacy.micro_rho == contents.released.privacy.micro_rho
