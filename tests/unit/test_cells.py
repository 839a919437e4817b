"""Cells stand in one place at a time, and their zones keep their numbers for ever."""

from datetime import date

import h3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.config import CellColumns, CellsConfig
from jobs.ingest.cells import (
    Cell,
    CellFault,
    ZoneRegister,
    cell_stretches,
    days_of_change,
    read_cell_table,
    read_cells,
)
from schemas.errors import InputError

HEADER = "cell_id,latitude,longitude,valid_from,valid_to"


def table(tmp_path, *lines, header=HEADER):
    path = tmp_path / "cells.csv"
    path.write_text("\n".join((header, *lines)) + "\n", encoding="utf-8")
    return path


def test_a_cell_may_move_when_the_intervals_do_not_overlap(tmp_path):
    path = table(tmp_path, "a,-14,66,2026-01-01,2026-03-02", "a,-14.5,66,2026-03-02,", "b,-14,66,2025-01-01,")

    assert [(cell.cell_id, cell.valid_to) for cell in read_cells(CellsConfig(path=path))] == [
        ("a", date(2026, 3, 2)),
        ("a", None),
        ("b", None),
    ]


def test_columns_stand_in_any_order_and_a_byte_order_mark_does_no_harm(tmp_path):
    path = table(tmp_path, "66,-14,,2026-01-01,a,x", header="\ufefflongitude,latitude,valid_to,valid_from,cell_id,more")

    (cell,) = read_cells(CellsConfig(path=path))
    assert (cell.cell_id, cell.latitude, cell.longitude) == ("a", -14, 66)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("a,-14,66,2026-01-01,", "a,-14,67,2026-02-01,"), r"two places from 2026-02-01.*close .* valid_to 2026-02-01"),
        (("a,-14,66,2026-01-01,2026-03-02", "a,-14,67,2026-03-01,"), "cell a stands in two places from 2026-03-01"),
        (("a,-14,66,2026-01-01,", "a,-14,66,2026-01-01,2026-09-01"), "two places from 2026-01-01"),
        (("a,66,-114,2026-01-01,", "b,-114,66,2026-01-01,"), "line 3: .* not on Earth; are .* swapped"),
        (("a,-14,66,2026-01-01,", "b,0,0.0,2026-01-01,", "c,,66,2026-01-01,"), r"at 0, 0: row 3, 4\..*leave_out"),
        (("a,-91,66,2026-01-01,",), "line 2: the place -91.0, 66.0 is not on Earth"),
        (("a,-14,181,2026-01-01,",), "not on Earth"),
        (("a,nan,66,2026-01-01,",), "not on Earth"),
        (("a,-14,66,01/02/2026,",), r"line 2: .*01/02/2026.*Expected: .*YYYY-MM-DD"),
        (("a,-14,66,2026-02-30,",), "line 2"),
        (("a,-14,66,2026-02-02,2026-02-02",), "valid_to 2026-02-02 is not after"),
        ((",-14,66,2026-02-02,",), "line 2: cell_id is empty"),
        (("a,-14,66",), "line 2: valid_from is empty"),
        (("a,fourteen,66,2026-01-01,",), "line 2"),
    ],
)
def test_a_wrong_row_is_refused_by_its_line_with_what_to_do(tmp_path, lines, message):
    with pytest.raises(InputError, match=message) as caught:
        read_cells(CellsConfig(path=table(tmp_path, *lines)))
    assert caught.value.expected
    assert caught.value.remedy


def test_a_missing_column_is_named(tmp_path):
    with pytest.raises(InputError, match="lacks latitude, valid_to"):
        read_cells(CellsConfig(path=table(tmp_path, header="cell_id,lat,longitude,valid_from")))


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", None])
def test_what_is_no_table_is_refused(tmp_path, content):
    path = tmp_path / "cells.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError):
        read_cells(CellsConfig(path=path))


zones = st.lists(st.integers(0, 396).map(lambda n: sorted(h3.grid_disk("866a4a48fffffff", 11))[n]), max_size=12)


@given(tables=st.lists(zones, max_size=5))
def test_a_zones_position_never_changes_however_cell_tables_grow_and_shrink(tables):
    register, first_seen = ZoneRegister(()), {}
    for table_ in tables:
        register = register.extended(table_)
        for zone, position in register.index.items():
            assert first_seen.setdefault(zone, position) == position
    assert len(register.zones) == len(set(register.zones)) == len({zone for table_ in tables for zone in table_})


@given(table_=zones)
def test_a_register_does_not_depend_on_the_order_of_a_cell_table(table_):
    assert ZoneRegister(()).extended(table_) == ZoneRegister(()).extended(reversed(table_))


def test_a_network_changes_where_a_cell_begins_or_ceases_to_stand_after_the_first_day():
    cells = (
        Cell("a", -14.0, 66.0, date(2026, 3, 1), date(2026, 3, 3)),
        Cell("a", -15.0, 66.0, date(2026, 3, 4), None),
        Cell("b", -15.0, 66.0, date(2025, 3, 4), date(2026, 3, 6)),
    )
    assert days_of_change(cells, date(2026, 3, 1), date(2026, 3, 5)) == (date(2026, 3, 3), date(2026, 3, 4))


