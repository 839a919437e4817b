"""What is exported says what the bundle says, in every format, to an independent reader of it."""

import csv
import io
import json
import re
import sqlite3
import zipfile
from dataclasses import replace
from functools import cache
from hashlib import sha256
from xml.etree import ElementTree

import duckdb
import geopandas as gpd
import h3
import msgspec
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pyogrio
import pytest
import rdflib
import shapely
from hypothesis import example, given
from hypothesis import strategies as st
from pysdmx.io.csv.sdmx20.reader import read as read_sdmx_csv
from pysdmx.io.json.sdmxjson2.messages.structure import JsonStructureMessage

from jobs.export_verbs import FormatName
from jobs.publish.bundle import bundle_files
from jobs.publish.export.classes import classes_of, shows_value
from jobs.publish.export.formats import ALL, FORMATS, export_files
from jobs.publish.export.hxl import tags_of
from jobs.publish.export.layers import layers_of
from jobs.publish.export.plain import cell_text, unmarked
from jobs.publish.export.sdmx_codes import escaped, label_code
from jobs.publish.export.source import read_source
from privacy.unit import Period
from schemas.errors import BundleError, ConfigError
from schemas.published import PUBLIC_TABLE
from tests.approvals import clearance_for
from tests.exports import (
    DRAWN,
    NO_ZONES,
    PAIRS,
    PLAIN_FORMATS,
    PRODUCTS,
    bundle_of,
    exported,
    one,
    release_of,
    residents_by_unit,
    source_of,
)
from tests.plans import CELLS, PERIODS
from tests.unit.test_bundle_example import plan_for
from tests.unit.test_product_bundles import released

KML = {"k": "http://www.opengis.net/kml/2.2"}
HOSTILE = '=HYPERLINK("https://evil.example","{}")<script>alert(1)</script>\u202e\n| [x](y)'


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    root = tmp_path_factory.mktemp("bundles")
    return {product: source_of(release_of(product), root / product) for product in PRODUCTS}


@pytest.fixture(scope="module")
def exports(sources):
    return {product: exported(source, ALL) for product, source in sources.items()}


@cache
def rows_of(product):
    """The rows as the bundle has them."""
    files = bundle_files(release_of(product), clearance_for(release_of(product)))
    return pd.read_parquet(io.BytesIO(files[f"{product}.parquet"]))


def opened(content, folder, name):
    (folder / name).write_bytes(content)
    return folder / name


def test_the_command_line_names_the_formats_that_there_are():
    assert [str(name) for name in FormatName] == [*FORMATS, ALL]
    assert set(PRODUCTS) == set(PUBLIC_TABLE)


@pytest.mark.parametrize("product", PRODUCTS)
def test_every_product_is_exported_in_every_format_that_can_show_it(product, sources, exports):
    endings = {name.removeprefix(sources[product].stem) for name in exports[product]}
    assert endings >= {".csv", ".parquet", "_sdmx.csv", "_sdmx_structure.json", "_dcat.jsonld"}
    assert {".gpkg", ".kmz", "_zones.geojson"} <= endings if product in DRAWN else ".gpkg" not in endings
    assert ({"_locations.csv", "_flows.csv"} <= endings) == (product in PAIRS)


@pytest.mark.parametrize("product", PRODUCTS)
def test_names_of_files_say_product_period_and_revision_and_nothing_of_the_data(product, exports):
    period = PERIODS.get(product) or {"od_trips": "2026-W10"}.get(product, "2026-03")
    assert all(name.startswith(f"{product}_{period}_r1_synthetic") for name in exports[product])
    assert all(re.fullmatch(r"[A-Za-z0-9_.\-]+", name) for name in exports[product])


@pytest.mark.parametrize("product", ["od_trips", "residents", "displacement"])
def test_the_same_bundle_gives_the_same_bytes_from_its_folder_or_read_again(product, exports, tmp_path):
    again = read_source(bundle_of(release_of(product), tmp_path))
    assert exported(again, ALL) == exports[product]


@pytest.mark.parametrize("product", PRODUCTS)
def test_pandas_reads_the_published_numbers_from_the_csv(product, exports):
    columns = list(PUBLIC_TABLE[product].names)
    read = pd.read_csv(io.BytesIO(one(exports[product], "_synthetic.csv")), keep_default_na=False, na_values=[""])
    assert list(read.columns)[: len(columns)] == columns
    expected = rows_of(product)
    numbers = ["value", "noise_sd", "ci_low", "ci_high"]
    np.testing.assert_array_equal(read[numbers], expected[numbers])
    words = [name for name in columns if expected[name].dtype == object]
    assert read[words].fillna("").equals(expected[words].fillna(""))


