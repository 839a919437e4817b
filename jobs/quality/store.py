"""Where quality records stand, and how they are written: whole, for their owner only, and only where they change.

confidential/quality/                 mode 700
day.schema.json                     JSON schema of a day's record
measures/<date>.json                what was measured, kept to judge later days by
zones/<date>.parquet                presences by place and hour: contract `zone_hours`
days/<date>.json, <date>.html       a day's record and page
<year>.html                         a year's calendar
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel

from jobs.quality.figures import HOURS, Ints
from jobs.quality.page import day_html, year_html
from jobs.quality.record import FORMAT, DayRecord, Kept
from privacy.durable import write_whole
from schemas.quality import ZONE_HOURS


@dataclass(frozen=True)
class QualityStore:
    """The quality records of an installation.

    Args:
        root: Their folder; made where it is missing.
    """

    root: Path

    def __post_init__(self) -> None:
        for folder in (self.root, self._measures, self._zones, self._days):
            folder.mkdir(mode=0o700, exist_ok=True)

    @cached_property
    def _measures(self) -> Path:
        return self.root / "measures"

    @cached_property
    def _zones(self) -> Path:
        return self.root / "zones"

    @cached_property
    def _days(self) -> Path:
        return self.root / "days"

    def measured(self, day: date) -> Kept | None:
        """Return what was measured of a day; nothing where that was never done, or by another version."""
        path = self._measures / f"{day}.json"
        if not path.exists():
            return None
        content = path.read_bytes()
        return Kept.model_validate_json(content) if json.loads(content).get("version") == FORMAT else None

    def keep_measures(self, kept: Kept, zones: dict[str, Ints]) -> None:
        """Keep what was measured of a day: first its places, so that measures never stand without them."""
        _write(self._zones / f"{kept.measures.day}.parquet", _zone_bytes(zones))
        _write(self._measures / f"{kept.measures.day}.json", _json(kept))

    def zones(self, day: date) -> dict[str, Ints]:
        """Return a measured day's presences by place: 24 numbers each."""
        table = pq.read_table(self._zones / f"{day}.parquet")
        found: dict[str, Ints] = {}
        for row in table.to_pylist():
            found.setdefault(row["zone"], np.zeros(HOURS, np.int64))[row["hour"]] = row["presences"]
        return found

    def days(self) -> tuple[date, ...]:
        """Return the days measured by this version, in order."""
        files = sorted(self._measures.glob("[!.]*.json"))
        return tuple(day for day in (date.fromisoformat(file.stem) for file in files) if self.measured(day))

    def keep_record(self, record: DayRecord, neighbours: tuple[date | None, date | None]) -> Path:
        """Write a day's record and its page; return the page."""
        _write(self._days / f"{record.day}.json", _json(record))
        page = self._days / f"{record.day}.html"
        _write(page, day_html(record, *neighbours))
        return page

    def record(self, day: date) -> DayRecord:
        """Return a day's record."""
        return DayRecord.model_validate_json((self._days / f"{day}.json").read_bytes())

    def calendars(self, years: Iterable[int]) -> tuple[Path, ...]:
        """Return where the calendars of some years stand."""
        return tuple(self.root / f"{year}.html" for year in sorted(set(years)))

    def keep_calendars(self) -> None:
        """Write the calendars of all years from the records that there are, and remove those of years without any."""
        _write(self.root / "day.schema.json", _sorted_json(DayRecord.model_json_schema()))
        days = [date.fromisoformat(file.stem) for file in sorted(self._days.glob("[!.]*.json"))]
        years = sorted({day.year for day in days})
        for year in years:
            records = [self.record(day) for day in days if day.year == year]
            _write(self.root / f"{year}.html", year_html(year, records, years))
        for page in set(self.root.glob("[!.]*.html")) - set(self.calendars(years)):
            page.unlink()


def _zone_bytes(zones: dict[str, Ints]) -> bytes:
    rows = [
        {"zone": zone, "hour": hour, "presences": int(count)}
        for zone in sorted(zones)
        for hour, count in enumerate(zones[zone])
        if count
    ]
    content = BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=ZONE_HOURS.arrow_schema), content)
    return content.getvalue()


def _json(model: BaseModel) -> bytes:
    return _sorted_json(model.model_dump(mode="json"))


def _sorted_json(value: object) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()


def _write(path: Path, content: bytes) -> None:
    """Write a file where it would change: a record that stays as it is keeps its time."""
    if not path.exists() or path.read_bytes() != content:
        write_whole(path, content)
