"""Rows of pairs, counted in coarser pairs: what is finer than somebody may hold, or worse than agreed.

Values add up, so nothing is lost and nothing is drawn: it is arithmetic on rows that left already. Variances add up
too. A residual row was reckoned by taking the finer rows off a measurement, so that its error and theirs pull in
opposite directions: the sum of their variances is the variance of their sum, or more (privacy/proofs/sharing.md).
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import pyarrow as pa

from jobs.publish.tables import DECIMALS, published_table
from privacy.intervals import uncertain
from schemas.contract import Contract
from schemas.published import PUBLISHED, REMAINDER, RESIDUAL

Parents = Callable[[str, int], str]
"""Gives the zone of a coarser level in which a zone lies."""

_SCALE: Final = 10**DECIMALS
"""Published values are whole thousandths, which add up without an error of their own."""

_BEST_FIRST: Final = "ABC"


class Pair(NamedTuple):
    """What a row is of: a level, its zones and the stratum."""

    level: int
    origin: str
    destination: str
    sex: str
    age_band: str

    def at(self, level: int, parents: Parents) -> "Pair":
        """The pair of a coarser level in which it lies."""
        return self._replace(
            level=level, origin=parents(self.origin, level), destination=parents(self.destination, level)
        )


@dataclass(frozen=True)
class Held:
    """What rows hold that are counted together.

    Args:
        thousandths: Their value, in thousandths of the unit.
        variances: The variance of each of them.
        row: The one row, as it was published, where nothing was added to it.
    """

    thousandths: int
    variances: tuple[float, ...]
    row: Mapping[str, Any] | None = None

    def __add__(self, other: "Held") -> "Held":
        return Held(self.thousandths + other.thousandths, self.variances + other.variances)

    @property
    def numbers(self) -> Mapping[str, Any]:
        """Value, noise, interval and grade: as they were published, or anew for a sum."""
        sd = math.sqrt(math.fsum(sorted(self.variances)))
        return self.row or uncertain(self.thousandths / _SCALE, sd)

    def is_worse_than(self, grade: str | None) -> bool:
        """Tell whether its grade is worse than the least that is wanted."""
        return grade is not None and _BEST_FIRST.index(str(self.numbers["quality"])) > _BEST_FIRST.index(grade)


def fold(
    rows: pa.Table,
    contract: Contract,
    parents: Parents,
    *,
    levels: Sequence[int],
    finest: int,
    least_quality: str | None = None,
) -> pa.Table:
    """Count rows that are too fine, or too poor, in the pair above; from the coarsest level, in the remainder.

    Grain: one row per pair that is left, and the remainder. All rows add up to what they added up to before.

    Args:
        rows: Published rows of a product of pairs.
        contract: Theirs.
        parents: In which zone of a coarser level a zone lies.
        levels: Levels of the release.
        finest: The finest of them that is left.
        least_quality: The worst grade that is left, A or B; none: any.
    """
    (rest,) = [row for row in rows.to_pylist() if row["status"] == REMAINDER]
    found = {_pair_of(row): _held(row) for row in rows.to_pylist() if row["status"] != REMAINDER}
    remainder = _thousandths(rest)
    for level, coarser in _steps(levels):
        for pair in [pair for pair in found if pair.level == level]:
            if level <= finest and not found[pair].is_worse_than(least_quality):
                continue
            held = found.pop(pair)
            if coarser is None:
                remainder += held.thousandths
                continue
            above = pair.at(coarser, parents)
            found[above] = found[above] + held if above in found else Held(held.thousandths, held.variances)
    common = {name: rest[name] for name in ("period", "definition_id")}
    made = [*_rows(found, parents, levels, common), rest | _with_value(rest, remainder)]
    return published_table(pa.Table.from_pylist(made, schema=contract.arrow_schema), contract)


def _steps(levels: Sequence[int]) -> Iterator[tuple[int, int | None]]:
    """Each level and the next coarser one, from fine to coarse."""
    ordered = sorted(levels, reverse=True)
    yield from zip(ordered, [*ordered[1:], None], strict=True)


def _rows(
    found: Mapping[Pair, Held], parents: Parents, levels: Sequence[int], common: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Rows from fine to coarse; one with a published pair inside it holds what that leaves."""
    above = {pair.at(level, parents) for pair in found for level in levels if level < pair.level}
    for pair in sorted(found, key=lambda pair: (-pair.level, pair[1:])):
        yield {
            **common,
            "origin": pair.origin,
            "destination": pair.destination,
            "res_from": pair.level,
            "res_to": pair.level,
            "sex": pair.sex,
            "age_band": pair.age_band,
            **{name: found[pair].numbers[name] for name in _NUMBERS},
            "is_residual": pair in above,
            "status": RESIDUAL if pair in above else PUBLISHED,
        }


_NUMBERS: Final = ("value", "noise_sd", "ci_low", "ci_high", "quality")


def _with_value(rest: Mapping[str, Any], thousandths: int) -> dict[str, Any]:
    """The remainder's numbers; its noise stands: it bounds the error of the total and of more rows than are left."""
    if thousandths == _thousandths(rest):
        return {}
    return uncertain(thousandths / _SCALE, rest["noise_sd"])


def _pair_of(row: Mapping[str, Any]) -> Pair:
    return Pair(row["res_from"], row["origin"], row["destination"], row["sex"], row["age_band"])


def _held(row: Mapping[str, Any]) -> Held:
    return Held(_thousandths(row), (row["noise_sd"] ** 2,), row)


def _thousandths(row: Mapping[str, Any]) -> int:
    value: float = row["value"]
    return round(value * _SCALE)
