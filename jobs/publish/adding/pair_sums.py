"""Sums of rows of pairs: each row whole, where both its ends lie in what is asked for.

A coarser row holds what finer rows leave of its pair. Where only a part of it lies in what is asked for, nobody can
tell how much: it is added to nothing, and told beside the sum.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from jobs.publish.adding.asked import WHOLE, Asked, RowSum, Sums
from jobs.publish.drawn_zones import DrawnZones
from jobs.publish.pair_errors import PairErrors, pair_errors
from jobs.publish.released import Released
from schemas.errors import ConfigError

Flags = npt.NDArray[np.bool_]

FLOWS: Final = ("within", "out", "in")
"""Sums that a set of zones has: between its zones, from them elsewhere, from elsewhere to them."""


def pair_sums(bundle: Released, zones: DrawnZones, asked: Asked) -> Sums:
    """Add rows of pairs up: of a set of zones, by pairs of coarser zones, or of the whole country.

    Raises:
        ConfigError: What is asked is not there.
    """
    if asked.where or asked.over or asked.column:
        raise ConfigError(
            f"Rows of {bundle.product} have no labels.", "zones alone", "leave --where, --over, --column out"
        )
    errors = pair_errors(bundle, zones)
    values = bundle.rows["value"].to_numpy(np.float64)
    if asked.zones:
        zones.require(asked.zones, "--zones")
        parts = _of_zones(bundle, zones, asked.zones)
    elif asked.level is not None:
        _require_level(asked.level, bundle, zones)
        parts = _by_level(bundle, zones, asked.level)
    else:
        everything = np.ones(len(values), dtype=np.bool_)
        return Sums((_sum({"zones": WHOLE}, everything, ~everything, values, errors),), ())
    remainder = f"{values[errors.remainder]:,.1f} ± {1.96 * errors.sd[errors.remainder]:,.1f}"
    note = (
        f"The national remainder, {remainder} {bundle.card.unit_of_value}, lies nobody can tell where: it is in no sum."
    )
    return Sums(tuple(_sum(labels, whole, part, values, errors) for labels, whole, part in parts), (note,))


def _sum(
    labels: dict[str, str], whole: Flags, part: Flags, values: npt.NDArray[np.float64], errors: PairErrors
) -> RowSum:
    return RowSum(
        labels=labels,
        value=float(values[whole].sum()),
        sd=errors.sd_of(whole.astype(np.float64)),
        rows=int(whole.sum()),
        may_also_hold=float(values[part].sum()),
        may_also_sd=errors.sd_of(part.astype(np.float64)),
        may_also_rows=int(part.sum()),
    )


def _of_zones(
    bundle: Released, zones: DrawnZones, asked: Iterable[str]
) -> Iterator[tuple[dict[str, str], Flags, Flags]]:
    """Which rows lie whole, and which in part, within, out of and into a set of zones."""
    area = frozenset[str]().union(*(zones.leaves[zone] for zone in asked))
    inside = {zone: leaves <= area for zone, leaves in zones.leaves.items()}
    outside = {zone: not leaves & area for zone, leaves in zones.leaves.items()}
    ends = [bundle.rows[name].tolist() for name in ("origin", "destination")]
    (in_from, in_to), (out_from, out_to) = (
        [np.array([zone is not None and kind[zone] for zone in end]) for end in ends] for kind in (inside, outside)
    )
    somewhere = np.array([zone is not None for zone in ends[0]])
    name = "+".join(sorted(set(asked)))
    wanted = (
        (in_from, in_to, out_from, out_to),
        (in_from, out_to, out_from, in_to),
        (out_from, in_to, in_from, out_to),
    )
    for flow, (from_whole, to_whole, from_not, to_not) in zip(FLOWS, wanted, strict=True):
        whole = from_whole & to_whole
        yield {"zones": name, "flow": flow}, whole, somewhere & ~whole & ~from_not & ~to_not


def _by_level(bundle: Released, zones: DrawnZones, level: int) -> Iterator[tuple[dict[str, str], Flags, Flags]]:
    """Which rows lie in each pair of zones of a level, and which hold it in part."""
    ends = list(zip(bundle.rows["origin"], bundle.rows["destination"], strict=True))
    groups: dict[tuple[str, str], list[int]] = {}
    coarse: dict[tuple[str, str], int] = {}
    for n, (origin, destination) in enumerate(ends):
        if origin is None:
            continue
        above = zones.ancestor(origin, level), zones.ancestor(destination, level)
        if above[0] is None or above[1] is None:
            coarse[origin, destination] = n
        else:
            groups.setdefault((above[0], above[1]), []).append(n)
    for (origin, destination), rows in sorted(groups.items()):
        labels = {"origin": origin, "destination": destination}
        yield labels, _flags(rows, len(ends)), _flags(_holding(origin, destination, coarse, zones), len(ends))


def _holding(origin: str, destination: str, coarse: dict[tuple[str, str], int], zones: DrawnZones) -> list[int]:
    ups = [(zones.ancestor(origin, level), zones.ancestor(destination, level)) for level in zones.levels]
    return [coarse[pair] for pair in ups if pair in coarse]


def _flags(positions: list[int], size: int) -> Flags:
    flags = np.zeros(size, dtype=np.bool_)
    flags[positions] = True
    return flags


def _require_level(level: int, bundle: Released, zones: DrawnZones) -> None:
    levels = bundle.card.resolutions
    if level not in levels:
        raise ConfigError(
            f"{bundle.product} is not measured at {zones.zoning.place(level)}.",
            f"one of {', '.join(map(str, sorted(levels)))}",
            "add up to one of these",
        )
