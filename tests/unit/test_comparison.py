"""The comparison with planted truth, on tables small enough to count by hand."""

import dataclasses
import io

import h3
import pyarrow as pa
import pytest
import rich.console

from jobs.publish.comparison import compare_with_truth
from privacy.release import _DOOR
from schemas.errors import PrivacyError
from schemas.published import OD_TRIPS
from tests.unit.test_bundle_example import coast, exact_flows, example_release

PARENT = h3.latlng_to_cell(6.6, -3.4, 5)
OTHER = sorted(h3.grid_ring(PARENT, 1))[0]
A, B, C = sorted(h3.cell_to_children(PARENT, 6))[:3]
FAR = h3.cell_to_center_child(OTHER, 6)


def row(origin, destination, resolution, value, sd, status):
    numbers = {"value": value, "noise_sd": sd, "ci_low": value - 1.96 * sd, "ci_high": value + 1.96 * sd}
    zones = {"origin": origin, "destination": destination, "res_from": resolution, "res_to": resolution}
    words = {"status": status, "is_residual": status != "published", "sex": "all", "age_band": "all"}
    rest = {"period": "2026-W10", "quality": "A", "definition_id": "od_trips/1"}
    return zones | numbers | words | rest


def release(*rows, synthetic=True):
    example = example_release(radius=6)
    remainder = row(None, None, None, 10.0, 5.0, "remainder")
    table = pa.Table.from_pylist([*rows, remainder], schema=OD_TRIPS.arrow_schema)
    return dataclasses.replace(example, door=_DOOR, table=table, card={**example.card, "synthetic": synthetic})


def truth(*flows):
    origins, destinations, trips = zip(*flows, strict=True)
    return pa.table({"origin_h3": origins, "destination_h3": destinations, "trips": [float(t) for t in trips]})


def level(agreement, resolution):
    return next(level for level in agreement.levels if level.resolution == resolution)


def test_a_release_equal_to_the_truth_has_no_error():
    found = compare_with_truth(
        release(row(A, B, 6, 70.0, 1.0, "published"), row(B, FAR, 6, 20.0, 1.0, "published")),
        truth((A, B, 70), (B, FAR, 20), (C, A, 10)),
    ).truth
    assert found.errors[0].median_relative_error == 0
    assert (found.false_pairs, found.coverage, found.total_ratio) == (0, 1, 1)
    assert level(found, 6).share == pytest.approx(0.9)
    assert found.remainder_share == pytest.approx(0.1)


def test_a_residual_completes_its_pair_at_its_own_level_only():
    found = compare_with_truth(
        release(row(A, B, 6, 60.0, 1.0, "published"), row(PARENT, PARENT, 5, 40.0, 4.0, "residual")),
        truth((A, B, 60), (B, C, 40)),
    ).truth
    assert level(found, 6).cpc == pytest.approx(2 * 60 / (60 + 100))
    assert level(found, 5).cpc == 1
    assert (level(found, 6).rows, level(found, 5).rows, level(found, 4).rows) == (1, 1, 0)


def test_errors_are_told_by_the_size_of_the_true_flow():
    found = compare_with_truth(
        release(row(A, B, 6, 110.0, 1.0, "published"), row(B, A, 6, 18.0, 1.0, "published")),
        truth((A, B, 100), (B, A, 12)),
    ).truth
    by_floor = {error.floor: error for error in found.errors}
    assert by_floor[10].median_relative_error == pytest.approx((0.1 + 0.5) / 2)
    assert by_floor[100].median_relative_error == pytest.approx(0.1)
    assert (by_floor[100].rows, by_floor[1000].rows) == (1, 0)
    assert found.coverage == 0


def test_a_published_pair_that_nobody_travelled_is_false():
    found = compare_with_truth(release(row(A, B, 6, 30.0, 1.0, "published")), truth((B, A, 30))).truth
    assert (found.false_pairs, found.published) == (1, 1)


def test_movement_inside_one_base_cell_is_no_trip():
    found = compare_with_truth(release(row(A, B, 6, 30.0, 1.0, "published")), truth((A, B, 40), (A, A, 900))).truth
    assert found.total_ratio == 1


def test_the_order_of_the_true_flows_does_not_matter():
    flows = exact_flows(coast(10))
    shuffled = flows.sample(frac=1, random_state=3)
    tables = [pa.Table.from_pandas(table, preserve_index=False) for table in (flows, shuffled)]
    first, second = (compare_with_truth(example_release(), table).truth for table in tables)
    assert (first.false_pairs, first.coverage, first.errors) == (
        second.false_pairs,
        second.coverage,
        second.errors,
    )


def test_a_second_truth_stands_beside_the_first_on_one_screen():
    comparison = compare_with_truth(
        release(row(A, B, 6, 30.0, 1.0, "published")), truth((A, B, 90)), exact=truth((A, B, 30))
    )
    assert comparison.exact.errors[0].median_relative_error == 0
    console = rich.console.Console(width=100, file=io.StringIO())
    console.print(comparison)
    lines = console.file.getvalue().splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 100


def test_a_release_of_real_data_is_not_compared():
    with pytest.raises(PrivacyError, match="not of synthetic data"):
        compare_with_truth(release(synthetic=False), truth((A, B, 1)))
