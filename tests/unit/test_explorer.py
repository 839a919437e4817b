"""The data, the words and the frame of an explorer: what can be checked without a browser."""

import base64
import functools
import hashlib
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.publish.adding.asked import Asked
from jobs.publish.adding.pair_sums import pair_sums
from jobs.publish.approvals import signature_bytes
from jobs.publish.displacement_series import returns
from jobs.publish.drawn_zones import drawn_zones
from jobs.publish.explorer.basemap import basemap_block
from jobs.publish.explorer.basemap_source import basemap_of, line_of
from jobs.publish.explorer.block import SCHEMA, data_block
from jobs.publish.explorer.compact import compact, compact_share
from jobs.publish.explorer.inputs import Source, series_of
from jobs.publish.explorer.page import PROGRAM, json_in_html, page_html, program_text, style_text
from jobs.publish.explorer.places import Plane
from jobs.publish.explorer.run import names_in, write_explorer
from jobs.publish.explorer.words import LANGUAGES, catalogue
from jobs.publish.forms import FORMS
from jobs.publish.od_map import Projection
from jobs.publish.pair_errors import pair_errors
from jobs.publish.readme import PAGE_NAME, readme_text
from jobs.publish.situation.estimate import Trust, clear_sds
from jobs.publish.situation.figures import LEVELS, clear_origins, figures_of
from jobs.publish.situation.run import Keys
from jobs.publish.sums import SIGNATURE_NAME, SUMS_NAME, sums_bytes
from jobs.publish.tables import arrow_schema, public_contract
from jobs.publish.verify import verify_bundle
from schemas.errors import BundleError, ConfigError, InputError
from schemas.published import OD_TRIPS
from tests.approvals import key_of, trust
from tests.explorers import example_names, files_of_example, flood, page_of, sized, source_of, trips
from tests.readers import DISK, bounded_of, drawn, gravity
from tests.unit.test_bundle_example import example_release, plan_for

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "jobs" / "publish" / "explorer"


def block_of(page, name="data"):
    found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', page.decode())
    return json.loads(found[1])


def shape_of(words):
    """What two catalogues share: keys, lengths of lists, and the gaps of each text."""
    if isinstance(words, dict):
        return {key: shape_of(value) for key, value in words.items()}
    if isinstance(words, list):
        return [shape_of(value) for value in words]
    return sorted(set(re.findall(r"\{(\w+)\}", words)))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_languages_have_the_same_words_with_the_same_gaps(language):
    assert shape_of(catalogue(language)) == shape_of(catalogue("en"))


def test_every_word_that_the_program_asks_for_is_in_the_catalogue_and_none_is_there_for_nothing():
    program, words = program_text(), catalogue("en")
    asked = set(re.findall(r'say\("(\w+)"', program)) | set(re.findall(r"\bwords\.(\w+)", program))
    asked |= set(re.findall(r'sayOf\("(\w+)"', program)) | set(re.findall(r"CATALOGUES\[\w+\]\.(\w+)", program))
    chosen = set(re.findall(r'"(\w+)"', program)) | {
        "cardNewlyPerDay",
        "cardReturnedPerDay",
        "cardNewly",
        "cardReturned",
    }

    assert asked - words.keys() == set()
    assert words.keys() - asked - chosen == set()


def test_no_language_calls_people_away_by_the_word_for_the_displaced():
    for language, word in (("fr", "déplacés"), ("ar", "نازح")):
        texts = json.dumps(catalogue(language) | {"kindAway": ""}, ensure_ascii=False)
        assert word not in texts


@pytest.mark.parametrize("product", FORMS)
def test_every_product_has_a_name_in_every_language(product):
    assert all(catalogue(language)["products"][product] for language in LANGUAGES)


def test_the_page_is_one_file_that_names_no_address():
    page = page_of(trips()[:2]).decode()
    addresses = set(re.findall(r"(?:https?:)?//[\w-]+\.[\w.]+", re.sub(r"^\s*//.*$", "", page, flags=re.MULTILINE)))

    assert addresses == {"http://www.w3.org"}
    assert re.findall(r"<(?:link|img|iframe|object|embed|base|form)\b", page) == []
    assert re.findall(r"<script src|url\((?!#hatch)|@import", page) == []


