"""Release designs side by side on the gravity model, at equal composed budgets; with peers if they are installed.

Run: `python -m tests.benchmarks.release_designs`. The mechanisms are those that release, with their own noise; only the
people are simulated. Each table stands in out/bench/release_designs.json as well.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
from rich.console import Console

from jobs.evaluation.contributions import Contributions
from jobs.evaluation.designs import BOUNDS, DESIGNS, Bounds, Budget, Outcome, Setting, top_down_as_measured
from jobs.evaluation.report import Evaluated, Figures, figures, mean_figures, to_json, view
from jobs.evaluation.run import side_by_side
from privacy.hierarchy import PairTree, ZoneTree
from privacy.plan import DELTAS
from privacy.policy import LevelPolicy, Policy, ProductPolicy
from privacy.unit import PeriodKind
from tests.benchmarks.peers.compare import PEERS, evaluated
from tests.benchmarks.simulator import Week, simulate

REPORT: Final = Path("out/bench/release_designs.json")
WEEKS: Final = 5
"""Weekly releases of the longest privacy month."""

_DAILY = tuple(
    LevelPolicy(resolution, share, c2) for resolution, share, c2 in ((4, 50, 16.0), (5, 150, 9.0), (6, 800, 4.0))
)
"""A single day's bounds, and thousandths of its price; the policy itself releases days at coarse levels only."""

_PLAIN_WEEKLY = tuple(
    LevelPolicy(resolution, share, c2) for resolution, share, c2 in ((4, 50, 4.0), (5, 150, 2.0), (6, 800, 0.75))
)
"""The split from which the policy's was improved: bounds and thousandths of a week's price."""

_DAILY_DELTA: Final = 1e-8
_CANDIDATES: Final = {PeriodKind.DAY: (1, 2, 3, 4, 6, 8), PeriodKind.WEEK: (0.5, 1, 1.5, 2, 3, 4)}


def main() -> None:
    """Print the tables that were asked for."""
    asked = _arguments()
    weeks = {seed: simulate(7, seed) for seed in asked.seeds}
    rows: list[Figures] = []
    for title, settings in _cases(weeks, asked):
        shown = list(_bounds(settings[0]) if asked.bounds else _rows(settings, asked.peers))
        Console(width=90).print(view(shown, title))
        rows += shown
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(to_json(rows) + "\n", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=_numbers, default=[7], help="countries to average over, as 7,8,9")
    parser.add_argument("--weekly", type=_numbers, default=[23_000, 30_000], help="micro-rho of weekly releases")
    parser.add_argument("--days", type=_numbers, default=[0, 3, 5], help="days of the daily table; 0 is Monday")
    parser.add_argument("--peers", type=Path, help="folder of the peers' environments: weekly table only")
    parser.add_argument("--bounds", action="store_true", help="the Laplace designs under several bounds instead")
    return parser.parse_args()


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",") if part]


def _cases(weeks: dict[int, Week], asked: argparse.Namespace) -> Iterator[tuple[str, list[Setting]]]:
    """Titles, and the settings over which each table averages."""
    for micro_rho in asked.weekly:
        budget = Budget(micro_rho, WEEKS, DELTAS[0])
        title = f"Weekly means at rho {micro_rho / 1e6:g}, 500,000 simulated subscribers, mean of {len(weeks)}"
        yield title, [_weekly(week, budget) for week in weeks.values()]
    if asked.days and not asked.peers:
        budget = Budget.of_epsilon(1.0, _DAILY_DELTA)
        title = f"One day at epsilon 1 and delta 1e-8, mean of {len(asked.days) * len(weeks)} days"
        yield title, [_daily(week, day, budget) for week in weeks.values() for day in asked.days]


def _weekly(week: Week, budget: Budget) -> Setting:
    entries = Contributions.of(week.subscriber, week.pair, np.ones_like(week.pair), days=week.days)
    product = Policy.load().product("od_trips", PeriodKind.WEEK)
    return Setting(entries, PairTree(ZoneTree(week.cells, (4, 5, 6))), product, budget, BOUNDS[PeriodKind.WEEK])


def _daily(week: Week, day: int, budget: Budget) -> Setting:
    # the simulator sorts each day by subscriber, so a day begins where the subscriber's number falls
    that = np.cumsum(np.r_[0, np.diff(week.subscriber) < 0]) == day
    entries = Contributions.of(week.subscriber[that], week.pair[that], np.ones_like(week.pair[that]), days=1)
    weekly = Policy.load().product("od_trips", PeriodKind.WEEK)
    product = ProductPolicy(**{**vars(weekly), "kind": PeriodKind.DAY, "micro_rho": 1000, "levels": _DAILY})
    return Setting(entries, PairTree(ZoneTree(week.cells, (4, 5, 6))), product, budget, BOUNDS[PeriodKind.DAY])


def _rows(settings: Sequence[Setting], peers: Path | None) -> Iterator[Figures]:
    """One row a design: the mean over settings."""
    runs = [[figures(made) for made in _evaluated(setting, peers)] for setting in settings]
    return (mean_figures(rows) for rows in zip(*runs, strict=True))


def _evaluated(setting: Setting, peers: Path | None) -> Iterator[Evaluated]:
    if peers:
        with TemporaryDirectory() as folder:
            yield from (evaluated(peer, setting, peers.absolute(), Path(folder)) for peer in PEERS)
    yield from side_by_side(setting)
    yield from side_by_side(setting, {"plain": _plain})


def _plain(setting: Setting) -> Outcome:
    """The first top-down design: shares of 5, 15 and 80 %, expansion at two sigma, values as measured, cut at four."""
    levels = _DAILY if setting.entries.days == 1 else _PLAIN_WEEKLY
    changes = {"micro_rho": 1000, "levels": levels, "expand_sigma": 2.0}
    product = ProductPolicy(**{**vars(setting.product), **changes})
    return replace(top_down_as_measured(replace(setting, product=product)), design="top-down, 5/15/80, 4 sd")


def _bounds(setting: Setting) -> Iterator[Figures]:
    laplace = {name: design for name, design in DESIGNS.items() if name.startswith("laplace")}
    for l1 in _CANDIDATES[PeriodKind.DAY if setting.entries.days == 1 else PeriodKind.WEEK]:
        for made in side_by_side(replace(setting, bounds=Bounds(float(l1))), laplace):
            yield {**figures(made), "design": f"{made.design}, L1 {l1:g}"}


if __name__ == "__main__":
    main()
