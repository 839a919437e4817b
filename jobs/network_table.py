"""`whimbrel network`: the network's state, as one public table."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path

from jobs.config import Config
from jobs.ingest.cells import read_cells
from jobs.mobility.network import network_status, read_outages
from jobs.publish.network_status import ZoneDay, status_csv, status_of_phones, zone_days
from jobs.publish.tables import public_contract, read_csv
from privacy.durable import write_public
from privacy.policy import Policy
from schemas.errors import InputError
from schemas.network import FEED, PHONES

_PRODUCT = "active_subscribers"


def write_network_table(config: Config, span: tuple[date, date], resolutions: Sequence[int], out: Path) -> str:
    """Write the table of some days and say what it is made of.

    Args:
        config: The installation.
        span: First and last day.
        resolutions: Of the zones, where there is a feed; those of displacement unless told.
        out: The file; folders that are missing are made.

    Raises:
        InputError: The feed cannot be used; or there is none, and nothing was published to compare with.
    """
    first, last = span
    days = [first + timedelta(n) for n in range((last - first).days + 1)]
    if config.network is None:
        rows = _of_phones(config, days)
        write_public(out, status_csv(rows))
        return PHONES
    cells = read_cells(config.cells)
    outages = read_outages(config.network.outages, cells)
    asked = resolutions or _resolutions(Policy.load(config.policy))
    found = [status.row for r in asked for status in network_status(outages, cells, days, r)]
    write_public(out, status_csv(found))
    return FEED


def _resolutions(policy: Policy) -> tuple[int, ...]:
    return tuple(sorted({resolution for event in policy.events for resolution in event.resolutions}))


def _of_phones(config: Config, days: Sequence[date]) -> list[dict[str, object]]:
    published = [row for of_day in _published(config.storage.release) for row in of_day]
    wanted = {day.isoformat() for day in days}
    if found := [row for row in status_of_phones(published) if row["date"] in wanted]:
        return found
    raise InputError(
        "There is no outage feed, and no published count of phones to compare these days with.",
        "[network] outages in whimbrel.toml, or published releases of active_subscribers a week apart",
        "name the feed, or publish active_subscribers first",
    )


def _published(release: Path) -> Iterator[tuple[ZoneDay, ...]]:
    """Rows of the published releases, the latest revision of each day."""
    folders = sorted(release.glob(f"{_PRODUCT}_*_r*"), key=lambda path: (len(path.name), path.name))
    latest = {folder.name.rsplit("_r", 1)[0]: folder for folder in folders if folder.is_dir()}
    for folder in latest.values():
        content = (folder / f"{_PRODUCT}.csv").read_bytes()
        yield zone_days(read_csv(content, public_contract(_PRODUCT)).to_pylist())