def test_the_policy_allows_this_program_and_this_style_and_nothing_else():
    page = page_of(trips()[:1]).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)[1]
    (program,) = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    (style,) = re.findall(r"<style>(.*?)</style>", page, flags=re.DOTALL)

    def digest(text):
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    assert policy.startswith("default-src 'none'; ")
    assert f"script-src {digest(program)}; style-src {digest(style)};" in policy
    assert "unsafe" not in policy


@given(st.text())
def test_no_text_ends_the_block_that_holds_it(text):
    told = json_in_html({"title": text, text: 1})

    assert not set(told) & set("<>&\u2028\u2029")
    assert json.loads(told) == {"title": text, text: 1}


def test_the_program_makes_no_markup_of_texts_and_runs_none():
    program = program_text()

    for way in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        "fetch(",
        "XMLHttp",
    ):
        assert way not in program
    assert {path.name for path in (PACKAGE / "js").iterdir()} == set(PROGRAM)
    assert "</script" not in program
    assert "</style" not in style_text()


def test_hostile_titles_and_names_stay_texts():
    harm = "</script><script>alert(1)</script>"
    page = page_of(trips(title=harm, definition=harm)[:1], names=example_names())

    assert page.decode().count("<script>") == 1
    assert block_of(page)["products"][0]["definitionText"] == harm


def test_the_same_bundles_give_the_same_bytes_in_another_process():
    code = (
        "import hashlib; from tests.explorers import page_of, trips;"
        "print(hashlib.sha256(page_of(trips()[:3])).hexdigest())"
    )
    environment = os.environ | {"PYTHONHASHSEED": "4711", "PYTHONPATH": str(ROOT), "TZ": "Pacific/Fiji"}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)

    assert run.stdout.strip() == hashlib.sha256(page_of(trips()[:3])).hexdigest()


def test_the_order_of_the_bundles_does_not_matter():
    sources = trips()[:3] + flood()[:3]

    assert page_of(sources) == page_of(sources[::-1])


def test_a_country_of_800_zones_12_weeks_and_300_flows_stays_under_a_megabyte_and_a_half():
    assert len(page_of(sized())) <= 1_500_000


@given(st.floats(-1e7, 1e7), st.floats(0.02, 1e4))
def test_a_number_is_rounded_far_below_its_noise(value, sd):
    assert abs(compact(value, sd) - value) <= max(0.006 * sd, 0.0005001)


def test_the_flows_of_the_page_are_the_rows_of_the_table():
    source = source_of(example_release(radius=8))
    block = data_block(series_of([source]), checked="sums")
    flows, codes = block["products"][0]["flows"][0], block["map"]["codes"]
    rows = source.table.to_pandas().set_index(["origin", "destination"])
    listed = zip(flows["o"], flows["d"], flows["v"], flows["s"], flows["t"], strict=True)

    for origin, destination, value, sd, status in listed:
        row = rows.loc[(codes[origin], codes[destination])]
        assert value == pytest.approx(row["value"], abs=0.01 * row["noise_sd"])
        assert sd == pytest.approx(row["noise_sd"], rel=1e-3)
        assert row["status"].startswith(status)
    assert flows["all"] == len(rows) - 1
    assert len(flows["o"]) == flows["all"]


def test_the_total_is_the_sum_of_all_rows():
    source = source_of(example_release(radius=8))
    total = data_block(series_of([source]), checked="sums")["products"][0]["total"]

    assert total["v"][0] == pytest.approx(source.table["value"].to_numpy().sum(), rel=1e-3)
    assert total["s"][0] > 0


@functools.cache
def moves():
    """A bundle of trips as a reader has it, whose fine flows leave rests at coarser levels, and its page's data."""
    bundle = drawn(plan_for(DISK), bounded_of(plan_for(DISK), gravity(plan_for(DISK), people=60_000)), seed=1)
    features = tuple(bundle.zones["features"])
    source = Source(bundle.card, public_table(bundle), features, ("SHA256SUMS", "ab" * 32))
    return bundle, data_block(series_of([source]), checked="sums")