@pytest.mark.parametrize("product", PRODUCTS)
def test_duckdb_reads_the_published_numbers_and_what_to_know_from_the_parquet(product, exports, tmp_path):
    path = opened(one(exports[product], "_synthetic.parquet"), tmp_path, "table.parquet")
    ((total, rows),) = duckdb.sql(f"select sum(value), count(*) from '{path}'").fetchall()
    assert (rows, pytest.approx(total)) == (len(rows_of(product)), rows_of(product)["value"].sum())
    notes = {key.decode(): text.decode() for key, text in pq.read_schema(path).metadata.items()}
    assert notes["whimbrel.synthetic"] == "yes: nobody lives here"
    assert release_of(product).card["definition_id"] == notes["whimbrel.definition_id"]
    meaning = pq.read_schema(path).field("value").metadata[b"meaning"]
    assert meaning.decode() == next(c.meaning for c in PUBLIC_TABLE[product].columns if c.name == "value")


@pytest.mark.parametrize("product", DRAWN)
def test_geoparquet_is_of_version_1_1_with_boxes_and_holds_the_rows_that_are_drawn(product, sources, exports, tmp_path):
    drawn = [layer for layer in layers_of(sources[product]) if layer.kind != "nothing"]
    files = [name for name in exports[product] if name.endswith(".geo.parquet")]
    assert len(files) == len(drawn)
    read = {}
    for name in files:
        path = opened(exports[product][name], tmp_path, name)
        geo = json.loads(pq.read_schema(path).metadata[b"geo"])
        assert geo["version"] == "1.1.0"
        assert "bbox" in geo["columns"]["geometry"]["covering"]
        read[name] = gpd.read_parquet(path)
        assert read[name].crs == "OGC:CRS84"
    assert sum(map(len, read.values())) == sum(len(layer.rows) for layer in drawn)
    west, south, east, north = pd.concat([rows.geometry for rows in read.values()]).total_bounds
    assert -180 <= west < east <= 180
    assert -90 <= south < north <= 90
    assert sources[product].zones.total_bounds[[0, 1]] == pytest.approx([west, south], abs=0.2)


@pytest.fixture
def geopackage(tmp_path, exports):
    return lambda product: opened(one(exports[product], ".gpkg"), tmp_path, f"{product}.gpkg")


@pytest.mark.parametrize("product", DRAWN)
def test_a_geopackage_holds_every_row_once_and_is_one_by_its_own_tables(product, geopackage):
    path = geopackage(product)
    with sqlite3.connect(path) as base:
        assert base.execute("pragma integrity_check").fetchone() == ("ok",)
        assert base.execute("pragma application_id").fetchone() == (0x47504B47,)
        listed = [name for (name,) in base.execute("select table_name from gpkg_contents")]
        changed = {at for (at,) in base.execute("select last_change from gpkg_contents")}
        of_rows = [name for name in listed if name not in ("metadata", "zones", "layer_styles")]
        counts = [base.execute(f'select count(*), sum(value) from "{name}"').fetchone() for name in of_rows]
    assert changed == {f"{release_of(product).card['sealed_on']}T00:00:00.000Z"}
    assert sum(rows for rows, _ in counts) == len(rows_of(product))
    assert sum(value for _, value in counts) == pytest.approx(rows_of(product)["value"].sum())


@pytest.mark.parametrize("product", DRAWN)
def test_a_geopackage_says_what_to_know_before_using_a_number(product, geopackage):
    path = geopackage(product)
    facts = pyogrio.read_dataframe(path, layer="metadata").set_index("name")["text"]
    assert facts["source_bundle"] in path.name or facts["source_bundle"].startswith(product)
    assert facts["synthetic"] == "yes: nobody lives here"
    with sqlite3.connect(path) as base:
        told = [text for (text,) in base.execute("select description from gpkg_contents")]
    assert all(text.startswith("SYNTHETIC DATA") for text in told)


def leaves(rule, conditions=()):
    """The condition of each line of a legend that draws something, with those of the lines it stands in."""
    own = (*conditions, *([rule.get("filter")] if rule.get("filter") else []))
    inner = rule.findall("rule")
    if not inner:
        yield " and ".join(f"({condition})" for condition in own)
    for one_rule in inner:
        yield from leaves(one_rule, own)


