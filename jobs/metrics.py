"""Metrics of an installation, as a text file for Prometheus that stays in the confidential root.

Written whole after each verb; a collector of the same account reads it. Pools and releases are public. When a verb ran,
which days were delivered and how full the disk is depend on the operator's work or on records: that is why the file
stands inside.
"""

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from json import JSONDecodeError, dumps, loads
from pathlib import Path
from typing import Final

from jobs.config import Config
from jobs.storage import Storage, write_json
from privacy.durable import write_whole
from privacy.ledger import EntryKind, Ledger
from privacy.policy import Policy
from schemas.errors import WhimbrelError
from schemas.subscriber_days import SUBSCRIBER_DAYS

FILE: Final = "whimbrel.prom"
LOOK_BACK_DAYS: Final = 35
"""Days before the last delivered one among which missing ones are counted: the longest privacy month."""


@dataclass(frozen=True)
class Gauge:
    """One value of a metric.

    Args:
        name: Its name, unit included.
        value: Its value.
        labels: What tells it from others of its name.
    """

    name: str
    value: float
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def line(self) -> str:
        """As Prometheus reads it; a JSON string escapes as a label does."""
        labels = ",".join(f"{name}={dumps(value, ensure_ascii=False)}" for name, value in self.labels)
        return f"{self.name}{{{labels}}} {self.value:.17g}" if labels else f"{self.name} {self.value:.17g}"


HELP: Final = {
    "whimbrel_verb_last_run_timestamp_seconds": "When a verb last ended.",
    "whimbrel_verb_last_success_timestamp_seconds": "When a verb last ended well.",
    "whimbrel_verb_last_exit_code": "0 done, 1 a defect, 2 a refusal, 3 waits for a signature, 130 Ctrl-C.",
    "whimbrel_pool_left_micro_rho": "What may still be charged to a pool in a privacy month.",
    "whimbrel_pool_cap_micro_rho": "The most that a pool may be charged in a privacy month.",
    "whimbrel_releases": "Releases by the last thing that the ledger says of them.",
    "whimbrel_ledger_last_entry_timestamp_seconds": "Instant of the ledger's newest entry.",
    "whimbrel_ledger_readable": "1 where the ledger could be read.",
    "whimbrel_delivered_until_timestamp_seconds": "End of the last local day that a delivery was for, as if in UTC.",
    "whimbrel_days_missing": f"Days never delivered among the last {LOOK_BACK_DAYS} up to the last one delivered.",
    "whimbrel_disk_free_bytes": "Free space of a storage root.",
    "whimbrel_disk_size_bytes": "Size of the file system of a storage root.",
}
"""Every metric and what it says."""


def record(config: Config, verb: str, exit_code: int, at: datetime) -> None:
    """Write down how a verb ended, and all metrics anew.

    What cannot be written is left out without a word: a run never fails by its metrics, and an identity that may not
    write in the confidential root has none.
    """
    root = config.storage.confidential
    if not root.is_dir():
        return
    with suppress(OSError):
        folder = root / "metrics"
        folder.mkdir(mode=0o700, exist_ok=True)
        _note_run(folder / "runs" / f"{verb}.json", exit_code, at.timestamp())
        write_whole(folder / FILE, text(gauges(config, folder)).encode())


def _note_run(file: Path, exit_code: int, at_s: float) -> None:
    success = at_s if exit_code == 0 else _run(file).get("success")
    write_json(file, {"ended": at_s, "exit_code": exit_code, "success": success})


def _run(file: Path) -> dict[str, float | None]:
    """How a verb last ended; nothing where that cannot be read."""
    try:
        return dict(loads(file.read_bytes()))
    except (OSError, JSONDecodeError):
        return {}


def text(measured: Iterator[Gauge]) -> str:
    """All gauges in Prometheus' text format, grouped by name."""
    lines: dict[str, list[str]] = {}
    for gauge in measured:
        lines.setdefault(gauge.name, []).append(gauge.line)
    return "".join(
        f"# HELP {name} {HELP[name]}\n# TYPE {name} gauge\n" + "\n".join(lines[name]) + "\n" for name in lines
    )


def gauges(config: Config, folder: Path) -> Iterator[Gauge]:
    """Measure an installation.

    Args:
        config: The installation.
        folder: The metrics' folder, in which the verbs' ends stand.
    """
    yield from _verbs(folder / "runs")
    yield from _disks(config)
    with suppress(WhimbrelError):  # a storage root that is refused is told by the verb itself, and by `doctor`
        yield from _days(Storage.of(config.storage))
    if _is_new(config):
        return
    try:
        yield from _ledger(config)
    except WhimbrelError:
        yield Gauge("whimbrel_ledger_readable", 0)


def _is_new(config: Config) -> bool:
    """Tell whether there is no ledger because nothing was released yet: nobody is to be alarmed then."""
    inside, outside = config.storage.confidential, config.storage.release
    released = [*(inside / "vault").glob("*"), *outside.glob("*/card.json")]
    return config.storage.ledger is None and not (inside / "ledger.sqlite").exists() and not released


def _verbs(runs: Path) -> Iterator[Gauge]:
    names = {"ended": "run_timestamp_seconds", "success": "success_timestamp_seconds", "exit_code": "exit_code"}
    for file in sorted(runs.glob("[!.]*.json")):
        for name, value in _run(file).items():
            if value is not None and name in names:
                yield Gauge(f"whimbrel_verb_last_{names[name]}", float(value), (("verb", file.stem),))


def _disks(config: Config) -> Iterator[Gauge]:
    for root in ("confidential", "release"):
        folder: Path = getattr(config.storage, root)
        if folder.is_dir():
            usage = shutil.disk_usage(folder)
            yield Gauge("whimbrel_disk_free_bytes", usage.free, (("root", root),))
            yield Gauge("whimbrel_disk_size_bytes", usage.total, (("root", root),))


def _days(storage: Storage) -> Iterator[Gauge]:
    if (last := storage.delivered_until) is None:
        return
    first = min(record.first for record in storage.deliveries().values())
    wanted = [last - timedelta(n) for n in range(LOOK_BACK_DAYS) if last - timedelta(n) >= first]
    yield Gauge("whimbrel_delivered_until_timestamp_seconds", _end_of(last).timestamp())
    yield Gauge("whimbrel_days_missing", len(wanted) - len(storage.delivered(SUBSCRIBER_DAYS, wanted)))


def _end_of(day: date) -> datetime:
    return datetime.combine(day + timedelta(1), time(), UTC)


def _ledger(config: Config) -> Iterator[Gauge]:
    ledger, caps = Ledger.open(config.storage.ledger_url, create=False), Policy.load(config.policy).caps
    for pool in ledger.pools(caps):
        labels = (("pool", pool.pool), ("month", pool.privacy_month))
        yield Gauge("whimbrel_pool_left_micro_rho", pool.left_micro_rho, labels)
        yield Gauge("whimbrel_pool_cap_micro_rho", pool.cap_micro_rho, labels)
    entries = ledger.entries()
    said = {entry.key: entry.kind for entry in entries if entry.kind not in {EntryKind.OPEN, EntryKind.SHARE}}
    for kind, releases in sorted(Counter(said.values()).items()):
        yield Gauge("whimbrel_releases", releases, (("state", kind.value.lower()),))
    if entries:
        at = datetime.strptime(entries[-1].at, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        yield Gauge("whimbrel_ledger_last_entry_timestamp_seconds", at.timestamp())
    yield Gauge("whimbrel_ledger_readable", 1)
