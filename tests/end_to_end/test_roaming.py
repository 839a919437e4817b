"""Roaming, from an operator's records of SIMs from abroad and of networks abroad to what is measured."""

from datetime import date, datetime, time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.evaluation.findings import EXACT
from jobs.evaluation.planted import Truth
from jobs.evaluation.products import evaluate_product
from jobs.releases import Desk
from jobs.storage import Storage
from jobs.synth import synthesise
from privacy.unit import Period
from schemas.errors import ConfigError
from schemas.subscriber_days import NOT_AVAILABLE
from tests.installations import deliver, installation, subscriber_days
from tests.populations import EVENTS, EVENTS_ABROAD, UTC_OFFSET, cells_file, events_file

DAY, WEEK = date(2026, 3, 2), Period.parse("2026-W10")
FR, IN, ZA = 250, 356, 710
HELD = ("abroad", "sim_country", "sex")


def at(hour, day=DAY):
    return datetime.combine(day, time(hour)) - UTC_OFFSET


def written(rows, schema, file):
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), file)
    return file


def installed(root):
    return installation(root, cells=cells_file(root.parent / "cells.csv"))


def here(who, hour, cell=0, sim=None, **registrant):
    return {"msisdn": who, "event_at": at(hour), "cell_id": f"c{cell}", "sim": sim, **registrant}


def there(who, hour, plmn):
    return {"msisdn": who, "event_at": at(hour), "plmn": plmn}


def read_day(session, folder, events, abroad=()):
    """The storage after one day's records here and abroad, and what readers see of each subscriber's day."""
    config = installed(folder / "operator")
    if events:
        file = written(events, EVENTS, folder / "here.parquet")
        deliver(session, config, [file], layout="with_countries", first=DAY, last=DAY)
    if abroad:
        file = written(abroad, EVENTS_ABROAD, folder / "abroad.parquet")
        deliver(session, config, [file], layout="abroad", first=DAY, last=DAY)
    storage = Storage.of(config.storage)
    return storage, list(subscriber_days(storage, DAY, DAY, columns=HELD).values())


def points(found):
    return [(point >> 32, point & 2**32 - 1) for point in found]


def test_a_record_of_a_network_abroad_is_a_point_apart_from_those_here(engine, tmp_path):
    rows = [here("2305", 9, sim="ZA", sex="female"), here("2305", 10, cell=1, sim="ZA", sex="female")]

    there_too = [there("2305", 20, "20801"), there("2305", 7, "404")]
    _, [(points_here, events, abroad, sim, sex)] = read_day(engine, tmp_path, rows, there_too)

    assert len(points_here) == 2
    assert points(abroad) == [(7 * 3600, IN), (20 * 3600, FR)]
    assert (events, sim, sex) == (4, "ZA", "female"), "what one source does not hold hides nothing that another holds"


def test_who_was_abroad_all_day_has_a_day_without_points_here(sail, tmp_path):
    _, [(points_here, events, abroad, sim, _)] = read_day(sail, tmp_path, [], [there("2305", 20, "fra")])

    assert (list(points_here), events, points(abroad), sim) == ([], 1, [(72_000, FR)], NOT_AVAILABLE)


def test_a_network_of_no_country_and_a_record_without_one_go_to_quarantine(sail, tmp_path):
    records = [there("2305", 20, "20801"), there("2305", 21, "99901"), there("2305", 22, None)]
    storage, [row] = read_day(sail, tmp_path, [], records)

    (record,) = storage.deliveries().values()
    assert record.quarantined == {"unknown_cell": 1, "missing_cell": 1}
    assert record.read == 3 == record.kept + 2
    assert len(row[2]) == 1


def test_the_country_of_a_day_does_not_hang_on_how_its_records_were_delivered(sail, tmp_path):
    rows = [here("2305", 9, sim="310410"), here("2305", 10, sim="IND"), here("2305", 11)]  # 310 < IND, but US > IN
    countries = set()
    for number, deliveries in enumerate(([rows], [[row] for row in rows], [[row] for row in reversed(rows)])):
        config = installed(tmp_path / f"operator{number}")
        for part, of_delivery in enumerate(deliveries):
            file = written(of_delivery, EVENTS, tmp_path / f"{number}_{part}.parquet")
            deliver(sail, config, [file], layout="with_countries", first=DAY, last=DAY)
        (row,) = subscriber_days(Storage.of(config.storage), DAY, DAY, columns=HELD).values()
        countries.add(row[3])

    assert countries == {"IN"}


def test_no_imsi_is_kept_anywhere(sail, tmp_path):
    imsi = b"208019876543210"
    read_day(sail, tmp_path, [here("2305", 9, sim=imsi.decode())])

    kept = [file for file in (tmp_path / "operator").rglob("*") if file.is_file()]
    assert kept and not [file for file in kept if imsi in file.read_bytes()]
    rows = [str(pq.read_table(file, partitioning=None).to_pylist()) for file in kept if file.suffix == ".parquet"]
    assert rows and not [row for row in rows if imsi.decode() in row]


def test_an_installation_without_a_country_cannot_tell_who_roams(sail, tmp_path):
    config = installed(tmp_path / "operator")
    config = config.model_copy(update={"country": config.country.model_copy(update={"code": None})})
    file = events_file({(1, day): [(0, 0)] for day in WEEK.days}, {}, tmp_path / "events.parquet")
    deliver(sail, config, [file], layout="with_countries", first=WEEK.first_day, last=WEEK.last_day)

    with pytest.raises(ConfigError, match=r"does not say its country.*code.* in \[country\]"):
        Desk.of(config).plan("roaming", WEEK, 1)


def test_the_planted_visitors_and_travellers_are_found(engines, tmp_path):
    """Of visitors all who are planted; of travellers the 95 % whom three calls a day show on a day."""
    land = synthesise(tmp_path / "land", seed=5, subscribers=2_000, days=7, roamers=True).folder
    config = installation(tmp_path / "operator", cells=land / "cells.csv")
    inbound = config.sources["with_countries"].model_copy(
        update={"columns": config.sources["with_countries"].columns.model_copy(
            update={"sim_country": "imsi", "sex": None, "age_band": None}
        )}
    )  # fmt: skip
    config = config.model_copy(
        update={
            "country": config.country.model_copy(update={"code": "MU"}),
            "sources": {**config.sources, "inbound": inbound},
        }
    )
    with engines("sail") as session:
        for layout, folder in (("whimbrel", "whimbrel"), ("inbound", "inbound"), ("abroad", "outbound")):
            deliver(session, config, [land / folder], layout=layout, last=WEEK.last_day)
    desk = Desk.of(config)

    findings = evaluate_product(desk, desk.plan("roaming", WEEK, 1), [], lambda: engines("sail"), truth=Truth(land))

    found = {(one.measure, one.of): one.value for one in findings if one.data == EXACT}
    share, common = "subscribers a day found over planted", "common part with those planted"
    assert found[share, "visitors by sim country"] > 0.99
    assert found[common, "visitors by sim country"] > 0.99
    assert found[common, "visitors by zone and sim country"] > 0.95
    assert 0.9 < found[share, "travellers by visited country"] < 1
    assert found[common, "travellers by visited country"] > 0.93
