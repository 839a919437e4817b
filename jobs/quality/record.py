"""What is written of a day: its measures, kept to judge later days by, and its record, with a verdict a check.

Confidential: they hold exact counts. They never hold a subscriber, not even a pseudonym.
"""

from datetime import date
from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict

from jobs.quality.sims import Week

FORMAT: Final = 1
"""Version of both files; raised whenever a field's name or meaning changes."""


class Verdict(StrEnum):
    """What a check found."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"
    NOT_JUDGED = "not judged"


RANK: Final = {Verdict.ERROR: 3, Verdict.WARNING: 2, Verdict.OK: 1, Verdict.NOT_JUDGED: 0}
"""How bad a verdict is; a day has the worst of its checks."""


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SimCount(_Kept):
    """SIMs of one kind, and their rows."""

    sims: int
    events: int


class DeliveryFigures(_Kept):
    """What became of the rows of a delivery that is for the day; of all its days together.

    Args:
        delivery: Its name.
        first: First day that it is for.
        last: Last day that it is for.
        files: How many files it has.
        read: Rows read.
        kept: Rows kept.
        quarantined: Rows set aside, by reason.
    """

    delivery: str
    first: date
    last: date
    files: int
    read: int
    kept: int
    quarantined: dict[str, int]


class SameDelivery(_Kept):
    """Two deliveries of which one holds most of the other's different rows of the day.

    Args:
        delivery: The one with fewer rows.
        other: The one that holds them.
        share: Share of its rows that the other holds, 0 to 1.
    """

    delivery: str
    other: str
    share: float


class UnknownCell(_Kept):
    """A cell that the cell table lacks, and the rows that name it."""

    cell: str
    rows: int


class Remark(_Kept):
    """Cells of the cell table that somebody should look at."""

    fault: str
    cells: tuple[str, ...]


class Measures(_Kept):
    """A day in numbers, whatever the thresholds of verdicts are.

    Args:
        version: `FORMAT`.
        day: Local day.
        subscribers: Subscribers with a row.
        events: Rows kept.
        hours: Rows by local hour.
        last_second: Second of the local day of the latest row; none without rows.
        repeated: Rows that repeat another.
        two_places: Rows of another place in the same second.
        too_fast: Rows after an impossible move.
        machines: SIMs above the daily limit.
        still: SIMs that look like SIM boxes.
        devices: SIMs that report by themselves.
        one_second: Rows of the second that has most.
        whole_minutes: Rows on a whole minute.
        week: SIMs of the week; on its last day only.
        deliveries: Deliveries that are for the day.
        same: Deliveries that hold each other's rows.
        unknown_cells: Cells that the cell table lacks, most rows first.
        unknown_other_rows: Rows that name one in too few rows to be listed.
        cells: Cells in service; 0 where zones are those of a public area.
        unseen_cells: Of them, those that stand where nobody was seen.
        remarks: What the cell table made somebody wonder about.
    """

    version: int = FORMAT
    day: date
    subscribers: int
    events: int
    hours: tuple[int, ...]
    last_second: int | None
    repeated: int
    two_places: int
    too_fast: int
    machines: SimCount
    still: SimCount
    devices: SimCount
    one_second: int
    whole_minutes: int
    week: Week | None
    deliveries: tuple[DeliveryFigures, ...]
    same: tuple[SameDelivery, ...]
    unknown_cells: tuple[UnknownCell, ...]
    unknown_other_rows: int
    cells: int
    unseen_cells: tuple[str, ...]
    remarks: tuple[Remark, ...]


class Kept(_Kept):
    """Measures as they are kept.

    Args:
        version: `FORMAT`.
        made_of: Digest of the state of the storage that they were measured in; names of files, so it differs between
            installations whose measures are the same.
        measures: The measures.
    """

    version: int = FORMAT
    made_of: str
    measures: Measures


class Finding(_Kept):
    """What a check found.

    Args:
        check: Its name.
        title: What it looks at.
        verdict: What it found.
        found: What is there, in words.
        threshold: What would be too much, in words.
        baseline: What earlier days were like; empty where it needs none.
        source: Where the threshold comes from.
        remedy: What to do; empty where nothing is wrong.
    """

    check: str
    title: str
    verdict: Verdict
    found: str
    threshold: str
    baseline: str
    source: str
    remedy: str


class Hour(_Kept):
    """An hour of the day against earlier ones.

    Args:
        hour: 0 to 23.
        rows: Its rows.
        usual: Median of earlier days; none without a baseline.
        low: Least of them.
        high: Most of them.
    """

    hour: int
    rows: int
    usual: float | None
    low: float | None
    high: float | None


class SilentPlace(_Kept):
    """A place that was silent while its area was not.

    Args:
        zone: H3 cell.
        cells: Cells in service there.
        first_hour: Hour in which the silence begins.
        hours: How many hours it lasts.
        expected: Phones that it should have shown meanwhile.
    """

    zone: str
    cells: tuple[str, ...]
    first_hour: int
    hours: int
    expected: float


class DayRecord(_Kept):
    """A day's quality record.

    Args:
        version: `FORMAT`.
        day: Local day.
        verdict: The worst of its checks.
        findings: One a check.
        hours: Its 24 hours.
        baseline_days: Earlier days that it was compared with.
        silent: Places that were silent.
        measures: What was measured.
    """

    version: int = FORMAT
    day: date
    verdict: Verdict
    findings: tuple[Finding, ...]
    hours: tuple[Hour, ...]
    baseline_days: tuple[date, ...]
    silent: tuple[SilentPlace, ...]
    measures: Measures