days_in_march = st.integers(1, 20).map(lambda day: date(2026, 3, day))


@given(
    borders=st.lists(days_in_march, min_size=2, max_size=6, unique=True).map(sorted),
    window=st.tuples(days_in_march, days_in_march).map(sorted),
)
def test_a_cell_has_a_place_on_the_days_it_serves_and_none_on_the_others(borders, window):
    intervals = zip(borders[::2], borders[1::2], strict=False)
    cells = [Cell("a", -14.0 - n, 66.0, *interval) for n, interval in enumerate(intervals)]
    register = ZoneRegister(()).extended(cell.h3(6) for cell in cells)
    first, last = window
    starts = (first, *days_of_change(cells, first, last))

    rows = {(cell_id, n): index for cell_id, n, index in cell_stretches(cells, register, resolution=6, starts=starts)}

    for day in (date.fromordinal(number) for number in range(first.toordinal(), last.toordinal() + 1)):
        stretch = sum(change <= day for change in starts[1:])
        expected = [register.index[cell.h3(6)] for cell in cells if cell.serves(day)]
        assert [rows[("a", stretch)]] == (expected or [None])


def stretches(cells, *days):
    """Where an event under each name is placed on each day, as an H3 cell."""
    register = ZoneRegister(()).extended(cell.h3(6) for cell in cells)
    rows = cell_stretches(cells, register, resolution=6, starts=days)
    return {(name, days[n]): None if index is None else register.zones[index] for name, n, index in rows}


HERE, THERE = h3.latlng_to_cell(-14, 66, 6), h3.latlng_to_cell(-15, 66, 6)
MARCH_1, MARCH_5 = date(2026, 3, 1), date(2026, 3, 5)


def test_an_event_under_an_old_name_finds_the_renamed_cell_and_no_other(tmp_path):
    path = table(
        tmp_path,
        "old,-14,66,2026-01-01,2026-03-03,",
        "new,-14,66,2026-03-03,,old",
        "other,-15,66,2026-01-01,,",
        header=f"{HEADER},renamed_from",
    )
    found = stretches(read_cells(CellsConfig(path=path)), MARCH_1, MARCH_5)

    assert found["old", MARCH_1] == found["old", MARCH_5] == found["new", MARCH_5] == HERE
    assert found["new", MARCH_1] is None
    assert found["other", MARCH_5] == THERE


def test_a_name_that_was_given_to_another_cell_is_that_cells(tmp_path):
    path = table(tmp_path, "new,-14,66,2026-01-01,,old", "old,-15,66,2026-03-03,,", header=f"{HEADER},renamed_from")
    found = stretches(read_cells(CellsConfig(path=path)), MARCH_1, MARCH_5)

    assert (found["old", MARCH_1], found["old", MARCH_5]) == (HERE, THERE)


def test_a_chain_of_names_is_followed_to_its_end_and_back(tmp_path):
    path = table(
        tmp_path,
        "b,-15,66,2025-01-01,2026-02-01,a",
        "c,-14,66,2026-02-01,2026-03-04,b",
        "a,-14,66,2026-03-04,,c",
        header=f"{HEADER},renamed_from",
    )
    found = stretches(read_cells(CellsConfig(path=path)), date(2026, 1, 1), MARCH_1, MARCH_5)

    assert {day: found["a", day] for day in (date(2026, 1, 1), MARCH_1, MARCH_5)} == {
        date(2026, 1, 1): THERE,
        MARCH_1: HERE,
        MARCH_5: HERE,
    }
    assert found["b", MARCH_5] == HERE


def test_an_old_name_that_could_be_either_of_two_places_is_refused(tmp_path):
    rows = ("b,-14,66,2026-01-01,,a", "c,-15,66,2026-02-01,,a")
    path = table(tmp_path, *rows, header=f"{HEADER},renamed_from")
    with pytest.raises(InputError, match="cells b and c both were a"):
        read_cells(CellsConfig(path=path))

    at_one_site = [row.replace("-15", "-14") for row in rows]
    assert len(read_cells(CellsConfig(path=table(tmp_path, *at_one_site, header=f"{HEADER},renamed_from")))) == 2


def test_a_row_that_stands_twice_is_read_once_and_told(tmp_path):
    row = "a,-14,66,2026-01-01,"
    found = read_cell_table(CellsConfig(path=table(tmp_path, row, "b,-14,66,2026-01-01,", row)))

    assert [cell.cell_id for cell in found.cells] == ["a", "b"]
    assert [(remark.fault, remark.cell_ids) for remark in found.remarks] == [(CellFault.REPEATED, ("a",))]


def test_cells_without_a_place_can_be_left_out_and_are_told(tmp_path):
    path = table(tmp_path, "a,-14,66,2026-01-01,", "b,,,2026-01-01,", "c,0.0,0,2026-01-01,")
    found = read_cell_table(CellsConfig(path=path, unplaced="leave_out"))

    assert [cell.cell_id for cell in found.cells] == ["a"]
    assert [(remark.fault, remark.cell_ids) for remark in found.remarks] == [(CellFault.UNPLACED, ("b", "c"))]


