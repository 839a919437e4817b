"""After a disaster, by hand: check that two people opened the event, then release what of its schedule can be.

Trigger it again with every delivery: sealed periods stay as they are, new ones follow.
"""

from datetime import datetime

from airflow.sdk import DAG, Param, chain
from whimbrel_tasks import (
    DEFAULTS,
    GATE,
    KEYS,
    MACROS,
    approval,
    engine_verb,
    published,
    verb,
)

EVENT = "{{ params.event }}"

PARAMS = {
    "event": Param(
        type="string",
        pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$",
        maxLength=60,
        title="Event",
        description="Its id in the installation's list of events: cyclone-ana.",
    ),
    "onset": Param(
        type="string",
        format="date",
        pattern=KEYS["day"],
        title="Onset",
        description="Local day of its beginning, as it was opened: 2026-03-10.",
    ),
    "area": Param(
        type="string",
        pattern=r"^[0-9a-f]{16,64}$",
        title="Area",
        description="Digest of the area, or its first 16 characters, as `whimbrel emergency open` shows it.",
    ),
    "signatures": Param(
        type="array",
        items={"type": "string", "pattern": r"^[0-9a-f]{16,64}$"},
        minItems=2,
        maxItems=2,
        uniqueItems=True,
        title="Two signatures",
        description="What `whimbrel emergency open` printed for each of the two people.",
    ),
}

with DAG(
    dag_id="emergency_displacement",
    description="Who is away from home after a declared event, from the emergency pool.",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2020, 1, 1),
    # Runs wait for people; a pool lets one at a time have the engine, another one the gate.
    max_active_runs=32,
    params=PARAMS,
    default_args=DEFAULTS,
    user_defined_macros=MACROS,
    tags=["whimbrel", "emergency"],
):
    opened = verb(
        "check_opening",
        *("emergency", "check", EVENT, "--onset", "{{ params.onset }}", "--area", "{{ params.area }}"),
        *("--signature", "{{ params.signatures[0] }}", "--signature", "{{ params.signatures[1] }}"),
        identity=GATE,
        doc="Refuses unless the ledger holds this opening, with these two signatures.",
    )
    baseline = engine_verb(
        "baseline", "emergency", "baseline", EVENT, doc="Finds the nights of the months that tell where people live."
    )
    step = ("displacement", EVENT, "--step")
    chain(
        opened,
        baseline,
        verb("reserve", *step, "reserve", identity=GATE, doc="Notes what opening the event has paid for already."),
        engine_verb("aggregate", *step, "aggregate", doc="Exact totals, which stay in the confidential root."),
        verb("seal", *step, "seal", identity=GATE, doc="Draws the noise once and seals it; the totals are gone."),
        approval(f"displacement after {EVENT}", "whimbrel approve release displacement PERIOD --key YOUR-KEY.pem"),
        published("emergency", "publish", EVENT),
    )