@pytest.mark.parametrize("product", DRAWN)
def test_the_style_of_each_layer_draws_every_feature_by_exactly_one_rule(product, geopackage):
    with sqlite3.connect(geopackage(product)) as base:
        styles = dict(base.execute("select f_table_name, styleQML from layer_styles where useAsDefault"))
        drawn = {name for (name,) in base.execute("select table_name from gpkg_geometry_columns")}
        assert styles.keys() == drawn
        for name, text in styles.items():
            style = ElementTree.fromstring(text)
            symbols = {symbol.get("name") for symbol in style.iter("symbol")}
            assert {rule.get("symbol") for rule in style.iter("rule") if rule.get("symbol")} == symbols
            # A QGIS expression over columns and literals is SQL as well: SQLite judges what QGIS would draw.
            conditions = [*leaves(style.find("renderer-v2/rules"))]
            hits = " + ".join(f"coalesce({condition}, 0)" for condition in conditions)
            (counts,) = zip(*base.execute(f'select distinct {hits} from "{name}" where geom is not null'), strict=True)
            assert counts == (1,), name


def test_residual_flows_are_drawn_apart_and_the_remainder_has_no_place(geopackage):
    flows = pyogrio.read_dataframe(geopackage("od_trips"), layer="od_trips")
    assert list(flows[flows.geometry.isna()]["status"]) == ["remainder"]
    assert set(flows["status"]) == {"published", "residual", "remainder"}
    with sqlite3.connect(geopackage("od_trips")) as base:
        (style,) = base.execute("select styleQML from layer_styles where f_table_name = 'od_trips'").fetchone()
    (residual,) = [rule for rule in ElementTree.fromstring(style).iter("rule") if "residual" in rule.get("label")]
    symbol = ElementTree.fromstring(style).find(f".//symbol[@name='{residual.get('symbol')}']")
    assert symbol.find(".//Option[@name='line_style']").get("value") == "dash"


def test_flows_lead_from_zone_to_zone_and_loop_where_both_are_one(geopackage, sources):
    zones = sources["od_trips"].zones
    flows = pyogrio.read_dataframe(geopackage("od_trips"), layer="od_trips").dropna(subset=["geometry"])
    for flow in flows.itertuples():
        (line,) = flow.geometry.geoms
        ends = [zones.loc[zone] for zone in (flow.origin, flow.destination)]
        assert line.coords[0] == pytest.approx((ends[0].lng, ends[0].lat))
        assert line.coords[-1] == pytest.approx((ends[1].lng, ends[1].lat))
        assert line.is_ring == (flow.origin == flow.destination)
        km = h3.great_circle_distance(*((end.lat, end.lng) for end in ends))
        assert flow.distance_km == pytest.approx(km, abs=0.1)
    assert (flows["origin"] == flows["destination"]).any()


@pytest.mark.parametrize("product", DRAWN)
def test_geojson_is_read_with_the_rows_that_are_drawn_and_goes_anticlockwise(product, sources, exports, tmp_path):
    drawn = sum(len(layer.rows) for layer in layers_of(sources[product]) if layer.kind != "nothing")
    read = []
    for name, content in exports[product].items():
        if name.endswith(".geojson"):
            assert json.loads(content)["metadata"]["synthetic"] == "yes: nobody lives here"
            assert "crs" not in json.loads(content)
            read.append(gpd.read_file(opened(content, tmp_path, name)))
    rings = [ring for rows in read for shape in rows.geometry for ring in rings_of(shape)]
    assert all(shapely.is_ccw(ring) for ring in rings)
    valued = [rows for rows in read if "value" in rows]
    assert sum(map(len, valued)) == drawn
    assert {"noise_sd", "ci_low", "ci_high", "definition_id", "synthetic"} <= set(valued[0].columns)


def rings_of(shape):
    return [part.exterior for part in shape.geoms] if isinstance(shape, shapely.MultiPolygon) else []


