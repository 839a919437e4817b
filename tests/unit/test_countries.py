"""The public table of countries, and how a record's country is read whatever the operator writes."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import functions as F

from jobs.ingest.countries import country_code, country_stretches, with_sim_country, write_country_codes
from schemas.countries import countries

WRITTEN = {
    "FR": "FR", "fr": "FR", " fra ": "FRA", "208": "208", "20801": "208", "208-01": "208", "310410": "310",
    "208011234567890": "208",
    "France": None, "": "", "2080112345678901234": None, "+33612345678": None, "n/a": "N/A",
}  # fmt: skip
"""What an operator may write, and the code that travels on."""


def test_no_code_names_two_countries():
    codes = [code for country in countries().values() for code in country.codes]
    assert len(codes) == len(set(codes))
    assert len({country.numeric for country in countries().values()}) == len(countries())


@pytest.mark.parametrize(
    ("country", "alpha_3", "numeric", "code"),
    [("FR", "FRA", 250, "208"), ("US", "USA", 840, "311"), ("IN", "IND", 356, "405"), ("MZ", "MOZ", 508, "643"),
     ("MU", "MUS", 480, "617"), ("GB", "GBR", 826, "234"), ("CN", "CHN", 156, "460"), ("ZA", "ZAF", 710, "655")],
)  # fmt: skip
def test_a_country_is_known_by_its_codes(country, alpha_3, numeric, code):
    known = countries()[country]
    assert (known.alpha_3, known.numeric) == (alpha_3, numeric)
    assert code in known.mobile_codes


def test_mobile_codes_are_of_three_digits_and_of_a_region_of_the_world():
    for country in countries().values():
        assert all(len(code) == 3 and code.isdigit() and code[0] in "234567" for code in country.mobile_codes)


def test_a_country_is_read_from_codes_networks_and_imsis_and_nothing_longer_travels_on(engine, tmp_path):
    pq.write_table(pa.table({"written": list(WRITTEN)}), tmp_path / "written.parquet")
    rows = engine.read.parquet(str(tmp_path / "written.parquet"))

    read = rows.select("written", country_code(F.col("written")).alias("code")).collect()

    assert {row["written"]: row["code"] for row in read} == WRITTEN
    assert all(len(row["code"] or "") <= 3 for row in read)


def test_a_code_that_is_a_number_is_read_too(engine, tmp_path):
    pq.write_table(pa.table({"mcc": pa.array([208, 655, None], pa.int32())}), tmp_path / "mcc.parquet")
    rows = engine.read.parquet(str(tmp_path / "mcc.parquet"))

    assert sorted(str(row[0]) for row in rows.select(country_code(F.col("mcc"))).collect()) == ["208", "655", "None"]


def test_the_country_of_a_sim_is_its_alpha_2_code_or_nothing(engine, tmp_path):
    write_country_codes(tmp_path / "codes.parquet")
    held = {"1": "208", "2": "FRA", "3": "FR", "4": "001", "5": "N/A", "6": None}
    pq.write_table(pa.table({"who": list(held), "sim_country": list(held.values())}), tmp_path / "days.parquet")
    days, codes = (engine.read.parquet(str(tmp_path / f"{name}.parquet")) for name in ("days", "codes"))

    found = {row["who"]: row["sim_country"] for row in with_sim_country(days, codes).collect()}

    assert found == {"1": "FR", "2": "FR", "3": "FR", "4": None, "5": None, "6": None}


def test_a_network_abroad_stands_in_its_country_in_every_stretch_of_days():
    rows = country_stretches(2)

    assert {row for row in rows if row[0] in {"208", "FR", "FRA"}} == {
        (code, stretch, 250) for code in ("208", "FR", "FRA") for stretch in (0, 1)
    }
