"""Aggregates before noise: bounded, confidential, gone once their release is sealed."""

from pyspark.sql.types import LongType

from schemas.contract import Column, Confidentiality, Contract

EXACT_TOTALS = Contract(
    name="exact_totals",
    grain="one row per key of a release's finest level that a subscriber contributed to",
    key=("key",),
    columns=(
        Column("key", LongType(), "Zone, or pair of zones as origin * n + destination, of the finest level; or bin."),
        Column("total", LongType(), "Sum of the subscribers' weighted contributions over the period; or subscribers.",
               "1/1024; or subscribers"),
    ),
    confidentiality=Confidentiality.CONFIDENTIAL,
)  # fmt: skip
