"""Totals of products in which a subscriber counts once, through the engines: whatever the rows, nobody counts twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql.types import LongType, StructField, StructType

from privacy.bounding import EVERYTHING, FIXED_POINT, LevelBound, bounded_totals, single_totals
from tests.properties.walks import through_the_engine

ONE = LevelBound("key", FIXED_POINT**2)

rows = st.lists(st.tuples(st.integers(1, 5), st.integers(0, 4)), min_size=1, max_size=30)
bounds = st.lists(st.integers(1, 2 * FIXED_POINT**2), min_size=1, max_size=3)


def table(session, columns, found):
    return session.createDataFrame(found, StructType([StructField(name, LongType()) for name in columns]))


def read(totals):
    return {row["key"]: row["total"] for row in totals.collect()}


def single(session, found, bounds=(ONE,)):
    return read(single_totals(table(session, ("subscriber", "key"), found), bounds))


@through_the_engine(10)
@given(found=rows, squared=bounds)
def test_whoever_has_several_rows_counts_once_within_every_bound(engines, found, squared):
    levels = [LevelBound("key", one) for one in squared]

    with engines("sail") as session:
        totals = single(session, found, levels)

    counted = {who: max(key for other, key in found if other == who) for who, _ in found}
    weights = {total / list(counted.values()).count(key) for key, total in totals.items()}
    assert totals.keys() == set(counted.values())
    assert len(weights) == 1
    assert all(weight**2 <= min(squared) for weight in weights)


@through_the_engine(10)
@given(found=rows, squared=st.integers(1, 2 * FIXED_POINT**2))
def test_rows_of_which_everybody_has_one_are_counted_as_by_the_general_rule(engines, found, squared):
    one_each = list(dict(found).items())
    levels = (LevelBound(EVERYTHING, FIXED_POINT**2), LevelBound("key", squared))
    with_amount = [(who, key, 1) for who, key in one_each]

    with engines("sail") as session:
        general = bounded_totals(table(session, ("subscriber", "key", "amount"), with_amount), levels, partitions=2)

        assert single(session, one_each, levels) == read(general)


def test_both_engines_count_a_subscriber_once(engine):
    assert single(engine, [(1, 3), (2, 3), (2, 4), (3, 4), (3, 4)]) == {3: FIXED_POINT, 4: 2 * FIXED_POINT}


@pytest.mark.parametrize("who", [1, 2, 3])
def test_removing_a_subscriber_changes_one_total_by_one(engine, who):
    found = [(1, 3), (2, 3), (2, 4), (3, 4), (3, 4)]
    whole, rest = single(engine, found), single(engine, [row for row in found if row[0] != who])

    assert sorted(whole.get(key, 0) - rest.get(key, 0) for key in (3, 4)) == [0, FIXED_POINT]