def public_table(bundle):
    columns = [(field.name, field.type) for field in arrow_schema(OD_TRIPS)]
    return pa.Table.from_pandas(bundle.rows[[name for name, _ in columns]], preserve_index=False).cast(
        pa.schema(columns)
    )


@pytest.mark.parametrize("side", ["out", "in"])
@pytest.mark.parametrize("level", [4, 5, 6])
def test_what_leaves_and_reaches_a_zone_of_any_level_is_what_adding_rows_up_says(level, side):
    bundle, block = moves()
    layer = next(one for one in block["products"][0]["layers"] if one["id"] == side)
    cell, codes = layer["cells"][""][f"h{level}"], block["map"]["codes"]

    zones = drawn_zones([bundle])

    assert len(cell["z"]) > 1
    for zone, value, sd in list(zip(cell["z"], cell["v"][0], cell["s"][0], strict=True))[:12]:
        told = pair_sums(bundle, zones, Asked(zones=(codes[zone],))).sums
        (expected,) = (one for one in told if one.labels["flow"] == side)
        assert value == pytest.approx(expected.value, abs=0.01 * sd + 0.001)
        assert sd == pytest.approx(expected.sd, rel=1e-3)


def test_a_coarse_zone_that_no_row_names_is_drawn_because_finer_flows_lie_in_it():
    bundle, _ = moves()
    fine = bundle.rows[(bundle.rows["res_from"] == 6)]
    features = tuple(f for f in bundle.zones["features"] if f["properties"]["resolution"] == 6)
    source = Source(
        bundle.card, public_table(replace(bundle, rows=pd.concat([fine, bundle.rows.tail(1)]))), features, ("", "")
    )
    drawn_map = data_block(series_of([source]), checked="sums")["map"]

    assert "remainder" in set(source.table["status"].to_pylist())
    assert {drawn_map["levels"][k] for k in drawn_map["level"]} == {"h4", "h5", "h6"}
    assert all(drawn_map["paths"])


def test_the_errors_of_sums_are_those_of_all_readers():
    bundle, block = moves()
    errors, product = pair_errors(bundle, drawn_zones([bundle])), block["products"][0]
    published = (bundle.rows["status"] == "published").to_numpy()
    within = published & (bundle.rows["origin"] == bundle.rows["destination"]).to_numpy()

    assert product["total"]["s"][0] == pytest.approx(errors.total_sd, rel=1e-3)
    assert product["published"]["s"][0] == pytest.approx(errors.sd_of(published.astype(float)), rel=1e-3)
    assert product["within"]["s"][0] == pytest.approx(errors.sd_of(within.astype(float)), rel=1e-3)
    assert product["flows"][0]["published"] == published.sum()


def test_an_event_is_told_by_the_situation_s_own_figures():
    sources = flood()
    area = data_block(series_of(sources), checked="sums")["products"][0]["area"]
    rows = pd.concat([source.table.to_pandas() for source in sources]).astype(dict.fromkeys(LEVELS, float))
    figures = figures_of(rows, date(2026, 4, 8))

    assert area["people"]["v"][1:] == pytest.approx([moment.people_away.value for moment in figures.moments], rel=1e-2)
    assert area["usual"][0] == pytest.approx(figures.usual.value, rel=1e-2)
    assert area["excess"]["v"][0] is None
    assert area["excess"]["v"][1] is not None


