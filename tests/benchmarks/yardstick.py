"""The same work by DuckDB, written for DuckDB to win: the yardstick of speed, and an oracle of the totals.

It shares our cell table, zones and bounds, and no query. Of the forms tried, each step takes DuckDB's fastest:

- numbers are grouped as they stand and hashed once a subscriber and day; a keyed tag an event, as ours, makes the
  days take 23 s instead of 14;
- paths are lists; windows are level with them;
- distances are worked out a trip; a table of all pairs of zones costs more;
- trips are counted once by finest pair before the levels are summed.
"""

from datetime import date
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from jobs.config import CellsConfig
from jobs.ingest.cells import ZoneRegister, cell_stretches, days_of_change, read_cells
from jobs.ingest.events import Window
from jobs.ingest.pseudonyms import load_key
from jobs.pipeline import days_of
from jobs.releases import Desk, zone_rows
from jobs.storage import write_json
from privacy.bounding import LevelBound
from privacy.od_trips import OdTripsPlan
from schemas.cells import CELL_STRETCHES
from tests.benchmarks.meter import Stopwatch
from tests.benchmarks.ours import LATE, Outcome, Work

_EPOCH: Final = date(1970, 1, 1)
_UTC_OFFSET_S: Final = 4 * 3600  # of the synthetic country, all year
_SUBSCRIBER: Final = """
    ('0x' || sha256(
        getvariable('outer_block') || unhex(sha256(getvariable('inner_block') || encode(number)))
    )[:16])::UBIGINT
"""
_DAYS: Final = """
COPY (
    SELECT {subscriber} AS subscriber, make_date(local_day::INTEGER) AS local_date, points, len(points) AS events,
           'not available' AS sex, 'not available' AS age_band, local_date AS day
    FROM (
        SELECT number, local_day, list_sort(list((local_s % 86400) << 32 | cell_index)) AS points
        FROM {placed} WHERE is_kept GROUP BY number, local_day
    )
) TO '{folder}' (FORMAT parquet, PARTITION_BY (day))
"""
_QUARANTINE: Final = """
COPY (
    SELECT CASE WHEN coalesce(number, '') = '' THEN 'missing_subscriber'
                WHEN local_day IS NULL THEN 'unreadable_time'
                WHEN local_day NOT BETWEEN {first} AND {last} THEN 'time_outside_delivery'
                WHEN coalesce(cell_id, '') = '' THEN 'missing_cell'
                WHEN known IS NULL THEN 'unknown_cell'
                ELSE 'cell_out_of_service' END AS reason,
           parse_filename(filename) AS file,
           regexp_replace((event_at::VARCHAR)[:40], '[0-9]{{7,}}', '#######', 'g') AS time_text,
           regexp_replace(cell_id[:40], '[0-9]{{7,}}', '#######', 'g') AS cell_text
    FROM {placed} WHERE is_kept IS NOT TRUE
) TO '{file}' (FORMAT parquet)
"""
_PLACED: Final = """(
    SELECT events.*, cell_index, known,
           number <> '' AND local_day BETWEEN {first} AND {last} AND cell_index IS NOT NULL AS is_kept
    FROM (
        SELECT *, ltrim(trim(msisdn), '+0') AS number,
               epoch_us(event_at) // 1000000 + {offset} AS local_s, local_s // 86400 AS local_day
        FROM read_parquet({files}, filename = {with_file})
    ) AS events
    LEFT JOIN cell_stretches
        ON events.cell_id = cell_stretches.cell_id AND ({stretch}) = cell_stretches.stretch
)"""
_TOTALS: Final = """
COPY (
    WITH paths AS (
        SELECT subscriber,
               list_sort(flatten(list(list_transform(points, lambda point: point + (
                   (local_date - DATE '{first}') * 86400 << 32))))) AS path
        FROM read_parquet({files}, hive_partitioning = false) WHERE events <= {max_events_a_day} GROUP BY subscriber
    ), pairs AS (
        SELECT subscriber, unnest(path[:-2]) AS before, unnest(path[2:]) AS after FROM paths
    ), moves AS (
        SELECT subscriber, before & 4294967295 AS origin, after & 4294967295 AS destination,
               (after >> 32) - (before >> 32) AS gap_s, (after >> 32) // 86400 AS day
        FROM pairs
        WHERE origin <> destination AND gap_s <= {max_gap_s} AND after >> 32 >= {arrivals_from_s}
    ), trips AS (
        SELECT subscriber, {keys}, least(count(*), {max_repeats_a_day}) AS n
        FROM (
            SELECT subscriber, day, origin, destination, gap_s, {pairs},
                   sin(radians(d.latitude - o.latitude) / 2) ** 2 + cos(radians(o.latitude))
                   * cos(radians(d.latitude)) * sin(radians(d.longitude - o.longitude) / 2) ** 2 AS h,
                   2 * 6371.0088 * asin(sqrt(least(h, 1.0))) AS km
            FROM moves JOIN zones o ON origin = o.cell_index JOIN zones d ON destination = d.cell_index
        )
        WHERE km <= {min_speed_distance_km} OR km * 1000 <= {max_speed_m_s} * gap_s
        GROUP BY subscriber, day, origin, destination, {keys}
    ), {norms}, weights AS (
        SELECT subscriber, least(1024, {weights}) AS weight FROM {joined}
    )
    SELECT {finest} AS key, sum(weight * n)::BIGINT AS total
    FROM trips JOIN weights USING (subscriber) GROUP BY key
) TO '{file}' (FORMAT parquet)
"""


