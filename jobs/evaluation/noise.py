"""What the noise of a release does to its exact values, for a release of any product: pure functions of both."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final, TypeVar

import numpy as np

from jobs.evaluation.contributions import Floats, Integers
from jobs.evaluation.designs import Guarantee, Outcome, Values, priced
from jobs.evaluation.findings import Finding, released_at
from jobs.evaluation.scores import FLOORS, common_part_of_commuters, score
from privacy.bounding import Bounded
from privacy.flat import FlatMeasurements
from privacy.intervals import Z_95
from privacy.marginals import MarginalsPlan
from privacy.measurements import Measurements
from privacy.pairs import PairsPlan
from privacy.plan import Plan
from privacy.policy import EventPolicy, ProductPolicy, TablePolicy
from privacy.topdown import estimate

SomePlan = TypeVar("SomePlan", bound=Plan)

COVERAGE: Final = "share of 95 % intervals that hold the exact value"
CPC: Final = "common part with the exact values"


def at_price(plan: SomePlan, micro_rho: int) -> SomePlan:
    """Return a plan as it would be at another price, split between levels or tables as in the policy."""
    return replace(plan, product=_priced(plan.product, micro_rho))


def _priced(product: ProductPolicy | EventPolicy, micro_rho: int) -> ProductPolicy | EventPolicy:
    if isinstance(product, ProductPolicy) and product.levels:
        return priced(product, micro_rho)
    coarse = [table.micro_rho * micro_rho // product.micro_rho for table in product.tables[:-1]]
    shares = [*coarse, micro_rho - sum(coarse)]
    tables = tuple(
        TablePolicy(**{**vars(table), "micro_rho": share}) for table, share in zip(product.tables, shares, strict=True)
    )
    return type(product)(**{**vars(product), "micro_rho": micro_rho, "tables": tables})


def noise_findings(plan: Plan, bounded: Bounded) -> list[Finding]:
    """Draw the noise of a plan once, and compare what would be published with the exact values.

    Privacy: nothing is charged, so the values must be of synthetic people.
    """
    sealed = plan.draw(bounded)
    match plan:
        case MarginalsPlan():
            return [
                finding
                for number in range(len(plan.product.tables))
                for finding in _flat(plan, bounded, sealed, number)
            ]
        case PairsPlan():
            return list(_pairs(plan, bounded, sealed))
    return []


def _flat(plan: MarginalsPlan, bounded: Bounded, sealed: bytes, number: int) -> Iterator[Finding]:
    """Findings of one flat table."""
    table, drawn = plan.product.tables[number], FlatMeasurements.from_bytes(sealed).tables[number]
    exact = plan.exact(table, bounded)[1] / plan.fixed_point
    values, sd = drawn.values / plan.fixed_point, drawn.sigma / plan.fixed_point
    of, data = table_name(table), released_at(plan.product.micro_rho)
    yield Finding("keys", of, data, float(len(values)))
    yield Finding("standard deviation of the noise", of, data, sd)
    yield Finding(COVERAGE, of, data, float(np.mean(np.abs(values - exact) <= Z_95 * sd)))
    yield Finding(CPC, of, data, common_part_of_commuters(values, exact))
    for floor in FLOORS:
        yield Finding(f"median relative error of values >= {floor}", of, data, _median_error(values, exact, floor))


def _median_error(values: Floats, exact: Floats, floor: int) -> float:
    large = exact >= floor
    return float(np.median(np.abs(values[large] - exact[large]) / exact[large])) if large.any() else float("nan")


def table_name(table: TablePolicy) -> str:
    """Name a flat table by its dimensions and its level of zones."""
    level = "" if table.resolution is None else f", level {table.resolution}"
    return f"{' x '.join(table.by) or 'the country'}{level}"


def _pairs(plan: PairsPlan, bounded: Bounded, sealed: bytes) -> Iterator[Finding]:
    """Findings of pairs, by level."""
    data = released_at(plan.product.micro_rho)
    flows = bounded.keys, bounded.totals / plan.fixed_point
    tree = Measurements.from_bytes(sealed).tree
    found = score(_outcome(plan, bounded, sealed), flows, tree)
    for level in found.levels:
        of = f"level {level.resolution}"
        yield Finding("share of the flow in rows of this level", of, data, level.share)
        yield Finding(CPC, of, data, level.cpc)
        yield Finding(COVERAGE, of, data, level.coverage)
    yield Finding("share of the flow in rows", "all levels", data, found.share)
    yield Finding("rows where nobody went", "all levels", data, float(found.false_pairs))


def _outcome(plan: PairsPlan, bounded: Bounded, sealed: bytes) -> Outcome:
    """What was drawn, in the words in which designs are scored."""
    drawn, unit = Measurements.from_bytes(sealed), plan.fixed_point
    rows = estimate(drawn.levels, drawn.tree, publish_sigma=drawn.publish_sigma)
    return Outcome(
        design=plan.key.product,
        guarantee=Guarantee("", "", 0.0, 0.0, 0.0),
        bounded=(bounded.keys, bounded.totals / unit),
        measured=tuple(
            _values(one.pairs, one.values, np.full(len(one.pairs), one.sigma), unit) for one in drawn.levels
        ),
        shown=tuple(_values(one.pairs, one.values, one.sd, unit) for one in rows.levels),
        remainder=rows.remainder / unit,
    )


def _values(pairs: Integers, values: Integers, sd: Floats, unit: int) -> Values:
    return Values(pairs, values / unit, Z_95 * sd / unit)