def test_places_of_origin_are_listed_and_judged_as_on_the_situation_page():
    sources = flood()
    block = data_block(series_of(sources), checked="sums")
    origins, codes = block["products"][0]["origins"], block["map"]["codes"]
    rows = pd.concat([source.table.to_pandas() for source in sources]).astype(dict.fromkeys(LEVELS, float))
    figures = figures_of(rows, date(2026, 4, 8))
    sds = clear_sds(len(figures.origins))
    told = {codes[origin["z"]]: origin for origin in origins}
    chance = [o for o in figures.origins if o.away.trust is not Trust.NOT and not o.away.is_clear(sds)]

    assert {zone for zone, one in told.items() if one["listed"][-1]} == {o.zone for o in clear_origins(figures.origins)}
    assert not any(told[origin.zone]["listed"][-1] for origin in chance)
    for origin in clear_origins(figures.origins):
        curve = returns(origin.moments, origin.usual)
        assert told[origin.zone]["gone"]["v"][-1] == pytest.approx(curve.points[-1].returned.value, abs=1e-6)


@given(st.integers(0, 100), st.floats(0.502, 0.998))
def test_a_share_is_rounded_to_per_cent_once(per_cent, part):
    share = (per_cent - 1 + part) / 100

    assert round(100 * compact_share(share)) == per_cent
    assert compact_share(0.8148) == 0.8148


def test_a_release_is_provisional_by_the_card_s_rule():
    early, settled, untold = (
        data_block(series_of(trips(delivered_until=until)[:1]), checked="sums")["products"][0]["periods"][0]["release"]
        for until in (date(2026, 1, 1), date(2026, 12, 31), None)
    )

    assert early["provisional"]
    assert not settled["provisional"]
    assert not untold["provisional"]


def test_of_several_revisions_the_last_is_shown():
    first = trips()[0]
    second = replace(first, card=first.card.model_copy(update={"revision": 2, "title": "second"}))
    (series,) = series_of([second, first])

    assert [source.card.title for source in series.sources] == ["second"]


def test_bundles_that_do_not_belong_together_are_refused():
    one = trips()[0]
    real = replace(one, card=one.card.model_copy(update={"synthetic": False, "period": "2026-W11"}))
    far = replace(sized(weeks=1)[0], features=({"properties": {"zone": "861f1d48fffffff", "resolution": 6}},))

    with pytest.raises(BundleError, match="one is synthetic"):
        series_of([one, real])
    with pytest.raises(BundleError, match="no zone in common"):
        series_of([one, far])
    with pytest.raises(ConfigError, match="No bundle"):
        series_of([])


def test_a_synthetic_country_lies_on_no_real_land():
    synthetic = data_block(series_of(trips()[:1]), checked="sums")["map"]["base"]
    real = data_block(series_of(trips(synthetic=False)[:1]), checked="sums")["map"]["base"]

    assert synthetic == []
    assert real


@pytest.mark.parametrize(("longitude", "latitude"), [(57.5, -20.2), (179.9, -17.5), (-179.9, 66.0), (30.0, -14.0)])
def test_land_is_found_also_across_180_degrees(longitude, latitude):
    plane = Plane(Projection(longitude, latitude), np.array([-600.0, -600.0]), np.array([600.0, 600.0]))
    paths = basemap_block(plane)
    corners = [int(number) for path in paths for number in re.findall(r"M(-?\d+)", path)]

    assert paths
    assert all(-2_100 <= x <= 6_100 for x in corners)


def test_lines_of_the_basemap_come_back_as_they_were_to_a_hundredth_of_a_degree():
    topology = {
        "transform": {"scale": [0.001, 0.001], "translate": [-180, -90]},
        "arcs": [[[190_000, 100_000], [4_000, 0], [0, 4_000], [-4_000, 0], [0, -4_000]]],
        "objects": {"countries": {"geometries": [{"type": "Polygon", "arcs": [[0]]}]}},
    }
    found = basemap_of(topology)

    expected = [[10, 10], [14, 10], [14, 14], [10, 14], [10, 10]]
    assert np.allclose(line_of(found["lines"][0], found["step"]), expected, atol=0.01)
    assert found["countries"] == [[[[0]]]]


def test_the_basemap_is_small_and_says_where_it_is_from():
    packaged = (PACKAGE / "basemap.json").read_bytes()

    assert len(packaged) <= 400_000
    assert "public domain" in json.loads(packaged)["source"]