@pytest.mark.parametrize("product", DRAWN)
def test_a_kmz_has_a_folder_a_period_in_it_one_a_kind_in_it_a_placemark_a_row(product, sources, exports):
    source = sources[product]
    with zipfile.ZipFile(io.BytesIO(one(exports[product], ".kmz"))) as archive:
        assert [(entry.filename, entry.date_time) for entry in archive.infolist()] == [
            ("doc.kml", (1980, 1, 1, 0, 0, 0))
        ]
        document = ElementTree.fromstring(archive.read("doc.kml")).find("k:Document", KML)
    assert document.findtext("k:name", namespaces=KML).startswith("SYNTHETIC DATA")
    (period,) = document.findall("k:Folder", KML)
    assert period.findtext("k:name", namespaces=KML) == source.card.period
    kinds = period.findall("k:Folder", KML)
    assert [kind.findtext("k:visibility", namespaces=KML) for kind in kinds] == ["1"] + ["0"] * (len(kinds) - 1)
    marks = [mark for kind in kinds for mark in kind.findall("k:Placemark", KML)]
    drawn = [layer.rows[layer.rows["geometry"].notna()] for layer in layers_of(source) if layer.kind != "nothing"]
    assert sorted(float(told(mark)["value"]) for mark in marks) == sorted(pd.concat(drawn)["value"])
    span = Period.parse(source.card.period)
    assert {
        (mark.findtext(".//k:begin", namespaces=KML), mark.findtext(".//k:end", namespaces=KML)) for mark in marks
    } == {(str(span.first_day), str(span.last_day))}
    styles = {f"#{style.get('id')}" for style in document.findall("k:Style", KML)}
    assert {mark.findtext("k:styleUrl", namespaces=KML) for mark in marks} <= styles
    assert all({"ci_low", "ci_high", "unit", "synthetic"} <= told(mark).keys() for mark in marks)


def told(mark):
    """What a placemark says."""
    data = mark.findall("k:ExtendedData/k:Data", KML)
    return {one_datum.get("name"): one_datum.findtext("k:value", namespaces=KML) for one_datum in data}


def test_gdal_reads_the_kmz_too(exports, tmp_path):
    path = opened(one(exports["relocations"], ".kmz"), tmp_path, "flows.kmz")
    layers = [name for name, _ in pyogrio.list_layers(path)]
    read = pd.concat([pyogrio.read_dataframe(path, layer=name) for name in layers])
    expected = rows_of("relocations")
    assert read["value"].astype(float).sum() == pytest.approx(
        expected[expected["status"] != "remainder"]["value"].sum()
    )


@pytest.mark.parametrize("product", PRODUCTS)
def test_pysdmx_reads_data_that_keep_their_structure(product, exports):
    message = msgspec.json.decode(one(exports[product], "_sdmx_structure.json"), type=JsonStructureMessage).to_model()
    (structure,) = message.get_data_structure_definitions()
    (dataflow,) = message.get_dataflows()
    (data,) = read_sdmx_csv(one(exports[product], "_sdmx.csv").decode())
    assert data.structure == dataflow.short_urn
    components = {component.id: component for component in structure.components}
    assert set(data.data.columns) == components.keys()
    for name, component in components.items():
        assert (data.data[name] != "").all()
        if component.enumeration:
            assert set(data.data[name]) <= {code.id for code in component.enumeration}, name
    assert not data.data.duplicated([one_dimension.id for one_dimension in structure.components.dimensions]).any()
    assert [*map(float, data.data["OBS_VALUE"])] == list(rows_of(product)["value"])
    assert [*map(float, data.data["CI_LOWER"])] == list(rows_of(product)["ci_low"])
    assert set(data.data["SYNTHETIC"]) == {"Y"}
    header = one(exports[product], "_sdmx.csv").decode().splitlines()[0].split(",")
    assert [name for name in header if name in FIELD] == FIELD


FIELD = [
    "STRUCTURE", "STRUCTURE_ID", "ACTION", "FREQ", "REF_AREA", "COUNTERPART_AREA", "INDICATOR", "TIME_PERIOD",
    "OBS_VALUE", "CI_LOWER", "CI_UPPER", "OBS_STATUS", "CONF_STATUS",
]  # fmt: skip
"""Columns that readers of mobility statistics know, in their order."""


def test_a_residual_is_another_indicator_than_a_whole_pair(exports):
    (data,) = read_sdmx_csv(one(exports["od_trips"], "_sdmx.csv").decode())
    expected = rows_of("od_trips")["status"].map(
        {"published": "OD_TRIPS", "residual": "OD_TRIPS_RESIDUAL", "remainder": "OD_TRIPS_REMAINDER"}
    )
    assert list(data.data["INDICATOR"]) == list(expected)
    assert list(data.data[data.data["INDICATOR"] == "OD_TRIPS_REMAINDER"]["REF_AREA"]) == ["_T"]


