"""`whimbrel explore`: from the bundles of a country to one page."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from jobs.publish.explorer.block import Networks, data_block, periods_of
from jobs.publish.explorer.inputs import Series, Source, parts_in, series_of
from jobs.publish.explorer.page import page_html
from jobs.publish.situation.network import networks_on
from jobs.publish.situation.run import Keys
from jobs.publish.sums import SUMS_NAME
from jobs.publish.verify import verified
from privacy.durable import write_public
from schemas.errors import InputError

NAME_COLUMNS: Final = ("zone", "name")
"""Columns of a table of names."""

MOST_LETTERS: Final = 80
"""Letters of a name that are shown."""


def write_explorer(
    paths: Sequence[Path],
    out: Path,
    *,
    network: Path | None = None,
    names: Path | None = None,
    keys: Keys | None = None,
) -> Path:
    """Write the page of some bundles; the same bundles and options give the same bytes.

    Args:
        paths: Published bundles of one country, folders or zips: verified first.
        out: The file.
        network: A public table of the network's state.
        names: A table of names of zones, for those that the bundles do not name.
        keys: The reader's keys.

    Raises:
        BundleError: A bundle is damaged, or they do not belong together.
        ConfigError: There is none.
        InputError: A table cannot be read.
    """
    known = keys or Keys()
    series = series_of((read_source(path, known) for path in paths), trusted=known.trust is not None)
    block = data_block(
        series,
        names=names_in(names) if names else None,
        networks=_networks(network, series) if network else None,
        checked="keys" if known.are_given else "sums",
    )
    write_public(out, page_html(block, parts_in(series)))
    return out


def read_source(path: Path, keys: Keys) -> Source:
    """Verify and read one bundle."""
    report, contents = verified(path, key=keys.publisher, trust=keys.trust, package=False)
    features = tuple(contents.zones["features"]) if contents.zones else ()
    digest = SUMS_NAME, report.sha256
    return Source(report.card, contents.table, features, digest, report.signer, report.sharing)


def names_in(path: Path) -> Mapping[str, str]:
    """Read a table of names: CSV with the columns `zone` and `name`.

    Raises:
        InputError: It is no such table.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            return {row["zone"].strip(): row["name"].strip()[:MOST_LETTERS] for row in csv.DictReader(stream)}
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, AttributeError) as error:
        raise InputError(
            f"{path.name} is no table of names.",
            f"a CSV file with the columns {' and '.join(NAME_COLUMNS)}",
            "leave --boundaries-names away, or give such a table",
        ) from error


def _networks(path: Path, series: Sequence[Series]) -> Networks:
    finest = [max(one.latest.card.domain.resolutions) for one in series if one.latest.card.domain]
    return networks_on(path, periods_of(series), max(finest, default=None))
