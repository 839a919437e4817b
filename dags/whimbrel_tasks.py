"""What the DAGs share: how a verb of the command line becomes a task, who runs it, and what ends it.

The command line does all work and holds all rules. Airflow decides when; it never sees a number: tasks push nothing
to XCom, and the verbs print no value.
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import structlog
from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.providers.standard.sensors.filesystem import FileSensor
from airflow.sdk import (
    BaseHook,
    BaseOperator,
    Context,
    DeadlineAlert,
    DeadlineReference,
    Param,
    RetryDecision,
    RetryPolicy,
    SyncCallback,
    TaskGroup,
    TriggerRule,
    chain,
)
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException, AirflowSensorTimeout

ENGINE_POOL, GATE_POOL, WAIT_POOL = "whimbrel_engine", "whimbrel_gate", "whimbrel_wait"
"""Pools, made from `pools.json`: one engine and one gate at a time; whoever waits takes no slot of theirs."""

CONFIDENTIAL, GATE, PUBLISHER = "confidential", "gate", "publisher"
"""Identities: who reads subscribers' days; who charges, draws and seals; who holds the key that signs bundles."""

DELIVERIES: Final = "whimbrel_deliveries"
"""Connection (type `fs`) to the folder of deliveries."""

MARKER: Final = "_SUCCESS"
"""Whoever delivers writes it last, so that half a delivery is none."""

SPARK: Final = "spark_default"

KEYS: Final = {"day": r"^\d{4}-\d{2}-\d{2}$", "month": r"^\d{4}-\d{2}$"}
"""What a run may be called with; also the patterns of the parameters."""

_EXAMPLES: Final = {"day": "2026-03-02", "month": "2026-03"}


def _setting(name: str, default: str) -> str:
    return os.environ.get(f"WHIMBREL_{name}", default)


TIMEZONE: Final = _setting("TIMEZONE", "UTC")
CLOSE_DAYS: Final = int(_setting("CLOSE_DAYS", "7"))
"""Days after which no late row changes a period any more; weekly and monthly releases wait for it."""

LAST_DAY: Final = datetime.fromisoformat(_setting("LAST_DAY", "2099-12-31"))
"""Last day on which a DAG starts by itself."""

WEEKLY, MONTHLY = (
    [name.strip() for name in _setting(setting, products).split(",") if name.strip()]
    for setting, products in (("WEEKLY", "od_trips,presence,home_visits"), ("MONTHLY", "residents,relocations"))
)
"""Products that are released every week, and every privacy month."""

SOURCE: Final = ("--source", _setting("SOURCE", "")) if _setting("SOURCE", "") else ()
"""Layout of the deliveries, where the installation knows several."""

_CONFIG: Final = _setting("CONFIG", "whimbrel.toml")
_COMMAND: Final = _setting("COMMAND", "whimbrel")
_SUBMIT: Final = _setting("ENGINE", "shell") == "spark-submit"
_ALERT: Final = timedelta(hours=float(_setting("ALERT_HOURS", "8")))
_WAIT: Final = timedelta(hours=float(_setting("WAIT_HOURS", "72")))
_POKE_S: Final = float(_setting("POKE_SECONDS", "60"))
_RETRY: Final = timedelta(seconds=float(_setting("RETRY_SECONDS", "60")))
_IDENTITIES: Final[Mapping[str, Mapping[str, Any]]] = json.loads(_setting("IDENTITIES", "{}"))
"""By identity: arguments of its tasks, such as `run_as_user`, `queue` or `executor_config`."""

_APPROVERS: Final = [name.strip() for name in _setting("APPROVERS", "").split(",") if name.strip()]


class RefusalsFail(RetryPolicy):
    """Exit code 2 is a refusal or a mistake: the same command would be refused again. Anything else is retried."""

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,  # noqa: ARG002  Airflow's signature
        max_tries: int,  # noqa: ARG002
        context: Context | None = None,  # noqa: ARG002
    ) -> RetryDecision:
        """Decide by the exit code, which both operators name in their message."""
        if re.search(r"(?:exit code|Error code is:) 2\b", str(exception)):
            return RetryDecision.fail(
                "Whimbrel refused (exit code 2). The log says what to do; then clear this task, or start its day again."
            )
        return RetryDecision.default()


DEFAULTS: Final[dict[str, Any]] = {
    "owner": "whimbrel",
    "retries": 3,
    "retry_delay": _RETRY,
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(hours=1),
    "retry_policy": RefusalsFail(),
    "do_xcom_push": False,
    "execution_timeout": timedelta(hours=12),
}
"""What every task is given; nothing goes to XCom."""


def day_of(dag_run: Any, params: Mapping[str, Any]) -> str:
    """The local day of a run: its partition, or the parameter `day`."""
    return _key("day", dag_run, params)


def month_of(dag_run: Any, params: Mapping[str, Any]) -> str:
    """The privacy month of a run: its partition, or the parameter `month`."""
    return _key("month", dag_run, params)