def test_all_weeks_of_a_domain_share_a_structure_and_two_domains_never_do(sources, tmp_path):
    later = source_of(release_of("presence", period="2026-W11"), tmp_path / "later")
    other = source_of(release_of("presence", cells=CELLS[:20]), tmp_path / "other")
    structures = [
        one(exported(one_source, "sdmx"), "_structure.json") for one_source in (sources["presence"], later, other)
    ]
    ids = [json.loads(content)["data"]["dataStructures"][0]["id"] for content in structures]
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("sex", "female", "F"), ("sex", "all", "_T"), ("sex", "not available", "_U"), ("age_band", "15-24", "Y15T24"),
        ("age_band", "65+", "Y_GE65"), ("age_band", "<5", "Y_LT5"), ("age_band", "all", "_T"),
        ("bin_start_h", 8, "H08T12"), ("sim_country", "other", "_O"), ("sim_country", None, "_Z"),
        ("sim_country", "FR", "FR"), ("trips_a_day", 0.25, "0P25"), ("transition", "newly_away", "newly_away"),
    ],
)  # fmt: skip
def test_labels_have_the_cross_domain_codes(column, value, code):
    assert label_code(column, value) == code


@given(st.text(), st.text())
@example("_T", "$5F$T")
@example("-1", "$2D$1")
def test_any_zone_has_a_code_of_its_own_that_sdmx_allows_and_no_spreadsheet_evaluates(first, second):
    assert re.fullmatch(r"[A-Za-z0-9$][A-Za-z0-9_@$\-]*", escaped(first))
    assert (escaped(first) == escaped(second)) == (first == second)


@given(st.text())
@example("=1+1")
@example(" =1+1")
@example("\t=1+1")
@example("\uff1d1+1")
def test_no_cell_begins_a_formula_and_a_reader_gets_the_text_back(text):
    cell = cell_text(text)
    assert not cell.lstrip().startswith(tuple("=+-@|%\t\r\n\uff1d\uff0b\uff0d\uff20"))
    sink = io.StringIO()
    csv.writer(sink).writerow([cell, "next"])
    assert next(csv.reader(io.StringIO(sink.getvalue()))) == [cell, "next"]


@given(st.text())
def test_no_text_is_markup_and_utf_8_can_hold_it(text):
    shown = unmarked(text)
    assert not {"<", ">", "\n", "\x00"} & set(shown)
    assert (ElementTree.fromstring(f"<a>{shown.replace('&', '&amp;')}</a>".encode()).text or "") == shown


@pytest.mark.parametrize("product", PAIRS)
def test_a_flow_map_has_the_published_pairs_between_places_that_it_lists(product, exports):
    places = pd.read_csv(io.BytesIO(one(exports[product], "_locations.csv")))
    flows = pd.read_csv(io.BytesIO(one(exports[product], "_flows.csv")))
    assert list(places.columns) == ["id", "name", "lat", "lon"]
    assert list(flows.columns) == ["origin", "dest", "count", "time", "ci_low", "ci_high"]
    rows = rows_of(product)
    published = rows[rows["status"] == "published"]
    assert flows["count"].sum() == pytest.approx(published["value"].sum())
    assert {*flows["origin"], *flows["dest"]} == set(places["id"])
    assert places["id"].is_unique
    assert all(name.startswith("SYNTHETIC") for name in places["name"])
    assert set(flows["time"]) == {str(Period.parse(rows["period"][0]).first_day)}


@pytest.mark.parametrize("product", PRODUCTS)
def test_rdflib_reads_a_record_that_lists_the_files_with_their_digests(product, sources, exports):
    graph = rdflib.Graph().parse(data=one(exports[product], "_dcat.jsonld"), format="json-ld", publicID="file:///x/")
    found = graph.query(
        """
        prefix dcat: <http://www.w3.org/ns/dcat#> prefix spdx: <http://spdx.org/rdf/terms#>
        select ?url ?digest { ?set a dcat:Dataset; dcat:distribution ?file .
                              ?file dcat:downloadURL ?url; spdx:checksum/spdx:checksumValue ?digest }
        """
    )
    listed = {str(url).removeprefix("file:///x/"): str(digest).lower() for url, digest in found}
    made = {name: content for name, content in exports[product].items() if not name.endswith(".jsonld")}
    assert listed == {name: sha256(content).hexdigest() for name, content in made.items()}
    (about,) = graph.subjects(rdflib.RDF.type, rdflib.DCAT.Dataset)
    assert str(graph.value(about, rdflib.DCTERMS.title)).startswith("SYNTHETIC DATA")
    temporal = graph.value(about, rdflib.DCTERMS.temporal)
    assert str(graph.value(temporal, rdflib.DCAT.endDate)) == str(sources[product].period.last_day)
    assert str(graph.value(about, rdflib.DCTERMS.accessRights)).endswith("/RESTRICTED")


