"""One small country's events, written in the layouts of docs/layouts.md."""

import csv
import gzip
import json
import re
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq

from jobs.config import CellsConfig, SourceConfig
from jobs.ingest.cells import read_cells
from tests.installations import files_of

PAGE = Path(__file__).parents[1] / "docs" / "layouts.md"
ZONE = ZoneInfo("Indian/Mauritius")


@dataclass(frozen=True)
class Event:
    """An event of which everything is known."""

    number: str
    at: datetime
    cell: str
    latitude: float
    longitude: float

    @property
    def local(self):
        return self.at.astimezone(ZONE)


def blocks():
    """The mappings of the page, each block as it stands."""
    return re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def mappings():
    """The mappings of the page, by name."""
    sources = [tomllib.loads(block)["sources"] for block in blocks()]
    return {name: SourceConfig.model_validate(mapping) for source in sources for name, mapping in source.items()}


def events_of(country, first, last):
    """The usable events of some local days, in order of time."""
    places = {}
    for cell in read_cells(CellsConfig(path=country.folder / "cells.csv")):
        places.setdefault(cell.cell_id, []).append(cell)
    found = []
    for file in files_of(country, "whimbrel"):
        for row in pq.read_table(file, columns=["msisdn", "event_at", "cell_id"]).to_pylist():
            event = event_of(row, places)
            if event is not None and first <= event.local.date() <= last:
                found.append(event)
    return sorted(found, key=lambda event: (event.at, event.number, event.cell))


def event_of(row, places):
    if not (row["msisdn"] or "").strip() or row["event_at"] is None:
        return None
    day = row["event_at"].astimezone(ZONE).date()
    for cell in places.get(row["cell_id"], ()):
        if cell.serves(day):
            number = row["msisdn"].strip().lstrip("+0")
            return Event(number, row["event_at"].astimezone(UTC), row["cell_id"], cell.latitude, cell.longitude)
    return None


def write_own(folder, events):
    at = pa.array([event.at for event in events], pa.timestamp("us", tz="UTC"))
    numbers, cells = ([getattr(event, name) for event in events] for name in ("number", "cell"))
    write_parquet(folder / "events.parquet", {"msisdn": numbers, "event_at": at, "cell_id": cells})


def write_world_bank(folder, events):
    text = "".join(f"{e.number},{e.local:%d/%m/%Y %H:%M:%S},{e.cell}\n" for e in events)
    write(folder / f"{events[0].local:%Y-%m-%d}.csv.gz", gzip.compress(text.encode()))


def write_flowkit(folder, events):
    text = StringIO()
    rows = csv.writer(text, quoting=csv.QUOTE_ALL)
    rows.writerow(
        ["id", "outgoing", "datetime", "duration", "msisdn", "msisdn_counterpart", "location_id", "imsi", "imei", "tac"]
    )
    for n, event in enumerate(events):
        at = event.local.isoformat(sep=" ")
        rows.writerow([f"call, {n}", "t", at, 60, f"+{event.number}", "230599999999", event.cell, "", "", ""])
    write(folder / "calls.csv", text.getvalue().encode())


def write_multimno(folder, events):
    for day in sorted({event.local.date() for event in events}):
        todays = [event for event in events if event.local.date() == day]
        columns = {
            "user_id": pa.array([event.number.encode() for event in todays], pa.binary()),
            "timestamp": [f"{event.local:%Y-%m-%dT%H:%M:%S}" for event in todays],
            "mcc": pa.array([617] * len(todays), pa.int32()),
            "cell_id": [event.cell for event in todays],
            "latitude": pa.array([None] * len(todays), pa.float32()),
            "longitude": pa.array([None] * len(todays), pa.float32()),
        }
        write_parquet(folder / f"year={day.year}/month={day.month}/day={day.day}/part-0.parquet", columns)


def write_ssciwr(folder, events):
    lines = ["time(yyyyMMddHHmmss)|user|zip1|zip2|lat|lon"]
    lines += [f"{e.local:%Y%m%d%H%M%S}|{e.number}|11101|11|{e.latitude}|{e.longitude}" for e in events]
    packed = pa.Codec("zstd").compress("\n".join([*lines, ""]).encode(), asbytes=True)
    write(folder / "events.txt.zst", packed)


def write_hours(zone):
    """Write hours by a site's own clock, in milliseconds."""

    def write_them(folder, events):
        hours = {}
        for event in events:
            row = {"ts": int(event.at.timestamp() * 1000), "imsi": event.number, "cell": event.cell, "kind": "data"}
            hours.setdefault(event.at.astimezone(ZoneInfo(zone)).strftime("dt=%Y-%m-%d/hh=%H"), []).append(row)
        for hour, rows in hours.items():
            write(
                folder / hour / "part.jsonl.gz", gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode())
            )

    return write_them


def shared_out(events):
    """The events of two sites: subscribers of even numbers, and the others."""
    return [[event for event in events if int(event.number) % 2 == n] for n in (0, 1)]


def write_all(folder, events):
    """Write all layouts; the folders by the mapping's name."""
    west, east = shared_out(events)
    writers = {
        "own": (write_own, events),
        "world_bank": (write_world_bank, events),
        "flowkit": (write_flowkit, events),
        "multimno": (write_multimno, events),
        "ssciwr": (write_ssciwr, events),
        "west": (write_hours("Africa/Kinshasa"), west),
        "east": (write_hours("Africa/Lubumbashi"), east),
    }
    for name, (write_them, theirs) in writers.items():
        write_them(folder / name, theirs)
    return {name: folder / name for name in writers}


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def write_parquet(path, columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
