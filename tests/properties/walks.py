"""Small random countries and the walks of a few subscribers through them, for hypothesis."""

from datetime import date, timedelta

import h3
from hypothesis import Phase, settings
from hypothesis import strategies as st

DAY_S = 86_400


def through_the_engine(examples):
    """Settings of a property that asks an engine: examples are small, and to shrink one would take minutes."""
    return settings(max_examples=examples, phases=(Phase.explicit, Phase.generate))


MONDAY = date(2026, 3, 9)
"""A Monday with days of the same privacy month before it, so that a week looks back."""


def country():
    """Nine base cells: three in one parent of resolution 5, others beside and far, one out of reach at any speed."""
    centre = h3.latlng_to_cell(-14.06, 66.13, 5)
    town = sorted(h3.cell_to_children(centre, 6))[:3]
    near = [sorted(h3.cell_to_children(cell, 6))[0] for cell in sorted(h3.grid_ring(centre, 1))[:3]]
    far = [sorted(h3.cell_to_children(cell, 6))[0] for cell in sorted(h3.grid_ring(centre, 8))[:2]]
    beyond = [h3.latlng_to_cell(-85.0, 66.0, 6)]  # sorts last: the commutes below leave it out
    return tuple(sorted({*town, *near, *far, *beyond}))


CELLS = country()
A, B, C = (n for n, cell in enumerate(CELLS) if h3.cell_to_parent(cell, 5) == h3.latlng_to_cell(-14.06, 66.13, 5))
"""Three neighbours in one parent, nearer than the speed limit asks about."""

AWAY, BEYOND = 0, len(CELLS) - 1
"""A cell 130 km from them, and one that nobody reaches in a day."""

PLACES = {index: h3.cell_to_latlng(cell) for index, cell in enumerate(CELLS)}

points = st.tuples(st.integers(0, DAY_S - 1), st.integers(0, len(CELLS) - 1))


@st.composite
def commutes(draw):
    """A day of going to and fro at even intervals: many trips over few pairs, which is what strains a bound."""
    ends = draw(st.lists(st.integers(0, len(CELLS) - 2), min_size=2, max_size=3, unique=True))
    times = draw(st.integers(1, 60))
    return [(DAY_S // (times + 1) * n, ends[n % len(ends)]) for n in range(times)]


def days_of_people(*, people=4, first=MONDAY - timedelta(1), days=8):
    """{(subscriber, day): [(second, cell index), ...]} of a few people over a few days."""
    keys = st.tuples(st.integers(1, people), st.integers(0, days - 1).map(lambda n: first + timedelta(n)))
    return st.dictionaries(keys, st.lists(points, min_size=1, max_size=12) | commutes(), min_size=1, max_size=14)
