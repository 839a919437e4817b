"""`whimbrel evaluate`: the designs side by side on the synthetic country of an installation. Nothing is charged."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import pyarrow as pa

from jobs.evaluation.contributions import Contributions
from jobs.evaluation.designs import BOUNDS, DESIGNS, Budget, Design, Setting
from jobs.evaluation.report import Evaluated
from jobs.evaluation.scores import score
from jobs.releases import Desk, Progress, Session
from privacy.hierarchy import PairTree
from privacy.od_trips import OdTripsPlan
from privacy.plan import DELTAS
from privacy.unit import Period
from schemas.errors import ConfigError


def evaluate(
    desk: Desk,
    product: str,
    period: Period,
    budgets: Sequence[int],
    session: Session,
    progress: Progress = lambda _: None,
) -> list[Evaluated]:
    """Run every design on the trips of a period, at each budget.

    Privacy: it reads exact values and repeats draws without charging them, so only synthetic data are read.

    Args:
        desk: The installation.
        product: od_trips: nothing else is released top-down over pairs.
        period: A day or week that the policy releases trips for.
        budgets: Losses of one release in micro-rho; none: that of the policy.
        session: Opens an engine.
        progress: Told what begins.

    Raises:
        ConfigError: The product is another, or a budget is none.
        PrivacyError: The data bear no synthetic mark.
        InputError: A day of the period was never delivered.
    """
    desk.refuse_real_data()
    plan = desk.plan(product, period, 1)
    if not isinstance(plan, OdTripsPlan):
        raise ConfigError(f"{product} is no table of pairs.", "od_trips", "evaluate that")
    progress("aggregating trips of the synthetic country")
    with session() as engine:
        entries = contributions(desk.contributions_for_evaluation(plan, engine), days=period.n_days)
    releases = len(plan.product.periods(period.privacy_month))
    setting = Setting(
        entries=entries,
        tree=PairTree(plan.zones),
        product=plan.product,
        budget=Budget(plan.product.micro_rho, releases, DELTAS[0]),
        bounds=BOUNDS[period.kind],
    )
    chosen = [replace(setting.budget, micro_rho=micro_rho) for micro_rho in budgets or [plan.product.micro_rho]]
    return [made for budget in chosen for made in side_by_side(replace(setting, budget=budget), progress=progress)]


def side_by_side(
    setting: Setting, designs: Mapping[str, Design] = DESIGNS, progress: Progress = lambda _: None
) -> Iterator[Evaluated]:
    """Run designs one after another on the same contributions and score them."""
    exact = setting.entries.exact()
    for name, design in designs.items():
        progress(f"{name.replace('_', ' ')} at {setting.budget.micro_rho:,} micro-rho")
        wall, cpu = time.perf_counter(), time.process_time()
        outcome = design(setting)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        scores = score(outcome, exact, setting.tree)
        yield Evaluated(outcome.design, setting.budget, outcome.guarantee, scores, wall, cpu)


def contributions(table: pa.Table, *, days: int) -> Contributions:
    """Read `subscriber, key, trips` into contributions, in order."""
    subscriber, pair, trips = (table[name].to_numpy() for name in ("subscriber", "key", "trips"))
    return Contributions.of(subscriber, pair, trips, days=days)
