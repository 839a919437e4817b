"""Every night: remove what the installation's retention says has expired, and record it."""

from datetime import datetime

from airflow.sdk import DAG, CronTriggerTimetable
from whimbrel_tasks import CONFIDENTIAL, DEFAULTS, LAST_DAY, TIMEZONE, verb

with DAG(
    dag_id="retention",
    description="Expired parts, days and quarantine go.",
    doc_md=__doc__,
    schedule=CronTriggerTimetable("30 3 * * *", timezone=TIMEZONE),
    start_date=datetime(2020, 1, 1),
    end_date=LAST_DAY,
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["whimbrel", "confidential"],
):
    verb(
        "expire",
        "retention",
        identity=CONFIDENTIAL,
        doc="Removes what expired; killed, it is finished by the next run.",
    )
