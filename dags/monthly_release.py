"""Every privacy month, once its days are closed: the nights, then residents and relocations like any release."""

from datetime import datetime

from airflow.sdk import DAG, CronPartitionTimetable
from whimbrel_tasks import (
    DEFAULTS,
    LAST_DAY,
    MACROS,
    MONTH,
    MONTHLY,
    TIMEZONE,
    engine_verb,
    for_,
    release_steps,
)

with DAG(
    dag_id="monthly_release",
    description="The nights and the releases of one privacy month.",
    doc_md=__doc__,
    # A privacy month ends on the 3rd of the next at the latest; the last delivery with rows of it, a week on, is waited
    # for three days.
    schedule=CronPartitionTimetable("0 0 14 * *", timezone=TIMEZONE, run_offset=-1, key_format="%Y-%m"),
    start_date=datetime(2020, 1, 1),
    end_date=LAST_DAY,
    catchup=False,
    # Runs wait for people; a pool lets one at a time have the engine, another one the gate.
    max_active_runs=4,
    params=for_("month"),
    default_args=DEFAULTS,
    user_defined_macros=MACROS,
    tags=["whimbrel", "release"],
):
    nights = engine_verb("nights", "nights", MONTH, doc="Finds where subscribers spent the nights: residence follows.")
    nights >> [release_steps(product, MONTH) for product in MONTHLY]
