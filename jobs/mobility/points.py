"""Points of a day, each beside the one that follows it.

No lambda looks at an element where it can be helped: Spark interprets lambdas element by element, and the millions of
points of a day are what every product reads.
"""

from collections.abc import Sequence
from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from schemas.subscriber_days import CELL_MASK

NEVER: Final = 1 << 62
"""A point after every other."""


def seen_points(unseen: Sequence[int]) -> Column:
    """The points of a day without those in unseen cells."""
    if not unseen:
        return F.col("points")
    return F.filter("points", lambda point: ~point.bitwiseAND(F.lit(CELL_MASK)).isin(list(unseen))).alias("points")


def with_next(rows: DataFrame, *, last: Column | int = NEVER) -> DataFrame:
    """One row per point of the sorted arrays `points`: the rows' other columns, `point`, and `after`, the next one.

    After the last of an array comes `last`. The array is shifted against itself and exploded: both engines do that in
    compiled code, and need no lambda that looks around in its own array.
    """
    others = [name for name in rows.columns if name != "points"]
    after = F.concat(F.slice("points", F.lit(2), F.size("points")), F.array(F.lit(last)))
    shifted = rows.select(*others, "points", after.alias("after"))
    pairs = shifted.select(*others, F.explode(F.arrays_zip("points", "after")).alias("pair"))
    return pairs.select(*others, F.col("pair.points").alias("point"), F.col("pair.after").alias("after"))
