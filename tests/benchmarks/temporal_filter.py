"""What weeks of noisy values bring to the newest one, and whether a disaster still shows in its own week.

Run: `python -m tests.benchmarks.temporal_filter`. 26 weeks after the gravity model: each pair, origin and destination
drifts (AR 1), with a season and a holiday; in week 20 thirty neighbouring zones are emptied and forty beside them
doubled. The truth is the week's realised mean; bounds are left out. Noise is NumPy's here: it is for comparing.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table

from privacy.filtering import FilteredWeek, Pairs, filtered_weeks
from tests.benchmarks.simulator import Floats, Integers, distances_km, simulate

WEEKS, DISASTER = 26, 20
NORMAL = range(8, DISASTER)
_MEMORY, _PAIR, _ORIGIN, _DESTINATION = 0.8, 0.10, 0.10, 0.05


@dataclass(frozen=True)
class Half:
    """Half a year: true and noisy weekly means of all pairs, and where the disaster strikes."""

    true: Floats
    noisy: Floats
    emptied: Integers
    doubled: Integers


def half_year(base: Floats, distance: Floats, *, sigma: float, seed: int) -> Half:
    """Let pairs drift from a base, and strike."""
    random, n = np.random.default_rng(seed), len(distance)
    flow = base.reshape(n, n)
    centre = np.argsort(-(flow.sum(0) + flow.sum(1)))[20 + 7 * seed]
    near = np.argsort(distance[centre])
    half = Half(np.zeros((WEEKS, n * n)), np.zeros((WEEKS, n * n)), near[:30], near[30:70])
    factor = np.ones((n, n))
    factor[half.doubled], factor[:, half.doubled] = 2, 2
    factor[half.emptied], factor[:, half.emptied] = 0, 0
    for week, drift in enumerate(_drifts(random, n)):
        season = 1 + 0.1 * math.sin(2 * math.pi * week / 52) - (0.15 if week == 12 else 0)
        expected = base * season * drift * (factor.ravel() if week >= DISASTER else 1)
        half.true[week] = random.poisson(7 * expected) / 7
        half.noisy[week] = half.true[week] + random.normal(0, sigma, n * n)
    return half


def _drifts(random: np.random.Generator, n: int) -> Iterator[Floats]:
    stationary = 1 / math.sqrt(1 - _MEMORY**2)
    scales = ((n * n, _PAIR), (n, _ORIGIN), (n, _DESTINATION))
    state = [random.normal(0, scale * stationary, size) for size, scale in scales]
    origin, destination = np.divmod(np.arange(n * n), n)
    for _ in range(WEEKS):
        state = [
            _MEMORY * part + random.normal(0, scale, size) for part, (size, scale) in zip(state, scales, strict=True)
        ]
        pair, leaving, reaching = state
        yield np.exp(pair + leaving[origin] + reaching[destination])


def raw_weeks(half: Half, sigma: float) -> Iterator[FilteredWeek]:
    """Each week for itself."""
    for week in half.noisy:
        always = np.ones(len(week), dtype=np.bool_)
        yield FilteredWeek(week, np.full(len(week), sigma), 1.96, always, np.zeros(1, np.bool_))


def scored(half: Half, weeks: list[FilteredWeek], pairs: Pairs, *, raw_width: float | None = None) -> list[str]:
    """Describe a stream, in the order of COLUMNS."""

    def covered(number: int, among: Floats) -> float:
        week = weeks[number]
        width = week.half_width if raw_width is None else raw_width * week.sd
        return float(np.mean((np.abs(week.values - half.true[number]) <= width)[among & week.is_shown]))

    def error(least: float) -> float:
        per_week = []
        for number in NORMAL:
            true, week = half.true[number], weeks[number]
            value = np.where(week.is_shown, week.values, 0.0)[true >= least]
            per_week.append(np.median(np.abs(value - true[true >= least]) / true[true >= least]))
        return float(np.mean(per_week))

    everything = np.ones(half.true.shape[1], dtype=np.bool_)
    emptied, doubled = (np.isin(np.arange(pairs.zones), zones) for zones in (half.emptied, half.doubled))
    gone, twice = pairs.touching(emptied), pairs.touching(doubled) & ~pairs.touching(emptied)
    shown = [weeks[number].is_shown for number in NORMAL]
    false = np.mean([np.sum(half.true[n][s] == 0) for n, s in zip(NORMAL, shown, strict=True)])
    share = np.mean([half.true[n][s].sum() / half.true[n].sum() for n, s in zip(NORMAL, shown, strict=True)])
    late = weeks[DISASTER].alarms
    return [
        f"{np.mean([s.sum() for s in shown]):,.0f}", f"{false:.1f}", f"{share:.1%}", f"{error(10):.3f}",
        f"{error(50):.3f}", f"{np.mean([covered(n, everything) for n in NORMAL]):.3f}",
        *(str(int((weeks[n].is_shown & gone).sum())) for n in (DISASTER, DISASTER + 1)),
        *(f"{covered(DISASTER + n, twice):.2f}" for n in (0, 2, 5)),
        *(f"{late[zones].mean():.0%}" if len(late) > 1 else "" for zones in (half.emptied, half.doubled)),
        f"{np.mean([weeks[n].alarms.sum() for n in NORMAL]):.2f}",
    ]  # fmt: skip


COLUMNS = (
    "stream", "pairs", "false", "share", ">= 10", ">= 50", "covered", "emptied still shown 20", "21",
    "doubled covered 20", "22", "25", "emptied alarmed", "doubled", "false alarms",
)  # fmt: skip


def main() -> None:
    """Print the raw and the filtered stream at two scales of noise: the design's and today's policy's."""
    fortnight = simulate(days=14)
    n = len(fortnight.cells)
    base, distance = np.bincount(fortnight.pair, minlength=n * n) / 14, distances_km(fortnight.cells)
    origin, destination = np.divmod(np.arange(n * n), n)
    pairs = Pairs(origin, destination, distance <= 12)
    table = Table(*COLUMNS, title="26 weeks, weekly means; weeks 8 to 19 are normal, a disaster strikes in week 20")
    for sigma in (3.95, 4.66):
        half = half_year(base, distance, sigma=sigma, seed=1)
        table.add_row(f"raw, sigma {sigma}", *scored(half, list(raw_weeks(half, sigma)), pairs, raw_width=1.96))
        table.add_row("filtered", *scored(half, list(filtered_weeks(half.noisy, pairs, sigma=sigma)), pairs))
    Console(width=200).print(table)


if __name__ == "__main__":
    main()
