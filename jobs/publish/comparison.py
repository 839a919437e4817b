"""How far a release is from a known truth: for synthetic data only, where the truth was planted.

Physical movement, what the network observed of it and the bounded table that noise was added to are three
different things. A release estimates the last; comparing it with each shows what observation, bounding and
noise cost.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import h3
import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from rich.console import Group
from rich.table import Table

from jobs.evaluation.scores import FLOORS, common_part_of_commuters, share_of
from jobs.publish.card import read_card
from privacy.canonical import canonical_json
from privacy.release import Release
from privacy.zoning import Zoning
from schemas.errors import BundleError, PrivacyError
from schemas.published import PUBLISHED, REMAINDER

_PAIR: Final = ["origin", "destination"]


@dataclass(frozen=True)
class LevelAgreement:
    """Agreement at one resolution, everything measured there or finer counted in.

    Args:
        resolution: H3 resolution.
        share: Share of the release's total that stands in rows of exactly this resolution.
        rows: Rows of exactly this resolution, residuals included.
        cpc: Common part of commuters, 0 to 1.
        correlation: Pearson's r over all pairs that either side knows; absent counts as 0.
    """

    resolution: int
    share: float
    rows: int
    cpc: float
    correlation: float


@dataclass(frozen=True)
class ErrorAbove:
    """Error of published rows whose true flow reaches a floor.

    Args:
        floor: True trips a day.
        rows: Published rows there.
        median_relative_error: Median of |value - truth| / truth; NaN without rows.
    """

    floor: int
    rows: int
    median_relative_error: float


@dataclass(frozen=True)
class Agreement:
    """A release against one truth.

    Args:
        levels: By resolution, finest first.
        errors: By floor of the true flow.
        published: Rows published at their own resolution.
        false_pairs: Published rows where the truth has no trip at all.
        coverage: Share of published rows whose interval holds the truth.
        total_ratio: The release's total over the true total.
        remainder_share: Share of the release's total in the national remainder.
    """

    levels: tuple[LevelAgreement, ...]
    errors: tuple[ErrorAbove, ...]
    published: int
    false_pairs: int
    coverage: float
    total_ratio: float
    remainder_share: float


@dataclass(frozen=True)
class Comparison:
    """A release against the planted truth and, where given, against the bounded table it was drawn from.

    Args:
        title: The release's name.
        truth: Against physical movement.
        exact: Against the bounded exact table; tests only, for that table never leaves.
    """

    title: str
    truth: Agreement
    exact: Agreement | None = None

    def __rich__(self) -> Group:
        """Return the comparison as two tables that fit one screen."""
        columns = {"truth": self.truth} | ({"bounded": self.exact} if self.exact else {})
        return Group(_levels_table(self.title, columns), _figures_table(columns))


def compare_with_truth(release: Release, true_trips: pa.Table, *, exact: pa.Table | None = None) -> Comparison:
    """Compare a release of synthetic data with what was planted.

    Args:
        release: A release whose card says that its data are synthetic.
        true_trips: `origin_h3, destination_h3, trips`: mean trips a day between cells of the base resolution.
        exact: The same columns, from the bounded exact table.

    Raises:
        PrivacyError: The release is not synthetic: a comparison with real data would tell about people.
        BundleError: Its zones are no H3 cells, and the truth is.
    """
    card = read_card(canonical_json(release.card))
    if card.zoning is not Zoning.H3:
        raise BundleError(f"Release {release.key} has {card.zoning.zones}.", "H3 cells, as the truth has them")
    if not card.synthetic:
        raise PrivacyError(
            f"Release {release.key} is not of synthetic data.",
            "a synthetic release, whose truth was planted and is nobody's",
            "compare it with public statistics instead",
        )
    rows = release.table.to_pandas()
    return Comparison(
        title=str(release.key),
        truth=agreement(rows, _true_flows(true_trips), card.resolutions),
        exact=None if exact is None else agreement(rows, _true_flows(exact), card.resolutions),
    )


def agreement(rows: pd.DataFrame, truth: pd.DataFrame, resolutions: Sequence[int]) -> Agreement:
    """Return the agreement of released rows with a truth.

    Args:
        rows: Rows of the published contract.
        truth: `origin, destination, truth`, one row a pair of base cells.
        resolutions: Resolutions that were measured.
    """
    total = float(rows["value"].sum())
    true_at = {resolution: rolled_up(truth, "truth", resolution) for resolution in resolutions}
    published = _with_truth(rows[rows["status"] == PUBLISHED], true_at)
    inside = published["truth"].between(published["ci_low"], published["ci_high"])
    return Agreement(
        levels=tuple(_level(rows, true_at[resolution], resolution, total) for resolution in resolutions),
        errors=tuple(_error_above(published, floor) for floor in FLOORS),
        published=len(published),
        false_pairs=int((published["truth"] == 0).sum()),
        coverage=share_of(float(inside.sum()), len(published)),
        total_ratio=share_of(total, float(truth["truth"].sum())),
        remainder_share=share_of(float(rows.loc[rows["status"] == REMAINDER, "value"].sum()), total),
    )


def rolled_up(flows: pd.DataFrame, column: str, resolution: int | None = None) -> pd.DataFrame:
    """Return flows summed by pair; with a resolution, by pair of the zones' parents there."""
    if resolution is not None:
        zones = {zone: h3.cell_to_parent(zone, resolution) for name in _PAIR for zone in flows[name].unique()}
        flows = flows.assign(**{name: flows[name].map(zones) for name in _PAIR})
    summed: pd.DataFrame = flows.groupby(_PAIR, as_index=False).agg({column: "sum"})
    return summed


