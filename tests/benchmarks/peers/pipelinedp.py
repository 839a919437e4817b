"""The same table by PipelineDP, in an environment of its own: `python -m tests.benchmarks.peers.pipelinedp JOB`.

PipelineDP counts (epsilon, delta); it is given the pair on the Gaussian mechanism's own curve (Balle and Wang 2018) at
which its noise is that of the zCDP loss. A subscriber keeps `pairs` pairs, taken at random, and `trips` of each.
"""

import math
import os
import sys
import time
from importlib.metadata import version

import pipeline_dp
import pyarrow as pa
import pyarrow.parquet as pq

from tests.benchmarks.meter import cpu_s
from tests.benchmarks.peers.job import Job, write_figures


def main(job: Job) -> None:
    """Read contributions, release, write noisy totals."""
    begun, cpu = time.perf_counter(), cpu_s(os.getpid())
    columns = pq.read_table(job.contributions)
    rows = zip(*(columns[name].to_pylist() for name in ("subscriber", "pair", "trips")), strict=True)
    accountant = pipeline_dp.NaiveBudgetAccountant(epsilon_of(job.rho, job.delta), job.delta)
    engine = pipeline_dp.DPEngine(accountant, pipeline_dp.LocalBackend())
    released = engine.aggregate(
        rows,
        pipeline_dp.AggregateParams(
            metrics=[pipeline_dp.Metrics.SUM],
            noise_kind=pipeline_dp.NoiseKind.GAUSSIAN,
            max_partitions_contributed=job.pairs,
            max_contributions_per_partition=1,
            min_value=0,
            max_value=job.trips,
            output_noise_stddev=True,
        ),
        pipeline_dp.DataExtractors(
            privacy_id_extractor=lambda row: row[0],
            partition_extractor=lambda row: row[1],
            value_extractor=lambda row: row[2],
        ),
        public_partitions=pq.read_table(job.domain)["pair"].to_pylist(),
    )
    accountant.compute_budgets()
    pairs, metrics = zip(*released, strict=True)
    table = pa.table({"pair": pairs, "total": [metric.sum for metric in metrics]})
    pq.write_table(table, job.results)
    write_figures(
        job,
        wall_s=time.perf_counter() - begun,
        cpu_s=cpu_s(os.getpid()) - cpu,
        noise_sd=metrics[0].sum_noise_stddev,
        version=version("pipeline_dp"),
    )


def epsilon_of(rho: float, delta: float) -> float:
    """Epsilon at which the Gaussian mechanism of zCDP loss rho has exactly this delta, by bisection."""
    mu, low, high = math.sqrt(2 * rho), 0.0, 100.0
    for _ in range(100):
        middle = (low + high) / 2
        tail = _normal_cdf(mu / 2 - middle / mu) - math.exp(middle) * _normal_cdf(-mu / 2 - middle / mu)
        low, high = (low, middle) if tail <= delta else (middle, high)
    return high


def _normal_cdf(x: float) -> float:
    return math.erfc(-x / math.sqrt(2)) / 2


if __name__ == "__main__":
    main(Job.load(sys.argv[1]))