def duckdb_job(stopwatch: Stopwatch, root: Path, work: Work) -> Outcome:
    """Do the main job in DuckDB, on two threads and with its default memory limit."""
    desk = Desk.of(work.config(root))
    database = _database(desk, work)
    stopwatch.start()
    rows = _ingest(database, root, work)
    plans = [desk.plan("od_trips", period, 1) for period in work.periods]
    totals = {str(plan.period): _totals(database, root, desk, plan) for plan in plans}
    stopwatch.stop()
    return Outcome(rows, {period: pq.read_table(file).sort_by("key") for period, file in totals.items()})


def _database(desk: Desk, work: Work) -> duckdb.DuckDBPyConnection:
    """Open a database that knows the cells, with the key beside the queries as ours has it."""
    database = duckdb.connect()
    database.execute("SET threads = 2; SET TimeZone = 'UTC'; SET enable_progress_bar = false")
    cells = read_cells(desk.config.cells)
    register = ZoneRegister(()).extended(cell.h3(6) for cell in cells)
    write_json(desk.storage.zones, register.zones)
    starts = (work.first - LATE, *days_of_change(cells, work.first - LATE, work.last))
    rows = cell_stretches(cells, register, resolution=6, starts=starts)
    columns = dict(zip(CELL_STRETCHES.names, zip(*rows, strict=True), strict=True))
    database.register("cells_in", pa.table({name: pa.array(column) for name, column in columns.items()}))
    database.execute("CREATE TABLE cell_stretches AS SELECT *, true AS known FROM cells_in")
    key = load_key(desk.config.pseudonyms).ljust(64, b"\0")
    for name, pad in {"inner_block": 0x36, "outer_block": 0x5C}.items():
        database.execute(f"SET VARIABLE {name} = $1::BLOB", [bytes(byte ^ pad for byte in key)])
    return database


def _stretch(work: Work) -> str:
    """SQL for the number of days of change that lie behind a local day."""
    changes = days_of_change(read_cells(CellsConfig(path=work.country / "cells.csv")), work.first - LATE, work.last)
    return " + ".join(["0", *(f"(local_day >= {(day - _EPOCH).days})::BIGINT" for day in changes)])


def _ingest(database: duckdb.DuckDBPyConnection, root: Path, work: Work) -> dict[str, int]:
    """Write subscriber days and quarantine; return what became of the rows."""
    first, last = Window(work.first - LATE, work.last).day_numbers
    parameters = {
        "first": first,
        "last": last,
        "offset": _UTC_OFFSET_S,
        "files": list(map(str, work.files)),
        "stretch": _stretch(work),
    }
    placed = {with_file: _PLACED.format(**parameters, with_file=with_file) for with_file in (False, True)}
    quarantine = root / "quarantine.parquet"
    database.execute(_DAYS.format(subscriber=_SUBSCRIBER, placed=placed[False], folder=root / "days"))
    database.execute(_QUARANTINE.format(first=first, last=last, placed=placed[True], file=quarantine))
    reasons = database.execute(f"SELECT reason, count(*) FROM '{quarantine}' GROUP BY reason").fetchall()
    [(kept,)] = database.execute(f"SELECT sum(events)::BIGINT FROM '{root}/days/*/*.parquet'").fetchall()
    return {"kept": kept, **dict(reasons)}


def _totals(database: duckdb.DuckDBPyConnection, root: Path, desk: Desk, plan: OdTripsPlan) -> Path:
    """Write the exact totals of a plan."""
    database.register("zones", zone_rows(ZoneRegister.load(desk.storage.zones), plan.zones))
    mobility, days, file = desk.policy.mobility, days_of(plan.period, desk.policy.mobility), root / plan.key.slug
    database.execute(
        _TOTALS.format(
            first=days[0],
            files=[f"{root}/days/day={day}/*.parquet" for day in days],
            max_events_a_day=mobility.max_events_a_day,
            max_repeats_a_day=mobility.max_repeats_a_day,
            max_gap_s=int(mobility.max_gap_h * 3600),
            arrivals_from_s=(plan.period.first_day - days[0]).days * 86_400,
            min_speed_distance_km=mobility.min_speed_distance_km,
            max_speed_m_s=mobility.max_speed_m_s,
            file=file,
            **_by_level(plan),
        )
    )
    return file


def _by_level(plan: OdTripsPlan) -> dict[str, str]:
    """Return the pieces of the query that have one term a level."""
    keys = [bound.key for bound in plan.bounds]
    sizes = [len(level.zones) for level in plan.zones.levels]
    pairs = (
        f"o.zone_{n} * {size} + d.zone_{n} AS {key}" for n, (key, size) in enumerate(zip(keys, sizes, strict=True))
    )
    return {
        "keys": ", ".join(keys),
        "finest": keys[-1],
        "pairs": ", ".join(pairs),
        "norms": ", ".join(map(_norm, keys)),
        "weights": ", ".join(map(_weight, plan.bounds)),
        "joined": " JOIN ".join([f"norms_{keys[0]}", *[f"norms_{key} USING (subscriber)" for key in keys[1:]]]),
    }


def _norm(key: str) -> str:
    return f"""norms_{key} AS (
        SELECT subscriber, sum(n * n)::BIGINT AS norm_{key}
        FROM (SELECT subscriber, sum(n)::BIGINT AS n FROM trips GROUP BY subscriber, {key}) GROUP BY subscriber
    )"""


def _weight(bound: LevelBound) -> str:
    """Largest integer weight of a level, the root's rounding corrected in integers."""
    root = f"least(floor(sqrt({float(bound.squared)} / norm_{bound.key}))::BIGINT, 1025)"
    return f"{root} - ({root} * {root} * norm_{bound.key} > {bound.squared})::INTEGER"
