"""Cells stand in one place at a time, and their zones keep their numbers for ever."""

from datetime import date

import h3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.ingest.cells import Cell, ZoneRegister, cell_stretches, days_of_change, read_cells
from schemas.errors import InputError

HEADER = "cell_id,latitude,longitude,valid_from,valid_to"


def table(tmp_path, *lines, header=HEADER):
    path = tmp_path / "cells.csv"
    path.write_text("\n".join((header, *lines)) + "\n", encoding="utf-8")
    return path


def test_a_cell_may_move_when_the_intervals_do_not_overlap(tmp_path):
    path = table(tmp_path, "a,-14,66,2026-01-01,2026-03-02", "a,-14.5,66,2026-03-02,", "b,-14,66,2025-01-01,")

    assert [(cell.cell_id, cell.valid_to) for cell in read_cells(path)] == [
        ("a", date(2026, 3, 2)),
        ("a", None),
        ("b", None),
    ]


def test_columns_stand_in_any_order_and_a_byte_order_mark_does_no_harm(tmp_path):
    path = table(tmp_path, "66,-14,,2026-01-01,a,x", header="\ufefflongitude,latitude,valid_to,valid_from,cell_id,more")

    (cell,) = read_cells(path)
    assert (cell.cell_id, cell.latitude, cell.longitude) == ("a", -14, 66)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("a,-14,66,2026-01-01,", "a,-14,67,2026-02-01,"), r"two places from 2026-02-01.*close .* valid_to 2026-02-01"),
        (("a,-14,66,2026-01-01,2026-03-02", "a,-14,67,2026-03-01,"), "cell a stands in two places from 2026-03-01"),
        (("a,-14,66,2026-01-01,", "a,-14,66,2026-01-01,"), "two places from 2026-01-01"),
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
        read_cells(table(tmp_path, *lines))
    assert caught.value.expected
    assert caught.value.remedy


def test_a_missing_column_is_named(tmp_path):
    with pytest.raises(InputError, match="lacks latitude, valid_to"):
        read_cells(table(tmp_path, header="cell_id,lat,longitude,valid_from"))


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", None])
def test_what_is_no_table_is_refused(tmp_path, content):
    path = tmp_path / "cells.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError):
        read_cells(path)


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
