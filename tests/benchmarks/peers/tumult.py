"""The same table by Tumult Analytics, in an environment of its own: `python -m tests.benchmarks.peers.tumult JOB`.

Privacy: rho-zCDP for adding or removing all rows of one subscriber. A subscriber keeps `pairs` pairs, taken by hash,
and `trips` trips of each over the period; so the L2 bound is trips sqrt(pairs), whatever the subscriber really did.
"""

import math
import os
import sys
import time
from importlib.metadata import version

from pyspark.sql import SparkSession
from tmlt.analytics import (
    AddRowsWithID,
    KeySet,
    MaxGroupsPerID,
    MaxRowsPerGroupPerID,
    QueryBuilder,
    RhoZCDPBudget,
    Session,
)

from tests.benchmarks.meter import cpu_s
from tests.benchmarks.peers.job import Job, write_figures


def main(job: Job) -> None:
    """Read contributions, release, write noisy totals."""
    os.environ["PYSPARK_PYTHON"] = sys.executable  # workers run Tumult's functions, in this environment
    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.driver.memory", "4g")  # Tumult's plans over 667,000 keys do not fit the default gigabyte
        .config("spark.sql.shuffle.partitions", 4)  # two for each core; Spark's 200 would only cost tasks
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .getOrCreate()
    )
    begun, cpu = time.perf_counter(), cpu_s(os.getpid())
    budget = RhoZCDPBudget(job.rho)
    entries = spark.read.parquet(str(job.contributions))
    session = Session.from_dataframe(budget, "trips", entries, protected_change=AddRowsWithID(id_column="subscriber"))
    keys = KeySet.from_dataframe(spark.read.parquet(str(job.domain)))
    query = (
        QueryBuilder("trips")
        .enforce(MaxGroupsPerID("pair", job.pairs))
        .enforce(MaxRowsPerGroupPerID("pair", 1))
        .groupby(keys)
        .sum("trips", low=0, high=job.trips, name="total", mechanism="gaussian")
    )
    session.evaluate(query, budget).write.mode("overwrite").parquet(str(job.results))
    write_figures(
        job,
        wall_s=time.perf_counter() - begun,
        cpu_s=cpu_s(os.getpid()) - cpu,
        noise_sd=job.trips * math.sqrt(job.pairs) / math.sqrt(2 * job.rho),
        version=version("tmlt.analytics"),
    )
    spark.stop()


if __name__ == "__main__":
    main(Job.load(sys.argv[1]))
