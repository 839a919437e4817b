"""Moves: subscribers whose home of one window of months is not that of the window before."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def moves_between(before: DataFrame, now: DataFrame, *, level: int) -> DataFrame:
    """One row per subscriber with a home in both windows, in different zones: both homes.

    Their columns are those of `residence` with `before_` and `now_` in front: `before_zone_0`, and so on.

    Args:
        before: Homes of the earlier window, from `residence`.
        now: Homes of the later one.
        level: The level whose zones have to differ, 0 the coarsest.

    Stability: a row depends on one subscriber's homes only.

    Source: UN handbook on mobile phone data for migration statistics, 5.2.2; docs/methods/migration.md.
    """
    both = homes_of(before, "before").join(homes_of(now, "now"), "subscriber")
    return both.filter(F.col(f"before_zone_{level}") != F.col(f"now_zone_{level}"))


def churn_between(before: DataFrame, now: DataFrame) -> DataFrame:
    """One row per subscriber with a home in one of two windows only: that home, and whether it `has_appeared`.

    The home's columns are those of `residence`. Who has appeared has a home in the later window only; the others fell
    silent. These SIMs came or went, or were seldom heard: no row says that somebody moved, and none is in
    `moves_between`.

    Args:
        before: Homes of the earlier window, from `residence`.
        now: Homes of the later one.

    Stability: a row depends on one subscriber's homes only.
    """
    either = homes_of(before, "before").join(homes_of(now, "now"), "subscriber", "full")
    had_none, has_none = F.col("before_cell_index").isNull(), F.col("now_cell_index").isNull()
    home = [F.coalesce(f"before_{n}", f"now_{n}").alias(n) for n in now.columns if n != "subscriber"]
    return either.filter(had_none | has_none).select("subscriber", *home, had_none.alias("has_appeared"))


def homes_of(homes: DataFrame, when: str) -> DataFrame:
    """The homes with a word in front of every column but the subscriber's."""
    return homes.select("subscriber", *[F.col(n).alias(f"{when}_{n}") for n in homes.columns if n != "subscriber"])