@pytest.mark.parametrize("product", PRODUCTS)
def test_the_readme_says_what_a_reader_must_know(product, sources):
    text, card = export_files(sources[product], ["csv"])["README.md"].decode(), sources[product].card
    assert "**SYNTHETIC DATA: nobody lives here.**" in text
    for told_there in (card.definition_id, card.epsilon_text, card.privacy.interval, sources[product].sha256):
        assert told_there in text
    assert ("That is not zero" in text) == (product in PAIRS)
    assert ("phone-based estimate of people away" in text) == (product == "displacement")
    assert "IDP" not in text
    assert ("_flows.csv" in text) == (product in PAIRS)
    assert export_files(sources[product], [ALL])["README.md"].decode() == text


def test_real_data_bears_no_mark_of_synthetic_data(tmp_path):
    real = source_of(release_of("relocations", synthetic=False), tmp_path)
    files = export_files(real, [ALL])
    assert not [name for name in files if "synthetic" in name]
    assert "SYNTHETIC" not in files["README.md"].decode()
    assert set(pd.read_csv(io.BytesIO(one(files, "r1.csv")))["synthetic"]) == {False}


def test_a_row_of_tags_follows_the_header_where_it_is_asked_for(sources, tmp_path):
    lines = one(exported(sources["od_trips"], "csv", hxl=True), ".csv").decode().splitlines()
    plain = one(exported(sources["od_trips"], "csv"), ".csv").decode().splitlines()
    assert [lines[0], *lines[2:]] == plain
    tags = dict(zip(lines[0].split(","), lines[1].split(","), strict=True))
    assert (tags["origin"], tags["destination"], tags["value"]) == (
        "#loc+code+origin",
        "#loc+code+dest",
        "#indicator+value+num",
    )
    assert all(re.fullmatch(r"#[a-z]+[0-9]?(\+[a-z_]+)*", tag) for tag in tags.values())
    districts = source_of(residents_by_unit(), tmp_path)
    one_level = replace(districts, rows=districts.rows[districts.rows["resolution"] == 2])
    assert tags_of(["zone", "zone_name"], one_level) == ["#adm2+code", "#adm2+name"]
    assert tags_of(["zone"], districts) == ["#loc+code"]


def test_units_keep_their_codes_and_names(tmp_path):
    source = source_of(residents_by_unit(), tmp_path)
    table = pd.read_csv(io.BytesIO(one(exported(source, "csv"), ".csv")))
    assert dict(zip(table["zone"], table["zone_name"], strict=True))["D0"] == "Unit D0"
    files = exported(source, "geojson")
    assert {name.removeprefix(source.stem) for name in files} == {
        "_zone_adm2.geojson", "_zone_sex_adm1.geojson", "_zones.geojson",
    }  # fmt: skip


def test_names_and_codes_of_a_stranger_s_units_are_text_in_every_format(tmp_path):
    source = source_of(residents_by_unit(name=HOSTILE, code="=cmd|<b>{}' OR 1"), tmp_path / "in")
    files = exported(source, ALL)
    for row in csv.DictReader(io.StringIO(one(files, "_synthetic.csv").decode())):
        assert not row["zone"].startswith("=")
        assert not row["zone_name"].startswith("=")
    kml = zipfile.ZipFile(io.BytesIO(one(files, ".kmz"))).read("doc.kml").decode()
    assert "<script" not in kml
    assert "&lt;script" not in kml
    (data,) = read_sdmx_csv(one(files, "_sdmx.csv").decode())
    assert all(re.fullmatch(r"[A-Za-z0-9_$\-]+", code) for code in data.data["REF_AREA"])
    path = opened(one(files, ".gpkg"), tmp_path, "units.gpkg")
    assert "\n" not in "".join(pyogrio.read_dataframe(path, layer="residents_zone_adm2")["zone_name"])


