"""Breaks in a series: periods from which on its values mean something else, as far as the cards tell."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any

from jobs.publish.card import Card
from jobs.publish.catalogue.reading import Listed


@dataclass(frozen=True)
class Break:
    """Something that differs from one period of a series to the next that is listed.

    Args:
        series: `od_trips/week`.
        period: The first period of which the new holds.
        what: What differs.
        before: What it was.
        after: What it is.
    """

    series: str
    period: str
    what: str
    before: str
    after: str


def breaks_in(releases: Iterable[Listed]) -> tuple[Break, ...]:
    """Return the breaks of every series: from the newest revision of a period to that of the next one."""
    found = []
    for series, of_series in groupby(releases, key=lambda one: one.series):
        newest = {one.card.period: one.card for one in of_series}  # in order, so that the last revision stays
        for before, after in pairwise(newest.values()):
            found += list(_between(series, before, after))
    return tuple(found)


def _between(series: str, before: Card, after: Card) -> Iterator[Break]:
    old, new = _terms(before), _terms(after)
    for what, said in new.items():
        if said != old[what]:
            yield Break(series, after.period, what, old[what], said)


def _terms(card: Card) -> dict[str, str]:
    """What has to be equal for two periods to be compared, in words."""
    domain = card.domain
    return {
        "definition": card.definition_id,
        "parameters of the definition": _parameters(card.definition_parameters),
        "unit": card.unit_of_value,
        "zones": str(card.zoning) if domain else "none",
        "levels": ", ".join(map(str, sorted(domain.resolutions))) if domain else "none",
        "boundaries": (domain.units_sha256 or "")[:16] if domain else "",
        "number of base cells": str(domain.zones) if domain else "none",
        "contribution bounds": "; ".join(f"{note.place(card.zoning)}: c² {note.c2:g}" for note in card.privacy.levels),
        "cut": "none" if card.privacy.publish_sigma is None else f"{card.privacy.publish_sigma:g} standard deviations",
        "list of sensitive places": card.sensitive_places,
        "synthetic": "yes" if card.synthetic else "no",
    }


def _parameters(found: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(found.items()))
