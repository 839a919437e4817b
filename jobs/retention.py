"""`whimbrel retention`: confidential tables expire by calendar, and a record says what went, when and by which policy.

Nothing here looks at rows. What is deleted follows from the calendar, the configuration and the policy alone; the
ledger, the vault's artefacts, approvals, registers and the records that a day existed stay for good.
"""

import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from jobs.config import RetentionConfig
from jobs.releases import Desk
from jobs.storage import DAY_FOLDER, DeletionRecord, Expired, Storage
from privacy.policy import EventPolicy, Policy, ProductPolicy
from privacy.unit import PrivacyMonth
from schemas.contract import Contract
from schemas.errors import ConfigError, InputError
from schemas.nights import NIGHTS
from schemas.subscriber_days import QUARANTINE, SUBSCRIBER_DAY_PARTS, SUBSCRIBER_DAYS

READ_NIGHTS: Final = frozenset({"residents", "home_visits", "relocations", "churn", "migration", "displacement"})
"""Products of which a release reads the nights of privacy months."""

QUALITY: Final = "quality"
"""Folder of quality records; a name that holds a day is of that day."""

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_SHORTEST_MONTH_DAYS: Final = 28


@dataclass(frozen=True)
class Due:
    """What a run deletes, and what it must leave for now.

    Args:
        expired: By table, in the order of deletion.
        held: Privacy months whose days should have gone, but for nights that are still to be found in them.
    """

    expired: tuple[Expired, ...]
    held: tuple[PrivacyMonth, ...]


def what_is_due(desk: Desk, today: date) -> Due:
    """Say what expires today.

    Args:
        desk: The installation.
        today: The local day.

    Raises:
        ConfigError: No retention is configured, or it is shorter than what the policy releases needs.
    """
    config = _retention(desk)
    held = _held(desk, _before(today, config.subscriber_days), today)
    of_days = _before(today, config.subscriber_days)
    first_held = min((month.first_day for month in held), default=None)
    if of_days is not None and first_held is not None:
        of_days = min(of_days, first_held - timedelta(1))
    until = {
        QUARANTINE.name: (_before(today, config.quarantine_days), f"quarantine_days = {config.quarantine_days}"),
        SUBSCRIBER_DAY_PARTS.name: (_before(today, config.parts_days), f"parts_days = {config.parts_days}"),
        SUBSCRIBER_DAYS.name: (of_days, f"subscriber_days = {config.subscriber_days}"),
        NIGHTS.name: (_months_before(today, config.nights_months), f"nights_months = {config.nights_months}"),
        QUALITY: (_before(today, config.quality_days), f"quality_days = {config.quality_days}"),
    }
    expired = [Expired(table=table, until=day, policy=policy) for table, (day, policy) in until.items() if day]
    return Due(tuple(expired), tuple(month for month in held if month.last_day < today))


def expire(desk: Desk, now: datetime) -> Due:
    """Delete what has expired, and what interrupted runs left; killed at any line, run it again.

    A record is written before the first deletion: from then on a reader of an expired day is refused. It is completed
    after the last.

    Args:
        desk: The installation.
        now: Instant, with its time zone: that of the country, so that its date is the local day.

    Raises:
        ConfigError: As above.
        InputError: Days are held by nights that are still to be found; everything else has gone.
    """
    storage = desk.storage
    with storage.alone():
        due = what_is_due(desk, now.date())
        _announce(storage, due.expired, now)
        _remove_leftovers(desk, now)
        for expired in due.expired:
            _delete(storage, expired)
        _finish(storage, now)
    return due


def require_nothing_held(due: Due) -> None:
    """Refuse to end well where days outstay their policy.

    Raises:
        InputError: It is so.
    """
    if due.held:
        months = ", ".join(map(str, due.held))
        raise InputError(
            f"Days of {months} outstay [retention]: the nights of these months are still to be found.",
            "nights before the days that they are made of go, because products of the policy read them",
            "run `whimbrel nights` for each of these months, and `whimbrel retention` again; the rest has expired",
        )


def _retention(desk: Desk) -> RetentionConfig:
    config = desk.config.retention
    if config is None:
        raise ConfigError(
            "No retention is configured.", "[retention] in whimbrel.toml", "say there how long each table is kept"
        )
    kept = [days for days in (config.parts_days, config.subscriber_days) if days is not None]
    if kept and min(kept) <= desk.config.ingest.late_days:
        raise ConfigError(
            f"[retention] keeps days for {min(kept)} days, and [ingest] accepts late rows for "
            f"{desk.config.ingest.late_days}.",
            "parts_days and subscriber_days above late_days",
            "raise them, or lower late_days",
        )
    _require_nights_for_the_policy(config, desk.policy)
    return config


def _require_nights_for_the_policy(config: RetentionConfig, policy: Policy) -> None:
    needed = {product.product: _months_of_nights(product) for product in _released(policy)}
    short = {name: months for name, months in needed.items() if months > (config.nights_months or months)}
    if short:
        raise ConfigError(
            f"[retention] keeps nights for {config.nights_months} months; "
            f"{', '.join(f'{name} reads {months} before its own' for name, months in short.items())}.",
            f"nights_months = {max(short.values())} at least",
            "raise it, or take the product out of the policy",
        )


def _released(policy: Policy) -> tuple[ProductPolicy | EventPolicy, ...]:
    return (*policy.products, *policy.events)


def _months_of_nights(product: ProductPolicy | EventPolicy) -> int:
    """How many months before the present one a product reads the nights of."""
    if product.product not in READ_NIGHTS:
        return 0
    if isinstance(product, ProductPolicy):
        return max(rule.months_back[1] for rule in product.charged) + 1  # a month is released once it is over
    return 2 + (product.daily_releases + 7 * product.weekly_releases) // _SHORTEST_MONTH_DAYS


