"""Who roams in the synthetic country: deliveries of their own beside an unchanged country, and the truth of both."""

import hashlib
from collections import Counter
from datetime import date, timedelta

import pyarrow.parquet as pq
import pytest

from jobs.evaluation.roaming import planted
from jobs.synth import synthesise
from jobs.synthetic_mark import are_synthetic, sha256_of
from privacy.marginals import RoamingCountries
from privacy.unit import Period
from schemas.errors import InputError

FIRST, WEEK = date(2026, 3, 2), Period.parse("2026-W10")
ARGUMENTS = {"seed": 5, "subscribers": 2_000, "first_day": FIRST, "days": 7}
KNOWN = RoamingCountries("MU", ("FR", "IN"))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return synthesise(tmp_path_factory.mktemp("roamers") / "country", roamers=True, **ARGUMENTS).folder


def read(folder, name):
    return pq.read_table(folder / f"{name}.parquet").to_pylist()


def digests(folder):
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_roamers_change_no_byte_of_the_country_and_are_the_same_every_time(made, tmp_path):
    without = digests(synthesise(tmp_path / "without", **ARGUMENTS).folder)
    again = digests(synthesise(tmp_path / "again", roamers=True, processes=1, **ARGUMENTS).folder)
    told = {"SYNTHETIC", "truth/expected_quarantine.json"}  # these list the files

    found = digests(made)
    assert again == found
    assert {name: found[name] for name in without if name not in told} == {
        name: digest for name, digest in without.items() if name not in told
    }
    added = {name.split("/")[0] if "truth" not in name else name for name in found.keys() - without.keys()}
    assert added == {"inbound", "outbound", "truth/visitors.parquet", "truth/travellers.parquet"}


def test_their_files_are_marked_as_synthetic(made):
    files = sorted([*(made / "inbound").iterdir(), *(made / "outbound").iterdir()])
    assert len(files) == 2 * 7
    assert are_synthetic(files, [sha256_of(file) for file in files])


@pytest.mark.parametrize(
    ("kind", "truth", "column"), [("inbound", "visitors", "imsi"), ("outbound", "travellers", "plmn")]
)
def test_an_event_is_of_somebody_who_is_there_and_names_the_country(made, kind, truth, column):
    people = {row["msisdn"]: row for row in read(made, f"truth/{truth}")}
    for day in WEEK.days:
        for row in read(made, f"{kind}/{day}"):
            person = people[row["msisdn"]]
            assert person["first_day"] <= day <= person["last_day"]
            assert row[column].startswith(person["mcc"])
            assert (row["event_at"] + timedelta(hours=4)).date() == day


def test_nobody_who_roams_has_the_number_of_somebody_else(made):
    others = {row["msisdn"].strip().lstrip("+0") for day in WEEK.days for row in read(made, f"whimbrel/{day}")
              if row["msisdn"]}  # fmt: skip
    visitors, travellers = (
        [row["msisdn"] for row in read(made, f"truth/{name}")] for name in ("visitors", "travellers")
    )

    numbers = [*visitors, *travellers]
    assert len(numbers) == len(set(numbers)) > 100
    assert not others & set(numbers)


def test_stays_begin_with_the_weekend(made):
    arrivals = Counter(row["first_day"].weekday() for row in read(made, "truth/visitors"))
    assert arrivals[4] + arrivals[5] > arrivals[0] + arrivals[1] + arrivals[2]


def test_the_truth_of_a_week_is_days_of_stay_over_seven_by_country(made):
    expected = Counter()
    for row in read(made, "truth/visitors"):
        country = {"208": "FR", "404": "IN"}.get(row["mcc"], "other")
        expected[country,] += sum(row["first_day"] <= day <= row["last_day"] for day in WEEK.days)

    found = planted(made, "visitors", WEEK, KNOWN)
    by_zone = planted(made, "visitors", WEEK, KNOWN, 4)

    assert {key: round(7 * value) for key, value in found.items()} == expected
    assert sum(by_zone.values()) == pytest.approx(sum(found.values()))


def test_a_country_without_roamers_has_no_truth_of_them(tmp_path):
    with pytest.raises(InputError, match=r"no .*visitors.parquet.*--roamers"):
        planted(tmp_path, "visitors", WEEK, KNOWN)
