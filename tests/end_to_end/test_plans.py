"""How Spark runs the two dear jobs: what they exchange is pinned, because every exchange moves all rows."""

import re
from contextlib import redirect_stdout
from datetime import date
from io import StringIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.config import CellsConfig
from jobs.ingest.cells import ZoneRegister, cell_stretches, read_cells
from jobs.ingest.days import subscriber_days
from jobs.ingest.events import Window, placed, subscriber_day_parts
from jobs.ingest.pseudonyms import write_key_row
from jobs.ingest.sources import read_events
from jobs.ingest.times import Clock
from jobs.pipeline import days_of, od_trips
from jobs.releases import zone_rows
from privacy.policy import Policy
from schemas.cells import CELL_STRETCHES
from schemas.subscriber_days import SUBSCRIBER_DAYS
from tests.installations import FIRST, KEY, SOURCES, WEEK, days_table, files_of, plan_over

PYTHON = ("PythonUDF", "EvalPython", "MapInPandas", "MapInArrow", "FlatMapGroups")
"""What stands in a plan where rows leave the engine for Python."""


@pytest.fixture(scope="module")
def inputs(tiny_country, tmp_path_factory):
    """The small tables beside the events: cells of the window, the key's row, the zones."""
    folder = tmp_path_factory.mktemp("inputs")
    cells = read_cells(CellsConfig(path=tiny_country.folder / "cells.csv"))
    register = ZoneRegister(()).extended(cell.h3(6) for cell in cells)
    rows = cell_stretches(cells, register, resolution=6, starts=[FIRST])
    table = pa.table(
        dict(zip(CELL_STRETCHES.names, [pa.array(column) for column in zip(*rows, strict=True)], strict=True))
    )
    pq.write_table(table, folder / "cell_stretches.parquet")
    write_key_row(bytes.fromhex(KEY), folder / "key.parquet")
    plan = plan_over(register.zones)
    pq.write_table(zone_rows(register, plan.zones), folder / "zones.parquet")
    pq.write_table(days_table({(1, FIRST): [(0, 0), (60, 1)]}), folder / "days.parquet")
    return folder, plan


def parts(session, country, folder, layout):
    source, window = SOURCES[layout], Window(date(2026, 2, 23), FIRST)
    events = read_events(session, files_of(country, layout)[:1], source, folder)
    cells = session.read.schema(CELL_STRETCHES.schema).parquet(str(folder / "cell_stretches.parquet"))
    clock = Clock.of("Indian/Mauritius", window.first, window.last)
    located = placed(events, cells, changes=(), source=source, clock=clock, window=window)
    return subscriber_day_parts(located, session.read.parquet(str(folder / "key.parquet")), partitions=2)


def totals(session, inputs):
    folder, plan = inputs
    days = session.read.schema(SUBSCRIBER_DAYS.schema).parquet(str(folder / "days.parquet"))
    zones = session.read.parquet(str(folder / "zones.parquet"))
    assert days_of(WEEK, Policy.load().mobility)[0] == FIRST
    return od_trips(days, zones, plan, mobility=Policy.load().mobility, partitions=2)


def explained(table):
    with redirect_stdout(StringIO()) as text:
        table.explain(True)
    return text.getvalue()


def physical(table):
    return explained(table).split("== Physical Plan ==")[1]


def exchanges(plan):
    """By what rows are exchanged, from the last exchange to the first."""
    return re.findall(r"(?<!Broadcast)Exchange hashpartitioning\((\w+)#", plan)


@pytest.mark.parametrize("layout", sorted(SOURCES))
def test_reading_a_delivery_exchanges_its_events_once_and_joins_the_keys_row_only(spark, tiny_country, inputs, layout):
    plan = physical(parts(spark, tiny_country, inputs[0], layout))

    assert exchanges(plan) == ["tag"]
    assert plan.count("BroadcastNestedLoopJoin") == 2  # the tag's block, the pseudonym's blocks: one row each
    assert plan.count("SortMergeJoin") == plan.count("CartesianProduct") == 0
    assert not [word for word in PYTHON if word in plan]


def test_no_number_crosses_the_exchange(spark, tiny_country, inputs):
    plan = physical(parts(spark, tiny_country, inputs[0], "whimbrel"))
    (below,) = re.findall(r"Exchange hashpartitioning.*?\n(.*?)\n", plan)

    assert "Project [" in below
    assert "msisdn" not in below.split("AS tag")[-1]


def test_the_exact_totals_exchange_no_points(spark, inputs):
    """Moves and the ends of days by subscriber, where trips and their weight stay; totals by key."""
    plan = physical(totals(spark, inputs))

    assert exchanges(plan) == ["key", "subscriber"]
    assert plan.count("BroadcastNestedLoopJoin") == plan.count("CartesianProduct") == plan.count("SortMergeJoin") == 0
    assert not [word for word in PYTHON if word in plan]


def test_merging_a_days_parts_takes_one_exchange(spark, inputs):
    days = spark.read.schema(SUBSCRIBER_DAYS.schema).parquet(str(inputs[0] / "days.parquet"))

    assert exchanges(physical(subscriber_days(days, partitions=2))) == ["subscriber"]


def test_no_plan_shows_the_key_or_a_number(engine, tiny_country, inputs):
    numbers = pq.read_table(tiny_country.folder / "truth/homes.parquet")["msisdn"].to_pylist()
    blocks = [value for column in pq.read_table(inputs[0] / "key.parquet").columns for value in column.to_pylist()]
    text = explained(parts(engine, tiny_country, inputs[0], "world_bank")) + explained(totals(engine, inputs))

    assert "tag" in text
    for secret in [KEY, *(block.hex() for block in blocks), *(str(list(block))[1:40] for block in blocks), *numbers]:
        assert secret.lower() not in text.lower()
