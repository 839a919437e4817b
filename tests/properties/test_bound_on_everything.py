"""A bound on all that a subscriber contributes, through the engines: no row of anybody can be one too many."""

from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql.types import LongType, StructField, StructType

from privacy.bounding import EVERYTHING, FIXED_POINT, LevelBound, bounded_totals
from tests.oracle import bounding
from tests.properties.walks import through_the_engine

ONE_A_DAY = 7
SQUARED = (FIXED_POINT * ONE_A_DAY) ** 2
BOUNDS = (LevelBound(EVERYTHING, SQUARED), LevelBound("key", SQUARED))
COLUMNS = ("subscriber", "key", "amount")

rows = st.lists(st.tuples(st.integers(1, 4), st.integers(0, 5), st.integers(1, 9)), min_size=1, max_size=30)


def totals_of(session, found):
    schema = StructType([StructField(name, LongType()) for name in COLUMNS])
    table = bounded_totals(session.createDataFrame(found, schema), BOUNDS, partitions=2)
    return {row["key"]: row["total"] for row in table.collect()}


@through_the_engine(10)
@given(found=rows)
def test_whoever_has_more_than_one_contribution_a_day_is_scaled_down_as_a_whole(engines, found):
    by_subscriber = {}
    for who, key, amount in found:
        by_subscriber.setdefault(who, []).append(([0, key], amount))

    with engines("sail") as session:
        totals = totals_of(session, found)

    assert totals == bounding.totals(by_subscriber, [SQUARED, SQUARED])
    assert sum(totals.values()) <= len(by_subscriber) * FIXED_POINT * ONE_A_DAY


def test_both_engines_keep_a_bound_on_everything(engine):
    in_full, twice_too_much = [(1, 3, 4), (1, 5, 3)], [(2, 3, 7), (2, 4, 7)]

    assert totals_of(engine, in_full + twice_too_much) == {3: 4 * 1024 + 7 * 512, 5: 3 * 1024, 4: 7 * 512}
