"""Every day: wait for its delivery, read it into subscriber days, report on its quality, announce the day."""

from datetime import datetime
from typing import Any

from airflow.sdk import DAG, Asset, CronPartitionTimetable, chain, task
from whimbrel_tasks import (
    CONFIDENTIAL,
    DAY,
    DEFAULTS,
    DELIVERIES,
    LAST_DAY,
    MACROS,
    MARKER,
    SOURCE,
    TIMEZONE,
    WAIT_POOL,
    DeliverySensor,
    arrival_alert,
    day_of,
    engine_verb,
    for_,
    sensor_times,
    verb,
)

subscriber_days = Asset("subscriber_days")

with DAG(
    dag_id="cdr_daily",
    description="One local day of call detail records, from its delivery to subscriber days.",
    doc_md=__doc__,
    # At midnight, for the day that has just ended.
    schedule=CronPartitionTimetable("0 0 * * *", timezone=TIMEZONE, run_offset=-1, key_format="%Y-%m-%d"),
    start_date=datetime(2020, 1, 1),
    end_date=LAST_DAY,
    catchup=False,
    params=for_("day"),
    default_args=DEFAULTS,
    user_defined_macros=MACROS,
    deadline=arrival_alert(),
    tags=["whimbrel", "confidential"],
):
    arrived = DeliverySensor(
        task_id="wait_for_delivery",
        fs_conn_id=DELIVERIES,
        filepath=f"{DAY}/{MARKER}",
        deferrable=True,
        pool=WAIT_POOL,
        doc_md=f"Waits until the day's folder holds {MARKER}, which whoever delivers writes last.",
        **sensor_times(),
    )
    ingest = engine_verb(
        "ingest",
        *("ingest", f"{{{{ conn.{DELIVERIES}.extra_dejson.path }}}}/{DAY}", "--days", DAY, *SOURCE, "--no-quality"),
        doc="Reads the delivery once, pseudonymises it, merges the days that it brought rows of.",
    )
    quality = verb(
        *("quality", "quality", DAY),
        identity=CONFIDENTIAL,
        doc="Writes the day's confidential report. No release waits for what it says.",
    )

    @task(
        outlets=[subscriber_days],
        pool=WAIT_POOL,
        doc_md="Announces the day to the weekly release. The event holds its date and nothing else.",
    )
    def announce(*, outlet_events: Any, dag_run: Any, params: dict[str, Any]) -> None:
        """Emit one event of the asset, for the run's day."""
        outlet_events[subscriber_days].add_partitions(day_of(dag_run, params))

    chain(arrived, ingest, quality, announce())
