"""Towers down: from the operator's feed, or, without one, from released counts that promise no more than they know."""

import stat
from dataclasses import replace
from datetime import date, timedelta

import h3
import pytest
from typer.testing import CliRunner

from jobs.cli import app
from jobs.config import NetworkConfig
from jobs.ingest.cells import Cell
from jobs.mobility.network import network_status, read_outages
from jobs.network_table import write_network_table
from jobs.publish.network_status import ZoneDay, status_csv, status_of_phones, zone_days
from jobs.publish.situation.estimate import Estimate
from schemas.errors import InputError
from schemas.network import FEED, FEW_PHONES, NETWORK_STATUS, PHONES
from tests.installations import installation

DAY = date(2026, 7, 8)
HERE, THERE = (-14.06, 66.13), (-15.5, 67.5)
CELLS = (
    Cell("a", *HERE, date(2020, 1, 1), None),
    Cell("b", *HERE, date(2020, 1, 1), None),
    Cell("c", *THERE, date(2020, 1, 1), DAY + timedelta(1)),
)
ZONE, OTHER = (h3.latlng_to_cell(*place, 6) for place in (HERE, THERE))


def feed(tmp_path, *rows, header="cell_id,down_from,down_to"):
    path = tmp_path / "outages.csv"
    path.write_text("\n".join([header, *rows]))
    return path


def status(tmp_path, *rows, days=(DAY,)):
    outages = read_outages(feed(tmp_path, *rows), CELLS)
    return {(s.date, s.zone): (s.cells, s.cells_down, s.down_share) for s in network_status(outages, CELLS, days, 6)}


def test_a_zone_is_down_for_the_share_of_its_cells_time(tmp_path):
    found = status(tmp_path, "a,2026-07-08T06:00:00,2026-07-08T18:00:00")
    assert found == {(DAY, ZONE): (2, 1, 0.25), (DAY, OTHER): (1, 0, 0.0)}


def test_an_outage_over_midnight_counts_on_both_days_and_overlapping_rows_once(tmp_path):
    days = [DAY, DAY + timedelta(1)]
    rows = ["a,2026-07-08T18:00:00,2026-07-09T06:00:00", "a,2026-07-08 20:00,2026-07-09T03:00:00"]
    found = status(tmp_path, *rows, days=days)
    assert [found[day, ZONE][2] for day in days] == [0.125, 0.125]


def test_an_outage_without_an_end_lasts_until_the_feed_says_otherwise(tmp_path):
    days = [DAY - timedelta(1), DAY, DAY + timedelta(1), DAY + timedelta(30)]
    rows = ["a,2026-07-08T12:00:00,", "a,2026-07-08T18:00:00,2026-07-09T06:00:00"]
    found = status(tmp_path, *rows, days=days)
    assert [found[day, ZONE] for day in days] == [(2, 0, 0.0), (2, 1, 0.25), (2, 1, 0.5), (2, 1, 0.5)]


def test_a_cell_that_stands_there_no_more_is_not_counted(tmp_path):
    found = status(tmp_path, days=[DAY, DAY + timedelta(1)])
    assert (DAY, OTHER) in found
    assert (DAY + timedelta(1), OTHER) not in found


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        (["a,2026-07-08T06:00:00,2026-07-08T18:00:00", "z,2026-07-08,2026-07-09"], "line 3: the cell 'z' is not in"),
        (["a,soon,2026-07-09"], "line 2: .*soon"),
        (["a,2026-07-09"], "line 2: the row is cut short"),
        (["a,,2026-07-09"], "line 2"),
        (["a,2026-07-08T06:00:00Z,2026-07-08T18:00:00Z"], "line 2: a time bears a zone"),
        (["a,2026-07-09,2026-07-09"], "line 2: down_to .* is not after"),
        (["z,2026-07-08,2026-07-09", "a,soon,2026-07-09"], "line 2: .*, and 1 rows more"),
    ],
)
def test_a_row_that_cannot_be_used_is_named_once_and_nothing_is_written(rows, fault, tmp_path):
    with pytest.raises(InputError, match=fault):
        status(tmp_path, *rows)


def test_a_feed_without_its_columns_or_without_a_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="lacks down_to"):
        read_outages(feed(tmp_path, header="cell_id,down_from"), CELLS)
    with pytest.raises(InputError, match="cannot be read"):
        read_outages(tmp_path / "none.csv", CELLS)


