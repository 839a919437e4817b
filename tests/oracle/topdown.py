"""What `topdown.estimate` must give, pair by pair over dictionaries, in the order of its description."""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Row:
    """One published row; level -1 is the national remainder."""

    level: int
    pair: int
    value: int
    sd: float
    is_residual: bool


def published(measured, tree, *, publish_sigma, judge):
    """Rows from the finest level to the coarsest, then the remainder."""
    rows = []
    for level in reversed(range(len(measured))):
        below = {pair: [row for row in rows if ancestor(tree, row, level) == pair] for pair in measured[level].pairs}
        for pair, (found, sd) in judged_level(measured, tree, level, below, judge).items():
            if found >= publish_sigma * sd:
                rows.append(Row(level, int(pair), round(found), sd, bool(below[pair])))
    roots = measured[0]
    sd = math.sqrt(len(roots.pairs)) * roots.sigma + math.sqrt(sum(row.sd**2 for row in rows))
    remainder = int(roots.values.sum()) - sum(row.value for row in rows)
    return [*rows, Row(-1, 0, remainder, sd, True)]


def judged_level(measured, tree, level, below, judge):
    """Estimate and sd of what is left of each pair of a level."""
    pairs = measured[level].pairs
    noisy = dict(zip(pairs, measured[level].values, strict=True))
    found = judged(judge, noisy, dict.fromkeys(pairs, measured[level].sigma), expectations(tree, level, noisy), pairs)
    whole = {pair: found[pair][0] for pair in pairs}
    taken = {pair: sum(row.value for row in below[pair]) for pair in pairs}
    variance = {pair: measured[level].sigma ** 2 + sum(row.sd**2 for row in below[pair]) for pair in pairs}
    sd = {pair: max(1.0, math.sqrt(variance[pair])) for pair in pairs}
    rest = {pair: whole[pair] - taken[pair] for pair in pairs}
    expected = expectations(tree, level, whole)
    expected_rest = {pair: max(expected[pair] - taken[pair], 0) for pair in pairs}
    finer = measured[level + 1].pairs if level + 1 < len(measured) else np.array([], int)
    expanded = sorted(set(tree.parents(level + 1, finer).tolist())) if len(finer) else []
    return found | judged(judge, rest, sd, expected_rest, expanded)


def judged(judge, value, sd, expected, pairs):
    """What a judge says of some pairs."""
    if not len(pairs):
        return {}
    columns = (np.array([column[pair] for pair in pairs], float) for column in (value, sd, expected))
    return dict(zip(pairs, zip(*judge(*columns), strict=True), strict=True))


def ancestor(tree, row, level):
    """The pair of a coarser or equal level that a row lies in."""
    pair = np.array([row.pair])
    for finer in range(row.level, level, -1):
        pair = tree.parents(finer, pair)
    return int(pair[0])


def expectations(tree, level, value):
    """The rest of each family, in proportion to what else leaves a pair's origin and reaches its destination."""
    n = tree.size(level)
    leaving = [sum(v for p, v in value.items() if p // n == zone) for zone in range(n)]
    reaching = [sum(v for p, v in value.items() if p % n == zone) for zone in range(n)]

    def pull(totals, zone, own):
        return max(totals[zone] - own, 0) + 0.1 * np.mean([max(total, 0) for total in totals])

    weight = {p: pull(leaving, p // n, v) * pull(reaching, p % n, v) for p, v in value.items()}
    parent = {p: int(tree.parents(level, np.array([p]))[0]) if level else 0 for p in value}
    result = {}
    for pair in value:
        others = [other for other in value if parent[other] == parent[pair] and other != pair]
        rest = max(sum(value[other] for other in others), 0)
        weighed = sum(weight[other] for other in others)
        result[pair] = rest * weight[pair] / weighed if weighed > 1e-9 * weight[pair] else 0.0
    return result
