"""Zones become other areas by weights that say how they were made, and noise is carried through."""

import io
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.publish.export.areas import Weights, apportioned, read_weights
from jobs.publish.export.formats import ALL, export_files
from schemas.errors import ConfigError, InputError
from tests.exports import one, release_of, source_of
from tests.plans import CELLS

MADE = "population of 2020, by the share of each zone's people in each district"


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    root = tmp_path_factory.mktemp("bundles")
    products = ("relocations", "residents", "displacement", "contribution_histogram")
    return {product: source_of(release_of(product), root / product) for product in products}


def weights_of(shares):
    """Weights from a share by zone and area."""
    rows = [(zone, area, share) for (zone, area), share in shares.items()]
    return Weights(pd.DataFrame(rows, columns=["zone", "area", "weight"]), MADE, "ab" * 32)


HALVES = {
    (cell, area): share for n, cell in enumerate(CELLS[:20]) for area, share in ((f"A{n % 3}", 0.25), ("B", 0.75))
}
"""Twenty zones of the finest level, each in two areas; six are in none."""


def test_flows_by_area_are_those_of_a_naive_loop(sources):
    rows, found = sources["relocations"].rows, apportioned(sources["relocations"], weights_of(HALVES)).rows
    expected = {}
    for row in rows[rows["status"] == "published"].itertuples():
        for (origin, a), first in HALVES.items():
            for (destination, b), second in HALVES.items():
                if (row.origin, row.destination) == (origin, destination):
                    value, variance = expected.get((a, b), (0.0, 0.0))
                    share = first * second
                    expected[a, b] = value + share * row.value, variance + (share * row.noise_sd) ** 2
    pairs = found[found["status"] == "published"]
    assert {*zip(pairs["origin"], pairs["destination"], strict=True)} == expected.keys()
    for row in pairs.itertuples():
        value, variance = expected[row.origin, row.destination]
        assert row.value == pytest.approx(value, abs=1e-3)
        assert row.noise_sd == pytest.approx(math.sqrt(variance), abs=1e-3)
        assert (row.ci_low, row.ci_high) == pytest.approx(
            (row.value - 1.96 * row.noise_sd, row.value + 1.96 * row.noise_sd), abs=0.02
        )