def rows_around(latitude, longitude, count=12):
    return [f"c{n},{latitude + n / 10},{longitude - n / 7},2026-01-01," for n in range(count)]


@pytest.mark.parametrize("wrong", [1, 3])
def test_swapped_coordinates_are_refused_by_their_rows_and_never_put_right(tmp_path, wrong):
    swapped = [f"s{n},66.{n},-14.{n},2026-01-01," for n in range(wrong)]
    with pytest.raises(InputError, match=r"look swapped in row 14.*bbox") as caught:
        read_cells(CellsConfig(path=table(tmp_path, *rows_around(-14, 66), *swapped)))
    assert caught.value.found.count("15") == (wrong > 1)


def test_a_far_island_is_not_taken_for_a_swapped_cell(tmp_path):
    island = "island,-20,57,2026-01-01,"
    assert len(read_cells(CellsConfig(path=table(tmp_path, *rows_around(-14, 66), island)))) == 13


def test_a_country_on_the_diagonal_is_read_as_it_stands(tmp_path):
    assert len(read_cells(CellsConfig(path=table(tmp_path, *rows_around(9, 9))))) == 12


def test_inside_the_box_that_is_given_everything_is_right_and_outside_nothing(tmp_path):
    rows = [*rows_around(-14, 66), "far,66,-14,2026-01-01,"]
    wide, tight = (-20.0, -20.0, 70.0, 70.0), (60.0, -20.0, 70.0, 0.0)

    assert len(read_cells(CellsConfig(path=table(tmp_path, *rows), bbox=wide))) == 13
    with pytest.raises(InputError, match=r"outside \[cells\] bbox: row 14. Swapped, they would lie inside"):
        read_cells(CellsConfig(path=table(tmp_path, *rows), bbox=tight))
    all_swapped = [f"{c},{lon},{lat},{since}," for c, lat, lon, since, _ in (row.split(",") for row in rows[:12])]
    with pytest.raises(InputError, match=r"and 7 more\. Swapped, they would lie inside"):
        read_cells(CellsConfig(path=table(tmp_path, *all_swapped), bbox=tight))


def test_a_box_whose_corners_are_swapped_is_refused():
    with pytest.raises(ValueError, match="west, south, east, north"):
        CellsConfig(path="cells.csv", bbox=(70, -20, 60, 0))


FLOWKIT = CellColumns(
    cell_id="id",
    latitude="latitude",
    longitude="longitude",
    valid_from="date_of_first_service",
    valid_to="date_of_last_service",
)


def test_flowkits_cells_are_read_with_their_last_day_of_service(tmp_path):
    path = table(
        tmp_path,
        "1,0,s1,2026-01-01,2026-03-02,66,-14",
        "1,1,s1,2026-03-03,,66,-15",
        "2,0,s2,,,66.5,-14",
        header="id,version,site_id,date_of_first_service,date_of_last_service,longitude,latitude",
    )
    cells = read_cells(CellsConfig(path=path, columns=FLOWKIT, valid_to_is="last_day"))

    assert [(cell.cell_id, cell.valid_to, cell.latitude) for cell in cells] == [
        ("1", date(2026, 3, 3), -14),
        ("1", None, -15),
        ("2", None, -14),
    ]
    assert cells[2].serves(date(1999, 1, 1))


def test_multimnos_cells_are_read_from_parquet_with_times_for_dates(tmp_path):
    rows = {
        "cell_id": [7, 8],
        "latitude": [-14.0, -15.0],
        "longitude": [66.0, 66.0],
        "valid_date_start": ["2026-01-01T00:00:00Z", "2026-01-01"],
        "valid_date_end": [None, "2026-03-02T00:00:00"],
    }
    (tmp_path / "cells").mkdir()
    pq.write_table(pa.table(rows), tmp_path / "cells" / "part-0.parquet")
    columns = CellColumns(
        cell_id="cell_id",
        latitude="latitude",
        longitude="longitude",
        valid_from="valid_date_start",
        valid_to="valid_date_end",
    )
    cells = read_cells(CellsConfig(path=tmp_path / "cells", columns=columns, valid_to_is="last_day"))

    assert [(cell.cell_id, cell.valid_from, cell.valid_to) for cell in cells] == [
        ("7", date(2026, 1, 1), None),
        ("8", date(2026, 1, 1), date(2026, 3, 3)),
    ]


def test_the_world_banks_cells_always_stood_where_they_stand(tmp_path):
    path = table(tmp_path, "a,-14,66", header="cell_id,LAT,LNG")
    columns = CellColumns(cell_id="cell_id", latitude="LAT", longitude="LNG")

    assert read_cells(CellsConfig(path=path, columns=columns)) == (Cell("a", -14, 66, date.min, None),)
    with pytest.raises(InputError, match="lacks LAT, LNG"):
        read_cells(CellsConfig(path=table(tmp_path, header=HEADER), columns=columns))