def week_of(dag_run: Any, params: Mapping[str, Any]) -> str:
    """The ISO week of a run: that of the Monday which is its partition, or of the parameter `day`."""
    return f"{datetime.fromisoformat(day_of(dag_run, params)):%G-W%V}"


def closing_of(dag_run: Any, params: Mapping[str, Any]) -> str:
    """The instant from which on no late row changes a run's week any more, by the country's clock.

    The last delivery that may bring rows of its Sunday is that of `CLOSE_DAYS` later, which is waited for.
    """
    day = datetime.fromisoformat(day_of(dag_run, params)).replace(tzinfo=ZoneInfo(TIMEZONE))
    return (day + timedelta(days=7 - day.weekday() + CLOSE_DAYS) + _WAIT).isoformat()


def _key(kind: str, dag_run: Any, params: Mapping[str, Any]) -> str:
    key = str(params.get(kind) or dag_run.partition_key)
    if not re.fullmatch(KEYS[kind], key):
        raise AirflowFailException(
            f"This run is for {key!r}, which is no {kind}. Remedy: trigger it with a partition key, or with the "
            f"parameter {kind}, such as {_EXAMPLES[kind]}."
        )
    return key


MACROS: Final = {"day_of": day_of, "month_of": month_of, "week_of": week_of, "closing_of": closing_of}
"""What templates of the DAGs may call."""

DAY, WEEK, MONTH, CLOSING = (f"{{{{ {name}_of(dag_run, params) }}}}" for name in ("day", "week", "month", "closing"))


def for_(kind: str) -> dict[str, Param]:
    """The parameter that a run without a partition key names its day or month by."""
    return {
        kind: Param(
            None,
            type=["null", "string"],
            pattern=KEYS[kind],
            title=f"Local {kind}",
            description=f"For a run by hand without a partition key: {_EXAMPLES[kind]}.",
        )
    }


class SubmittedVerb(SparkSubmitOperator):
    """A verb whose engine is a cluster: its driver runs here, where ledger, key and vault are."""

    def execute(self, context: Context) -> None:
        """Submit it; without the connection the provider would take a YARN for granted."""
        _require_connection(SPARK, "--conn-type spark --conn-host spark://MASTER --conn-port 7077")
        super().execute(context)


class DeliverySensor(FileSensor):
    """Waits for a day's delivery without a worker."""

    def execute(self, context: Context) -> None:
        """Look, and if it is not there yet, hand the waiting to the triggerer."""
        _require_connection(DELIVERIES, """--conn-type fs --conn-extra '{"path": "/deliveries"}'""")
        super().execute(context)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on when it came; say what is missing when it never did."""
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except AirflowSensorTimeout:
            raise AirflowFailException(
                f"No complete delivery came: {self.filepath} is not there. Expected: a folder of the day's files, and "
                f"{MARKER} written last. Remedy: ask whoever delivers; once it is there, clear this task."
            ) from None


def sensor_times() -> dict[str, Any]:
    """How often a sensor looks, and when it gives up."""
    return {"poke_interval": _POKE_S, "timeout": _WAIT.total_seconds()}


def verb(task_id: str, *words: str, identity: str, doc: str, line: str = "exec {verb}", **options: Any) -> BaseOperator:
    """A verb of the command line that needs no engine, as a shell task.

    Args:
        task_id: Name of the task.
        words: The verb and its arguments; templates.
        identity: Who runs it.
        doc: What it does.
        line: What the shell makes of it.
        options: Further arguments of the task.
    """
    return BashOperator(
        task_id=task_id,
        bash_command=line.format(verb=_shell(len(words))),
        env=_environment(words),
        append_env=True,
        doc_md=doc,
        **{"pool": ENGINE_POOL if identity == CONFIDENTIAL else GATE_POOL, **_IDENTITIES.get(identity, {}), **options},
    )


def engine_verb(task_id: str, *words: str, doc: str, **options: Any) -> BaseOperator:
    """A verb that opens an engine: a shell task with the embedded one, `spark-submit` with a cluster."""
    if not _SUBMIT:
        return verb(task_id, *words, identity=CONFIDENTIAL, doc=doc, **options)
    return SubmittedVerb(
        task_id=task_id,
        conn_id=SPARK,
        name=f"whimbrel {task_id}",
        application=_setting("APPLICATION", "infra/spark/whimbrel_job.py"),
        application_args=[*words, "--config", _CONFIG, "--engine", "spark"],
        properties_file=_setting("SPARK_PROPERTIES", "") or None,
        py_files=_setting("PY_FILES", "") or None,
        deploy_mode="client",
        doc_md=doc,
        **{"pool": ENGINE_POOL, **_IDENTITIES.get(CONFIDENTIAL, {}), **options},
    )


def _shell(words: int) -> str:
    """A line that takes its words from the environment: what a run is called with is never read by a shell."""
    arguments = " ".join(f'"$WHIMBREL_WORD_{n}"' for n in range(words))
    return f'"$WHIMBREL_COMMAND" {arguments} --config "$WHIMBREL_CONFIG"'


def _environment(words: Sequence[str]) -> dict[str, str]:
    given = {f"WHIMBREL_WORD_{n}": word for n, word in enumerate(words)}
    return {**given, "WHIMBREL_COMMAND": _COMMAND, "WHIMBREL_CONFIG": _CONFIG, "NO_COLOR": "1", "COLUMNS": "160"}


def sealed_steps(*words: str) -> list[BaseOperator]:
    """Reserve, aggregate, draw and seal: what ends with a release that is sealed inside.

    Args:
        words: The verb and its arguments, without its step.
    """
    step = (*words, "--step")
    return [
        verb("reserve", *step, "reserve", identity=GATE, doc="Charges the ledger once, before anything is counted."),
        engine_verb("aggregate", *step, "aggregate", doc="Exact totals, which stay in the confidential root."),
        verb("seal", *step, "seal", identity=GATE, doc="Draws the noise once and seals it; the totals are gone."),
    ]


def counted_days(period: str) -> TaskGroup:
    """Seal a period's daily counts of active subscribers: what the gate judges its days by."""
    with TaskGroup("days", tooltip="Active subscribers of each day, for the gate") as group:
        chain(*sealed_steps("release", "active_subscribers", period, "--daily"))
    return group


