"""What `whimbrel evaluate` does with a product and a period: which comparison, and how it is shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import RenderableType

from jobs.evaluation.findings import findings_view, rows_of
from jobs.evaluation.planted import Truth
from jobs.evaluation.products import evaluate_event, evaluate_product
from jobs.evaluation.report import Figures, figures, view
from jobs.evaluation.run import evaluate
from jobs.releases import Desk, Progress, Session
from privacy.unit import Period
from schemas.errors import ConfigError


@dataclass(frozen=True)
class Asked:
    """What somebody wants to know.

    Args:
        product: A product of the policy.
        period: Its period; of displacement, the event's id.
        country: Folder of the synthetic country with its truth; none: noise alone is judged.
        budgets: Losses of one release in micro-rho; none: that of the policy.
    """

    product: str
    period: str
    country: Path | None
    budgets: Sequence[int]


def evaluated(
    desk: Desk, asked: Asked, session: Session, progress: Progress
) -> tuple[Sequence[Figures], RenderableType]:
    """Compare, and return the figures and how they are shown.

    Raises:
        ConfigError: The product is none, or displacement without a truth.
        PrivacyError: The data bear no synthetic mark.
        InputError: A day of the period was never delivered.
    """
    title = f"{asked.product} {asked.period}, {desk.config.country.name}"
    truth = Truth(asked.country) if asked.country else None
    if asked.product == "od_trips":
        made = evaluate(desk, asked.product, Period.parse(asked.period), asked.budgets, session, progress)
        rows = [figures(one) for one in made]
        return rows, view(rows, title)
    if asked.product == "displacement":
        found = evaluate_event(desk, asked.period, asked.budgets, session, truth=_needed(truth), progress=progress)
    else:
        plan = desk.plan(asked.product, Period.parse(asked.period), 1)
        found = evaluate_product(desk, plan, asked.budgets, session, truth=truth, progress=progress)
    return rows_of(found), findings_view(found, title)


def _needed(truth: Truth | None) -> Truth:
    if truth is None:
        raise ConfigError(
            "Displacement is judged by the planted truth.",
            "--truth COUNTRY",
            "name the folder of the synthetic country",
        )
    return truth