def seen(week, value, *, sd=10.0, weekday=0):
    return ZoneDay(date(2026, 6, 1) + timedelta(7 * week + weekday), ZONE, 6, Estimate(value, sd))


def test_without_a_feed_a_day_is_compared_with_earlier_released_days_of_its_weekday():
    days = [seen(0, 1_000.0), seen(1, 980.0), seen(2, 1_500.0), seen(3, 400.0), seen(3, 5.0, weekday=2)]
    rows = status_of_phones(days)
    assert [(row["date"], row["ratio"]) for row in rows] == [
        ("2026-06-08", 0.98),
        ("2026-06-15", round(1_500 / 990, 4)),
        ("2026-06-22", 0.4),
    ]
    assert [row["label"] for row in rows] == ["", "", FEW_PHONES]
    assert all(row["ratio_low"] < row["ratio"] < row["ratio_high"] for row in rows)
    assert all(row["basis"] == PHONES and "cells" not in row for row in rows)


def test_a_zone_whose_usual_number_is_noise_is_not_judged():
    assert status_of_phones([seen(0, 12.0), seen(1, 0.0)]) == ()


def test_the_country_as_a_whole_is_no_zone():
    row = {"period": "2026-06-01", "zone": ZONE, "resolution": 6, "value": 3.0, "noise_sd": 1.0}
    assert [one.zone for one in zone_days([row, row | {"zone": None, "resolution": None}])] == [ZONE]


def test_the_table_is_written_from_the_feed_where_there_is_one(tmp_path):
    (tmp_path / "cells.csv").write_text(
        "cell_id,latitude,longitude,valid_from,valid_to\n" + f"a,{HERE[0]},{HERE[1]},2020-01-01,\n"
    )
    config = installation(tmp_path, cells=tmp_path / "cells.csv")
    down = feed(tmp_path, "a,2026-07-08T00:00:00,2026-07-09T00:00:00")
    fed = config.model_copy(update={"network": NetworkConfig(outages=down)})
    assert write_network_table(fed, (DAY, DAY), (5, 6), tmp_path / "network.csv") == FEED
    header, *rows = (tmp_path / "network.csv").read_text().splitlines()
    assert header == ",".join(NETWORK_STATUS.names)
    parent = h3.cell_to_parent(ZONE, 5)
    assert rows == [f"2026-07-08,{zone},{r},1,1,1.0,outage feed,towers down,,," for r, zone in ((5, parent), (6, ZONE))]

    with pytest.raises(InputError, match="There is no outage feed"):
        write_network_table(config, (DAY, DAY), (), tmp_path / "network.csv")


def test_the_table_is_public_and_its_folder_is_made(tmp_path):
    (tmp_path / "cells.csv").write_text(
        "cell_id,latitude,longitude,valid_from,valid_to\n" + f"a,{HERE[0]},{HERE[1]},2020-01-01,\n"
    )
    config = installation(tmp_path, cells=tmp_path / "cells.csv")
    fed = config.model_copy(update={"network": NetworkConfig(outages=feed(tmp_path))})
    out = tmp_path / "for" / "everybody" / "network.csv"
    for _ in range(2):
        write_network_table(fed, (DAY, DAY), (6,), out)
    assert [path.name for path in out.parent.iterdir()] == ["network.csv"]
    assert stat.S_IMODE(out.stat().st_mode) == stat.S_IMODE((tmp_path / "cells.csv").stat().st_mode)


@pytest.mark.parametrize("resolution", ["-1", "16"])
def test_a_resolution_that_h3_has_not_is_refused_as_a_mistake_of_the_command(resolution):
    asked = CliRunner().invoke(app, ["network", "2026-07-08", "--resolution", resolution], color=False)
    assert (asked.exit_code, "Invalid value for '--resolution'" in asked.output) == (2, True)


def test_rows_of_phones_leave_the_columns_of_the_feed_empty():
    (row,) = status_of_phones([seen(0, 1_000.0, sd=0.0), replace(seen(1, 500.0), seen=Estimate(500.0, 0.0))])
    assert status_csv([row]).decode().splitlines()[1] == (
        f"2026-06-08,{ZONE},6,,,,released active subscribers,{FEW_PHONES},0.5,0.5,0.5"
    )