def gate(period: str) -> BaseOperator:
    """Refuse a period with days that look incomplete; a person who knows better marks it as success."""
    return verb(
        "gate",
        *("gate", period),
        identity=GATE,
        doc="Judges the days by their released counts. Refused: its log names the days; to go on, mark it as success.",
    )


def release_steps(product: str, period: str) -> TaskGroup:
    """Reserve, aggregate, draw and seal, ask for a signature, publish: the tail of every release."""
    with TaskGroup(product, tooltip=f"One release of {product}") as group:
        chain(
            *sealed_steps("release", product, period),
            signature_wanted(product, period),
            approval(f"{product} {period}", f"whimbrel approve release {product} {period} --key YOUR-KEY.pem"),
            published("publish", product, period),
        )
    return group


def signature_wanted(product: str, period: str) -> BaseOperator:
    """Skips the question, and with it the waiting, where a standing plan covers the release."""
    return verb(
        "signature_wanted",
        *("approve", "check", product, period),
        identity=GATE,
        doc="Success: a signature is wanted. Skipped: the release has it, or a standing plan covers it.",
        line="{verb}; code=$?; case $code in 0) exit 99 ;; 3) exit 0 ;; *) exit $code ;; esac",
    )


def approval(what: str, sign: str) -> BaseOperator:
    """Wait for the DPO. The answer here only ends the waiting: `publish` looks at the signature and at nothing else."""
    return ApprovalOperator(
        task_id="approval",
        subject=f"Has {what} been signed?",
        body=_QUESTION.format(what=what, sign=sign),
        assigned_users=[{"id": name, "name": name} for name in _APPROVERS] or None,
        pool=WAIT_POOL,
        execution_timeout=None,
        doc_md="Waits for the DPO. Marking it as success publishes nothing: only a signature does.",
    )


_QUESTION: Final = """\
**{what}** is drawn and sealed. Nothing has left.

1. Where your key is, look at it and sign: `{sign}`
2. Then **Approve** here: `publish` verifies the signature, and writes the signed bundle.

Without a valid signature `publish` refuses, whatever is pressed here and by whoever it is pressed. **Reject** leaves
the release sealed inside; its budget stays spent.
"""


def published(*words: str) -> BaseOperator:
    """Publish what was signed."""
    return verb(
        "publish",
        *words,
        identity=PUBLISHER,
        doc="Verifies the DPO's signature, records it, writes the signed bundle. Without one it refuses.",
        trigger_rule=TriggerRule.NONE_FAILED,  # a standing plan skips the question; a rejection skips this task itself
    )


def arrival_alert() -> DeadlineAlert:
    """Tells that a day is not through although it should be.

    The executor calls it, which finds these files; the triggerer does not.
    """
    return DeadlineAlert(
        name="A day's delivery is late",
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=_ALERT,
        callback=SyncCallback(tell_late),
    )


def tell_late(**kwargs: Any) -> None:
    """Write a line to the scheduler's log that a monitor can look for; the run shows the missed deadline as well."""
    run = kwargs.get("context", {}).get("dag_run", {})
    structlog.get_logger("whimbrel").error(
        "The day is late: its delivery has not come, or is not through. Ask whoever delivers, or read the run's log.",
        dag=run.get("dag_id"),
        day=run.get("partition_key"),
        run=run.get("dag_run_id"),
    )


def _require_connection(name: str, arguments: str) -> None:
    try:
        BaseHook.get_connection(name)
    except AirflowNotFoundException:
        raise AirflowFailException(
            f"There is no connection {name}. Remedy: airflow connections add {name} {arguments}; then clear this "
            "task, or start its day again."
        ) from None