shares = st.dictionaries(
    st.tuples(st.sampled_from(CELLS), st.sampled_from(["A", "B"])), st.floats(0.01, 0.5), min_size=1, max_size=30
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(shares)
def test_areas_and_the_remainder_add_up_to_the_national_total(sources, shares):
    source = sources["relocations"]
    found = apportioned(source, weights_of(shares)).rows
    assert found["value"].sum() == pytest.approx(source.rows["value"].sum(), abs=0.01)
    (remainder,) = found[found["status"] == "remainder"].itertuples()
    assert pd.isna(remainder.origin)
    assert remainder.noise_sd <= math.sqrt((source.rows["noise_sd"] ** 2).sum()) + 1e-3
    assert not found.duplicated(["period", "origin", "destination", "sex", "age_band"]).any()
    assert (found["noise_sd"] > 0).all()


def test_weights_of_one_leave_values_and_noise_as_they_were(sources):
    source = sources["residents"]
    found = apportioned(source, weights_of({(cell, cell): 1.0 for cell in CELLS})).rows
    before = source.rows[source.rows["resolution"] == 6].set_index("zone")
    after = found.dropna(subset=["zone"]).set_index("zone")
    pd.testing.assert_frame_equal(
        after.loc[before.index, ["value", "noise_sd", "quality"]], before[["value", "noise_sd", "quality"]]
    )
    np.testing.assert_allclose(after.loc[before.index, "ci_low"], before["ci_low"], atol=2e-3)


def test_rows_of_the_country_stay_and_other_levels_are_left_out(sources):
    source = sources["residents"]
    found = apportioned(source, weights_of(HALVES)).rows
    country = source.rows[source.rows["zone"].isna()]
    assert list(found[found["zone"].isna()]["value"]) == list(country["value"])
    assert set(found["zone"].dropna()) == {"A0", "A1", "A2", "B"}
    assert set(found["sex"][found["zone"].notna()]) == {"all"}


def test_the_zones_of_a_displacement_table_are_replaced_on_both_sides(sources):
    found = apportioned(sources["displacement"], weights_of(HALVES)).rows
    by_home = found[found["home"].notna() & (found["transition"] == "returned")]
    assert set(by_home["home"]) <= {"A0", "A1", "A2", "B"}
    rows = sources["displacement"].rows
    zones = rows[(rows["transition"] == "returned") & rows["home"].isin([zone for zone, _ in HALVES])]
    assert by_home["value"].sum() == pytest.approx(zones["value"].sum(), abs=0.01)


def test_what_was_done_and_how_much_it_covers_is_said_in_every_row_and_file(sources):
    source = sources["relocations"]
    files = export_files(apportioned(source, weights_of(HALVES)), [ALL])
    assert {name.removeprefix("relocations_2026-03_r1_areas_synthetic") for name in files} == {
        "README.md", ".csv", ".parquet", "_sdmx.csv", "_sdmx_structure.json", "_dcat.jsonld",
    }  # fmt: skip
    table = pd.read_csv(io.BytesIO(one(files, "_synthetic.csv")))
    covered = table[table["status"] == "published"]["value"].sum() / source.rows["value"].sum()
    (told,) = set(table["apportioned"])
    assert told == f"apportioned by weights abababababab ({MADE}); areas hold {covered:.1%} of the published total"
    assert set(table["definition_id"]) == {"relocations/1 apportioned"}
    assert told in files["README.md"].decode()
    assert told in one(files, "_sdmx.csv").decode()


def test_a_map_of_areas_is_refused_for_want_of_outlines(sources):
    with pytest.raises(ConfigError, match="gpkg cannot show residents, which has no outlines"):
        export_files(apportioned(sources["residents"], weights_of(HALVES)), ["gpkg"])


@pytest.mark.parametrize(
    ("product", "shares", "complaint"),
    [
        ("residents", {("868f0000fffffff", "A"): 1.0}, "none of the bundle's"),
        ("residents", {(CELLS[0], "A"): 1.0, ("8484d25ffffffff", "A"): 1.0}, r"of levels \[4, 6\]"),
        ("contribution_histogram", {(CELLS[0], "A"): 1.0}, "contribution_histogram has no zones"),
    ],
)
def test_weights_of_other_zones_are_refused(sources, product, shares, complaint):
    with pytest.raises(ConfigError, match=complaint):
        apportioned(sources[product], weights_of(shares))


HEAD = "zone,area,weight,source\n"


def test_a_table_of_weights_is_read(tmp_path):
    (tmp_path / "w.csv").write_text(f"{HEAD}Z1,A,0.4,by area\nZ1,B,0.6000001,by area\nZ2,A,1,by people\n")
    read = read_weights(tmp_path / "w.csv")
    assert read.table["weight"].tolist() == [0.4, 0.6000001, 1.0]
    assert read.source == "by area; by people"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("zone,area,weight\nZ1,A,1\n", "cannot be read as the columns"),
        (f"{HEAD}Z1,A,much,x\n", "cannot be read"),
        (f"{HEAD}Z1,A\n", "cannot be read|has no row"),
        (HEAD, "has no row"),
        (f"{HEAD}Z1,A,1, \n", "without zone, area or source"),
        (f"{HEAD}Z1,,1,x\n", "without zone, area or source"),
        (f"{HEAD}Z1,A,0,x\n", "not above 0"),
        (f"{HEAD}Z1,A,-1,x\n", "not above 0"),
        (f"{HEAD}Z1,A,nan,x\n", "not above 0"),
        (f"{HEAD}Z1,A,1.5,x\n", "at most 1"),
        (f"{HEAD}Z1,A,0.5,x\nZ1,A,0.2,x\n", "zone Z1 and area A twice"),
        (f"{HEAD}Z1,A,0.6,x\nZ1,B,0.6,x\n", "gives zone Z1 the weight 1.2 in all"),
    ],
)
def test_a_table_of_weights_that_is_none_is_refused(text, complaint, tmp_path):
    (tmp_path / "w.csv").write_text(text)
    with pytest.raises(InputError, match=complaint):
        read_weights(tmp_path / "w.csv")
    with pytest.raises(InputError, match="cannot be read"):
        read_weights(tmp_path / "none.csv")
