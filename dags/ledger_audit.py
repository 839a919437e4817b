"""Every morning: hold the ledger against its own chain, the vault, the signatures and the published bundles."""

from datetime import datetime

from airflow.sdk import DAG, CronTriggerTimetable
from whimbrel_tasks import DEFAULTS, GATE, LAST_DAY, TIMEZONE, verb

with DAG(
    dag_id="ledger_audit",
    description="The ledger against published bundles.",
    doc_md=__doc__,
    schedule=CronTriggerTimetable("0 6 * * *", timezone=TIMEZONE),
    start_date=datetime(2020, 1, 1),
    end_date=LAST_DAY,
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["whimbrel", "release"],
):
    verb(
        "check", "ledger", "check", identity=GATE, doc="Fails where the ledger, a bundle or a signature does not hold."
    )