def test_labels_of_a_stranger_stay_inside_their_quotes(sources):
    layer = next(
        one_layer
        for one_layer in layers_of(sources["residents"])
        if one_layer.breakdown.labels and one_layer.kind == "zones"
    )
    odd = layer.rows.assign(sex="x' OR '1'='1\\ [% env('HOME') %] [[%% 1 %]")
    from jobs.publish.export.qgis_style import layer_qml

    style = ElementTree.fromstring(layer_qml(replace(layer, breakdown=replace(layer.breakdown, rows=odd), rows=odd)))
    conditions = {rule.get("filter") for rule in style.findall("renderer-v2/rules/rule")}
    quoted = "\"sex\" = 'x'' OR ''1''=''1\\\\ [% env(''HOME'') %] [[%% 1 %]' AND "
    assert all(condition.startswith(quoted) for condition in conditions)
    labels = [rule.get("label") for rule in style.iter("rule")]
    assert any("env('HOME')" in label for label in labels)
    assert not [label for label in labels if "[%" in label]


@pytest.mark.parametrize(
    ("product", "name"),
    [
        *((product, "flowmap") for product in PRODUCTS if product not in PAIRS),
        *(("contribution_histogram", name) for name in ("gpkg", "geojson", "kmz")),
    ],
)
def test_a_format_that_cannot_show_a_product_is_refused_by_name(product, name, sources):
    with pytest.raises(ConfigError, match=f"{name} cannot show {product}.*csv, parquet"):
        export_files(sources[product], ["csv", name])


def test_of_no_zones_what_needs_none_is_exported(sources):
    files = exported(sources["contribution_histogram"], ALL)
    assert {name.removeprefix(sources["contribution_histogram"].stem) for name in files} == {
        ".csv", ".parquet", "_sdmx.csv", "_sdmx_structure.json", "_dcat.jsonld",
    }  # fmt: skip
    assert [name for name, form in FORMATS.items() if not form.lacks(*NO_ZONES)] == PLAIN_FORMATS


def test_a_release_of_nothing_but_the_remainder_makes_files_that_are_read(tmp_path):
    plan = plan_for(CELLS)
    plan = replace(plan, zones=replace(plan.zones, base_cells=CELLS))
    empty = release_of_nothing(plan)
    assert set(empty.table["status"].to_pylist()) == {"remainder"}
    files = exported(source_of(empty, tmp_path / "in"), ALL)
    assert one(files, "_flows.csv").decode() == "origin,dest,count,time,ci_low,ci_high\n"
    assert len(pyogrio.read_dataframe(opened(one(files, ".gpkg"), tmp_path, "e.gpkg"), layer="od_trips")) == 1
    assert len(pd.read_parquet(io.BytesIO(one(files, "_synthetic.parquet")))) == 1
    (features,) = [
        json.loads(content)["features"] for name, content in files.items() if name.endswith("_flows.geojson")
    ]
    assert [feature["geometry"] for feature in features] == [None]
    (data,) = read_sdmx_csv(one(files, "_sdmx.csv").decode())
    assert list(data.data["INDICATOR"]) == ["OD_TRIPS_REMAINDER"]


def release_of_nothing(plan):
    """A release in which nobody travelled, with the noise that falls far from any cut."""
    from unittest.mock import patch

    from privacy import mechanisms

    def silent(values, *, l2_sensitivity, micro_rho):
        return values, mechanisms.sigma_for(l2_sensitivity=l2_sensitivity, micro_rho=micro_rho)

    from tests.plans import totals_of
    from tests.unit import test_product_bundles as bundles

    with (
        patch.object(mechanisms, "discrete_gaussian", silent),
        patch.object(bundles, "totals", lambda p: totals_of(p, {})),
    ):
        return released(plan)


def test_zones_and_flows_at_180_degrees_stay_on_their_side(tmp_path):
    fiji = tuple(sorted(h3.grid_disk(h3.latlng_to_cell(-17.0, 180.0, 6), 3)))
    source = source_of(release_of("relocations", cells=fiji), tmp_path)
    (layer,) = layers_of(source)
    points = shapely.points(source.zones[["lng", "lat"]].to_numpy())
    assert shapely.contains(source.zones.geometry.to_numpy(), points).all()
    parts = [part for line in layer.rows.geometry.dropna() for part in line.geoms]
    assert max(shapely.bounds(part)[2] - shapely.bounds(part)[0] for part in parts) < 2
    assert any(len(line.geoms) == 2 for line in layer.rows.geometry.dropna())
    assert layer.rows["distance_km"].max() < 200


