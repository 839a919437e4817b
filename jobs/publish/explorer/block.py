"""The data of an explorer: one JSON value, `SCHEMA` its version, read by the page's own program and by nothing else.

Every number in it is a released one or follows from released ones; nothing is added up over what is not.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, Final

from jobs.publish.explorer.basemap import basemap_block
from jobs.publish.explorer.event import event_block
from jobs.publish.explorer.flat import BREAKDOWNS, flat_block
from jobs.publish.explorer.inputs import EVENT_PRODUCT, Series, Source
from jobs.publish.explorer.pairs import coarser_features, pairs_block
from jobs.publish.explorer.places import Places, places_of
from jobs.publish.sharing.checks import told
from jobs.publish.situation.network import Network

SCHEMA: Final = 2
"""Version of the data block; another meaning of anything in it is another version."""

PAIRS: Final = ("od_trips", "home_visits", "relocations", "migration")
"""Products of flows between zones."""

Networks = Mapping[date, Network]
"""The report on the network nearest to each day asked for."""


def data_block(
    series: Sequence[Series],
    *,
    names: Mapping[str, str] | None = None,
    networks: Networks | None = None,
    checked: str,
) -> dict[str, Any]:
    """Return all that a page shows.

    Args:
        series: The releases.
        names: Names of zones that the bundles do not name.
        networks: Reports on the network, by the last day of each period.
        checked: What the reader may rely on: `bundle`, `sums` or `keys`; the catalogue of words says what each means.
    """
    features = [feature for one in series for source in reversed(one.sources) for feature in source.features]
    coarser = [feature for one in series if one.latest.card.product in PAIRS for feature in coarser_features(one)]
    places = places_of([*features, *coarser], names or {})
    synthetic = series[0].latest.card.synthetic
    return {
        "schema": SCHEMA,
        "synthetic": synthetic,
        "restricted": any(s.card.sensitivity.now != "public" for one in series for s in one.sources),
        "checked": checked,
        "map": places.block() | {"base": [] if synthetic or not features else basemap_block(places.plane)},
        "network": _network(networks or {}, places),
        "products": [_product(one, places, networks or {}) for one in series],
    }


def periods_of(series: Sequence[Series]) -> list[date]:
    """Return the last day of every period: the days for which a report on the network is looked up."""
    return sorted({source.period.last_day for one in series for source in one.sources})


def _product(series: Series, places: Places, networks: Networks) -> dict[str, Any]:
    card = series.latest.card
    form, block = _form(card.product)
    return {
        "key": series.name,
        "product": card.product,
        "form": form,
        "event": card.event.model_dump(include={"id", "name", "hazard", "onset"}) if card.event else None,
        "unit": card.unit_of_value,
        "definition": card.definition_id,
        "definitionText": card.definition,
        "minAwayKm": card.definition_parameters.get("min_away_km"),
        "cut": card.privacy.publish_sigma,
        "interval": card.privacy.interval,
        "clipping": card.finding,
        "periods": [_period(source, networks) for source in series.sources],
        **block(series, places),
    }


def _form(product: str) -> tuple[str, Callable[[Series, Places], dict[str, Any]]]:
    if product in PAIRS:
        return "pairs", pairs_block
    if product == EVENT_PRODUCT:
        return "event", event_block
    if product in BREAKDOWNS:
        return "zones", flat_block
    return "bins", _bins_block


def _bins_block(series: Series, places: Places) -> dict[str, Any]:  # noqa: ARG001 - its keys are no zones
    """A table whose keys are no zones: points of a grid, and a share that follows from them."""
    tables = [source.table.to_pandas() for source in series.sources]
    columns = ("trips_a_day", "part", "value", "noise_sd")
    notes = [source.card.clipping for source in series.sources]
    return {
        "bins": [{name: rows[name].tolist() for name in columns} for rows in tables],
        "share": [note and [note.share, note.ci_low, note.ci_high] for note in notes],
        "layers": [],
    }


def _period(source: Source, networks: Networks) -> dict[str, Any]:
    card, period = source.card, source.period
    report = networks.get(period.last_day)
    return {
        "id": card.period,
        "kind": str(period.kind),
        "first": period.first_day.isoformat(),
        "last": period.last_day.isoformat(),
        "network": report and report.day.isoformat(),
        "release": _release(source),
    }


def _release(source: Source) -> dict[str, Any]:
    card, digest = source.card, source.digest
    shared = f". {told(source.sharing)}" if source.sharing else ""
    return {
        "slug": source.slug,
        "title": card.title,
        "revision": card.revision,
        "sealed": card.sealed_on,
        "file": digest[0],
        "sha256": digest[1],
        "head": card.ledger_head,
        "epsilon": card.epsilon_text,
        "rho": card.privacy.claimed_micro_rho / 1e6,
        "protected": card.unit_of_privacy,
        "mechanism": card.privacy.mechanism,
        "sensitivity": f"{card.sensitivity.text}{shared}",
        "class": card.sensitivity.now,
        "until": card.delivered_until and card.delivered_until.isoformat(),
        "provisional": card.is_provisional,
    }


def _network(networks: Networks, places: Places) -> dict[str, Any] | None:
    if not networks:
        return None
    reports = {report.day.isoformat(): report for report in networks.values()}
    return {
        "basis": str(next(iter(reports.values())).basis),
        "days": {day: _report(report, places) for day, report in sorted(reports.items())},
    }


def _report(report: Network, places: Places) -> dict[str, Any]:
    known = {places.numbers[zone]: told for zone, told in report.zones.items() if zone in places.numbers}
    return {
        "z": sorted(known),
        "v": [round(known[zone].share, 4) for zone in sorted(known)],
        "cells": report.cells,
        "down": report.down,
    }
