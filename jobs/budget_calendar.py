"""The budget ahead as a calendar: how full each month gets, and what fills it."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from jobs.key_epochs import EPOCH_MONTHS, PseudonymConfig, lost_releases
from privacy.budget import MonthPlan, Onsets, PoolPlan, ProductCharge, tightest
from privacy.policy import Policy
from privacy.unit import PrivacyMonth

_BAR: Final = 10
"""Width of the bar that shows how full a month gets, in characters."""

_HEADING: Final = 5
"""Longest line of a heading, in characters."""

_TIGHT: Final = 0.99
"""From this share of its cap on a pool is shown in yellow: one more release of any product would overrun it."""

Epsilons = Sequence[tuple[str, int, float, float]]
"""What a cap means: name, micro-rho, delta, epsilon."""


def calendar_view(calendar: Sequence[MonthPlan], epsilons: Epsilons, onsets: Onsets) -> Group:
    """Two tables, a month a row: the pools, the tightest month of each marked; and the products that fill them."""
    return Group(_pools(calendar, onsets), _products(calendar), _meaning(epsilons))


def calendar_json(calendar: Sequence[MonthPlan], epsilons: Epsilons, onsets: Onsets) -> dict[str, object]:
    """The same as JSON; micro-rho throughout."""
    return {
        "events": "worst of one event on any day" if onsets is None else [str(onset) for onset in onsets],
        "months": [_month_json(month) for month in calendar],
        "tightest": {pool: str(month) for pool, month in tightest(calendar).items()},
        "epsilon": [
            {"pool": name, "cap_micro_rho": cap, "delta": delta, "epsilon": epsilon}
            for name, cap, delta, epsilon in epsilons
        ],
    }


def _month_json(month: MonthPlan) -> dict[str, object]:
    return {
        "month": str(month.month),
        "weeks": month.n_weeks,
        "pools": [
            {
                "pool": pool.pool,
                "charged_micro_rho": pool.charged_micro_rho,
                "cap_micro_rho": pool.cap_micro_rho,
                "left_micro_rho": pool.left_micro_rho,
            }
            for pool in month.pools
        ],
        "products": [
            {"product": each.product, "by": str(each.kind), "pool": each.pool, "micro_rho": each.micro_rho}
            for each in month.charges
        ],
    }


def _pools(calendar: Sequence[MonthPlan], onsets: Onsets) -> Table:
    table = _table("How full each month gets, thousandths of rho; ◄ marks the tightest")
    table.caption = _about(onsets)
    table.add_column("weeks", justify="right")
    for pool in calendar[0].pools:
        table.add_column(pool.pool, justify="right")
        table.add_column(f"of {_milli(pool.cap_micro_rho)}", no_wrap=True)
    marked = tightest(calendar)
    for month in calendar:
        cells = (cell for pool in month.pools for cell in _pool_cells(pool, month.month, marked))
        table.add_row(str(month.month), str(month.n_weeks), *cells)
    return table


def _pool_cells(pool: PoolPlan, month: PrivacyMonth, marked: Mapping[str, PrivacyMonth]) -> tuple[Text, Text]:
    style = "red" if pool.left_micro_rho < 0 else "yellow" if pool.share >= _TIGHT else "green"
    bar = "█" * min(round(pool.share * _BAR), _BAR)
    mark = "◄" if marked[pool.pool] == month and pool.charged_micro_rho else ""
    # down, so that only a full pool reads as full; an overrun reads above 100
    percent = pool.charged_micro_rho * 100 // pool.cap_micro_rho
    return Text(_milli(pool.charged_micro_rho), style), Text(f"{bar:{_BAR}} {percent:3} % {mark}", style)


def _products(calendar: Sequence[MonthPlan]) -> Table:
    table = _table("What fills it, look-backs of later releases included")
    table.box = None  # a rule between head and rows would cost a character a column
    for charge in calendar[0].charges:
        table.add_column(_heading(charge), justify="right", no_wrap=True)
    for month in calendar:
        amounts = (_milli(charge.micro_rho) if charge.micro_rho else "·" for charge in month.charges)
        table.add_row(str(month.month), *amounts)
    return table


def _heading(charge: ProductCharge) -> str:
    """The product in short lines, and how often it is released: a dozen columns have to fit 80 characters."""
    lines = [line for word in charge.product.split("_") for line in _broken(word)]
    return "\n".join([*lines, f"[dim]{charge.kind}[/dim]"])


def _broken(word: str) -> list[str]:
    """A word in lines of about the same length, hyphens included in what fits."""
    if len(word) <= _HEADING:
        return [word]
    length = math.ceil(len(word) / math.ceil(len(word) / (_HEADING - 1)))
    *first, last = (word[start : start + length] for start in range(0, len(word), length))
    return [*(f"{part}-" for part in first), last]


def _table(title: str) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("month", no_wrap=True)
    return table


def _about(onsets: Onsets) -> str:
    if onsets is None:
        return "events: the worst that one of any day can charge; --event DAY simulates one"
    return f"events: {', '.join(map(str, onsets))}" if onsets else "no event"


def _meaning(epsilons: Epsilons) -> str:
    return "\n".join(
        f"{name}, {cap:,} micro-rho a month, delta {delta:g}: epsilon {epsilon:.2f}"
        for name, cap, delta, epsilon in epsilons
    )


def _milli(micro_rho: int) -> str:
    return f"{micro_rho / 1000:g}"


def epochs_json(keys: PseudonymConfig, policy: Policy, calendar: Sequence[MonthPlan]) -> dict[str, object]:
    """The key epochs that begin in a calendar, and the releases that their borders forbid."""
    months = [month.month for month in calendar]
    begun = [str(epoch.first) for epoch in keys.in_order if epoch.first in months]
    lost = [{"product": product, "period": period} for product, period in lost_releases(keys, policy, months)]
    return {"key_epochs": {"begin": begun, "not_released": lost, "outlived": _outlived(keys)}}


def epochs_view(keys: PseudonymConfig, policy: Policy, calendar: Sequence[MonthPlan]) -> Text:
    """The same for people."""
    lost: dict[str, list[str]] = {}
    for product, period in lost_releases(keys, policy, [month.month for month in calendar]):
        lost.setdefault(product, []).append(period)
    lines = [f"  {product}: {', '.join(periods)}" for product, periods in lost.items()]
    if lines:
        lines.insert(0, "Not released, because they would follow subscribers over the beginning of a key epoch:")
    lines += [f"The key of {name} holds for more than {EPOCH_MONTHS} months." for name in _outlived(keys)]
    return Text("\n".join(lines) or "No border of key epochs lies in these months.")


def _outlived(keys: PseudonymConfig) -> list[str]:
    """First months of epochs that last longer than one should."""
    return [str(epoch.first) for epoch in keys.in_order if (epoch.months or 0) > EPOCH_MONTHS]
