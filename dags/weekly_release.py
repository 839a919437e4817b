"""Every week, once its seven days are in, closed and look complete: reserve, aggregate, seal, ask, publish."""

from datetime import datetime

from airflow.providers.standard.sensors.date_time import DateTimeSensorAsync
from airflow.sdk import DAG, Asset, PartitionedAssetTimetable, RollupMapper, StartOfWeekMapper, WeekWindow, chain
from whimbrel_tasks import CLOSING, DEFAULTS, MACROS, WAIT_POOL, WEEK, WEEKLY, counted_days, for_, gate, release_steps

MONDAY = StartOfWeekMapper(input_format="%Y-%m-%d", output_format="%Y-%m-%d")

with DAG(
    dag_id="weekly_release",
    description="The releases of one ISO week.",
    doc_md=__doc__,
    # The partition of a week is its Monday; it is complete with the seventh day of `subscriber_days`.
    schedule=PartitionedAssetTimetable(
        assets=Asset("subscriber_days"),
        default_partition_mapper=RollupMapper(upstream_mapper=MONDAY, window=WeekWindow()),
    ),
    start_date=datetime(2020, 1, 1),
    catchup=False,
    # Runs wait for people; a pool lets one at a time have the engine, another one the gate.
    max_active_runs=8,
    params=for_("day"),
    default_args=DEFAULTS,
    user_defined_macros=MACROS,
    tags=["whimbrel", "release"],
):
    closed = DateTimeSensorAsync(
        task_id="wait_until_closed",
        target_time=CLOSING,
        pool=WAIT_POOL,
        doc_md="Waits until no late row changes the week any more: a sealed release never changes.",
    )
    chain(closed, counted_days(WEEK), gate(WEEK), [release_steps(product, WEEK) for product in WEEKLY])
