"""The map is the same picture everywhere, and draws what it says."""

import dataclasses
import struct
import time

import h3
import matplotlib as mpl
import numpy as np
import pytest

from jobs.publish.od_map import Projection, arc, draw_od_map, nice_length, od_map_png
from privacy.release import _DOOR
from tests.unit.test_bundle_example import example_release


def chunks(png):
    place = 8
    while place < len(png):
        (length,) = struct.unpack(">I", png[place : place + 4])
        yield png[place + 4 : place + 8].decode(), png[place + 8 : place + 8 + length]
        place += 12 + length


def test_the_map_is_drawn_within_four_seconds(tmp_path):
    begin = time.perf_counter()
    draw_od_map(example_release(), tmp_path / "map.png")
    assert time.perf_counter() - begin < 4
    assert (tmp_path / "map.png").stat().st_size > 50_000


def test_a_users_matplotlib_style_does_not_change_the_map():
    plain = od_map_png(example_release(radius=6))
    with mpl.rc_context({"font.size": 30, "lines.linewidth": 9, "savefig.dpi": 20, "savefig.bbox": "tight"}):
        assert od_map_png(example_release(radius=6)) == plain


def test_the_picture_carries_neither_software_nor_date():
    assert {kind for kind, _ in chunks(od_map_png(example_release(radius=6)))} == {
        "IHDR",
        "PLTE",
        "pHYs",
        "IDAT",
        "IEND",
    }


def test_a_release_of_nothing_but_the_remainder_can_be_drawn():
    full = example_release(radius=6)
    assert od_map_png(dataclasses.replace(full, door=_DOOR, table=full.table.slice(full.table.num_rows - 1)))


def test_an_arc_joins_its_ends_and_bends_to_the_right():
    points = arc(np.array([0.0, 0.0]), np.array([0.0, 10.0]))
    assert points[[0, -1]].tolist() == [[0, 0], [0, 10]]
    assert points[len(points) // 2, 0] > 0


@pytest.mark.parametrize(("longest", "nice"), [(1.0, 1), (4.9, 2), (5, 5), (99, 50), (230, 200)])
def test_a_scale_bar_has_a_round_length(longest, nice):
    assert nice_length(longest) == nice


def test_distances_on_the_map_are_kilometres_on_the_ground():
    (west, south), (east, north) = Projection(-3, 6)([(-3.2, 5.9), (-2.9, 6.1)])
    on_ground = h3.great_circle_distance((5.9, -3.2), (6.1, -2.9), unit="km")
    assert np.hypot(east - west, north - south) == pytest.approx(on_ground, rel=0.002)


def test_a_country_across_the_antimeridian_is_drawn_in_one_piece():
    points = Projection(179.9, -17)([(179.8, -17), (-179.9, -17)])
    assert np.ptp(points[:, 0]) < 40
