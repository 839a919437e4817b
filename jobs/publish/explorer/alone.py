"""The page inside a bundle: the explorer of one release, a function of what the bundle itself holds."""

import hashlib
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from jobs.publish.card import Card
from jobs.publish.explorer.block import data_block
from jobs.publish.explorer.inputs import Source, parts_in, series_of
from jobs.publish.explorer.page import page_html
from jobs.publish.sharing.notice import SharingNote


def page_of_release(
    card: Card, table: pa.Table, zones: Mapping[str, Any] | None, *, csv: bytes, sharing: SharingNote | None = None
) -> bytes:
    """Return the page of one release.

    Args:
        card: Its card.
        table: Its public table.
        zones: Its `zones.geojson`; nothing where its keys are no zones.
        csv: Its table as CSV: the page names the digest, for the sums of the bundle hold the page's own.
        sharing: With whom it is shared; none of a published bundle.
    """
    digest = f"{card.product}.csv", hashlib.sha256(csv).hexdigest()
    features = tuple(zones["features"]) if zones else ()
    series = series_of([Source(card, table, features, digest, sharing=sharing)])
    return page_html(data_block(series, checked="bundle"), parts_in(series))