def _true_flows(table: pa.Table) -> pd.DataFrame:
    columns = {"origin_h3": "origin", "destination_h3": "destination", "trips": "truth"}
    flows = table.select(list(columns)).to_pandas().rename(columns=columns)
    # Movement inside one base cell is no trip, and would count as one inside the coarser zones.
    return rolled_up(flows[flows["origin"] != flows["destination"]], "truth")


def _with_truth(rows: pd.DataFrame, true_at: Mapping[int, pd.DataFrame]) -> pd.DataFrame:
    # A zone's name holds its resolution, so the pairs of all levels go into one table.
    true_flows = pd.concat(true_at.values())
    joined: pd.DataFrame = rows.merge(true_flows, on=_PAIR, how="left").fillna({"truth": 0.0})
    return joined


def _level(rows: pd.DataFrame, truth: pd.DataFrame, resolution: int, total: float) -> LevelAgreement:
    own = rows["res_from"] == resolution
    estimate = rolled_up(rows[rows["res_from"] >= resolution], "value", resolution)
    both = estimate.merge(truth, on=_PAIR, how="outer").fillna({"value": 0.0, "truth": 0.0})
    return LevelAgreement(
        resolution=resolution,
        share=share_of(float(rows.loc[own, "value"].sum()), total),
        rows=int(own.sum()),
        cpc=common_part_of_commuters(both["value"], both["truth"]),
        correlation=_correlation(both["value"].to_numpy(), both["truth"].to_numpy()),
    )


def _correlation(estimate: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    if len(truth) < 2 or not estimate.std() or not truth.std():
        return float("nan")
    return float(np.corrcoef(estimate, truth)[0, 1])


def _error_above(published: pd.DataFrame, floor: int) -> ErrorAbove:
    large = published[published["truth"] >= floor]
    relative = (large["value"] - large["truth"]).abs() / large["truth"]
    return ErrorAbove(floor, len(large), float(relative.median()) if len(large) else float("nan"))


def _levels_table(title: str, columns: Mapping[str, Agreement]) -> Table:
    table = Table("H3 level", title=f"{title} against what was planted")
    for heading in ("rows", "share of flow"):
        table.add_column(heading, justify="right")
    for name in columns:
        table.add_column(f"CPC {name}", justify="right")
        table.add_column(f"r {name}", justify="right")
    sides = list(columns.values())
    for levels in zip(*(side.levels for side in sides), strict=True):
        pairs = [text for level in levels for text in (f"{level.cpc:.2f}", f"{level.correlation:.3f}")]
        first = levels[0]
        table.add_row(str(first.resolution), f"{first.rows:,}", _percent(first.share), *pairs)
    table.add_row("remainder", "1", _percent(sides[0].remainder_share))
    return table


def _figures_table(columns: Mapping[str, Agreement]) -> Table:
    table = Table("published rows", *(f"against {name}" for name in columns))
    sides = list(columns.values())
    for number, floor in enumerate(FLOORS):
        texts = [_error_text(side.errors[number]) for side in sides]
        table.add_row(f"median error, {floor:,} a day or more", *texts)
    table.add_row("pairs without a true trip", *(f"{s.false_pairs:,} of {s.published:,}" for s in sides))
    table.add_row("95 % intervals that hold it", *(_percent(side.coverage) for side in sides))
    table.add_row("total, remainder included", *(_percent(side.total_ratio) for side in sides))
    return table


def _error_text(error: ErrorAbove) -> str:
    return f"{_percent(error.median_relative_error)} ({error.rows:,} rows)" if error.rows else "no rows"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