@given(st.lists(st.floats(-1e4, 1e6), max_size=60), st.floats(0.1, 50))
def test_every_value_is_in_one_class_and_limits_have_two_digits(values, sd):
    rows = pd.DataFrame({"value": values, "noise_sd": [sd] * len(values)}, dtype=float)
    classes = classes_of(rows)
    assert 1 <= len(classes) <= 5
    assert [c.number for c in classes] == [*range(5 - len(classes), 5)]
    for value in rows["value"][shows_value(rows)]:
        assert sum(c.low <= value < c.high for c in classes) == 1
    limits = [c.low for c in classes[1:]]
    assert all(float(f"{limit:.1e}") == limit for limit in limits)


def test_noise_alone_colours_hardly_a_zone_of_a_thousand():
    noise = np.random.default_rng(5).normal(0, 12.0, (200, 1000))
    maps = [shows_value(pd.DataFrame({"value": values, "noise_sd": 12.0})).any() for values in noise]
    assert 0 < sum(maps) <= 0.1 * len(maps)


def forged(product, folder, change):
    """A bundle whose zones a forger changed, who can count digests and sign."""
    from tests.unit.test_product_bundles import files_of, written

    zones = json.loads(files_of(product)["zones.geojson"])
    change(zones)
    return written(folder, files_of(product) | {"zones.geojson": json.dumps(zones).encode()}, product)


def test_zones_in_another_projection_are_refused(tmp_path):
    def web_mercator(zones):
        zones["crs"] = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3857"}}

    def plain(zones):
        zones["crs"] = {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}

    with pytest.raises(BundleError, match=r"projection 'urn:ogc:def:crs:EPSG::3857'"):
        read_source(forged("residents", tmp_path / "other", web_mercator))
    assert read_source(forged("residents", tmp_path / "same", plain)).zones is not None


def test_zones_that_were_moved_are_refused(tmp_path):
    def metres(zones):
        zones["features"][0]["geometry"]["coordinates"] = [[[[1e6, 1e6], [2e6, 1e6], [2e6, 2e6], [1e6, 1e6]]]]

    with pytest.raises(BundleError, match="not drawn where it lies"):
        read_source(forged("residents", tmp_path / "bundle", metres))


BAD_RINGS = {
    "a bow": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]],
    "a line": [[[0, 0], [1, 1], [0, 0], [0, 0]]],
    "two corners": [[[0, 0], [1, 1]]],
    "no number": [[["a", 0], [1, 1], [1, 0], ["a", 0]]],
    "numbers as text": [[["0", "0"], ["1", "1"], ["1", "0"], ["0", "0"]]],
    "nothing": [],
}


@pytest.mark.parametrize("what", BAD_RINGS)
def test_units_whose_rings_are_none_are_refused(what, tmp_path):
    from unittest.mock import patch

    from jobs.publish import bundle
    from privacy.zoning import AdminUnit
    from tests import boundaries

    with patch.object(boundaries, "_triangle", lambda _: [BAD_RINGS[what]]):
        bad = residents_by_unit.__wrapped__()
    assert isinstance(bad.units.units[0], AdminUnit)
    with patch.object(bundle, "page_of_release", lambda *_, **__: b""):  # the forger draws no page of it either
        folder = bundle_of(bad, tmp_path)
    with pytest.raises(BundleError, match=r"zones\.geojson (cannot be drawn|contradicts)|cannot be read"):
        read_source(folder)


def test_a_bundle_of_a_later_form_is_refused(tmp_path):
    from tests.unit.test_product_bundles import with_card, written

    later = written(tmp_path / "b", with_card("residents", lambda card: card.update(schema_version=2)), "residents")
    with pytest.raises(
        BundleError, match=r"schema version 2\. Expected: at most 1.*Remedy: read the bundle with a later version"
    ):
        read_source(later)


def test_a_bundle_whose_sums_do_not_match_is_refused(tmp_path):
    folder = bundle_of(release_of("residents"), tmp_path)
    (folder / "residents.csv").write_bytes((folder / "residents.csv").read_bytes() + b" ")
    with pytest.raises(BundleError, match=r"residents\.csv was altered"):
        read_source(folder)
