"""What `topdown.estimate` must give: least squares with dense matrices, given the roots, and its full covariance."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Row:
    """One published row; level -1 is the national remainder."""

    level: int
    pair: int
    value: float
    sd: float
    is_residual: bool


def published(measured, tree, *, publish_sigma):
    """Rows from the finest level to the coarsest, then the remainder.

    The unknowns are the leaves: measured pairs without measured children. Each measurement is the sum of the leaves
    below it, with independent noise. A root with children is no measurement among others: it is what its leaves have
    to add up to.
    """
    nodes = [(level, int(pair)) for level, m in enumerate(measured) for pair in m.pairs]
    members, n_leaves, own = _leaves_below(nodes, tree)
    design = np.zeros((len(nodes), n_leaves))
    for row, node in enumerate(nodes):
        design[row, sorted(members[node])] = 1
    y = np.concatenate([m.values for m in measured]).astype(float)
    precision = np.concatenate([np.full(len(m.pairs), m.sigma**-2) for m in measured])
    is_sum = np.array([node[0] == 0 and node not in own for node in nodes])
    precision[is_sum] = 0
    covariance = np.linalg.inv(design.T @ (precision[:, None] * design))
    leaves = covariance @ design.T @ (precision * y)
    for root in np.flatnonzero(is_sum):
        leaves, covariance = _adding_up_to(y[root], measured[0].sigma, design[root], leaves, covariance)
    return list(_rows(nodes, members, leaves, covariance, publish_sigma)), leaves.sum()


def _leaves_below(nodes, tree):
    parent_of = {
        (level, pair): (level - 1, int(tree.parents(level, np.array([pair]))[0])) for level, pair in nodes if level
    }
    leaves = sorted(set(nodes) - set(parent_of.values()))
    members = {node: set() for node in nodes}
    for number, leaf in enumerate(leaves):
        node = leaf
        while node is not None:
            members[node].add(number)
            node = parent_of.get(node)
    return members, len(leaves), set(leaves)


def _adding_up_to(value, sigma, members, leaves, covariance):
    """Share what is missing to a root's value among its leaves, by their covariance with their sum."""
    with_sum = covariance @ members
    gain = with_sum / (members @ with_sum)
    leaves = leaves + gain * (value - members @ leaves)
    return leaves, covariance - np.outer(gain, with_sum) + np.outer(gain, gain) * sigma**2


def _rows(nodes, members, leaves, covariance, publish_sigma):
    rest_of = {node: set(below) for node, below in members.items()}
    taken, owners = set(), []
    for node in sorted(nodes, key=lambda node: (-node[0], node[1])):
        rest = sorted(rest_of[node] - taken)
        value, sd = _sum_of(rest, leaves, covariance)
        if sd > 0 and value >= publish_sigma * sd:
            yield Row(*node, value, sd, any(members[owner] <= members[node] for owner in owners))
            taken |= set(rest)
            owners.append(node)
    yield Row(-1, 0, *_sum_of(sorted(set(range(len(leaves))) - taken), leaves, covariance), True)


def _sum_of(rest, leaves, covariance):
    return float(leaves[rest].sum()), float(np.sqrt(covariance[np.ix_(rest, rest)].sum()))