def _before(today: date, days: int | None) -> date | None:
    """The last day that lies more than so many days back."""
    return None if days is None else today - timedelta(days + 1)


def _months_before(today: date, months: int | None) -> date | None:
    return None if months is None else PrivacyMonth.of(today).next(-months).first_day - timedelta(1)


def _held(desk: Desk, until: date | None, today: date) -> tuple[PrivacyMonth, ...]:
    """The months with days up to a day of which nights are still to be found, in order."""
    reads_nights = any(entry.product in READ_NIGHTS for entry in _released(desk.policy))
    if until is None or not reads_nights:
        return ()
    days = {day for contract in (SUBSCRIBER_DAY_PARTS, SUBSCRIBER_DAYS) for _, day in _days_of(desk.storage, contract)}
    months = sorted({PrivacyMonth.of(day) for day in days if day <= until})
    grace = timedelta(desk.config.ingest.late_days)
    return tuple(month for month in months if today <= month.last_day + grace or desk.awaits_nights(month))


def _announce(storage: Storage, expired: Iterable[Expired], now: datetime) -> None:
    """Write what goes from now on, where it goes beyond what went before."""
    news = [one for one in expired if (gone := storage.expired_until(one.table)) is None or gone < one.until]
    if news:
        begun = now.astimezone(UTC)
        storage.keep_record(DeletionRecord(begun_at=begun, finished_at=None, expired=tuple(news)))


def _finish(storage: Storage, now: datetime) -> None:
    """Complete the record of this run, and those of runs that were interrupted."""
    for record in storage.deletion_records():
        if record.finished_at is None:
            storage.keep_record(record.model_copy(update={"finished_at": now.astimezone(UTC)}))


def _delete(storage: Storage, expired: Expired) -> None:
    """Delete what one table holds of expired days; what is gone already is passed over."""
    match expired.table:
        case QUARANTINE.name:
            _delete_quarantine(storage, expired.until)
        case SUBSCRIBER_DAY_PARTS.name:
            _delete_days(storage, SUBSCRIBER_DAY_PARTS, expired.until, unseen_only=True)
        case SUBSCRIBER_DAYS.name:
            for contract in (SUBSCRIBER_DAY_PARTS, SUBSCRIBER_DAYS):
                _delete_days(storage, contract, expired.until, unseen_only=False)
        case NIGHTS.name:
            for folder in (storage.confidential / NIGHTS.name).glob("month=*"):
                month = PrivacyMonth.parse(folder.name.removeprefix("month="))
                if month.last_day <= expired.until:
                    storage.remove_nights(month)
        case _:
            for path in list((storage.confidential / QUALITY).rglob("*")):
                if (found := _DAY.search(path.name)) and date.fromisoformat(found[0]) <= expired.until:
                    _remove(path)


def _delete_quarantine(storage: Storage, until: date) -> None:
    for name, record in storage.deliveries().items():
        if record.last <= until:
            _remove(storage.version(QUARANTINE, name))


def _delete_days(storage: Storage, contract: Contract, until: date, *, unseen_only: bool) -> None:
    for folder, day in _days_of(storage, contract):
        if day <= until and not (unseen_only and _is_seen(storage, contract, folder, day)):
            _remove(folder)
    _remove_empty_versions(storage, contract)


def _days_of(storage: Storage, contract: Contract) -> Iterator[tuple[Path, date]]:
    """Every folder of a day, with the day."""
    for folder in sorted((storage.confidential / contract.name).glob(f"v=*/{DAY_FOLDER}=*")):
        yield folder, date.fromisoformat(folder.name.removeprefix(f"{DAY_FOLDER}="))


def _is_seen(storage: Storage, contract: Contract, folder: Path, day: date) -> bool:
    return storage.shown(SUBSCRIBER_DAYS, day) == (contract, folder.parent.name.removeprefix("v="), day)


def _remove_empty_versions(storage: Storage, contract: Contract) -> None:
    for version in (storage.confidential / contract.name).glob("v=*"):
        if not any(version.glob(f"{DAY_FOLDER}=*")):
            _remove(version)


def _remove_leftovers(desk: Desk, now: datetime) -> None:
    """Delete what interrupted runs left, and merged days that no reader sees any more; call it alone."""
    storage = desk.storage
    _remove(storage.confidential / "scratch")
    desk.vault.sweep(desk.ledger.artefacts())
    oldest = now.timestamp() - timedelta(days=_retention(desk).leftovers_days).total_seconds()
    for folder in storage.exact("").glob("*"):
        if folder.stat().st_mtime < oldest:
            _remove(folder)
    committed = storage.deliveries()
    for contract in (SUBSCRIBER_DAY_PARTS, QUARANTINE):
        for version in (storage.confidential / contract.name).glob("v=*"):
            if version.name.removeprefix("v=") not in committed:
                _remove(version)
    for folder, day in _days_of(storage, SUBSCRIBER_DAYS):
        if not _is_seen(storage, SUBSCRIBER_DAYS, folder, day):
            _remove(folder)
    _remove_empty_versions(storage, SUBSCRIBER_DAYS)
    _remove_half_written(storage)


def _remove_half_written(storage: Storage) -> None:
    """Delete files that were to replace others in place and bear a hidden name still; checksums of Spark's stay."""
    for contract in (SUBSCRIBER_DAY_PARTS, SUBSCRIBER_DAYS, NIGHTS):
        for file in (storage.confidential / contract.name).rglob(".*"):
            if file.suffix != ".crc":
                _remove(file)


def _remove(path: Path) -> None:
    """Delete a folder or a file; none is no mistake, because another run may have been killed behind it."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