def test_a_bundle_holds_its_page(tmp_path):
    files = files_of_example()
    block = block_of(files[PAGE_NAME])
    csv = hashlib.sha256(files["od_trips.csv"]).hexdigest()

    assert block["schema"] == SCHEMA
    assert block["checked"] == "bundle"
    assert block["products"][0]["periods"][0]["release"]["sha256"] == csv
    assert "`situation.html`" in files["README.md"].decode()
    assert len(files[PAGE_NAME]) < 250_000
    assert verify_bundle(written(tmp_path / "bundle", files)).page.endswith("is what this version draws of the table.")


def test_a_page_that_another_hand_drew_is_told_and_not_refused(tmp_path):
    files = files_of_example() | {PAGE_NAME: files_of_example()[PAGE_NAME].replace(b"4px", b"5px")}

    assert "is not what this version draws" in verify_bundle(written(tmp_path / "bundle", files)).page


def test_a_bundle_of_before_there_were_pages_is_verified(tmp_path):
    files = {name: content for name, content in files_of_example().items() if name != PAGE_NAME}
    card = source_of(example_release(radius=8)).card
    old = files | {"README.md": readme_text(card, public_contract("od_trips"), has_page=False).encode()}

    assert b"situation.html" not in old["README.md"]
    assert verify_bundle(written(tmp_path / "old", old)).rows > 0


def test_a_bundle_whose_readme_names_a_page_that_is_gone_is_refused(tmp_path):
    files = {name: content for name, content in files_of_example().items() if name != PAGE_NAME}

    with pytest.raises(BundleError, match=r"situation\.html is missing"):
        verify_bundle(written(tmp_path / "bundle", files))


def written(folder, files, signer="gate"):
    """A bundle with sums and a signature of its own."""
    files = {name: content for name, content in files.items() if name not in (SUMS_NAME, SIGNATURE_NAME)}
    files |= {SUMS_NAME: sums_bytes(files)}
    folder.mkdir()
    for name, content in (
        files | {SIGNATURE_NAME: signature_bytes("od_trips_2026-W10_r1", files, key_of(signer))}
    ).items():
        (folder / name).write_bytes(content)
    return folder


def test_bundles_are_verified_before_they_are_shown(tmp_path):
    bundle = written(tmp_path / "bundle", files_of_example())
    page = write_explorer([bundle], tmp_path / "out" / "explorer.html")
    assert block_of(page.read_bytes())["checked"] == "sums"

    (bundle / "od_trips.csv").write_bytes(b"period\n")
    with pytest.raises(BundleError):
        write_explorer([bundle], tmp_path / "other.html")
    assert not (tmp_path / "other.html").exists()


def test_bundles_of_two_operators_are_refused_and_two_keys_of_one_are_known_by_its_list(tmp_path):
    folders = [written(tmp_path / name, files_of_example(), name) for name in ("gate", "former gate", "stranger")]
    with pytest.raises(BundleError, match="signed by different keys"):
        write_explorer(folders[::2], tmp_path / "explorer.html")
    assert not (tmp_path / "explorer.html").exists()

    listed = Keys(trust=trust())
    pages = [
        write_explorer(order, tmp_path / "e.html", keys=listed).read_bytes() for order in (folders[:2], folders[1::-1])
    ]
    assert pages[0] == pages[1]


@pytest.mark.parametrize("content", [b"code,name\n1,a\n", b"\xff\xfe\x00", b"zone,name\n86\n"])
def test_a_table_that_names_no_zones_is_refused(content, tmp_path):
    (tmp_path / "names.csv").write_bytes(content)

    with pytest.raises(InputError, match="no table of names"):
        names_in(tmp_path / "names.csv")


def test_names_are_taken_where_the_bundle_has_none():
    (zone, name), *_ = example_names().items()
    told = data_block(series_of(trips()[:1]), names={zone: name}, checked="sums")["map"]

    assert told["names"] == {str(told["codes"].index(zone)): name}


def test_the_page_is_made_of_what_it_is_given():
    assert page_html({"schema": 9}) != page_html({"schema": 8})
